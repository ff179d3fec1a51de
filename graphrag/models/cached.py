"""An embedder that remembers: the searches behind one answer read the same sentences again."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING

from graphrag.models.base import Embedder
from graphrag.models.fronting import FrontingEmbedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class CachedEmbedder(FrontingEmbedder):
    """An `Embedder` in front of another, with the vectors of the texts it was last asked for."""

    def __init__(self, embedder: Embedder, capacity: int = 20_000) -> None:
        """Keep at most `capacity` vectors: 30 MB at 384 dimensions."""
        super().__init__(embedder)
        self._capacity = capacity
        self._vectors: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._lock = Lock()

    def known(self, texts: Sequence[str]) -> "Mapping[str, NDArray[np.float32]]":
        """The vectors of texts that it was asked for not long ago."""
        with self._lock:
            found = {text: self._vectors[text] for text in texts if text in self._vectors}
            for text in found:
                self._vectors.move_to_end(text)
        return found

    def keep(self, vectors: "Mapping[str, NDArray[np.float32]]") -> None:
        """Keep them, and let go of those that were not asked for longest."""
        with self._lock:
            self._vectors.update(vectors)
            while len(self._vectors) > self._capacity:
                self._vectors.popitem(last=False)
