"""Evidence: where in the collection a statement stands, and how an answer says so.

A citation is only ever made from a place that was found in a text unit: its quote is that text,
character by character.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from graphrag.answers import Citation, RetrievedUnit, Sentence
from graphrag.language import sentences
from graphrag.models.base import Embedder
from graphrag.query.comparing import products

LEAST_SUPPORT = 0.4
"""Cosine similarity under which a sentence is not about what a text says."""

_BEFORE, _AFTER = re.compile(r"(?<![A-Za-z0-9À-ɏ])(?<!\d[.,])"), re.compile(r"(?![A-Za-z0-9À-ɏ])")


@dataclass(frozen=True, slots=True)
class Evidence:
    """A passage of a text unit: ``unit.text[start:end]``."""

    unit: RetrievedUnit
    start: int
    end: int
    via: str = ""
    """What of the index says so, if not the passage itself: then this is the nearest place beneath it."""

    @property
    def quote(self) -> str:
        """The passage itself."""
        return self.unit.text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence of an answer, what it rests on, and how much it is worth to the question."""

    text: str
    evidence: tuple[Evidence, ...]
    score: float
    supported: bool | None = True
    """None if it states nothing that could be checked."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The text of an answer, and what it is made of."""

    text: str
    sentences: tuple[Sentence, ...] = ()
    found: bool = True
    """Whether it answers the question; if not, it says so."""
    notices: tuple[str, ...] = ()


def passages(unit: RetrievedUnit) -> Iterator[Evidence]:
    """The sentences of a text unit, without the white space around them."""
    for span in sentences(unit.text):
        raw = unit.text[span.start : span.end]
        bare = raw.strip()
        if bare:
            start = span.start + raw.index(bare)
            yield Evidence(unit, start, start + len(bare))


def locate(text: str, units: Sequence[RetrievedUnit]) -> Evidence | None:
    """The first place where a text stands word for word; white space may differ."""
    words = text.split()
    told = " ".join(words)
    # Most texts stand nowhere: that is seen without the cost of a pattern.
    likely = [unit for unit in units if told in _one_line(unit.text)] if words else []
    for unit in likely:
        start, end = _place(words, told, unit.text)
        if end:
            return Evidence(unit, start, end)
    return None


def _place(words: Sequence[str], told: str, text: str) -> tuple[int, int]:
    """Where the words stand first in a text as whole words and whole numbers (50 does not stand in 150, nor
    in 2,50); 0 and 0 if nowhere. `told` is the words with a space between each two."""
    start = text.find(told)
    if start >= 0 and _one_line(text).count(told) == 1:
        end = start + len(told)
        return (start, end) if _BEFORE.match(text, start) and _AFTER.match(text, end) else (0, 0)
    inner = r"\s+".join(map(re.escape, words))
    match = re.search(f"{_BEFORE.pattern}{inner}{_AFTER.pattern}", text)
    return match.span() if match else (0, 0)


@lru_cache(maxsize=512)
def _one_line(text: str) -> str:
    return " ".join(text.split())


def support(text: str, units: Sequence[RetrievedUnit], embedder: Embedder) -> Evidence | None:
    """Where a text stands word for word, else the sentence nearest to it in meaning.

    None if no sentence is near: better no citation than one that does not bear the text out.
    """
    found = locate(text, units)
    candidates = [] if found else [passage for unit in units for passage in passages(unit)]
    if not candidates:
        return found
    vectors = embedder.embed([text, *(passage.quote for passage in candidates)])
    likeness = products(vectors[1:], vectors[0])
    best = int(likeness.argmax())
    return candidates[best] if likeness[best] >= LEAST_SUPPORT else None


class Numbering:
    """Gives each piece of evidence its number, in the order in which they are first cited."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, int, int, str], int] = {}
        self._cited: list[Evidence] = []

    def marks(self, statement: Statement) -> tuple[int, ...]:
        """The numbers of a statement's evidence; a place cited before keeps its number."""
        return tuple(map(self._mark, statement.evidence))

    def _mark(self, evidence: Evidence) -> int:
        place = (evidence.unit.text_unit_id, evidence.start, evidence.end, evidence.via)
        if place not in self._numbers:
            self._cited.append(evidence)
        return self._numbers.setdefault(place, len(self._cited))

    def citations(self) -> tuple[Citation, ...]:
        """Every citation numbered so far, in order."""
        return tuple(_citation(evidence, mark) for mark, evidence in enumerate(self._cited, start=1))

    def clear(self) -> None:
        """Begin anew: what was cited until now is void."""
        self._numbers.clear()
        self._cited.clear()


def _citation(evidence: Evidence, mark: int) -> Citation:
    return Citation(
        number=mark,
        document_title=evidence.unit.document_title,
        document_id=evidence.unit.document_id,
        source_id=evidence.unit.source_id,
        text_unit_id=evidence.unit.text_unit_id,
        start=evidence.start,
        end=evidence.end,
        quote=evidence.quote,
        via=evidence.via,
    )
