"""What a warm query takes as an index grows, stage by stage, and whether approximate search still finds.

    python -m benchmarks growth [--copies=N]

The index of two sets is grown by `growing`. Each size is made and asked in a process of its own,
so that a peak of memory is that of the size alone. An index that was grown before is asked again by
`python -m benchmarks.growth ask FOLDER`.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import data
from benchmarks.growing import Growth
from graphrag.evaluation.metrics import mean
from graphrag.indexer.fast import Fast
from graphrag.indexer.pipeline import Pipeline
from graphrag.models.embedded import EmbeddedEmbedder
from graphrag.progress import silent
from graphrag.query import focusing
from graphrag.query.focusing import Part
from graphrag.query.passage_graph import PassageGraph
from graphrag.query.retrieval import Retriever
from graphrag.settings import Settings
from graphrag.storage.arrays import matrix
from graphrag.storage.base import Hit, Reader
from graphrag.storage.lance import LanceStore
from graphrag.storage.lance_reader import LanceReader

SETS = ("musique_train100", "hotpotqa_train100")
COPIES = (1, 10, 103)
"""Of some 2,940 text units."""
INDEXES = Path(tempfile.gettempdir()) / "graphrag-benchmarks" / "growth"
"""The small index stays here from run to run."""
COMPARED = 50
"""Questions whose nearest vectors are searched exactly, too."""
WARMING = 20
"""Questions asked before those that count, each table's caches being cold."""
K, DEPTH = 10, 100
STAGES = (
    *("local", "embed", "nearest text_units", "matching text_units", "nearest facts"),
    *("first walk", "part", "vectors text_units", "second walk"),
)


@dataclass
class Watch:
    """Milliseconds of each stage of each question, wall and CPU."""

    taken: defaultdict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def timed(self, stage: str, call: Callable[..., Any], *arguments: Any) -> Any:
        """What a call gives; its time is kept, wall and CPU of all threads."""
        started, used = time.perf_counter(), time.process_time()
        found = call(*arguments)
        self.taken[stage].append((1000 * (time.perf_counter() - started), 1000 * (time.process_time() - used)))
        return found


class WatchedReader(LanceReader):
    """A reader whose searches are timed."""

    def __init__(self, folder: Path, watch: Watch) -> None:
        reader = LanceStore(folder).open()
        vars(self).update(vars(reader))
        self.watch = watch

    def nearest(self, name: str, vector: NDArray[np.float32], k: int) -> list[Hit]:
        return self.watch.timed(f"nearest {name}", super().nearest, name, vector, k)

    def matching(self, name: str, text: str, k: int) -> list[Hit]:
        return self.watch.timed(f"matching {name}", super().matching, name, text, k)

    def vectors(self, name: str, ids: Sequence[str]) -> NDArray[np.float32]:
        return self.watch.timed(f"vectors {name}", super().vectors, name, ids)


