"""Choosing from a ranking so that each further choice adds something."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def diverse(vectors: "NDArray[np.float32]", worth: "NDArray[np.float64]", limit: int, novelty: float) -> list[int]:
    """Positions of at most `limit` rows, best first: worth, less likeness to those chosen before.

    `vectors` are unit rows, `worth` one number a row; `novelty` is what a row loses that equals
    one chosen before. Maximal marginal relevance (Carbonell and Goldstein 1998).
    """
    import numpy as np

    chosen: list[int] = []
    likeness = np.zeros(len(vectors))
    for _ in range(min(limit, len(vectors))):
        gains = worth - novelty * likeness
        gains[chosen] = -np.inf
        chosen.append(int(gains.argmax()))
        likeness = np.maximum(likeness, vectors @ vectors[chosen[-1]])
    return chosen
