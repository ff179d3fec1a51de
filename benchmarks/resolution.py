"""Entity resolution on labelled pairs: without a model, with one that never errs, and with one that
calls every pair the same, so that only vetoes and the check of groups stand in its way.

The thresholds were chosen on the pairs of A Christmas Carol; those of Sherlock Holmes were kept
out of that. The pairs and their origin are in tests/indexer/resolution_pairs.jsonl.
"""

import json
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import data
from graphrag import tokens
from graphrag.asking import Asking
from graphrag.indexer import candidates, resolution
from graphrag.language import fold
from graphrag.messages import Reply
from graphrag.models.base import Embedder
from graphrag.models.cached import CachedEmbedder
from graphrag.models.embedded import EmbeddedEmbedder
from graphrag.progress import silent
from graphrag.prompts import Prompts
from graphrag.records import ExtractedEntity, Extraction
from graphrag.settings import ResolutionSettings

PAIRS = Path(__file__).parents[1] / "tests" / "indexer" / "resolution_pairs.jsonl"
INDEX = data.FOLDER / "graphrag_index" / "christmas_carol_ms" / "entities.parquet"
SETS = ("carol", "holmes")
JUDGES = ("none", "oracle", "yes-man")


@dataclass(frozen=True)
class Labelled:
    first: str
    second: str
    same: bool


@dataclass(frozen=True)
class Figures:
    names: int
    right: int
    """Pairs merged that are the same."""
    wrong: int
    missed: int
    asked: int
    """Pairs that the model saw."""
    calls: int
    prompt_tokens: int

    @property
    def precision(self) -> float:
        return self.right / max(self.right + self.wrong, 1)

    @property
    def recall(self) -> float:
        return self.right / max(self.right + self.missed, 1)


class Judge:
    """A chat service that calls pairs of names the same if these are, or all of them."""

    def __init__(self, same: set[frozenset[str]] | None) -> None:
        self.same = same
        self.asked = self.calls = self.prompt_tokens = 0

    def ask(self, requests, parse, progress, label):
        self.calls += len(requests)
        return [parse(self._reply(request)) for request in requests]

    def recall(self, requests, parse):
        return [None for _ in requests]

    def remember(self, replies):
        pass

    def _reply(self, request):
        self.prompt_tokens += sum(tokens.count(message.content) for message in request.messages)
        lines = [line for line in request.messages[-1].content.splitlines() if " | " in line]
        self.asked += len(lines)
        shown = [frozenset(line.split(". ", 1)[1].split(" | ")) for line in lines]
        numbers = [n for n, pair in enumerate(shown, start=1) if self.same is None or pair in self.same]
        return Reply(json.dumps({"same": numbers}))


def main() -> None:
    embedder = CachedEmbedder(EmbeddedEmbedder())
    print("\nresolution: labelled pairs, precision and recall")
    print(
        f"{'set':8}{'least':>7}{'model':>8}{'names':>7}{'precision':>11}{'recall':>8}{'asked':>7}{'calls':>7}{'tokens':>8}"
    )
    for name in SETS:
        for least in (0.65, 0.7, 0.75, 0.8, 0.85):
            for judge in JUDGES:
                settings = ResolutionSettings(least_similarity=least)
                print(_row(name, least, judge, evaluate(name, embedder, settings, judge)))
    scale(100_000)


def _row(name: str, least: float, judge: str, figures: Figures) -> str:
    return (
        f"{name:8}{least:7.2f}{judge:>8}{figures.names:7}{figures.precision:11.3f}"
        f"{figures.recall:8.3f}{figures.asked:7}{figures.calls:7}{figures.prompt_tokens:8}"
    )


def evaluate(name: str, embedder: Embedder, settings: ResolutionSettings, judge: str) -> Figures:
    """How the labelled pairs of a set come out, among all names of it that are at hand."""
    pairs, found = labelled(name), extractions(name)
    names = {entry.display: entry for entry in resolution.collect(found)}
    same = {frozenset(resolution.shown(names[n]) for n in pair) for pair in _closure(pairs)}
    service = Judge(None if judge == "yes-man" else same)
    asking = None if judge == "none" else Asking(service, Prompts(), silent)
    merged = resolution.resolve(found, embedder, asking, settings).canonical
    verdicts = [(pair.same, _same(pair, merged)) for pair in pairs]
    return Figures(
        len(names),
        verdicts.count((True, True)),
        verdicts.count((False, True)),
        verdicts.count((True, False)),
        service.asked,
        service.calls,
        service.prompt_tokens,
    )


def _same(pair: Labelled, merged) -> bool:
    return fold(pair.first) in merged and merged[fold(pair.first)] == merged.get(fold(pair.second))


def labelled(name: str) -> list[Labelled]:
    return [Labelled(row["first"]["name"], row["second"]["name"], row["same"]) for row in _rows(name)]


def extractions(name: str) -> list[Extraction]:
    """Every name as often as it was found: of the whole index where that is on this machine."""
    entities = {side["name"]: side for row in _rows(name) for side in (row["first"], row["second"])}
    if name == "carol" and INDEX.exists():
        import pyarrow.parquet as pq

        for row in pq.read_table(INDEX).to_pylist():
            told = row["description"] or ""
            entities.setdefault(
                row["title"],
                {"name": row["title"], "type": row["type"], "description": told, "count": row["frequency"]},
            )
    return [
        Extraction(f"u{unit}", (ExtractedEntity(e["name"], e["type"], e["description"]),), ())
        for e in entities.values()
        for unit in range(e["count"])
    ]


def _rows(name: str) -> list[dict]:
    return [row for row in data.read_jsonl(PAIRS) if row.get("set") == name]


def _closure(pairs: Iterable[Labelled]) -> set[frozenset[str]]:
    """All pairs that are the same if those are which are labelled so."""
    groups: dict[str, frozenset[str]] = {}
    for pair in pairs:
        if pair.same:
            group = groups.get(pair.first, frozenset([pair.first])) | groups.get(pair.second, frozenset([pair.second]))
            groups.update(dict.fromkeys(group, group))
    return {frozenset((a, b)) for group in set(groups.values()) for a in group for b in group if a != b}


def scale(size: int) -> None:
    """Seconds to find the candidates of many made-up names, embeddings around random topics."""
    chance = random.Random(7)  # noqa: S311
    parts = ["".join(chance.choices("bcdfglmnprstv", k=1) + chance.choices("aeiou", k=1)) for _ in range(400)]
    words = ["".join(chance.choices(parts, k=chance.randint(2, 4))) for _ in range(size // 3)]
    names = sorted({" ".join(chance.choices(words, k=chance.randint(1, 3))) for _ in range(size)})
    generator = np.random.default_rng(7)
    topics = generator.standard_normal((size // 50, 384))[generator.integers(0, size // 50, len(names))]
    vectors = (topics + 0.6 * generator.standard_normal((len(names), 384))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for label, work in (
        ("by spelling", lambda: candidates.by_spelling(names, 0.75)),
        ("by words", lambda: candidates.by_words(names)),
        ("by meaning", lambda: candidates.by_meaning(vectors, 0.75)),
    ):
        started = time.perf_counter()
        found = work()
        print(f"{len(names):,} names {label:12}{time.perf_counter() - started:8.1f} s {len(found):9,} pairs")
