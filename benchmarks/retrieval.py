"""How many of the gold passages a ranking puts first, and how long it takes.

    python -m benchmarks retrieval [--ablation]

With `--ablation`, local search once more with each of its parts turned off or on alone.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
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
from graphrag.settings import RetrievalSettings, Settings
from graphrag.storage.base import Hit
from graphrag.storage.lance import LanceStore

SETTINGS = Settings()
# A few passages are longer than a text unit: their parts count once, so look a little deeper.
DEPTH = 14
COLUMNS = ("R@2", "R@5", "R@10", "All@5", "ms")
ABLATIONS: Mapping[str, RetrievalSettings] = {
    "as it is": RetrievalSettings(),
    "no full text": RetrievalSettings(full_text=0),
    "no names": RetrievalSettings(names=0),
    "no facts": RetrievalSettings(facts=0),
    "no hub damping": RetrievalSettings(hubs=0),
    "no passages": RetrievalSettings(passages=0),
    "no relationships": RetrievalSettings(relationships=0),
    "no synonyms": RetrievalSettings(synonyms=0),
    "no second walk": RetrievalSettings(focus=0),
    "names, one walk": RetrievalSettings(facts=0, passages=0, synonyms=0, focus=0),
    "facts, one walk": RetrievalSettings(names=0, passages=0, synonyms=0, focus=0),
    "clauses": RetrievalSettings(clauses=True),
    "bridges": RetrievalSettings(bridges=5),
    "both": RetrievalSettings(clauses=True, bridges=5),
}

Ranking = Callable[[str], list[str]]
"""From a question to ids of passages, best first."""


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


def rankings(retriever: Retriever) -> dict[str, Ranking]:
    """Each ranking as a function from a question to passage ids of the set."""
    reader = retriever.reader
    ranked: dict[str, Callable[[str], list[Hit]]] = {
        "BM25": lambda question: reader.matching("text_units", question, DEPTH),
        "dense": lambda question: reader.nearest("text_units", retriever.vector(question), DEPTH),
        "hybrid": lambda question: retriever.hybrid("text_units", question, DEPTH),
        "graph": lambda question: retriever.local(question, DEPTH).text_units,
    }
    found = {name: partial(sources, retriever, rank) for name, rank in ranked.items()}
    for name, settings in ABLATIONS.items() if "--ablation" in sys.argv else ():
        changed = Retriever(reader, retriever.embedder, settings)
        found[name] = partial(sources, changed, lambda text, changed=changed: changed.local(text, DEPTH).text_units)
    return found


def sources(retriever: Retriever, rank: Callable[[str], list[Hit]], question: str) -> list[str]:
    """The passages that a ranking's text units are from, without repeats."""
    return list(dict.fromkeys(unit.source_id for unit in retriever.units(rank(question))))


def report(title: str, retriever: Retriever, questions: list[data.Question]) -> None:
    print(f"\n{title}: {len(retriever.graph.unit_ids)} passages, {len(questions)} questions")
    print(f"{'':18}" + "".join(f"{column:>8}" for column in COLUMNS))
    for name, rank in rankings(retriever).items():
        rank(questions[0].text)
        started = time.perf_counter()
        found = [rank(question.text) for question in questions]
        milliseconds = 1000 * (time.perf_counter() - started) / len(questions)
        pairs = [(ranking, question.gold) for ranking, question in zip(found, questions, strict=True)]
        figures = [mean([100 * recall_at(k, *pair) for pair in pairs]) for k in (2, 5, 10)]
        figures += [mean([100 * all_at(5, *pair) for pair in pairs]), milliseconds]
        print(f"{name:18}" + "".join(f"{figure:8.1f}" for figure in figures), flush=True)
