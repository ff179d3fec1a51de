"""One step of a random walk over an undirected graph: how rank flows along its edges."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

FEW_EDGES = 50_000
"""Up to so many, what SciPy takes to import would pay for thousands of steps without it."""


class Transition(Protocol):
    """A column-stochastic matrix: entry (i, j) is the share of j's rank that flows to i."""

    def step(self, rank: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """The rank of every node after a step, shape (nodes,). A node without edges passes nothing on."""
        ...


def transition(
    rows: "NDArray[np.int64]", columns: "NDArray[np.int64]", weights: "NDArray[np.float64]", size: int
) -> Transition:
    """That of edges between nodes 0 to size - 1, each given once, with a positive weight.

    What is given several times adds up.
    """
    return (listed if len(rows) <= FEW_EDGES else compressed)(rows, columns, weights, size)


def listed(
    rows: "NDArray[np.int64]", columns: "NDArray[np.int64]", weights: "NDArray[np.float64]", size: int
) -> "Listed":
    """It by NumPy: faster to make, and at a million edges three times slower to walk."""
    import numpy as np

    to, from_ = np.concatenate([rows, columns]), np.concatenate([columns, rows])
    both = np.concatenate([weights, weights])
    # Every node in `from_` has a positive total, so none that is zero is divided by.
    return Listed(to, from_, both / np.bincount(from_, both, size)[from_], size)


def compressed(
    rows: "NDArray[np.int64]", columns: "NDArray[np.int64]", weights: "NDArray[np.float64]", size: int
) -> "Compressed":
    """It by SciPy."""
    import numpy as np
    from scipy.sparse import coo_array, diags_array

    half = coo_array((weights, (rows, columns)), shape=(size, size))
    symmetric = (half + half.T).tocsr()
    totals = np.asarray(symmetric.sum(axis=0)).ravel()
    totals[totals == 0] = 1
    return Compressed((symmetric @ diags_array(1 / totals)).tocsr())


@dataclass(frozen=True, slots=True)
class Listed:
    """Entries one by one, in any order."""

    to: "NDArray[np.int64]"
    from_: "NDArray[np.int64]"
    shares: "NDArray[np.float64]"
    size: int

    def step(self, rank: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """The rank after a step."""
        import numpy as np

        flowed: Any = np.bincount(self.to, self.shares * rank[self.from_], self.size)
        return flowed


@dataclass(frozen=True, slots=True)
class Compressed:
    """Entries row by row."""

    matrix: "csr_array"

    def step(self, rank: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """The rank after a step."""
        return self.matrix @ rank
