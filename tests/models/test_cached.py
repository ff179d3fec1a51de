"""An embedder that remembers."""

import numpy as np

from graphrag.models.cached import CachedEmbedder


class Counting:
    """Embeds a text as its length, and keeps what it was asked for."""

    name = "counting"
    dimensions = 2

    def __init__(self):
        self.asked = []

    def embed(self, texts):
        self.asked += texts
        return np.array([[len(text), 1] for text in texts], dtype=np.float32)


def test_a_text_is_embedded_once_and_every_call_gets_its_vectors_in_order():
    model = Counting()
    embedder = CachedEmbedder(model)
    first = embedder.embed(["aa", "b", "aa"])
    second = embedder.embed(["ccc", "b"])
    assert first.tolist() == [[2, 1], [1, 1], [2, 1]]
    assert second.tolist() == [[3, 1], [1, 1]]
    assert model.asked == ["aa", "b", "ccc"]
    assert (embedder.name, embedder.dimensions) == ("counting", 2)


def test_what_was_asked_for_longest_ago_is_forgotten_first():
    model = Counting()
    embedder = CachedEmbedder(model, capacity=2)
    for texts in (["a"], ["bb"], ["a"], ["ccc"]):
        embedder.embed(texts)
    model.asked.clear()
    embedder.embed(["a", "ccc"])
    assert model.asked == []
    embedder.embed(["bb"])
    assert model.asked == ["bb"]


def test_no_texts_give_no_vectors():
    assert CachedEmbedder(Counting()).embed([]).shape == (0, 2)
