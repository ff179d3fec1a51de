"""What a second look at the passages that were found is worth: see docs/how-to/rerank.md.

    GRAPHRAG_RERANKING__PROVIDER=transformers GRAPHRAG_RERANKING__MODEL=… python -m benchmarks reranking

Measures the configured reranker, if there is one, between two bounds: the order of the search, and the
best order that the passages looked at could have. Beside them, what the embedding model that ships
can do when it looks at sentences instead of passages.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import data
from graphrag import GraphRAG
from graphrag.answers import RetrievedUnit
from graphrag.backends import Backends
from graphrag.engine import RetrievalMethod
from graphrag.evaluation.metrics import all_at, mean, recall_at
from graphrag.language import sentences
from graphrag.models.base import Embedder, Reranker
from graphrag.models.cached import CachedEmbedder
from graphrag.models.embedded import EmbeddedEmbedder
from graphrag.query.reranking import rerank
from graphrag.settings import RerankingSettings, Settings

SETS = ("musique_train100", "hotpotqa_train100")
METHODS: tuple[RetrievalMethod, ...] = ("basic", "local")
DEPTH = 100
"""Passages found; `reranking.top` of them are looked at."""
COLUMNS = ("R@2", "R@5", "R@10", "All@5", "ms")

Found = tuple[data.Question, list[RetrievedUnit]]
Order = Callable[[data.Question, list[RetrievedUnit]], list[RetrievedUnit]]


class NearestSentence:
    """A text is worth as much as its sentence nearest to the question."""

    name = "nearest sentence"

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder

    def scores(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        asked = self.embedder.embed([question])[0]
        return np.array([float((self._vectors(text) @ asked).max()) for text in texts], dtype=np.float32)

    def _vectors(self, text: str) -> NDArray[np.float32]:
        title, _, body = text.partition("\n")
        parts = [body[span.start : span.end] for span in sentences(body)] or [""]
        return self.embedder.embed([f"{title}. {part}" for part in parts])


def main() -> None:
    folders = [folder for folder in data.sets() if folder.name in SETS]
    if not folders:
        print(f"reranking: no data in {data.FOLDER}, skipped")
        return
    settings = Settings()
    configured = Backends(Path(), settings).reranker()
    if configured is None:
        print("reranking: no reranker is configured, only the bounds are measured; set GRAPHRAG_RERANKING__PROVIDER")
    for folder in folders:
        with tempfile.TemporaryDirectory() as scratch:
            rag = build(folder, Path(scratch))
            for method in METHODS:
                measure(f"{folder.name}, {method}", find(rag, folder, method), orders(configured, settings))


def build(folder: Path, root: Path) -> GraphRAG:
    """An index of a set's passages, made without a model."""
    (root / "input").mkdir()
    (root / "input" / "corpus.jsonl").write_bytes((folder / "corpus.jsonl").read_bytes())
    rag = GraphRAG(root, Settings(reranking=RerankingSettings()))
    rag.index("fast")
    return rag


def find(rag: GraphRAG, folder: Path, method: RetrievalMethod) -> list[Found]:
    """What the search alone finds for every question."""
    return [(question, rag.retrieve(question.text, DEPTH, method)) for question in data.questions(folder)]


def orders(configured: Reranker | None, settings: Settings) -> dict[str, Order]:
    top = settings.reranking.top

    def by(reranker: Reranker, walked: bool) -> Order:
        return lambda question, units: rerank(question.text, units, reranker, top, walked)

    def best(question: data.Question, units: list[RetrievedUnit]) -> list[RetrievedUnit]:
        return sorted(units[:top], key=lambda unit: unit.source_id not in question.gold) + units[top:]

    rerankers: list[Reranker] = [NearestSentence(CachedEmbedder(EmbeddedEmbedder(), 200_000))]
    rerankers += [configured] if configured else []
    found: dict[str, Order] = {"as found": lambda _, units: units}
    for reranker in rerankers:
        found |= {reranker.name: by(reranker, False), f"{reranker.name}, fused": by(reranker, True)}
    return {**found, f"best of {top}": best}


def measure(title: str, found: Sequence[Found], orders: dict[str, Order]) -> None:
    width = max(map(len, orders)) + 2
    print(f"\n{title}: {len(found)} questions")
    print(f"{'':{width}}" + "".join(f"{column:>8}" for column in COLUMNS))
    for name, order in orders.items():
        started = time.perf_counter()
        ranked = [order(question, units) for question, units in found]
        milliseconds = 1000 * (time.perf_counter() - started) / len(found)
        pairs = [
            (list(dict.fromkeys(unit.source_id for unit in units)), question.gold)
            for (question, _), units in zip(found, ranked, strict=True)
        ]
        figures = [mean([100 * recall_at(k, *pair) for pair in pairs]) for k in (2, 5, 10)]
        figures += [mean([100 * all_at(5, *pair) for pair in pairs]), milliseconds]
        print(f"{name:{width}}" + "".join(f"{figure:8.1f}" for figure in figures), flush=True)
