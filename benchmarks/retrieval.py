"""How many of the gold passages a ranking puts first, and how long it takes."""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import data
from graphrag.evaluation.metrics import all_at, mean, recall_at
from graphrag.indexer import graph
from graphrag.indexer.fast import Fast
from graphrag.indexer.method import Drawn
from graphrag.indexer.pipeline import Pipeline
from graphrag.models.embedded import EmbeddedEmbedder
from graphrag.progress import silent
from graphrag.query.retrieval import Retriever
from graphrag.records import Document, TextUnit
from graphrag.settings import Settings
from graphrag.storage.base import Hit
from graphrag.storage.lance import LanceStore

SETTINGS = Settings()
# A few passages are longer than a text unit: their parts count once, so look a little deeper.
DEPTH = 14
COLUMNS = ("R@2", "R@5", "R@10", "All@5", "ms")


@dataclass(frozen=True)
class Recorded(Fast):
    """The method `fast` over the triples that a model found in a set's passages."""

    folder: Path

    describes = True

    def draw(self, documents: Sequence[Document], text_units: Sequence[TextUnit]) -> Drawn:
        sources = {document.id: document.source_id for document in documents}
        extractions = data.recorded_extractions(self.folder, list(text_units), sources)
        return Drawn(graph.build(extractions, self.settings.extraction.max_descriptions))


def main() -> None:
    folders = data.sets()
    if not folders:
        print(f"retrieval: no data in {data.FOLDER}, skipped")
    for folder in folders:
        sources = ["fast", "triples"] if (folder / data.TRIPLES).exists() else ["fast"]
        for source in sources:
            with tempfile.TemporaryDirectory() as scratch:
                retriever = build(folder, source, Path(scratch))
                report(f"{folder.name}, {source}", retriever, data.questions(folder))


def build(folder: Path, source: str, scratch: Path) -> Retriever:
    """An index of a set's passages, by the fast extractor or from the recorded triples."""
    (scratch / "input").mkdir()
    (scratch / "input" / "corpus.jsonl").write_bytes((folder / "corpus.jsonl").read_bytes())
    method = Fast(SETTINGS, silent) if source == "fast" else Recorded(SETTINGS, silent, folder)
    embedder, store = EmbeddedEmbedder(), LanceStore(scratch / "output")
    Pipeline(SETTINGS, embedder, store, silent).run(scratch / "input", method)
    return Retriever(store.open(), embedder, SETTINGS.query.retrieval)


def rankings(retriever: Retriever) -> dict[str, Callable[[str], list[str]]]:
    """Each ranking as a function from a question to passage ids of the set."""

    def ids(hits: list[Hit]) -> list[str]:
        return list(dict.fromkeys(unit.source_id for unit in retriever.units(hits)))

    reader = retriever.reader
    return {
        "BM25": lambda question: ids(reader.matching("text_units", question, DEPTH)),
        "dense": lambda question: ids(reader.nearest("text_units", retriever.vector(question), DEPTH)),
        "hybrid": lambda question: ids(retriever.hybrid("text_units", question, DEPTH)),
        "graph": lambda question: ids(retriever.local(question, DEPTH).text_units),
    }


def report(title: str, retriever: Retriever, questions: list[data.Question]) -> None:
    print(f"\n{title}: {len(retriever.graph.unit_ids)} passages, {len(questions)} questions")
    print(f"{'':10}" + "".join(f"{column:>8}" for column in COLUMNS))
    for name, rank in rankings(retriever).items():
        rank(questions[0].text)
        started = time.perf_counter()
        found = [rank(question.text) for question in questions]
        milliseconds = 1000 * (time.perf_counter() - started) / len(questions)
        pairs = [(ranking, question.gold) for ranking, question in zip(found, questions, strict=True)]
        figures = [mean([100 * recall_at(k, *pair) for pair in pairs]) for k in (2, 5, 10)]
        figures += [mean([100 * all_at(5, *pair) for pair in pairs]), milliseconds]
        print(f"{name:10}" + "".join(f"{figure:8.1f}" for figure in figures), flush=True)