class WatchedEmbedder(EmbeddedEmbedder):
    """An embedder that is timed."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.watch = watch

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self.watch.timed("embed", super().embed, texts)


def main() -> None:
    folders = [data.FOLDER / "retrieval" / name for name in SETS]
    if not all(folder.exists() for folder in folders):
        print(f"growth: no data in {data.FOLDER}, skipped")
        return
    _run("seed", *map(str, folders))
    for copies in _copies():
        with tempfile.TemporaryDirectory() as scratch:
            _run("grow", scratch, str(copies))
            _run("ask", scratch)


def _copies() -> Sequence[int]:
    asked = [int(name.partition("=")[2]) for name in sys.argv if name.startswith("--copies=")]
    return asked or COPIES


def _run(*command: str) -> None:
    subprocess.run([sys.executable, "-m", "benchmarks.growth", *command], check=True)


def seed(*folders: str) -> None:
    """Index the passages of some sets."""
    (INDEXES / "input").mkdir(parents=True, exist_ok=True)
    for folder in map(Path, folders):
        shutil.copyfile(folder / "corpus.jsonl", INDEXES / "input" / f"{folder.name}.jsonl")
    store = LanceStore(INDEXES / "output")
    Pipeline(Settings(), EmbeddedEmbedder(), store, silent).run(INDEXES / "input", Fast(Settings(), silent))


def grow(folder: str, copies: str) -> None:
    """Publish an index of so many copies."""
    reader, store = LanceStore(INDEXES / "output").open(), LanceStore(Path(folder))
    started = time.perf_counter()
    tables = Growth(reader, int(copies)).tables()
    rows = ", ".join(f"{len(tables[name]):,} {name}" for name in ("text_units", "entities", "relationships", "facts"))
    print(f"\n{rows}; made in {time.perf_counter() - started:.0f} s", end=", ", flush=True)
    started = time.perf_counter()
    with store.lock():
        store.publish(tables, reader.build)
    print(f"published in {time.perf_counter() - started:.0f} s, peak {_peak():,.0f} MB", flush=True)


def ask(folder: str) -> None:
    """The questions of the sets: the first, the warm ones, and how much approximate search finds."""
    questions = [question.text for name in SETS for question in data.questions(data.FOLDER / "retrieval" / name)]
    watch = Watch()
    reader = WatchedReader(Path(folder), watch)
    retriever = Retriever(reader, WatchedEmbedder(watch), Settings().query.retrieval)
    watch.timed("first", retriever.local, questions[0], K)
    ((wall, cpu),) = watch.taken["first"]
    print(f"first query {wall / 1000:.1f} s, CPU {cpu / 1000:.1f} s; {_peak():,.0f} MB at most", flush=True)
    _watch_walks(watch)
    for question in questions[:WARMING]:
        retriever.local(question, K)
    watch.taken.clear()
    for question in questions:
        watch.timed("local", retriever.local, question, K)
    _report({stage: watch.taken[stage] for stage in STAGES})
    for question in questions:
        watch.timed("hybrid", retriever.hybrid, "text_units", question, K)
    _report({"hybrid": watch.taken["hybrid"]})
    print(f"peak {_peak():,.0f} MB, load {os.getloadavg()[0]:.1f}", end="", flush=True)
    vectors = [retriever.vector(question) for question in questions[:: len(questions) // COMPARED]]
    for name, depth in (("text_units", DEPTH), ("facts", K)):
        print(f"; recall of nearest {name} {_recall(reader, name, vectors, depth):.3f}", end="", flush=True)
    print(flush=True)


def _watch_walks(watch: Watch) -> None:
    def timed(stage: str, call: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments: watch.timed(stage, call, *arguments)

    walks = ((PassageGraph, "walk", "first walk"), (focusing, "part", "part"), (Part, "walk", "second walk"))
    for of, name, stage in walks:
        setattr(of, name, timed(stage, getattr(of, name)))


def _recall(reader: Reader, name: str, vectors: Sequence[NDArray[np.float32]], depth: int) -> float:
    """At K, of a search as deep as queries make it."""
    table = reader.table(name, ["id", "vector"])
    ids, rows = table["id"].to_pylist(), matrix(table["vector"])
    lengths = np.linalg.norm(rows, axis=1)
    shares: list[float] = []
    for vector in vectors:
        best = np.argpartition(-(rows @ vector) / lengths, K)[:K].tolist()
        found = {hit.id for hit in reader.nearest(name, vector, depth)[:K]}
        shares.append(len(found & {ids[row] for row in best}) / K)
    return mean(shares)


def _report(taken: dict[str, list[tuple[float, float]]]) -> None:
    for stage, times in taken.items():
        if times:
            (median, cpu), (slow, _) = np.percentile(times, [50, 95], axis=0)
            print(f"  {stage:22}{median:8.1f} ms median{slow:8.1f} p95{cpu:8.1f} CPU", flush=True)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


STEPS: Mapping[str, Callable[..., None]] = {"seed": seed, "grow": grow, "ask": ask}

if __name__ == "__main__":
    STEPS[sys.argv[1]](*sys.argv[2:])
