"""What local search may show of the index: passages, entities, relationships, claims and reports.

All that a walk from the question comes to, each with its worth on one scale: the best passage is
worth 1. `packing` chooses among them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from graphrag.answers import ContextItem, ItemKind, RetrievedUnit
from graphrag.query import findings, neighbours, packing
from graphrag.query.context import Inquiry, unit_item
from graphrag.query.fusing import fuse
from graphrag.query.retrieval import Neighbourhood, Retriever

ENTITIES = 20
"""Entities looked at; relationships, claims and communities are theirs."""
EDGES = 60
REPORTS = 5
TOKENS_PER_PASSAGE = 40
"""A passage is rarely shorter: as many are ranked as could fit."""
WORTH: Mapping[ItemKind, float] = {"entity": 0.5, "relationship": 0.4, "claim": 0.3, "report": 0.5}
"""The most that an item of a kind is worth, against 1 for the best passage."""
SEEN = 0.02
"""What remains of the worth of a passage that another step of the same question was shown: its
answer tells of it already."""


def gather(
    inquiry: Inquiry,
    question: str,
    limit: int,
    focus: Iterable[str] = (),
    shares: Mapping[ItemKind, float] | None = None,
) -> list[ContextItem]:
    """The items for a question that fill at most `limit` tokens, with their handles.

    `focus`: ids of entities that the question is about though it may not name them. `shares`: the
    most of the limit that a kind may fill; None: as the settings of local search say.
    """
    retriever, limits = inquiry.retriever, shares or _shares(inquiry)
    # As many again as were shown before: those give way.
    shown = sum(item.kind == "text_unit" for item in inquiry.sources.items)
    depth = max(limit // TOKENS_PER_PASSAGE, ENTITIES, inquiry.second_look.depth) + shown
    found = retriever.local(question, depth, focus)
    entities = _entities(retriever, question, found)
    units = neighbours.with_neighbours(retriever, _units(inquiry, question, found), inquiry.settings.local.neighbours)
    items = [
        *_passages(inquiry, units),
        *_described(retriever, entities),
        *(_relationships(retriever, entities) if limits["relationship"] else ()),
        *(_claims(retriever, entities) if limits["claim"] else ()),
        *(_reports(inquiry, entities) if limits["report"] else ()),
    ]
    return list(inquiry.sources.add(_readable(inquiry, packing.pack(items, limit, limits))))


def _shares(inquiry: Inquiry) -> Mapping[ItemKind, float]:
    settings = inquiry.settings.local
    return {
        "report": settings.reports,
        "entity": settings.entities,
        "relationship": settings.relationships,
        "claim": settings.claims,
    }


def nearest(inquiry: Inquiry, question: str, k: int, focus: Iterable[str] = ()) -> list[ContextItem]:
    """The k best passages and entities for a question, with their handles; for answers that quote."""
    found = inquiry.retriever.local(question, max(k, inquiry.second_look.depth), focus)
    entities = {hit.id: hit.score for hit in found.entities[:k]}
    items = [*islice(_passages(inquiry, _units(inquiry, question, found)), k), *_described(inquiry.retriever, entities)]
    return list(inquiry.sources.add(items))


def _units(inquiry: Inquiry, question: str, found: Neighbourhood) -> list[RetrievedUnit]:
    return inquiry.second_look.order(question, inquiry.retriever.units(found.text_units), walked=True)


def _passages(inquiry: Inquiry, units: Sequence[RetrievedUnit]) -> Iterator[ContextItem]:
    inquiry.sources.know(units)
    best = units[0].score if units else 1.0
    for unit in units:
        seen = SEEN if inquiry.sources.shown("text_unit", unit.text_unit_id) else 1.0
        yield unit_item(unit, seen * unit.score / best)


def _readable(inquiry: Inquiry, items: Sequence[ContextItem]) -> list[ContextItem]:
    """The items as they are read: passages that belong together stand together."""
    units = inquiry.sources.beneath(item for item in items if item.kind == "text_unit")
    return neighbours.in_reading_order(inquiry.retriever, items, units)


def _entities(retriever: Retriever, question: str, found: Neighbourhood) -> dict[str, float]:
    """Ids of the entities nearest to the question, by the walk and by hybrid search, with their
    worth among entities, 0 to 1."""
    ranked = fuse([found.entities[:ENTITIES], retriever.hybrid("entities", question, ENTITIES)], decay=0.5)[:ENTITIES]
    return {hit.id: hit.score / ranked[0].score for hit in ranked}


def _described(retriever: Retriever, entities: Mapping[str, float]) -> Iterator[ContextItem]:
    columns = ["id", "title", "description", "text_unit_ids"]
    for row in retriever.kept.rows("entities", list(entities), columns):
        yield _item("entity", row, row["title"] or "", row["description"] or "", entities[row["id"]])


def _relationships(retriever: Retriever, entities: Mapping[str, float]) -> Iterator[ContextItem]:
    """Those between two of the entities first; then those that lead outward."""
    best = {hit.id: hit.score for hit in retriever.surroundings.best_relationships(entities, EDGES)}
    columns = ["id", "source", "target", "description", "weight", "text_unit_ids"]
    for row in retriever.kept.rows("relationships", list(best), columns):
        if row["description"]:
            yield _item("relationship", row, f"{row['source']} — {row['target']}", row["description"], best[row["id"]])


def _claims(retriever: Retriever, entities: Mapping[str, float]) -> Iterator[ContextItem]:
    of = retriever.surroundings.claims
    worth = {claim: value for entity, value in entities.items() for claim in of.get(entity, ())}
    columns = ["id", "type", "description", "status", "start_date", "end_date", "text_unit_id"]
    for row in retriever.kept.rows("covariates", list(worth)[:EDGES], columns):
        dates = [row[key][:10] for key in ("start_date", "end_date") if row[key] and row[key] != "NONE"]
        told = ", ".join(filter(None, [row["type"], row["status"], " to ".join(dict.fromkeys(dates))]))
        units = [row["text_unit_id"]] if row["text_unit_id"] else []
        yield _item("claim", {**row, "text_unit_ids": units}, told, row["description"] or "", worth[row["id"]])


def _reports(inquiry: Inquiry, entities: Mapping[str, float]) -> Iterator[ContextItem]:
    """Summaries of the communities that hold most of what the entities are worth for their size."""
    around, most = inquiry.retriever.surroundings, inquiry.options.community_level
    held: defaultdict[int, float] = defaultdict(float)
    for entity, value in entities.items():
        for community in around.communities.get(entity, ()):
            if community in around.reports and (most is None or around.levels[community] <= most):
                held[community] += value
    worth = {number: value / (around.sizes[number] + len(entities)) for number, value in held.items()}
    best = sorted(worth, key=lambda number: (-worth[number], number))[:REPORTS]
    scores = {around.reports[number]: worth[number] / worth[best[0]] for number in best}
    for item in findings.summaries(inquiry, list(scores)):
        yield replace(item, score=scores[item.id] * WORTH["report"])


def _item(kind: ItemKind, row: Mapping[str, Any], title: str, text: str, worth: float) -> ContextItem:
    units: Sequence[str] = row["text_unit_ids"] or ()
    return ContextItem(kind, row["id"], title, text, worth * WORTH[kind], tuple(units))
