"""What a question costs and how much of the evidence it finds, against another program's procedures.

A scripted model that reads (`reading`) answers all of them, over the same index with the same
vectors: what differs is what a model is asked and shown. Evidence is what people marked: sentences
of the book, passages of the set. It is found if a prompt of the question shows it.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import contextlib
import json
import random
import re
import sys
import time
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks import data, incumbent, reading
from benchmarks.incumbent import Incumbent
from benchmarks.routing import INDEXES, indexed
from graphrag import GraphRAG
from graphrag.answers import Answer, Finished, QueryOptions
from graphrag.indexer.pipeline import FORMAT
from graphrag.messages import Reply, Request
from graphrag.models.budget import Budget
from graphrag.models.cached import CachedEmbedder
from graphrag.models.completions import with_usage
from graphrag.models.embedded import EmbeddedEmbedder
from graphrag.models.fake import FakeChat
from graphrag.models.memo import Memo
from graphrag.models.service import ModelService
from graphrag.prompts import Prompts
from graphrag.query.chat import Chat
from graphrag.query.engine import QueryEngine
from graphrag.query.retrieval import Retriever
from graphrag.settings import BasicSettings, DriftSettings, LLMSettings, LocalSettings, QuerySettings, Settings
from graphrag.storage.lance import LanceStore

BOOK = data.FOLDER / "graphrag_index" / "christmas_carol_ms"
"""A Christmas Carol as the other program indexed it, with a model's reports."""
PASSAGES = data.FOLDER / "retrieval" / "musique_train100"
SAMPLE, SEED = 40, 7
"""Questions of each set that the other program is asked, unless all are."""
BUDGETS = (1_000, 2_000, 4_000, 6_000, 10_000, 16_000, 30_000, 60_000)
OVERHEAD = 480
"""Tokens of the longest prompt beside its context and DRIFT's steps."""
CURVE = 50
"""Questions of the curve."""
METHODS = ("basic", "local", "global", "drift")
WARM, TIMED = 3, 10
"""Questions that are asked first, and those that are timed."""
ROWS = (100, 95, 90, 85, 80, 75, 70, 60, 50, 40, 30, 20, 10, 0)
"""Of the plot, in percent."""


@dataclass(frozen=True)
class Question:
    text: str
    evidence: tuple[tuple[str, ...], ...]
    """Of each piece the text, normalised, or the parts that it was split into: any counts."""
    part: str


@dataclass(frozen=True)
class Asked:
    """What one question took and found."""

    calls: int
    prompt: int
    completion: int
    found: float
    """The share of the evidence that a prompt showed."""
    seconds: float = 0.0
    """CPU, without the model's."""
    answer: Answer | None = None


@dataclass
class Case:
    """A set: its index, opened, and its questions."""

    name: str
    retriever: Retriever
    questions: list[Question]

    def engine(self, settings: QuerySettings) -> QueryEngine:
        return QueryEngine(self.retriever.reader, self.retriever.embedder, settings)


@dataclass
class Model:
    """A scripted model, what it was shown and the CPU seconds that it took itself."""

    prompts: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def say(self, request: Request) -> Reply:
        with self._timed():
            system, user = (message.content for message in request.messages)
            return with_usage(request, Reply(self._reply(system, user)))

    def reply(self, system: str, user: str) -> str:
        with self._timed():
            return self._reply(system, user)

    def _reply(self, system: str, user: str) -> str:
        self.prompts.append(user)
        answered = reading.answer(system, user)
        if answered is None:
            raise ValueError(f"the scripted model does not know this prompt: {system[:80]}")
        return answered[1]

    @contextlib.contextmanager
    def _timed(self) -> Generator[None]:
        started = time.thread_time()
        yield
        self.seconds += time.thread_time() - started


def main() -> None:
    cases = list(opened())
    if not cases:
        print(f"\nqueries: no data in {data.FOLDER}, skipped")
    for case in cases:
        compare(case)
    for case in cases:
        own_work(case)
    for case in cases:
        if case.name == PASSAGES.name:
            curve(case)


# --- The sets ----------------------------------------------------------------------------


def opened() -> Iterator[Case]:
    embedder = CachedEmbedder(EmbeddedEmbedder())
    if BOOK.exists():
        retriever = imported(BOOK, embedder)
        yield Case("A Christmas Carol", retriever, book_questions(retriever))
    if PASSAGES.exists():
        retriever = indexed(PASSAGES.name, "corpus.jsonl", (PASSAGES / "corpus.jsonl").read_bytes(), embedder)
        yield Case(PASSAGES.name, retriever, set_questions(retriever))


