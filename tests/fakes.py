"""Stand-ins for the parts of the package that are slow or cannot be steered."""

import hashlib
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from graphrag.language import search_terms


class WordEmbedder:
    """Two texts are alike as far as they share words: no model, the same on every machine."""

    def __init__(self, name: str = "words", dimensions: int = 64) -> None:
        self.name = name
        self.dimensions = dimensions

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        sums = np.array([self._sum(text) for text in texts]).reshape(-1, self.dimensions)
        return (sums / np.linalg.norm(sums, axis=1, keepdims=True)).astype(np.float32)

    def _sum(self, text: str) -> NDArray[np.float64]:
        return np.sum([_direction(word, self.dimensions) for word in search_terms(text).split() or [""]], axis=0)


@cache
def _direction(word: str, dimensions: int) -> NDArray[np.float64]:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).standard_normal(dimensions)
