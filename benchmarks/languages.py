"""One collection in two languages: how much worse is retrieval in Korean than in English?

    python -m benchmarks languages

30 documents and 60 questions (34 need two documents), written for this benchmark from common knowledge,
in Korean and in English. With the embedder that ships, and with the multilingual one where it is installed.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import data
from benchmarks.retrieval import DEPTH, SETTINGS, rankings
from graphrag.errors import MissingDependencyError
from graphrag.evaluation.metrics import all_at, mean, recall_at
from graphrag.indexer.fast import Fast
from graphrag.indexer.pipeline import Pipeline
from graphrag.models.base import Embedder
from graphrag.models.embedded import EmbeddedEmbedder
from graphrag.models.multilingual import MultilingualEmbedder
from graphrag.progress import silent
from graphrag.query.retrieval import Retriever
from graphrag.storage.lance import LanceStore

FOLDER = Path(__file__).parent / "bilingual"
LANGUAGES = ("en", "ko")
COLUMNS = ("R@2", "R@5", "All@5")


def main() -> None:
    print(f"\nlanguages: one collection in each, the first {DEPTH} passages")
    for make in (EmbeddedEmbedder, MultilingualEmbedder):
        try:
            embedder = make()
        except MissingDependencyError as missing:
            print(f"\n{missing}")
            continue
        print(f"\n{embedder.name}\n{'':10}" + "".join(f"{f'{name} {c}':>10}" for name in LANGUAGES for c in COLUMNS))
        found = [measure(FOLDER / name, embedder) for name in LANGUAGES]
        for ranking in found[0]:
            print(f"{ranking:10}" + "".join(f"{figure:10.1f}" for one in found for figure in one[ranking]), flush=True)


def measure(folder: Path, embedder: Embedder, only: Sequence[str] = ()) -> dict[str, tuple[float, ...]]:
    """R@2, R@5 and All@5 in per cent of each ranking, or of those that are named."""
    questions = data.questions(folder)
    with tempfile.TemporaryDirectory() as scratch:
        retriever = build(folder, embedder, Path(scratch))
        return {
            name: _figures([(rank(question.text), question.gold) for question in questions])
            for name, rank in rankings(retriever).items()
            if not only or name in only
        }


def build(folder: Path, embedder: Embedder, scratch: Path) -> Retriever:
    """An index of a language's documents, by the method `fast`."""
    (scratch / "input").mkdir()
    (scratch / "input" / "corpus.jsonl").write_bytes((folder / "corpus.jsonl").read_bytes())
    store = LanceStore(scratch / "output")
    Pipeline(SETTINGS, embedder, store, silent).run(scratch / "input", Fast(SETTINGS, silent))
    return Retriever(store.open(), embedder, SETTINGS.query.retrieval)


def _figures(pairs: Sequence[tuple[Sequence[str], Sequence[str]]]) -> tuple[float, ...]:
    return (
        *(mean([100 * recall_at(k, list(found), list(gold)) for found, gold in pairs]) for k in (2, 5)),
        mean([100 * all_at(5, list(found), list(gold)) for found, gold in pairs]),
    )
