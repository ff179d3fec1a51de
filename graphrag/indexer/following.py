"""Follow a partition of a graph that has changed a little since, and touch few communities.

This is the local moving phase of Leiden (Traag et al. 2019) begun at the partition of before, with
two differences. What was together stays together unless it clearly belongs elsewhere: a graph has
many partitions of nearly the same modularity, and a free choice between them would touch communities
far from any change. And communities of before are not merged.
"""

from collections import defaultdict, deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

STAY = 0.5
"""An entity of before leaves its community for one that ties it more by this share of its weight, 0 to 1,
beyond what modularity expects. With 0, one passage more among 1,890 changes 15 communities instead of 2."""

ROUNDS = 20
"""More than it takes: two or three."""

_TINY = 1e-9
"""A gain less than this share of an entity's weight is rounding."""


def follow(matrix: "csr_array", start: Sequence[int], resolution: float) -> "NDArray[np.int64]":
    """A community for each row of the symmetric weights, close to those of `start`, where -1 is none.

    Newcomers join a community of before, or each other. A community that fell apart is several:
    its largest piece stays, the others may join what they are tied to. All communities are connected.
    """
    import numpy as np

    labels = np.unique(start, return_inverse=True)[1] - (min(start, default=0) < 0)
    weights = matrix.sum(axis=1)
    margins = np.where(labels < 0, 0.0, STAY * weights)
    count = int(labels.max(initial=-1)) + 1
    labels = np.where(labels < 0, count + np.arange(len(labels)), labels)
    for _ in range(ROUNDS):
        before = labels
        labels = _connected(matrix, labels, count)
        labels = _move(matrix, labels, margins, resolution)
        labels = _move_together(matrix, labels, count, resolution)
        if np.array_equal(before, labels):
            break
    return _connected(matrix, labels, count)


def modularity(matrix: "csr_array", labels: "NDArray[np.int64]", resolution: float) -> float:
    """Newman's modularity of a partition of symmetric weights, with a resolution; at most 1."""
    import numpy as np

    total = matrix.sum()
    inside = matrix.data[_within(matrix, labels)].sum()
    shares = np.bincount(labels, weights=matrix.sum(axis=1)) / total
    return float(inside / total - resolution * (shares**2).sum())


def _connected(matrix: "csr_array", labels: "NDArray[np.int64]", count: int) -> "NDArray[np.int64]":
    """Every connected piece by itself. The largest of a community of before, one below `count`, keeps
    its label; any other is called after its first member."""
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    within = _within(matrix, labels)
    ends = (_rows(matrix)[within], matrix.indices[within])
    inner = coo_array((matrix.data[within], ends), shape=matrix.shape).tocsr()
    _, piece = connected_components(inner, directed=False)
    _, first, sizes = np.unique(piece, return_index=True, return_counts=True)
    names = count + first
    heirs = {int(labels[first[number]]): number for number in np.lexsort((-first, sizes))}  # the largest comes last
    for label, number in heirs.items():
        if label < count:
            names[number] = label
    return names[piece]


def _move(
    matrix: "csr_array", labels: "NDArray[np.int64]", margins: "NDArray[np.float64]", resolution: float
) -> "NDArray[np.int64]":
    """Each row in turn goes where modularity gains most, if that is more than its margin; its
    neighbours are then looked at again. Of equal gains the lowest label, so that chance has no say."""
    import numpy as np

    weights = np.asarray(matrix.sum(axis=1), dtype=np.float64)
    share = resolution / (float(weights.sum()) or 1.0)
    degrees: list[float] = weights.tolist()
    least: list[float] = (margins + _TINY * weights).tolist()
    held: list[float] = np.bincount(labels, weights=weights).tolist()
    current: list[int] = labels.tolist()
    waiting: deque[int] = deque(np.unique(_rows(matrix)[~_within(matrix, labels)]).tolist())
    queued = set(waiting)
    while waiting:
        row = waiting.popleft()
        queued.discard(row)
        own, degree = current[row], degrees[row]
        neighbours, ties = _ties(matrix, row, current)
        stay = ties.pop(own, 0.0) - share * degree * (held[own] - degree)
        gains = ((tie - share * degree * held[label] - stay, -label) for label, tie in ties.items())
        gain, best = max(gains, default=(0.0, 0))
        if gain > least[row]:
            current[row] = -best
            held[own] -= degree
            held[-best] += degree
            again = [other for other in neighbours if current[other] != -best and other not in queued]
            waiting += again
            queued.update(again)
    return np.array(current, dtype=np.int64)


def _ties(matrix: "csr_array", row: int, labels: Sequence[int]) -> tuple[list[int], dict[int, float]]:
    """The neighbours of a row, and the weight that ties it to each of their communities."""
    span = slice(matrix.indptr[row], matrix.indptr[row + 1])
    neighbours: list[int] = matrix.indices[span].tolist()
    ties: defaultdict[int, float] = defaultdict(float)
    for other, weight in zip(neighbours, matrix.data[span].tolist(), strict=True):
        if other != row:
            ties[labels[other]] += weight
    return neighbours, ties


def _move_together(
    matrix: "csr_array", labels: "NDArray[np.int64]", count: int, resolution: float
) -> "NDArray[np.int64]":
    """The same with communities as rows: those of newcomers and of fallen-off pieces move as wholes."""
    import numpy as np
    from scipy.sparse import coo_array

    names, place = np.unique(labels, return_inverse=True)
    shape = (len(labels), len(names))
    belongs = coo_array((np.ones(len(labels)), (np.arange(len(labels)), place)), shape=shape).tocsr()
    between = (belongs.T @ matrix @ belongs).tocsr()
    between.sort_indices()
    return _move(between, names, np.where(names < count, np.inf, 0.0), resolution)[place]


def _rows(matrix: "csr_array") -> "NDArray[np.int64]":
    """The row of every stored weight."""
    import numpy as np

    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))


def _within(matrix: "csr_array", labels: "NDArray[np.int64]") -> "NDArray[np.bool_]":
    """Of every stored weight, whether it ties two rows of one community."""
    return labels[_rows(matrix)] == labels[matrix.indices]
