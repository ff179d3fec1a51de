"""How often a question is sent to the method that suits it, without a model and with one."""
# pyright: reportUnknownMemberType=false

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from benchmarks import data
from graphrag import GraphRAG
from graphrag.models.cached import CachedEmbedder
from graphrag.models.embedded import EmbeddedEmbedder
from graphrag.query import signals
from graphrag.query.prototypes import Kind
from graphrag.query.retrieval import Retriever
from graphrag.query.routing import BIAS, KINDS, MARGIN, WEIGHTS, likelihoods
from graphrag.settings import Settings
from graphrag.storage.lance import LanceStore

TEXTS = {"carol": "a-christmas-carol.asciidoc", "holmes": "the-adventures-of-sherlock-holmes.asciidoc"}
INDEXES = Path(tempfile.gettempdir()) / "graphrag-benchmarks" / "routing"
"""Indexes stay here from run to run; one is made anew where its input differs."""
FOREIGN = {"hotpotqa_train100": "dev", "musique_train200": "dev", "musique_train100": "test"}
FOREIGN_WEIGHT = 0.1
"""What a question of theirs counts in the fit: they are many, and of one style."""
RIDGE = 0.015
GROUPS = {
    "words": ("breadth", "relates", "follows", "fact"),
    "shape": ("words", "clauses", "bridges"),
    "prototypes": ("like_global", "like_joined"),
    "names": ("rarity",),
}
FOLDS = 8


@dataclass(frozen=True)
class Case:
    """A question, what it is and what its signals say."""

    text: str
    kind: Kind
    split: str
    source: str
    values: tuple[float, ...]


def main() -> None:
    if not all((data.FOLDER / "texts" / name).exists() for name in TEXTS.values()):
        print(f"routing: no texts in {data.FOLDER}, skipped")
        return
    cases = [*own_cases(), *foreign_cases()]
    own = [case for case in cases if case.source in TEXTS]
    for split in ("dev", "test"):
        report(f"the two books, {split}", [case for case in own if case.split == split])
    for source in FOREIGN:
        report(f"{source}, {FOREIGN[source]}", [case for case in cases if case.source == source])
    report_signals(cases)
    report_fit(cases)


def own_cases() -> Iterator[Case]:
    embedder = CachedEmbedder(EmbeddedEmbedder())
    for source, name in TEXTS.items():
        text = data.FOLDER / "texts" / name
        rows = list(data.read_jsonl(Path(__file__).parent / "questions" / f"{source}.jsonl"))
        retriever = indexed(source, f"{source}.txt", text.read_bytes(), embedder)
        yield from cases_of(source, [(row["question"], row["class"], row["split"]) for row in rows], retriever)


def foreign_cases() -> Iterator[Case]:
    """The sets' questions, all multi-hop, and MuSiQue's single hops that are questions by themselves."""
    embedder = CachedEmbedder(EmbeddedEmbedder())
    for source, split in FOREIGN.items():
        folder = data.FOLDER / "retrieval" / source
        if not folder.exists():
            continue
        rows = list(data.read_jsonl(folder / "queries.jsonl"))
        hops = {hop["question"] for row in rows for hop in row.get("decomposition", [])}
        single = sorted(hop for hop in hops if "#" not in hop and ">>" not in hop)
        asked: list[tuple[str, Kind, str]] = [(row["question"], "multi-hop", split) for row in rows]
        asked += [(hop, "local", split) for hop in single]
        retriever = indexed(source, "corpus.jsonl", (folder / "corpus.jsonl").read_bytes(), embedder)
        yield from cases_of(source, asked, retriever)


def indexed(source: str, name: str, content: bytes, embedder: CachedEmbedder) -> Retriever:
    root = INDEXES / source
    (root / "input").mkdir(parents=True, exist_ok=True)
    (root / "input" / name).write_bytes(content)
    GraphRAG(root, Settings(), embedder=embedder).index("fast")
    return Retriever(LanceStore(root / "output").open(), embedder, Settings().query.retrieval)


def cases_of(source: str, asked: Sequence[tuple[str, Kind, str]], retriever: Retriever) -> list[Case]:
    signals.read("Is it?", retriever)
    started = time.perf_counter()
    cases = [Case(text, kind, split, source, signals.read(text, retriever).values) for text, kind, split in asked]
    print(f"{source}: {1000 * (time.perf_counter() - started) / len(cases):.1f} ms a question", flush=True)
    return cases


