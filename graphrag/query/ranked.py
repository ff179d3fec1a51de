"""The best of many scores."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def highest(scores: "NDArray[np.float64]", k: int) -> "NDArray[np.int64]":
    """Where the k highest scores above 0 are, the highest first; of equals, the first of all first."""
    import numpy as np

    above = np.flatnonzero(scores > 0)
    values = scores[above]
    if 0 < k < len(above):
        # Most are far below: only what may be among the k is sorted.
        likely = values >= np.partition(values, len(values) - k)[len(values) - k]
        above, values = above[likely], values[likely]
    return above[np.argsort(-values, kind="stable")][:k]
