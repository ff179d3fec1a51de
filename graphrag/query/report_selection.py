"""Which community reports global search reads: all of a level, those that a model follows from the
top down, or the best for a question.

No report is read beside one of a community that it is part of: they say the same. The numbers of
communities and who is part of whom may come from another program: nothing is taken for granted.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from graphrag.query.context import Inquiry

TABLE = "community_reports"
COLUMNS = ["id", "community", "level", "parent", "children", "rank", "size"]
HIGHEST_RANK = 10
COMPARED = 20_000
"""Up to so many reports all are compared with the question; of more, the `NEAREST`."""
NEAREST = 2000
BREADTH = 0.2
"""What the broadest and most important report has ahead of others, against a cosine of 1 for
likeness. Questions about everything are about equally like all reports, and then this decides."""
WORDS = 0.15
"""The same of the report that full-text search ranks first."""


@dataclass(frozen=True, slots=True)
class Place:
    """A community report's place in the hierarchy; level 0 is the coarsest."""

    id: str
    community: int
    level: int
    children: tuple[int, ...]
    """Communities that are part of it and have reports."""
    rank: float
    """Importance, 0 to 10."""
    size: int
    """Entities."""
    likeness: float
    """Cosine similarity to the question."""


@dataclass(frozen=True)
class Hierarchy:
    """The reports of a level and coarser ones, by the number of their community."""

    places: Mapping[int, Place]

    @cached_property
    def parents(self) -> Mapping[int, int]:
        """The community that each is part of; those at the top are not in it."""
        return {child: place.community for place in self.places.values() for child in place.children}

    @property
    def top(self) -> list[Place]:
        """The reports that are part of no other."""
        return [place for number, place in self.places.items() if number not in self.parents]

    @cached_property
    def best(self) -> float:
        """The likeness of the report that is most like the question; 0 where there is none."""
        return max((place.likeness for place in self.places.values()), default=0.0)

    @cached_property
    def broadest(self) -> int:
        """The size of the largest community."""
        return max((place.size for place in self.places.values()), default=0)

    def below(self, place: Place) -> list[Place]:
        """The reports of its parts."""
        return [self.places[number] for number in place.children]

    def breadth(self, place: Place) -> float:
        """How much of the collection a report is about, and how important it is, 0 to 1."""
        share = math.log1p(max(place.size, 0)) / math.log1p(max(self.broadest, 1))
        return share * min(max(place.rank / HIGHEST_RANK, 0.0), 1.0)

    @cached_property
    def reach(self) -> Mapping[int, float]:
        """For each the likeness of the report most like the question among it and all below it."""
        found: dict[int, float] = {}
        for place in sorted(self.places.values(), key=lambda place: -place.level):
            found[place.community] = max([place.likeness, *(found[child] for child in place.children)])
        return found

    def line(self, place: Place) -> Iterator[int]:
        """The communities that it is part of, and those that are part of it."""
        number = place.community
        while number in self.parents:
            number = self.parents[number]
            yield number
        below = list(place.children)
        while below:
            number = below.pop()
            below += self.places[number].children
            yield number


def load(inquiry: Inquiry) -> Hierarchy:
    """The reports up to the level that the question allows; where none is so coarse, the coarsest."""
    reader = inquiry.retriever.reader
    rows: list[dict[str, Any]] = reader.table(TABLE, COLUMNS).to_pylist()
    k = len(rows) if len(rows) <= COMPARED else NEAREST
    hits = reader.nearest(TABLE, inquiry.retriever.vector(inquiry.question), k) if rows else []
    likeness = {hit.id: hit.score for hit in hits}
    least = hits[-1].score if hits else 0.0
    cap = inquiry.options.community_level
    if cap is not None:
        coarsest = min(map(_level, rows), default=0)
        rows = [row for row in rows if _level(row) <= max(cap, coarsest)]
    return _hierarchy(rows, {row["id"]: likeness.get(row["id"], least) for row in rows})


def covering(hierarchy: Hierarchy) -> list[Place]:
    """The finest reports that together cover all: heaviest first."""
    finest = [place for place in hierarchy.places.values() if not place.children]
    return sorted(finest, key=lambda place: (-place.rank, -place.size, place.community))


def by_worth(inquiry: Inquiry, hierarchy: Hierarchy) -> list[Place]:
    """The reports that are worth most to the question, best first: by likeness, words and breadth."""
    words = inquiry.retriever.reader.matching(TABLE, inquiry.question, max(len(hierarchy.places), 1))
    most = words[0].score if words else 1.0
    matching = {hit.id: hit.score / most for hit in words} if most > 0 else {}

    def worth(place: Place) -> float:
        return place.likeness + BREADTH * hierarchy.breadth(place) + WORDS * matching.get(place.id, 0.0)

    ranked = sorted(hierarchy.places.values(), key=lambda place: (-worth(place), place.community))
    return list(_unrelated(hierarchy, ranked))


def _unrelated(hierarchy: Hierarchy, ranked: Sequence[Place]) -> Iterator[Place]:
    """Those of which no better one is a part, or the whole."""
    taken: set[int] = set()
    for place in ranked:
        if place.community not in taken:
            yield place
            taken.update(hierarchy.line(place))


def _hierarchy(rows: Sequence[Mapping[str, Any]], likeness: Mapping[str, float]) -> Hierarchy:
    by_number: dict[int, Mapping[str, Any]] = {}
    for row in rows:
        by_number.setdefault(row["community"], row)
    parents: dict[int, int] = {}
    for number, row in by_number.items():
        named = [(child, number) for child in row["children"] or ()]
        for child, parent in [*named, (number, row["parent"])]:
            # A part is finer than the whole: no community is above itself.
            if child in by_number and parent in by_number and _level(by_number[child]) > _level(by_number[parent]):
                parents.setdefault(child, parent)
    children: dict[int, list[int]] = {}
    for child, parent in parents.items():
        children.setdefault(parent, []).append(child)
    return Hierarchy(
        {
            number: Place(
                id=row["id"],
                community=number,
                level=_level(row),
                children=tuple(sorted(children.get(number, ()))),
                rank=row["rank"] or 0.0,
                size=row["size"] or 0,
                likeness=likeness[row["id"]],
            )
            for number, row in by_number.items()
        }
    )


def _level(row: Mapping[str, Any]) -> int:
    return row["level"] or 0
