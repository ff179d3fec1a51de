"""An embedder whose vectors are in the memo: those that cost time and are in no index."""

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from graphrag.models.base import Embedder
from graphrag.models.memo import Memo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class RememberingEmbedder:
    """An `Embedder` in front of another, which embeds no text twice in the life of a memo."""

    def __init__(self, embedder: Embedder, memo: Callable[[], Memo]) -> None:
        """`memo` opens the memo, for each call."""
        self._embedder = embedder
        self._memo = memo

    @property
    def name(self) -> str:
        """That of the embedder behind."""
        return self._embedder.name

    @property
    def dimensions(self) -> int:
        """That of the embedder behind."""
        return self._embedder.dimensions

    def embed(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Unit vectors, shape (len(texts), dimensions): remembered, or those of the embedder behind.

        Raises StorageError if the memo cannot be used.
        """
        import numpy as np

        with closing(self._memo()) as memo:
            known = memo.vectors(self.name, self.dimensions, list(dict.fromkeys(texts)))
            missing = [text for text in dict.fromkeys(texts) if text not in known]
            if missing:
                made = dict(zip(missing, self._embedder.embed(missing), strict=True))
                memo.put_vectors(self.name, self.dimensions, made)
                known |= made
        return np.array([known[text] for text in texts], dtype=np.float32).reshape(len(texts), self.dimensions)
