"""The citation checker on labelled pairs of sentences and the passages that they cite.

Thresholds were chosen on one half; the other is what is reported first. The pairs and their origin are
in benchmarks/data/README.md.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import data
from graphrag.answers import RetrievedUnit
from graphrag.models.cached import CachedEmbedder
from graphrag.models.embedded import EmbeddedEmbedder
from graphrag.query.checking import Checked, Checker

PAIRS = Path(__file__).parent / "data" / "citation_pairs.jsonl"
FALSE = ("number", "swapped", "unrelated, near", "unrelated, far", "made up")
"""The classes that precision and recall are of; the others are reported beside them."""
ALSO = ("negated", "exaggerated", "misattributed", "invented")


@dataclass(frozen=True)
class Judged:
    label: str
    origin: str
    sentence: str
    checked: Checked


def main() -> None:
    print("\ncitations: finding the unsupported ones of labelled sentences, without a model")
    for half in ("test", "tune"):
        judged = judge(half)
        precision, recall = figures(judged)
        print(f"{half}: {len(judged)} pairs, precision {precision:.3f}, recall {recall:.3f}")
        for label in ("true", *FALSE, *ALSO):
            its = [item for item in judged if item.label == label]
            refused = [item for item in its if not item.checked.supported]
            print(f"  {label:18}{len(its):5}{len(refused):5} refused {len(refused) / max(len(its), 1):7.1%}")
        for origin in ("hand", "triples", "descriptions", "recordings", "reworded"):
            its = [item for item in judged if item.label == "true" and item.origin == origin]
            kept = sum(item.checked.supported for item in its)
            print(f"  true, {origin:12}{len(its):5}{kept:5} kept    {kept / max(len(its), 1):7.1%}")
    speed()


def judge(half: str) -> list[Judged]:
    """What the checker says of a half."""
    units, checker = _units(), Checker(CachedEmbedder(EmbeddedEmbedder()))
    rows = [row for row in data.read_jsonl(PAIRS) if row.get("half") == half]
    return [
        Judged(row["label"], row["origin"], row["sentence"], checker.check(row["sentence"], *_cited(row, units)))
        for row in rows
    ]


def _cited(row: dict, units: dict[str, RetrievedUnit]) -> tuple[list[RetrievedUnit], str]:
    return [units[id_] for id_ in row["units"]], row.get("known", "")


def figures(judged: Sequence[Judged]) -> tuple[float, float]:
    """Precision and recall in finding what is unsupported."""
    refused = [item.label for item in judged if not item.checked.supported and item.label in ("true", *FALSE)]
    right = sum(label != "true" for label in refused)
    return right / max(len(refused), 1), right / max(sum(item.label in FALSE for item in judged), 1)


def _units() -> dict[str, RetrievedUnit]:
    rows = [row for row in data.read_jsonl(PAIRS) if "text" in row]
    return {row["id"]: RetrievedUnit(row["id"], 1.0, row["text"], row["id"], row["title"], "") for row in rows}


class _Alike:
    """An embedder that costs nothing, so that what is left is the checker's own work."""

    name, dimensions = "alike", 1

    def embed(self, texts: Sequence[str]):
        import numpy as np

        return np.ones((len(texts), 1), dtype=np.float32)


def speed() -> None:
    """Milliseconds a check of 4 text units: the checker's own work with units never seen and seen, and
    with the model that ships, which remembers nothing here."""
    units = _units()
    fours = [row for row in data.read_jsonl(PAIRS) if len(row.get("units", ())) >= 4]
    model = EmbeddedEmbedder()
    model.embed(["warm"])
    for label, make in (("own work", lambda: Checker(_Alike())), ("with the model", lambda: Checker(model))):
        seen = make()
        for state, checker in (("unseen", make), ("seen", lambda seen=seen: seen)):
            mean = sum(_least(checker, row, units) for row in fours) / len(fours)
            print(f"{label:16}units {state:8}{mean * 1000:7.2f} ms a sentence, {len(fours)} sentences")


def _least(make: Callable[[], Checker], row: dict, units: dict[str, RetrievedUnit]) -> float:
    """Seconds of the quickest of a few checks of a sentence against its first 4 text units."""
    cited, known = _cited(row, units)
    spent: list[float] = []
    for _ in range(4):
        checker = make()
        started = time.perf_counter()
        checker.check(row["sentence"], cited[:4], known)
        spent.append(time.perf_counter() - started)
    return min(spent)
