"""An embedder whose vectors are in the memo: those that cost time and are in no index."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from graphrag.models.base import Embedder
from graphrag.models.fronting import FrontingEmbedder
from graphrag.models.memo import Memo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class RememberingEmbedder(FrontingEmbedder):
    """An `Embedder` in front of another, which embeds no text twice in the life of a memo.

    `embed` raises StorageError if the memo cannot be used.
    """

    def __init__(self, embedder: Embedder, memo: Callable[[], Memo]) -> None:
        """`memo` opens the memo, for each use."""
        super().__init__(embedder)
        self._memo = memo

    def known(self, texts: Sequence[str]) -> "Mapping[str, NDArray[np.float32]]":
        """The vectors that are remembered."""
        with closing(self._memo()) as memo:
            return memo.vectors(self.name, self.dimensions, texts)

    def keep(self, vectors: "Mapping[str, NDArray[np.float32]]") -> None:
        """Remember them."""
        with closing(self._memo()) as memo:
            memo.put_vectors(self.name, self.dimensions, vectors)