def report(title: str, cases: Sequence[Case]) -> None:
    """Confusion, accuracy of each kind, and what a model that is always right would make of the unsure."""
    if not cases:
        return
    ranked = [sorted(likelihoods(case.values).items(), key=lambda item: -item[1]) for case in cases]
    chosen = [pairs[0][0] for pairs in ranked]
    unsure = [pairs[0][1] - pairs[1][1] < MARGIN for pairs in ranked]
    right = [kind == case.kind for kind, case in zip(chosen, cases, strict=True)]
    print(f"\n{title}: {len(cases)} questions\n{'is':10}" + "".join(f"{kind:>11}" for kind in KINDS) + f"{'right':>8}")
    for kind in KINDS:
        row = [sum(c == k and case.kind == kind for c, case in zip(chosen, cases, strict=True)) for k in KINDS]
        if sum(row):
            share = 100 * row[KINDS.index(kind)] / sum(row)
            print(f"{kind:10}" + "".join(f"{count:11}" for count in row) + f"{share:7.1f}%")
    corrected = [r or u for r, u in zip(right, unsure, strict=True)]
    shares = [100 * sum(flags) / len(cases) for flags in (right, unsure, corrected)]
    print(f"right {shares[0]:.1f} %, unsure {shares[1]:.1f} %, right with the unsure put right {shares[2]:.1f} %")


def report_signals(cases: Sequence[Case]) -> None:
    """What each group of signals does alone, and what is lost without it, by cross-validation on dev."""
    print(f"\n{'signals':12}{'alone':>8}{'without':>9}   (dev, {FOLDS}-fold)")
    names = list(WEIGHTS)
    for title, group in GROUPS.items():
        alone, without = [n for n in names if n in group], [n for n in names if n not in group]
        print(f"{title:12}{validated(cases, alone):7.1f}%{validated(cases, without):8.1f}%")
    print(f"{'all':12}{validated(cases, names):7.1f}%", flush=True)


def report_fit(cases: Sequence[Case]) -> None:
    """The weights that the dev questions ask for, beside those in force."""
    fitted = fit([case for case in cases if case.split == "dev"], list(WEIGHTS))
    print(f"\n{'weight':14}{'fitted':>16}{'in force':>16}")
    for (name, now), row in zip([*WEIGHTS.items(), ("bias", BIAS)], fitted, strict=True):
        print(f"{name:14}" + "".join(f"{w[0]:8.2f}{w[1]:8.2f}" for w in (row, now)))


def validated(cases: Sequence[Case], names: Sequence[str]) -> float:
    """Share of the books' dev questions, in percent, told right by what the others teach."""
    rng = np.random.default_rng(0)
    dev = [case for case in cases if case.split == "dev"]
    own = [case for case in dev if case.source in TEXTS]
    order = rng.permutation(len(own))
    right = 0
    for fold in range(FOLDS):
        held = {own[place].text for place in order[fold::FOLDS]}
        weights = fit([case for case in dev if case.text not in held], names)
        tested = [case for case in own if case.text in held]
        chosen = scores(matrix(tested, names), weights).argmax(axis=1)
        right += sum(KINDS[kind] == case.kind for kind, case in zip(chosen, tested, strict=True))
    return 100 * right / len(own)


def matrix(cases: Sequence[Case], names: Sequence[str]) -> NDArray[np.float64]:
    """The named signals and a one, shape (cases, names + 1)."""
    places = [list(WEIGHTS).index(name) for name in names]
    rows = [[*(case.values[place] for place in places), 1.0] for case in cases]
    return np.array(rows, dtype=np.float64)


def scores(x: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-odds of each kind, local first; `weights` has shape (signals + 1, 2)."""
    return np.c_[np.zeros(len(x)), x @ weights]


def fit(cases: Sequence[Case], names: Sequence[str]) -> NDArray[np.float64]:
    """Multinomial logistic regression with a ridge on standardised signals; shape (names + 1, 2)."""
    x = matrix(cases, names)
    kinds = np.array([KINDS.index(case.kind) for case in cases])
    counts = np.array([1.0 if case.source in TEXTS else FOREIGN_WEIGHT for case in cases])
    own = counts == 1
    mean, spread = x[own].mean(axis=0), x[own].std(axis=0)
    mean[-1], spread[-1] = 0, 1
    z, target = (x - mean) / spread, np.eye(3)[kinds]

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = flat.reshape(-1, 2)
        raw = scores(z, weights)
        likely = np.exp(raw - raw.max(axis=1, keepdims=True))
        likely /= likely.sum(axis=1, keepdims=True)
        penalised = weights * (np.arange(len(weights)) < len(names))[:, None]
        slope = z.T @ ((likely - target) * counts[:, None]) / counts.sum()
        surprise = -(counts * np.log(likely[np.arange(len(kinds)), kinds])).sum() / counts.sum()
        return surprise + RIDGE * (penalised**2).sum(), (slope[:, 1:] + 2 * RIDGE * penalised).ravel()

    best = minimize(loss, np.zeros(2 * z.shape[1]), jac=True, method="L-BFGS-B").x.reshape(-1, 2) / spread[:, None]
    best[-1] -= mean[:-1] @ best[:-1]
    return best
