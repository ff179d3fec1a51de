"""Which entities a question names, and where.

A capital marks a name; a question that has none may name anything in it, as far as it is looked
through.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from graphrag.language import UNSPACED, WORD, Span, fold, without_josa
from graphrag.names import WordCase, find_names

LONGEST_NAME = 8
"""Words of an entity's name looked for in a question."""
LOOKED_THROUGH = 2000
"""Characters of a question without capitals that are looked through for names: each of its words might begin one."""


class Names(Protocol):
    """The place of each entity by its folded title."""

    def __contains__(self, name: object, /) -> bool: ...

    def __getitem__(self, name: str, /) -> int: ...


@dataclass(frozen=True, slots=True)
class Mentions:
    """What a question names."""

    entities: tuple[int, ...]
    """Their places, without repeats."""
    spans: tuple[Span, ...]
    """Where names stand, of entities or not; words of a script with capitals that has none here are no names."""


def find(question: str, known: Names) -> Mentions:
    """The entities, of those known, that a question names."""
    spans = tuple(find_names(question, WordCase()))
    capitalised = [fold(question[span.start : span.end]) for span in spans]
    found = [known[name] for name in capitalised if name in known]
    if found:
        return Mentions(tuple(dict.fromkeys(found)), spans)
    any_ = dict(_any_named(question[:LOOKED_THROUGH], known))
    caseless = tuple(
        span for span in any_ if question[span.start : span.end].upper() == question[span.start : span.end]
    )
    return Mentions(tuple(dict.fromkeys(any_.values())), _apart(spans, caseless))


def _any_named(question: str, known: Names) -> Iterator[tuple[Span, int]]:
    taken: set[int] = set()
    for span, name in _spans(question):
        if name in known and taken.isdisjoint(range(span.start, span.end)):
            taken.update(range(span.start, span.end))
            yield span, known[name]


def _spans(question: str) -> Iterator[tuple[Span, str]]:
    """Every run of a question's words or unspaced characters that might be a name, longest first."""
    spans: dict[tuple[int, int], Mapping[str, None]] = {}
    words = list(WORD.finditer(question))
    for first, start in enumerate(words):
        for end in islice(words, first, first + LONGEST_NAME):
            whole = question[start.start() : end.end()]
            spans[start.start(), end.end()] = dict.fromkeys([fold(whole), fold(_bare(whole))])
    for run in UNSPACED.finditer(question):
        for start in range(run.start(), run.end()):
            for end in range(start + 2, min(run.end(), start + LONGEST_NAME) + 1):
                spans.setdefault((start, end), {fold(question[start:end]): None})
    for (start, end), names in sorted(spans.items(), key=lambda item: (item[0][0] - item[0][1], item[0])):
        yield from ((Span(start, end), name) for name in names)


def _apart(first: tuple[Span, ...], others: tuple[Span, ...]) -> tuple[Span, ...]:
    """Some spans, and of the others those that do not overlap them."""
    return (*first, *(o for o in others if not any(o.start < f.end and f.start < o.end for f in first)))


def _bare(name: str) -> str:
    return without_josa(name.removesuffix("'s").removesuffix("’s"))
