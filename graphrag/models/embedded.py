"""The embedding model that ships with the package: all-MiniLM-L6-v2, int8, on onnxruntime.

384 dimensions, English first (other languages in Latin letters work, less well; no other script does). Made by
`scripts/build_embedding_model.py`; nothing is downloaded.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from importlib.resources import as_file, files
from threading import Lock
from typing import TYPE_CHECKING

from graphrag.models.wordpiece import WordPiece

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnxruntime import InferenceSession

FOLDER = "data/all-MiniLM-L6-v2"
WINDOW = 254
"""Word pieces the model reads at once, beside its two markers; it was trained on no more."""


class EmbeddedEmbedder:
    """An `Embedder` that needs no server, no download and no GPU."""

    name = "embedded/all-MiniLM-L6-v2-int8"
    dimensions = 384

    def __init__(self) -> None:
        """Loads nothing yet."""
        self._loading = Lock()

    def embed(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Unit vectors, shape (len(texts), 384).

        A text longer than the model's window is read window by window, and its vector is the
        mean of theirs, by length. A vector depends on its text alone: the int8 model scales
        its activations over whatever it is given at once, so it is given one window at a time,
        which is also the faster way here, a thread a core.
        """
        import numpy as np

        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        with self._loading:
            # Here, or every thread of the pool would load a model of its own.
            self._load()
        if len(texts) == 1:
            return self._embed_one(texts[0])[None]
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            return np.stack(list(threads.map(self._embed_one, texts)))

    def _load(self) -> None:
        _ = self._tokenizer, self._session

    def _embed_one(self, text: str) -> "NDArray[np.float32]":
        import numpy as np

        windows = list(_windows(self._tokenizer.encode(text)))
        vectors = np.stack([self._run(window) for window in windows])
        mean = np.array([len(window) + 1 for window in windows], dtype=np.float32) @ vectors
        return np.asarray(mean / np.linalg.norm(mean), dtype=np.float32)

    def _run(self, window: list[int]) -> "NDArray[np.float32]":
        import numpy as np

        ids = np.array([[self._tokenizer.start, *window, self._tokenizer.end]], dtype=np.int64)
        output = self._session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        return np.asarray(output[0], dtype=np.float32)[0]

    @cached_property
    def _tokenizer(self) -> WordPiece:
        with as_file(files("graphrag").joinpath(FOLDER, "vocab.txt")) as path:
            return WordPiece(path)

    @cached_property
    def _session(self) -> "InferenceSession":
        from onnxruntime import InferenceSession, SessionOptions

        options = SessionOptions()
        options.intra_op_num_threads = 1
        with as_file(files("graphrag").joinpath(FOLDER, "model.onnx")) as path:
            return InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def reads(embedder: str, text: str) -> bool:
    """Whether vectors of the embedder of this name say anything of a text.

    This model has English words: of a text of which most letters are not Latin its vectors say next
    to nothing, and what full text finds is better left alone. Nothing is known of other models.
    """
    if embedder != EmbeddedEmbedder.name or text.isascii():
        return True
    letters = [character for character in text if character.isalpha()]
    return 2 * sum(map(_is_latin, letters)) >= len(letters)


def _is_latin(letter: str) -> bool:
    return letter < "\u0250" or "\u1e00" <= letter < "\u1f00"


def _windows(pieces: list[int]) -> Iterator[list[int]]:
    for start in range(0, max(len(pieces), 1), WINDOW):
        yield pieces[start : start + WINDOW]
