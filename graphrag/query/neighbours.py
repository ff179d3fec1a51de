"""Small to large: what is found is a passage, what is read are the passages beside it, too.

An answer often goes on where a passage ends. Those that stand beside one of the first in its document are
worth reading, but less than those that were found themselves. Where half of a section was found, the section
is what was asked for, and the rest of it is worth as much. And a model reads better what stands in the order of
its document.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import ceil

from graphrag.answers import ContextItem, RetrievedUnit
from graphrag.query.retrieval import Retriever
from graphrag.storage.base import Hit

BEHIND = 0.9999
"""Of the worth of a passage, what one has that comes next behind it."""
ACROSS = 2.0
"""How much further away a passage is that stands under other headings."""
ENOUGH, LEAST = 0.5, 2
"""Share of the text units of a section with which it is found, and their least number: one of two says little of
the other, and would bring it at the cost of what was found itself."""
LARGEST = 5
"""Text units of a section that may be completed, so that at most two come that were not found: a chapter is not
about one thing."""

Headings = tuple[str, ...]
"""Those above a text unit, outermost first."""


@dataclass(frozen=True, slots=True)
class Order:
    """Text units as they stand in their documents."""

    documents: Mapping[str, Sequence[str]]
    """Ids of the text units of each document, in order."""
    position: Mapping[str, tuple[str, int]]
    """Of each text unit its document and its place there."""

    @classmethod
    def of(cls, retriever: Retriever, documents: Iterable[str]) -> "Order":
        """The order of the text units of some documents."""
        rows = retriever.kept.rows("documents", list(dict.fromkeys(documents)), ["id", "text_unit_ids"])
        units: dict[str, Sequence[str]] = {row["id"]: row["text_unit_ids"] or () for row in rows}
        position = {unit: (id_, place) for id_, ids in units.items() for place, unit in enumerate(ids)}
        return cls(units, position)

    def around(self, unit: str, most: int) -> Sequence[str]:
        """The text units at most so many places before and after one, itself among them, in order."""
        if unit not in self.position:
            return ()
        document, place = self.position[unit]
        return self.documents[document][max(place - most, 0) : place + most + 1]


def with_neighbours(retriever: Retriever, units: Sequence[RetrievedUnit], share: float) -> list[RetrievedUnit]:
    """The units, and those that stand beside the first ones or complete a section; best first, as `units` are.

    A text unit beside the one of rank r comes behind r / `share` others, or behind 2 r / `share` if it stands
    under other headings, unless it was found further up itself. Where half of a section is among the first r,
    the rest of it comes next. With a share of 0 there is neither.
    """
    if not share:
        return list(units)
    worth = _worth(retriever, units, share)
    found = [replace(unit, score=max(unit.score, worth.pop(unit.text_unit_id, 0.0))) for unit in units]
    added = retriever.units([Hit(id_, score) for id_, score in worth.items()])
    return sorted([*found, *added], key=lambda unit: -unit.score)


def _worth(retriever: Retriever, units: Sequence[RetrievedUnit], share: float) -> dict[str, float]:
    ranks = {unit.text_unit_id: rank for rank, unit in enumerate(units, start=1)}
    first = {unit: rank for unit, rank in ranks.items() if rank < share * len(units)}
    found = Counter(unit.document_id for unit in units)
    wanted = (unit for unit in units if unit.text_unit_id in first or found[unit.document_id] >= LEAST)
    order = Order.of(retriever, (unit.document_id for unit in wanted))
    met = {unit: rank for unit, rank in ranks.items() if sum(id_ in ranks for id_ in order.around(unit, LARGEST)) > 1}
    read = {id_ for some, far in ((first, 1), (met, LARGEST)) for unit in some for id_ in order.around(unit, far)}
    headings = _headings(retriever, read)
    worth: defaultdict[str, float] = defaultdict(float)
    for id_, place in [*_beside(order, first, headings, share), *_missing(order, met, headings)]:
        if place < len(units):
            worth[id_] = max(worth[id_], units[place].score * BEHIND)
    return dict(worth)


def _beside(
    order: Order, ranks: Mapping[str, int], headings: Mapping[str, Headings], share: float
) -> Iterator[tuple[str, int]]:
    """The text units beside those found, each with its place."""
    for unit, rank in ranks.items():
        for id_ in order.around(unit, 1):
            if id_ != unit:
                across = ACROSS if headings.get(unit) != headings.get(id_) else 1.0
                yield id_, int(rank * across / share)


def _missing(order: Order, ranks: Mapping[str, int], headings: Mapping[str, Headings]) -> Iterator[tuple[str, int]]:
    """What is missing of sections when enough of them was found, each text unit with its place: next."""
    for unit, rank in ranks.items():
        runs = (list(run) for _, run in groupby(order.around(unit, LARGEST), key=headings.get))
        section = next(run for run in runs if unit in run)
        found = sum(ranks.get(id_, rank + 1) <= rank for id_ in section)
        if len(section) <= LARGEST and found == max(LEAST, ceil(ENOUGH * len(section))):
            yield from ((id_, rank - 1) for id_ in section if ranks.get(id_, rank + 1) > rank)


def _headings(retriever: Retriever, units: Iterable[str]) -> dict[str, Headings]:
    rows = retriever.kept.rows("text_units", sorted(units), ["id", "headings"])
    return {row["id"]: tuple(row["headings"] or ()) for row in rows}


def in_reading_order(
    retriever: Retriever, items: Sequence[ContextItem], units: Sequence[RetrievedUnit]
) -> list[ContextItem]:
    """The items, passages that stand beside each other in a document together and in its order.

    `items` are best first; a run of passages comes where its best one does. `units` are those passages.
    """
    order = Order.of(retriever, (unit.document_id for unit in units))
    places = {
        unit.text_unit_id: order.position[unit.text_unit_id] for unit in units if unit.text_unit_id in order.position
    }
    first = _first(places.values())
    keys: list[tuple[int, int]] = []
    rank: dict[tuple[str, int], int] = {}
    for number, item in enumerate(items):
        place = places.get(item.id) if item.kind == "text_unit" else None
        keys.append((rank.setdefault(first[place], number), place[1]) if place else (number, 0))
    return [items[number] for number in sorted(range(len(items)), key=keys.__getitem__)]


def _first(places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], tuple[str, int]]:
    """Of each place the first one of the run of places that it is in."""
    first: dict[tuple[str, int], tuple[str, int]] = {}
    for document, number in sorted(set(places)):
        first[document, number] = first.get((document, number - 1), (document, number))
    return first
