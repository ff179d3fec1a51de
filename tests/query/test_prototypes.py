import numpy as np
import pytest
from fakes import WordEmbedder

from graphrag.models.embedded import EmbeddedEmbedder
from graphrag.query import prototypes

SAME = 0.98
"""Cosine: processors differ a little in how they compute with 8 bits."""


def test_what_ships_is_what_the_embedder_gives():
    embedder = EmbeddedEmbedder()
    assert set(prototypes.SHIPPED) == {embedder.name}

    shipped = np.concatenate(list(prototypes.vectors(embedder).values()))

    made = embedder.embed(prototypes.texts())
    assert shipped.shape == made.shape
    assert (shipped * made).sum(axis=1).min() > SAME, "run scripts/embed_prototypes.py"
    assert np.linalg.norm(shipped, axis=1) == pytest.approx(1, abs=1e-3)


def test_another_embedder_is_asked_itself():
    embedder = WordEmbedder()

    found = prototypes.vectors(embedder)

    for kind, texts in prototypes.PROTOTYPES.items():
        assert found[kind] == pytest.approx(embedder.embed(texts))
