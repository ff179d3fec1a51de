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

from benchmarks import data, retrieval
from graphrag.answers import RetrievedUnit
from graphrag.backends import Backends
from graphrag.evaluation.metrics import all_at, mean, recall_at
from graphrag.language import sentences
from graphrag.models.base import Embedder, Reranker
from graphrag.models.cached import CachedEmbedder
from graphrag.models.embedded import EmbeddedEmbedder
from graphrag.query.reranking import rerank
from graphrag.query.retrieval import Retriever
from graphrag.settings import Settings

SETS = ("musique_train100", "hotpotqa_train100")
METHODS = ("basic", "local")
COLUMNS = ("R@2", "R@5", "R@10", "All@5", "ms")

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
            retriever = retrieval.build(folder, "fast", Path(scratch))
            for method in METHODS:
                measure(
                    f"{folder.name}, {method}", retriever, method, data.questions(folder), orders(configured, settings)
                )


def orders(configured: Reranker | None, settings: Settings) -> dict[str, Order]:
    top = settings.reranking.top

    def by(reranker: Reranker) -> Order:
        return lambda question, units: rerank(question.text, units, reranker, top)

    def best(question: data.Question, units: list[RetrievedUnit]) -> list[RetrievedUnit]:
        return sorted(units[:top], key=lambda unit: unit.source_id not in question.gold) + units[top:]

    return {
        "as found": lambda _, units: units,
        **({configured.name: by(configured)} if configured else {}),
        "nearest sentence": by(NearestSentence(CachedEmbedder(EmbeddedEmbedder(), 200_000))),
        f"best of {top}": best,
    }


def measure(
    title: str, retriever: Retriever, method: str, questions: list[data.Question], orders: dict[str, Order]
) -> None:
    depth = max(Settings().reranking.top, retrieval.DEPTH)
    found = [(question, find(retriever, method, question.text, depth)) for question in questions]
    width = max(map(len, orders)) + 2
    print(f"\n{title}: {len(questions)} questions")
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


def find(retriever: Retriever, method: str, question: str, k: int) -> list[RetrievedUnit]:
    if method == "basic":
        return retriever.units(retriever.hybrid("text_units", question, k))
    return retriever.units(retriever.local(question, k).text_units)
