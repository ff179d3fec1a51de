"""An embedder that remembers: the searches behind one answer read the same sentences again."""

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING

from graphrag.models.base import Embedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class CachedEmbedder:
    """An `Embedder` in front of another, with the vectors of the texts it was last asked for."""

    def __init__(self, embedder: Embedder, capacity: int = 20_000) -> None:
        """Keep at most `capacity` vectors: 30 MB at 384 dimensions."""
        self._embedder = embedder
        self._capacity = capacity
        self._vectors: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._lock = Lock()

    @property
    def name(self) -> str:
        """That of the embedder behind."""
        return self._embedder.name

    @property
    def dimensions(self) -> int:
        """That of the embedder behind."""
        return self._embedder.dimensions

    def embed(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Unit vectors, shape (len(texts), dimensions): those of the embedder behind."""
        import numpy as np

        with self._lock:
            known = {text: self._vectors[text] for text in texts if text in self._vectors}
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        known |= zip(missing, self._embedder.embed(missing), strict=True) if missing else ()
        self._remember(known)
        return np.array([known[text] for text in texts], dtype=np.float32).reshape(len(texts), self.dimensions)

    def _remember(self, vectors: "dict[str, NDArray[np.float32]]") -> None:
        with self._lock:
            for text, vector in vectors.items():
                self._vectors[text] = vector
                self._vectors.move_to_end(text)
            while len(self._vectors) > self._capacity:
                self._vectors.popitem(last=False)
