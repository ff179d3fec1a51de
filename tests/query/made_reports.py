"""Indexes of hand-made community reports, without a store, and sessions with scripted models."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from fakes import WordEmbedder

from graphrag.answers import Answer, Event, QueryOptions, RetrievedUnit
from graphrag.language import FUNCTION_WORDS, search_terms
from graphrag.messages import Request
from graphrag.models.budget import Budget
from graphrag.models.fake import FakeChat, Said
from graphrag.models.memo import Memo
from graphrag.models.service import ModelService
from graphrag.prompts import Prompts
from graphrag.query import global_search
from graphrag.query.chat import Chat
from graphrag.query.citing import locate
from graphrag.query.context import Inquiry, Tools
from graphrag.query.retrieval import Retriever
from graphrag.records import Document, Finding, Report, TextUnit
from graphrag.settings import LLMSettings, QuerySettings
from graphrag.storage.base import Build, Hit
from graphrag.storage.schema import EMBEDDED, TABLES, Searchable, to_table

EMBEDDER = WordEmbedder()
Models = Mapping[str, Callable[[Request], Said]]
"""What the model says to the calls of each stage."""


def report(
    number: int,
    title: str,
    *findings: str,
    parent: int = -1,
    children: tuple[int, ...] = (),
    level: int = 0,
    rank: float = 5.0,
    size: int = 5,
    summary: str = "",
) -> Report:
    """A report whose findings each stand in a text unit of their own: "u3.1" is that of the second of 3."""
    found = tuple(Finding(text, f"{text} [Data: Entities (1)]", (f"u{number}.{n}",)) for n, text in enumerate(findings))
    whole = summary or f"{title} is told of here."
    return Report(
        *(f"r{number}", number, level, parent, children, title, whole, "", rank, "", found, "", "2026-11-22", size)
    )


class MadeReader:
    """A `Reader` of what it is given. Two texts are alike as far as they share words."""

    def __init__(self, reports: Sequence[Report], others: Sequence[str] = ()) -> None:
        """`others`: the texts of further text units."""
        texts = {unit: f.summary for r in reports for f in r.findings for unit in f.text_unit_ids}
        texts |= {f"other{n}": text for n, text in enumerate(others)}
        units = [TextUnit(id_, f"{text} So it was.", 20, "d0") for id_, text in texts.items()]
        records = {"community_reports": reports, "text_units": units, "documents": [Document("d0", "The book", "")]}
        said = {
            "community_reports": [f"{r.title}. {r.summary}" for r in reports],
            "text_units": [u.text for u in units],
        }
        self.build = Build("", "import", EMBEDDER.name, EMBEDDER.dimensions, "", {})
        self._tables = {
            name: to_table(
                name,
                list(records.get(name, [])),
                Searchable(said.get(name, []), EMBEDDER.embed(said.get(name, []))) if name in EMBEDDED else None,
                units,
            )
            for name in TABLES
        }

    def table(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        return self._tables[name].select(list(columns)) if columns else self._tables[name]

    def rows(self, name: str, ids: Sequence[str], columns: Sequence[str] | None = None) -> pa.Table:
        known = {id_: row for row, id_ in enumerate(self._tables[name]["id"].to_pylist())}
        return self.table(name, columns).take(pa.array([known[id_] for id_ in ids if id_ in known], pa.int64()))

    def vectors(self, name: str, ids: Sequence[str]) -> np.ndarray:
        known = {row["id"]: row["vector"] for row in self._tables[name].select(["id", "vector"]).to_pylist()}
        size = self.build.dimensions
        return np.array([known.get(id_, [0.0] * size) for id_ in ids], np.float32).reshape(-1, size)

    def nearest(self, name: str, vector: np.ndarray, k: int) -> list[Hit]:
        rows = self._tables[name].select(["id", "vector"]).to_pylist()
        return _best([Hit(row["id"], float(np.array(row["vector"]) @ vector)) for row in rows], k)

    def matching(self, name: str, text: str, k: int) -> list[Hit]:
        asked = set(search_terms(text).split()) - FUNCTION_WORDS
        rows = self._tables[name].select(["id", "search_text"]).to_pylist()
        hits = [Hit(row["id"], float(len(asked & set(row["search_text"].split())))) for row in rows]
        return _best([hit for hit in hits if hit.score], k)


def _best(hits: list[Hit], k: int) -> list[Hit]:
    return sorted(hits, key=lambda hit: (-hit.score, hit.id))[:k]


@dataclass(frozen=True)
class _Checked:
    supported: bool
    score: float
    evidence: tuple


class WordForWord:
    """A checker that supports what stands there word for word."""

    def check(self, sentence: str, units: Sequence[RetrievedUnit], known: str = "") -> _Checked:
        found = locate(sentence.rstrip("."), units)
        return _Checked(found is not None, 1.0, (found,) if found else ())


def tools(reader: MadeReader, **settings: object) -> Tools:
    """For an index, with settings of global search."""
    query = QuerySettings.model_validate({"global": settings})
    return Tools(Retriever(reader, EMBEDDER, query.retrieval), EMBEDDER, WordForWord(), query)  # pyright: ignore


@dataclass
class Asked:
    """A question that was asked: the events, the answer, and what the model was asked."""

    events: list[Event]
    answer: Answer
    requests: list[Request]

    def prompts(self, stage: str) -> list[str]:
        """What the user says in the calls of a stage."""
        return [request.messages[-1].content for request in self.requests if request.stage == stage]

    @property
    def stages(self) -> list[str]:
        return [request.stage for request in self.requests]


@contextmanager
def session(models: Models, budget: Budget | None = None) -> Generator[tuple[Chat, FakeChat]]:
    """A session with a scripted model; one that is asked for what is not in the script fails the test."""
    model = FakeChat(lambda request: models[request.stage](request))
    with closing(ModelService(model, Memo(), LLMSettings(patience=0))) as service, service.session(budget) as opened:
        yield Chat(opened, Prompts()), model


def ask(
    question: str, tools: Tools, models: Models, options: QueryOptions | None = None, budget: Budget | None = None
) -> Asked:
    """Global search with a scripted model."""
    events: list[Event] = []
    with session(models, budget) as (chat, model):
        search = global_search.search(Inquiry(question, tools, chat, options or QueryOptions()))
        try:
            while True:
                events.append(next(search))
        except StopIteration as end:
            return Asked(events, end.value, model.requests)
