"""What lies around entities in the index: their relationships, claims and communities."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from graphrag.language import fold
from graphrag.query.passage_graph import PassageGraph
from graphrag.query.ranked import highest
from graphrag.storage.base import Hit, Reader
from graphrag.storage.lookup import Lookup, flat, join, texts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Groups:
    """Numbers by the id of an entity."""

    position: Lookup
    starts: "NDArray[np.int64]"
    numbers: "NDArray[np.int64]"

    def get(self, entity: str, default: Sequence[int] = ()) -> Sequence[int]:
        """Those of an entity."""
        return self.of(entity).tolist() if entity in self.position else default

    def of(self, entity: str) -> "NDArray[np.int64]":
        """Those of an entity, none of what is none."""
        if entity not in self.position:
            return self.numbers[:0]
        node = self.position[entity]
        return self.numbers[self.starts[node] : self.starts[node + 1]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Of entities, by their ids."""

    relationship_ids: Sequence[str]
    relations: Groups
    """Rows of the relationships of an entity."""
    claims: Mapping[str, Sequence[str]]
    """Their ids."""
    communities: Groups
    """Numbers of the communities that an entity is in, coarsest first."""
    reports: Mapping[int, str]
    """Id of the report on each community."""
    sizes: Mapping[int, int]
    """Entities of each community."""
    levels: Mapping[int, int]
    parents: Mapping[int, int]
    """Of each community that has one."""

    def above(self, community: int) -> list[int]:
        """The communities that one is a part of, finest first."""
        line: list[int] = []
        while (community := self.parents.get(community, -1)) >= 0 and community not in line:
            line.append(community)
        return line

    def best_relationships(self, entities: Mapping[str, float], most: int) -> list[Hit]:
        """Those of some entities whose ends are worth most on average, by what entities are worth (above 0).

        Of equals, the first in the table. An entity may have a hundred thousand.
        """
        import numpy as np

        of = [self.relations.of(entity) for entity in entities]
        rows = np.concatenate([self.relations.numbers[:0], *of])
        order = np.argsort(rows, kind="stable")
        rows, worth = rows[order], np.repeat(list(entities.values()), list(map(len, of)))[order]
        # Each is there once for each of its ends.
        first = np.flatnonzero(np.diff(rows, prepend=-1))
        worth = np.add.reduceat(worth, first) / 2 if len(first) else worth
        best = highest(worth, most)
        wanted: list[int] = rows[first[best]].tolist()
        return [Hit(self.relationship_ids[row], float(value)) for row, value in zip(wanted, worth[best], strict=True)]


def load(reader: Reader, graph: PassageGraph) -> Surroundings:
    """What lies around every entity: read once, then kept by whoever queries. `graph` is the reader's."""
    import numpy as np

    joined = np.flatnonzero(np.minimum(*graph.ends) >= 0)
    ends = np.concatenate([end[joined] for end in graph.ends]).astype(np.int64)
    claims: defaultdict[str, list[str]] = defaultdict(list)
    for row in reader.table("covariates", ["id", "subject_id"]).to_pylist():
        # Claims name their subject, by id or by title.
        subject, name = row["subject_id"] or "", fold(row["subject_id"] or "")
        known = name in graph.named
        claims[graph.entity_ids[graph.named[name] - len(graph.unit_ids)] if known else subject].append(row["id"])
    table = reader.table("communities", ["community", "level", "parent", "entity_ids"])
    rows = table.drop_columns(["entity_ids"]).to_pylist()
    order = np.array(sorted(range(len(rows)), key=lambda row: rows[row]["level"]), np.int64)
    members, of = flat(table["entity_ids"])
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    by_rank = _grouped(graph, join(members, graph.position), rank[of])
    numbers = np.array([row["community"] for row in rows], np.int64)[order]
    sizes = np.bincount(of, minlength=len(rows)).tolist()
    reports = reader.table("community_reports", ["id", "community"]).to_pylist()
    return Surroundings(
        relationship_ids=texts(reader.table("relationships", ["id"])["id"]),
        relations=_grouped(graph, ends, np.concatenate([joined, joined])),
        claims=claims,
        communities=replace(by_rank, numbers=numbers[by_rank.numbers]),
        reports={row["community"]: row["id"] for row in reports},
        sizes={row["community"]: size for row, size in zip(rows, sizes, strict=True)},
        levels={row["community"]: row["level"] for row in rows},
        parents={row["community"]: row["parent"] for row in rows if row["parent"] is not None},
    )


def _grouped(graph: PassageGraph, nodes: "NDArray[np.int64]", numbers: "NDArray[np.int64]") -> Groups:
    """Numbers, below 2^32, by the node that each is of; those of -1 are left out."""
    import numpy as np

    known = nodes >= 0
    both = np.sort(nodes[known] << 32 | numbers[known])
    counts = np.bincount(both >> 32, minlength=len(graph.position))
    return Groups(graph.position, np.concatenate([[0], np.cumsum(counts)]), both & 0xFFFFFFFF)
