"""What lies around entities in the index: their relationships, claims and communities."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from graphrag.language import fold
from graphrag.storage.base import Reader

Lists = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Edge:
    """A relationship, by its ends (entity ids)."""

    id: str
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Ids by the id of an entity."""

    edges: Mapping[str, Sequence[Edge]]
    claims: Lists
    communities: Mapping[str, Sequence[int]]
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

    def edges_among(self, entities: Iterable[str]) -> Iterator[Edge]:
        """The relationships of some entities, without repeats."""
        seen: set[str] = set()
        for entity in entities:
            for edge in self.edges.get(entity, ()):
                if edge.id not in seen:
                    seen.add(edge.id)
                    yield edge


def load(reader: Reader) -> Surroundings:
    """What lies around every entity: read once, then kept by whoever queries."""
    entities = reader.table("entities", ["id", "title"]).to_pylist()
    ids = {fold(row["title"] or ""): row["id"] for row in entities}
    edges: defaultdict[str, list[Edge]] = defaultdict(list)
    for row in reader.table("relationships", ["id", "source", "target"]).to_pylist():
        source, target = ids.get(fold(row["source"] or "")), ids.get(fold(row["target"] or ""))
        if source and target:
            edge = Edge(row["id"], source, target)
            edges[source].append(edge)
            edges[target].append(edge)
    claims: defaultdict[str, list[str]] = defaultdict(list)
    for row in reader.table("covariates", ["id", "subject_id"]).to_pylist():
        # Claims name their subject, by id or by title.
        subject = row["subject_id"] or ""
        claims[ids.get(fold(subject), subject)].append(row["id"])
    communities: defaultdict[str, list[int]] = defaultdict(list)
    rows = reader.table("communities", ["community", "level", "parent", "entity_ids"]).to_pylist()
    for row in sorted(rows, key=lambda row: row["level"]):
        for entity in row["entity_ids"] or ():
            communities[entity].append(row["community"])
    reports = reader.table("community_reports", ["id", "community"]).to_pylist()
    return Surroundings(
        edges=edges,
        claims=claims,
        communities=communities,
        reports={row["community"]: row["id"] for row in reports},
        sizes={row["community"]: len(row["entity_ids"] or ()) for row in rows},
        levels={row["community"]: row["level"] for row in rows},
        parents={row["community"]: row["parent"] for row in rows if row["parent"] is not None},
    )