def imported(folder: Path, embedder: CachedEmbedder) -> Retriever:
    """The index that another program wrote; it stays from run to run."""
    root = INDEXES / f"{folder.name}-{FORMAT}"
    root.mkdir(parents=True, exist_ok=True)
    store = LanceStore(root / "output")
    if store.current() is None:
        GraphRAG(root, Settings(), embedder=embedder).import_parquet(folder)
    return Retriever(store.open(), embedder, Settings().query.retrieval)


def book_questions(retriever: Retriever) -> list[Question]:
    """Those with evidence that a text unit holds."""
    units = [normal(row["text"]) for row in retriever.reader.table("text_units", ["text"]).to_pylist()]
    found: list[Question] = []
    for row in data.read_jsonl(Path(__file__).parent / "questions" / "carol.jsonl"):
        pieces = [piece for piece in map(normal, row["gold"]) if any(piece in unit for unit in units)]
        if pieces:
            found.append(Question(row["question"], tuple((piece,) for piece in pieces), row["split"]))
    return found


def set_questions(retriever: Retriever) -> list[Question]:
    sources = {row["id"]: row["source_id"] for row in retriever.reader.table("documents").to_pylist()}
    parts: defaultdict[str, list[str]] = defaultdict(list)
    for row in retriever.reader.table("text_units", ["text", "document_id"]).to_pylist():
        parts[sources[row["document_id"]]].append(normal(row["text"]))
    asked = data.questions(PASSAGES)
    return [Question(each.text, tuple(tuple(parts[id_]) for id_ in each.gold), "") for each in asked]


def normal(text: str) -> str:
    """Words alone: prompts break lines elsewhere."""
    return " ".join(re.findall(r"[^\W_]+", text.lower()))


def found(question: Question, prompts: Sequence[str]) -> float:
    shown = normal("\n".join(prompts))
    return sum(any(part in shown for part in parts) for parts in question.evidence) / len(question.evidence)


# --- Asking ------------------------------------------------------------------------------


def ask(engine: QueryEngine, question: Question, method: str, options: QueryOptions | None = None) -> Asked:
    model = Model()
    service = ModelService(FakeChat(model.say), Memo(), LLMSettings(provider="fake"))
    chosen = options or QueryOptions()
    session = service.session(Budget(max_tokens=chosen.max_tokens, max_calls=chosen.max_calls))
    started = time.process_time()
    *_, last = engine.ask(question.text, method, Chat(session, Prompts()), chosen)
    seconds = time.process_time() - started - model.seconds
    service.close()
    answer = last.answer if isinstance(last, Finished) else None
    usage = answer.usage if answer else None
    if usage is None:
        raise ValueError(f"no answer to {question.text}")
    share = found(question, model.prompts)
    return Asked(usage.model_calls, usage.prompt_tokens, usage.completion_tokens, share, seconds, answer)


def ask_incumbent(baseline: Incumbent, question: Question, method: str) -> Asked:
    model = Model()
    asked = incumbent.Asked(model.reply)
    if method == "drift":
        baseline.drift(question.text, asked, read_step)
    else:
        {"local": baseline.local, "basic": baseline.basic}[method](question.text, asked)
    return Asked(asked.calls, asked.prompt_tokens, asked.completion_tokens, found(question, asked.prompts))


def read_step(reply: str) -> tuple[str, list[str]]:
    step = json.loads(reply)
    return step["response"], step["follow_up_queries"]


# --- One question, and the other program's -----------------------------------------------


def compare(case: Case) -> None:
    print(f"\none DRIFT question, {case.name}: calls and prompt tokens as mean / most")
    print(
        f"{'':34}{'questions':>10}{'calls':>12}{'prompt tokens':>18}{'completion':>12}{'evidence':>10}{'all of it':>10}"
    )
    engine = case.engine(QuerySettings())
    ours = {question: ask(engine, question, "drift") for question in case.questions}
    parts = sorted({question.part for question in case.questions})
    for part in parts:
        line(f"here {part}", [asked for question, asked in ours.items() if question.part == part])
    if len(parts) > 1:
        line("here, all", list(ours.values()))
    sample = case.questions
    if "--all" not in sys.argv:
        sample = random.Random(SEED).sample(sample, min(SAMPLE, len(sample)))  # noqa: S311
        line("here, the sample", [ours[question] for question in sample])
    baseline = Incumbent(case.retriever.reader, case.retriever.embedder)
    for method in ("drift", "local", "basic"):
        theirs = [ask_incumbent(baseline, question, method) for question in sample]
        line(f"Microsoft GraphRAG's {method}", theirs)
    stops = [re.split(r"[:;]", asked.answer.stopped)[0] for asked in ours.values() if asked.answer]
    print("stopped by " + ", ".join(f"{stop} {stops.count(stop)}" for stop in sorted(set(stops))), flush=True)


