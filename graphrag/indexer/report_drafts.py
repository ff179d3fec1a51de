"""What a report says before it is one: findings with the records that they rest on.

Where a model would say no more than the records do, or none could be had, the draft is joined
from the records.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from graphrag import tokens
from graphrag.indexer.graph import Graph
from graphrag.indexer.report_text import Content, by_prominence, name_all, rank_by_share, refer
from graphrag.language import DATA_REFERENCE, fold, sentences
from graphrag.records import Community, Entity, Finding, Relationship

SUMMARY_TOKENS = 300
"""Of a joined summary, and of each description that it or a finding is made of."""

NESTED = 5
"""Data references may hide in each other this deep; what is left of deeper ones becomes plain text."""

Kind = Literal["Entities", "Relationships"]


@dataclass(frozen=True, slots=True)
class Reference:
    """A record of the graph that a finding can rest on."""

    kind: Kind
    number: int
    """The record's human_readable_id."""
    names: tuple[str, ...]
    """What a text names that is about the record."""
    text_unit_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """A finding and what it rests on."""

    summary: str
    explanation: str
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """A report without its references written out."""

    title: str
    summary: str
    rank: float
    rating: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Members:
    """A community with its records: entities most prominent first, relationships heaviest first."""

    community: Community
    entities: tuple[Entity, ...]
    relationships: tuple[Relationship, ...]


def gather(communities: Iterable[Community], graph: Graph) -> list[Members]:
    """The members of each community, in order."""
    entities = {entity.id: entity for entity in graph.entities}
    relationships = {edge.id: edge for edge in graph.relationships}
    return [
        Members(
            community,
            tuple(sorted((entities[id_] for id_ in community.entity_ids), key=by_prominence)),
            tuple(sorted((relationships[id_] for id_ in community.relationship_ids), key=_by_weight)),
        )
        for community in communities
    ]


def of_entity(entity: Entity) -> Reference:
    """The reference to an entity."""
    return Reference("Entities", entity.human_readable_id, (entity.title,), entity.text_unit_ids)


def of_relationship(edge: Relationship) -> Reference:
    """The reference to a relationship."""
    return Reference("Relationships", edge.human_readable_id, (edge.source, edge.target), edge.text_unit_ids)


def join(members: Members, total: int, max_findings: int) -> Draft:
    """A draft without a model, for a collection of `total` text units.

    Title: the names. Summary: the descriptions. Findings: the relationships, then entities that
    have none.
    """
    title = name_all([plain(entity.title) for entity in members.entities])
    summary = " ".join(_first(_told(entity.description) for entity in members.entities))
    rank, rating = rank_by_share(members.community, total)
    return Draft(title, summary or title, rank, rating, tuple(_points(members))[:max_findings])


def content(draft: Draft) -> Content:
    """The draft with its references written out, as the report's text has them."""
    return Content(draft.title, draft.summary, draft.rank, draft.rating, tuple(map(_finding, draft.points)))


def plain(text: str) -> str:
    """A text on one line, without data references and control characters: only code writes those."""
    text = " ".join(text.translate(_CONTROLS).split())
    for _ in range(NESTED):
        text, found = DATA_REFERENCE.subn("", text)
        if not found:
            break
    return _REFERENCE_START.sub("(", text).strip()


_CONTROLS = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], " ")
_REFERENCE_START = re.compile(r"\[(?=Data:)", re.IGNORECASE)


def _by_weight(edge: Relationship) -> tuple[float, int, str, str]:
    return (-edge.weight, -edge.combined_degree, edge.source, edge.target)


def _told(description: str) -> str:
    """The first sentences of what several passages say, one at least."""
    text = plain(description)
    if tokens.count(text) <= SUMMARY_TOKENS:
        return text
    return " ".join(_first(text[span.start : span.end].strip() for span in sentences(text)))


def _first(texts: Iterable[str]) -> Iterator[str]:
    used = 0
    for text in filter(None, texts):
        if used and used + tokens.count(text) > SUMMARY_TOKENS:
            return
        used += tokens.count(text)
        yield text


def _points(members: Members) -> Iterator[Point]:
    tied = {fold(end) for edge in members.relationships for end in (edge.source, edge.target)}
    for edge in members.relationships:
        heading = name_all([plain(edge.source), plain(edge.target)])
        yield Point(heading, _told(edge.description) or heading, (of_relationship(edge),))
    for entity in members.entities:
        if fold(entity.title) not in tied and plain(entity.description):
            yield Point(plain(entity.title), _told(entity.description), (of_entity(entity),))


def _finding(point: Point) -> Finding:
    kinds: tuple[Kind, ...] = ("Entities", "Relationships")
    numbers = {kind: _numbers(point.references, kind) for kind in kinds}
    units = dict.fromkeys(unit for reference in point.references for unit in reference.text_unit_ids)
    return Finding(point.summary, refer(point.explanation, numbers), tuple(units))


def _numbers(references: Sequence[Reference], kind: Kind) -> list[int]:
    return sorted({reference.number for reference in references if reference.kind == kind})
