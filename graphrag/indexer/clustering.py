"""Detect hierarchical communities: Leiden (Traag et al. 2019, arXiv:1810.08473), then again
inside every community that is too large, level by level.

Every entity is in a community, whatever component it belongs to. An entity without any
relationship joins the company it keeps in its text units.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphrag.indexer.graph import Graph
from graphrag.language import fold
from graphrag.records import Community, content_id
from graphrag.settings import CommunitySettings

if TYPE_CHECKING:
    from scipy.sparse import csr_array

ITERATIONS = 2
"""One costs modularity (.682 against .702 on a million edges); more gain little."""

TRIALS = 5
"""The best of as many partitions is one that a small change of the graph is likelier to leave as it
is: of a book to which a chapter came, five communities are other ones rather than eight."""

LARGEST_PART = 2 / 3
"""A split that only sheds a few members off a community is none: level after level would report on
nearly the same entities."""


@dataclass(frozen=True, slots=True)
class _Cluster:
    members: tuple[int, ...]
    """Positions of entities in the graph, ascending."""
    level: int
    parent: int
    """Position of the parent among the clusters, -1 at level 0."""


def detect(graph: Graph, settings: CommunitySettings, period: str = "") -> list[Community]:
    """The communities of a graph, coarsest level first, numbered from 0 in that order.

    A community larger than `settings.max_size` has children one level down, unless Leiden finds
    nothing to split (stars and cliques) or only sheds a few: then it stays as it is. Depends on the graph and the
    settings only. `period` is written into every community.
    """
    clusters = list(_split(_adjacency(graph), settings))
    children: defaultdict[int, list[int]] = defaultdict(list)
    for number, cluster in enumerate(clusters):
        children[cluster.parent].append(number)
    inside = _relationships_inside(graph, clusters)
    return [
        _community(graph, cluster, number, tuple(children[number]), inside[number], period)
        for number, cluster in enumerate(clusters)
    ]


def _adjacency(graph: Graph) -> "csr_array":
    """Symmetric weights between entities; a loner is tied to a neighbour in its text units."""
    import numpy as np
    from scipy.sparse import coo_array

    position = {fold(entity.title): index for index, entity in enumerate(graph.entities)}
    edges = [(position[fold(edge.source)], position[fold(edge.target)], edge.weight) for edge in graph.relationships]
    edges += [(loner, host, 1.0) for loner, host in _loners(graph)]
    size = len(graph.entities)
    if not edges:
        return coo_array((size, size), dtype=np.float64).tocsr()
    rows, columns, weights = (np.array(values) for values in zip(*edges, strict=True))
    half = coo_array((weights.astype(np.float64), (rows, columns)), shape=(size, size))
    matrix = (half + half.T).tocsr()
    matrix.sort_indices()
    return matrix


def _loners(graph: Graph) -> Iterator[tuple[int, int]]:
    """Each entity without a relationship, with the company it keeps in its text units: the connected
    entity that is mentioned least elsewhere, or every loner of a book would join its hero. Of
    equals the first, so that the order of the input has no say."""
    host: dict[str, int] = {}

    def remoteness(index: int) -> tuple[bool, int, int]:
        entity = graph.entities[index]
        return (not entity.degree, entity.frequency, index)

    for index, entity in enumerate(graph.entities):
        for unit in entity.text_unit_ids:
            host[unit] = min(host.get(unit, index), index, key=remoteness)
    for index, entity in enumerate(graph.entities):
        if not entity.degree and entity.text_unit_ids:
            chosen = min((host[unit] for unit in entity.text_unit_ids), key=remoteness)
            if chosen != index:
                yield index, chosen


def _split(matrix: "csr_array", settings: CommunitySettings) -> Iterator[_Cluster]:
    """All clusters breadth first, so that a parent comes before its children."""
    size = matrix.shape[0]
    level = [_Cluster(members, 0, -1) for members in _leiden(matrix, tuple(range(size)), settings)]
    number = 0
    while level:
        yield from level
        below: list[_Cluster] = []
        for cluster in level:
            if len(cluster.members) > settings.max_size:
                parts = _leiden(matrix, cluster.members, settings)
                if len(parts) > 1 and len(parts[0]) <= LARGEST_PART * len(cluster.members):
                    below += [_Cluster(members, cluster.level + 1, number) for members in parts]
            number += 1
        level = below


def _leiden(matrix: "csr_array", members: tuple[int, ...], settings: CommunitySettings) -> list[tuple[int, ...]]:
    """The partition of some members by the edges among them: largest part first."""
    import numpy as np
    from graspologic_native import leiden_csr

    part = matrix[list(members)][:, list(members)].tocsr() if len(members) < matrix.shape[0] else matrix
    if not part.nnz:
        return [(member,) for member in members]
    part.sort_indices()
    _, labels = leiden_csr(
        part.indptr.astype(np.int64),
        part.indices.astype(np.int32),
        part.data.astype(np.float64),
        len(members),
        resolution=settings.resolution,
        iterations=ITERATIONS,
        seed=settings.seed,
        trials=TRIALS,
    )
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for index, member in enumerate(members):
        groups[labels[index]].append(member)
    return sorted((tuple(group) for group in groups.values()), key=lambda group: (-len(group), group))


def _relationships_inside(graph: Graph, clusters: Sequence[_Cluster]) -> list[list[int]]:
    """For each cluster the positions of the relationships whose two ends it holds."""
    position = {fold(entity.title): index for index, entity in enumerate(graph.entities)}
    of_entity: defaultdict[int, set[int]] = defaultdict(set)
    for number, cluster in enumerate(clusters):
        for member in cluster.members:
            of_entity[member].add(number)
    inside: list[list[int]] = [[] for _ in clusters]
    for index, edge in enumerate(graph.relationships):
        for number in of_entity[position[fold(edge.source)]] & of_entity[position[fold(edge.target)]]:
            inside[number].append(index)
    return inside


def _community(
    graph: Graph, cluster: _Cluster, number: int, children: tuple[int, ...], edges: Sequence[int], period: str
) -> Community:
    entities = [graph.entities[member] for member in cluster.members]
    units = dict.fromkeys(unit for entity in entities for unit in entity.text_unit_ids)
    ids = tuple(entity.id for entity in entities)
    return Community(
        id=content_id("community", *sorted(ids)),
        community=number,
        level=cluster.level,
        parent=cluster.parent,
        children=children,
        title=f"Community {number}",
        entity_ids=ids,
        relationship_ids=tuple(graph.relationships[edge].id for edge in edges),
        text_unit_ids=tuple(units),
        period=period,
        size=len(ids),
        human_readable_id=number,
    )
