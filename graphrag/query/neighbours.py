"""Small to large: what is found is a passage, what is read are the passages beside it, too.

An answer often goes on where a passage ends. Those that stand beside one of the first in its document are
worth reading, but less than those that were found themselves; and a model reads better what stands in the
order of its document.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from graphrag.answers import ContextItem, RetrievedUnit
from graphrag.query.retrieval import Retriever
from graphrag.storage.base import Hit

BEHIND = 0.9999
"""Of the worth of a passage, what a neighbour has that comes next behind it."""
ACROSS = 2.0
"""How much further away a passage is that stands under other headings."""


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

    def beside(self, unit: str) -> Iterator[str]:
        """The text units before and after one."""
        if unit in self.position:
            document, place = self.position[unit]
            ids = self.documents[document]
            yield from ids[max(place - 1, 0) : place]
            yield from ids[place + 1 : place + 2]


def with_neighbours(retriever: Retriever, units: Sequence[RetrievedUnit], share: float) -> list[RetrievedUnit]:
    """The units, and among them those that stand beside the first ones; best first, as `units` are.

    A text unit beside the one of rank r comes behind r / `share` others, or behind 2 r / `share` if it stands
    under other headings, unless it was found further up itself. With a share of 0 there are none.
    """
    first = units[: int(share * len(units))]
    if not first:
        return list(units)
    worth = _worth(retriever, first, [unit.score for unit in units], share)
    found = [replace(unit, score=max(unit.score, worth.pop(unit.text_unit_id, 0.0))) for unit in units]
    added = retriever.units([Hit(id_, score) for id_, score in worth.items()])
    return sorted([*found, *added], key=lambda unit: -unit.score)


def _worth(
    retriever: Retriever, first: Sequence[RetrievedUnit], scores: Sequence[float], share: float
) -> dict[str, float]:
    order = Order.of(retriever, (unit.document_id for unit in first))
    pairs = [
        (rank, unit.text_unit_id, neighbour)
        for rank, unit in enumerate(first, start=1)
        for neighbour in order.beside(unit.text_unit_id)
    ]
    headings = _headings(retriever, {id_ for _, *ids in pairs for id_ in ids})
    worth: defaultdict[str, float] = defaultdict(float)
    for rank, unit, neighbour in pairs:
        across = ACROSS if headings.get(unit) != headings.get(neighbour) else 1.0
        place = int(rank * across / share)
        if place < len(scores):
            worth[neighbour] = max(worth[neighbour], scores[place] * BEHIND)
    return dict(worth)


def _headings(retriever: Retriever, units: Iterable[str]) -> dict[str, tuple[str, ...]]:
    rows = retriever.kept.rows("text_units", sorted(units), ["id", "headings"])
    return {row["id"]: tuple(row["headings"] or ()) for row in rows}


def section(retriever: Retriever, unit: RetrievedUnit) -> list[RetrievedUnit]:
    """The text units around one under the same headings, in order, the unit itself among them.

    Those of a document without headings are one section.
    """
    ids = Order.of(retriever, [unit.document_id]).documents.get(unit.document_id, ())
    if unit.text_unit_id not in ids:
        return [unit]
    headings = _headings(retriever, ids)
    place = ids.index(unit.text_unit_id)
    first, last = place, place + 1
    while first and headings.get(ids[first - 1]) == headings[unit.text_unit_id]:
        first -= 1
    while last < len(ids) and headings.get(ids[last]) == headings[unit.text_unit_id]:
        last += 1
    return retriever.units([Hit(id_, unit.score) for id_ in ids[first:last]])


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
