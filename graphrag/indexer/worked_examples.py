"""Worked examples for the extraction prompt, from the collection itself.

The extraction prompt is put to the model on short passages, and what it answers is held against
them: an example teaches, so that every name in it must stand in the passages word for word, and
most of what it says of the name.
"""

import json
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

from graphrag import tokens
from graphrag.asking import Asking
from graphrag.indexer.extraction import NO_CLAIMS, OPEN_TYPES
from graphrag.indexer.extraction_replies import SCHEMA
from graphrag.indexer.grounding import ground
from graphrag.indexer.profiling import LABEL, STAGE, Profile, harmless, introduction, usual_types, whole
from graphrag.indexer.windows import Window
from graphrag.language import fold, fold_text, holds_name, search_terms, sentences
from graphrag.messages import Message, Reply, Request, Unanswered
from graphrag.models.replies import GraphReply, graph_reply
from graphrag.records import Document, Extraction, TextUnit

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

CANDIDATES = 4
"""Examples that are asked for; the best of them are kept."""
EXAMPLE_TOKENS = 90
"""Of one passage of an example: every extraction call carries the examples."""
LEAST_ENTITIES = 3
TELLING = 5
"""Letters of a word that tells something; of scripts other than Latin every word does."""
LEAST_SHARED = 0.6
"""Share of a description's telling words that must be in the passages: small models explain what a tower is."""


@dataclass(frozen=True, slots=True)
class Example:
    """Passages of the collection, and what a good extraction of them is."""

    passages: str
    """Numbered, one a line."""
    answer: str
    """JSON on one line, in the form that the extraction prompt asks for."""
    entities: int
    relationships: int


def passages(
    documents: Sequence[Document], text_units: Sequence[TextUnit], sampled: Sequence[TextUnit]
) -> list[Window]:
    """What examples are asked for: by turns two passages that follow each other, and one alone.

    Of each the first sentences that are short enough; where the first is too long, none.
    """
    after = {first.id: second for first, second in pairwise(text_units) if first.document_id == second.document_id}
    spread = dict.fromkeys(sampled[len(sampled) * n // CANDIDATES] for n in range(CANDIDATES))
    taken = [[unit, after[unit.id]] if n % 2 == 0 and unit.id in after else [unit] for n, unit in enumerate(spread)]
    shortened = ([short for short in map(_shortened, units) if short.text] for units in taken)
    return [whole(documents, units) for units in shortened if units]


def ask(windows: Sequence[Window], profile: Profile, asking: Asking, most: int) -> tuple[Example, ...]:
    """The best examples that the model makes of the windows, in their order; maybe none.

    Raises what `ChatService.ask` raises.
    """
    requests = [plan(window, profile, asking) for window in windows]
    answers = asking.ask(requests, _parse, LABEL) if requests else []
    made = [
        example(window, ground(window, answer).extractions)
        for window, answer in zip(windows, answers, strict=True)
        if not isinstance(answer, Unanswered)
    ]
    usable = [one for one in made if one]
    best = sorted(usable, key=lambda one: -(one.entities + one.relationships))[:most]
    return tuple(one for one in usable if one in best)


def plan(window: Window, profile: Profile, asking: Asking) -> Request:
    """The extraction request for the passages of an example."""
    types = " ".join(filter(None, [OPEN_TYPES, usual_types(profile)]))
    first, *rest = asking.prompts.render("extract", types=types, claims=NO_CLAIMS, passages=window.text)
    return Request(STAGE, (Message(first.role, introduction(profile) + first.content), *rest), SCHEMA)


def example(window: Window, extractions: Sequence[Extraction]) -> Example | None:
    """An example of what stands in the passages; None if that is too little to teach anything.

    `extractions`: one a passage, as `grounding.ground` gives them.
    """
    text = fold_text(" ".join(passage.text for passage in window.passages))
    numbered = list(enumerate(extractions, start=1))
    entities = _gathered(
        (fold(entity.name), number, entity)
        for number, found in numbered
        for entity in found.entities
        if entity.type and holds_name(text, fold(entity.name)) and _borne_out(entity.description, text)
    )
    edges = _gathered(
        (frozenset((fold(edge.source), fold(edge.target))), number, edge)
        for number, found in numbered
        for edge in found.relationships
        if {fold(edge.source), fold(edge.target)} <= entities.keys() and _borne_out(edge.description, text)
    )
    if len(entities) < LEAST_ENTITIES or not edges:
        return None
    named = [[one.name, one.type, one.description] for found in entities.values() for _, one in found[:1]]
    related = [
        [one.source, one.target, _strength(edge.weight for _, edge in found), _numbers(found), one.description]
        for found in edges.values()
        for _, one in found[:1]
    ]
    answer = {"entities": named, "relationships": related, "claims": list[object]()}
    compact = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    return Example(harmless(window.text), harmless(compact), len(named), len(related))


def _shortened(unit: TextUnit) -> TextUnit:
    text = ""
    for span in sentences(unit.text):
        longer = unit.text[: span.end].strip()
        if tokens.count(longer) > EXAMPLE_TOKENS:
            break
        text = longer
    return replace(unit, text=text, n_tokens=tokens.count(text))


def _borne_out(description: str, text: str) -> bool:
    """Whether enough of the telling words of a description are in a folded text, in whatever inflection."""
    said = {word for word in search_terms(description).split() if len(word) >= TELLING or not word.isascii()}
    found = sum(word[: max(TELLING - 1, len(word) - 2)] in text for word in said)
    return bool(description.strip()) and found >= LEAST_SHARED * len(said)


def _parse(reply: Reply) -> GraphReply:
    return graph_reply(reply.text)


def _gathered(items: Iterable[tuple[K, int, T]]) -> dict[K, list[tuple[int, T]]]:
    """Records by key, each with the number of its passage."""
    found: dict[K, list[tuple[int, T]]] = defaultdict(list)
    for key, number, record in items:
        found[key].append((number, record))
    return dict(found)


def _numbers(found: Iterable[tuple[int, object]]) -> str:
    return ",".join(dict.fromkeys(str(number) for number, _ in found))


def _strength(weights: Iterator[float]) -> str:
    """Of a relationship whose strength was shared out among its passages."""
    return str(min(10, max(1, round(sum(weights)))))
