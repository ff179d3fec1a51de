"""What embedders that stand in front of another have in common: only what they do not know is embedded."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from graphrag.models.base import Embedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class FrontingEmbedder(ABC):
    """An `Embedder` with some vectors of the one behind. A class of its kind says which, by `known`."""

    def __init__(self, behind: Embedder) -> None:
        """`behind` is asked for all other texts."""
        self.behind = behind

    @property
    def name(self) -> str:
        """That of the embedder behind."""
        return self.behind.name

    @property
    def dimensions(self) -> int:
        """That of the embedder behind."""
        return self.behind.dimensions

    def embed(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Unit vectors, shape (len(texts), dimensions): known, or those of the embedder behind, once a text."""
        import numpy as np

        wanted = list(dict.fromkeys(texts))
        vectors = dict(self.known(wanted))
        missing = [text for text in wanted if text not in vectors]
        if missing:
            made = dict(zip(missing, self.behind.embed(missing), strict=True))
            self.keep(made)
            vectors |= made
        return np.array([vectors[text] for text in texts], dtype=np.float32).reshape(len(texts), self.dimensions)

    @abstractmethod
    def known(self, texts: Sequence[str]) -> "Mapping[str, NDArray[np.float32]]":
        """The vectors of those texts that are known, by text."""
        ...

    def keep(self, vectors: "Mapping[str, NDArray[np.float32]]") -> None:  # noqa: B027  (there need be no memory)
        """Hear what the embedder behind made."""
