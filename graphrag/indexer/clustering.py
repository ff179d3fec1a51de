"""Detect hierarchical communities: Leiden (Traag et al. 2019, arXiv:1810.08473), then again
inside every community that is too large, level by level.

Every entity is in a community, whatever component it belongs to. An entity without any
relationship joins the company it keeps in its text units. Given the communities of before, those that
nothing happened to stay as they were (`following`), under their numbers (`numbering`).
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from graphrag.indexer.following import follow, modularity
from graphrag.indexer.graph import Graph
from graphrag.indexer.numbering import number_all, with_periods
from graphrag.language import fold
from graphrag.records import Community, content_id
from graphrag.settings import CommunitySettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

ITERATIONS = 2
"""One costs modularity (.682 against .702 on a million edges); more gain little."""

TRIALS = 5
"""The best of as many partitions is one that a small change of the graph is likelier to leave as it
is: of a book to which a chapter came, five communities are other ones rather than eight."""

LARGEST_PART = 2 / 3
"""A split that only sheds a few members off a community is none: level after level would report on
nearly the same entities."""

WORSE = 0.01
"""What is followed may be so much worse in modularity than a cold start, which is taken otherwise."""


@dataclass(frozen=True, slots=True)
class _Cluster:
    members: tuple[int, ...]
    """Positions of entities in the graph, ascending."""
    level: int
    parent: int
    """Position of the parent among the clusters, -1 at level 0."""


def detect(
    graph: Graph, settings: CommunitySettings, period: str = "", before: Sequence[Community] = ()
) -> list[Community]:
    """The communities of a graph by level, coarsest first, then by number.

    A community larger than `settings.max_size` has children one level down, unless Leiden finds
    nothing to split (stars and cliques) or only sheds a few: then it stays as it is. They are numbered
    from 0, parents before children, larger ones before smaller. Depends on the graph and the settings only.

    With `settings.warm_start`, the communities of the index `before`, if there was one, are followed:
    those that have most of their members still have their numbers, new ones have numbers that none
    had, in no order. `period` is written into every community of which anything changed.
    """
    known = before if settings.warm_start else ()
    clusters = list(_split(_adjacency(graph), settings, _earlier(graph, known)))
    ids = [tuple(graph.entities[member].id for member in cluster.members) for cluster in clusters]
    numbers = number_all([(cluster.level, members) for cluster, members in zip(clusters, ids, strict=True)], known)
    children: defaultdict[int, list[int]] = defaultdict(list)
    for cluster, own in zip(clusters, numbers, strict=True):
        children[cluster.parent].append(own)
    inside = _relationships_inside(graph, clusters)
    placed = (replace(each, parent=numbers[each.parent] if each.level else -1) for each in clusters)
    found = [
        _community(graph, cluster, numbers[place], tuple(children[place]), inside[place], period)
        for place, cluster in enumerate(placed)
    ]
    return sorted(with_periods(found, known), key=lambda community: (community.level, community.community))


def _earlier(graph: Graph, before: Sequence[Community]) -> list[list[int]]:
    """For each level of before, the community that held each entity of the graph there; -1 for none."""
    position = {entity.id: index for index, entity in enumerate(graph.entities)}
    levels = [[-1] * len(position) for _ in range(1 + max((community.level for community in before), default=-1))]
    for place, community in enumerate(sorted(before, key=lambda community: community.community)):
        for id_ in community.entity_ids:
            if id_ in position:
                levels[community.level][position[id_]] = place
    return levels


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


def _split(matrix: "csr_array", settings: CommunitySettings, earlier: Sequence[Sequence[int]]) -> Iterator[_Cluster]:
    """All clusters breadth first, so that a parent comes before its children."""
    everything = tuple(range(matrix.shape[0]))
    level = [_Cluster(members, 0, -1) for members in _partition(matrix, everything, settings, earlier[:1])]
    number = 0
    while level:
        yield from level
        below: list[_Cluster] = []
        for cluster in level:
            if len(cluster.members) > settings.max_size:
                deeper = cluster.level + 1
                parts = _partition(matrix, cluster.members, settings, earlier[deeper : deeper + 1])
                if len(parts) > 1 and len(parts[0]) <= LARGEST_PART * len(cluster.members):
                    below += [_Cluster(members, deeper, number) for members in parts]
            number += 1
        level = below


def _partition(
    matrix: "csr_array", members: tuple[int, ...], settings: CommunitySettings, earlier: Sequence[Sequence[int]]
) -> list[tuple[int, ...]]:
    """The partition of some members by the edges among them: largest part first.

    `earlier` is their level before, if there was one; that is followed if it held half of them.
    """
    part = matrix[list(members)][:, list(members)].tocsr() if len(members) < matrix.shape[0] else matrix
    if not part.nnz:
        return [(member,) for member in members]
    part.sort_indices()
    labels = _leiden(part, settings)
    start = [level[member] for level in earlier for member in members]
    if 2 * sum(label >= 0 for label in start) >= len(members):
        labels = _better(part, follow(part, start, settings.resolution), labels, settings.resolution)
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for member, label in zip(members, labels.tolist(), strict=True):
        groups[label].append(member)
    return sorted((tuple(group) for group in groups.values()), key=lambda group: (-len(group), group))


def _better(
    matrix: "csr_array", followed: "NDArray[np.int64]", cold: "NDArray[np.int64]", resolution: float
) -> "NDArray[np.int64]":
    """What was followed, unless it is much worse."""
    reached = modularity(matrix, cold, resolution)
    return followed if modularity(matrix, followed, resolution) >= reached - WORSE * abs(reached) else cold


def _leiden(matrix: "csr_array", settings: CommunitySettings) -> "NDArray[np.int64]":
    """A community for each row of symmetric, sorted weights."""
    import numpy as np
    from graspologic_native import leiden_csr

    _, labels = leiden_csr(
        matrix.indptr.astype(np.int64),
        matrix.indices.astype(np.int32),
        matrix.data.astype(np.float64),
        matrix.shape[0],
        resolution=settings.resolution,
        iterations=ITERATIONS,
        seed=settings.seed,
        trials=TRIALS,
    )
    return np.array([labels[row] for row in range(matrix.shape[0])], dtype=np.int64)


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