def line(name: str, rows: Sequence[Asked]) -> None:
    calls, prompts = [row.calls for row in rows], [row.prompt for row in rows]
    spent = f"{mean(calls):6.1f} /{max(calls):4}{mean(prompts):10,.0f} /{max(prompts):8,}"
    wrote, share = mean([row.completion for row in rows]), 100 * mean([row.found for row in rows])
    whole = 100 * mean([row.found == 1 for row in rows])
    print(f"{name:34}{len(rows):10}{spent}{wrote:12,.0f}{share:9.1f}%{whole:9.1f}%", flush=True)


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


# --- Our own work ------------------------------------------------------------------------


def own_work(case: Case) -> None:
    print(f"\nown work, {case.name}: warm, fresh questions, CPU ms without the model")
    print(f"{'':12}{'median':>8}{'most':>8}{'calls':>8}{'a call':>8}")
    asked = random.Random(SEED).sample(case.questions, (WARM + TIMED) * len(METHODS))  # noqa: S311
    # An embedder of its own: none of these sentences was read before.
    fresh = Retriever(case.retriever.reader, CachedEmbedder(EmbeddedEmbedder()), QuerySettings().retrieval)
    engine = Case(case.name, fresh, []).engine(QuerySettings())
    for place, method in enumerate(METHODS):
        rows = [ask(engine, question, method) for question in asked[place :: len(METHODS)]][WARM:]
        times = [1000 * row.seconds for row in rows]
        calls = mean([row.calls for row in rows])
        each = median(t / max(row.calls, 1) for t, row in zip(times, rows, strict=True))
        print(f"{method:12}{median(times):8.0f}{max(times):8.0f}{calls:8.1f}{each:8.0f}", flush=True)


# --- Evidence over tokens ----------------------------------------------------------------


def limited(tokens: int) -> QuerySettings:
    """Settings under which no method takes more prompt tokens than that for a question."""
    context = max(tokens - OVERHEAD, 256)
    return QuerySettings(
        basic=BasicSettings(context_tokens=context),
        local=LocalSettings(context_tokens=context),
        drift=DriftSettings(max_tokens=tokens),
    )


def curve(case: Case) -> None:
    questions = case.questions[:: max(len(case.questions) // CURVE, 1)][:CURVE]
    methods = ("basic", "local", "drift")
    print(f"\nevidence over prompt tokens, {case.name}, {len(questions)} questions: % shown (tokens used, mean / most)")
    print(f"{'at most':>10}" + "".join(f"{method:>28}" for method in methods))
    points: dict[str, list[float]] = {method: [] for method in methods}
    for budget in BUDGETS:
        engine, told = case.engine(limited(budget)), ""
        for method in methods:
            rows = [ask(engine, question, method) for question in questions]
            used = [row.prompt for row in rows]
            points[method].append(100 * mean([row.found for row in rows]))
            told += f"{points[method][-1]:9.1f} ({mean(used):7,.0f} /{max(used):7,})"
        print(f"{budget:10,}{told}", flush=True)
    plot(points)


def plot(points: Mapping[str, Sequence[float]]) -> None:
    """A letter for each method, in the row that its value is nearest to; * where several are."""
    print()
    for row in ROWS:
        cells: list[str] = []
        for column in range(len(BUDGETS)):
            here = [name[0] for name, values in points.items() if nearest_row(values[column]) == row]
            cells.append("".join(here) if len(here) < len(points) else "*")
        print(f"{row:4}% |" + "".join(f"{cell:>6}" for cell in cells))
    print(f"{'':6}+" + "".join(f"{f'{budget // 1000}k':>6}" for budget in BUDGETS) + "  prompt tokens")
    print(f"{'':7}" + ", ".join(f"{name[0]} {name}" for name in points) + ", * all", flush=True)


def nearest_row(value: float) -> int:
    return min(ROWS, key=lambda row: abs(row - value))


if __name__ == "__main__":
    main()
