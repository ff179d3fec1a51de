"""A model that reads: it answers every prompt of the method `standard` by rules, so that whole builds
run without one. And a way to run such builds in which waiting takes no time."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

from fakes import WordEmbedder
from models.scripted import LeapingLoop

from graphrag import tokens
from graphrag.asking import Asking
from graphrag.indexer import contextual, extraction, reporting, resolution, summarizing
from graphrag.indexer.pipeline import Pipeline
from graphrag.indexer.standard import Standard
from graphrag.messages import Reply, Request
from graphrag.models.background import Background
from graphrag.models.base import ChatModel, Embedder
from graphrag.models.budget import Budget, StageUsage
from graphrag.models.fake import FakeChat, Said
from graphrag.models.memo import Memo
from graphrag.models.service import ModelService
from graphrag.progress import silent
from graphrag.prompts import Prompts
from graphrag.records import IndexSummary
from graphrag.settings import LLMSettings, Settings
from graphrag.storage.lance import LanceStore
from graphrag.storage.schema import TABLES

PROMPTS = Prompts()
PASSAGE = re.compile(r"^\[(\d+)\] (.*)$", re.MULTILINE)
NAME = re.compile(r"(?<![.\w])(?!(?:The|It|He|She|A|In|At)\b)[A-Z]\w+(?: [A-Z]\w+)*|[가-힣]+(?=[은는이가을를]\b)")
HEAD = re.compile(r"(C\d+) \(at most (\d+)")
PAIR = re.compile(r"^(\d+)\. (.*?)(?: \([^()]*\))?: .*? \| (.*?)(?: \([^()]*\))?: ", re.MULTILINE)
Table = list[dict[str, Any]]


def answer(request: Request) -> str:
    """What the model says to any request."""
    text = request.messages[1].content
    match request.stage:
        case extraction.STAGE:
            more = len(request.messages) > 2
            return graph() if more else read(text, claims='Always write "claims":[]' not in request.messages[0].content)
        case contextual.STAGE:
            return as_json({"contexts": [[n, f"Of {NAME.findall(line)[0]}."] for n, line in PASSAGE.findall(text)]})
        case summarizing.STAGE:
            return as_json({"descriptions": [[n, f"In short: {line[:60]}"] for n, line in PASSAGE.findall(text)]})
        case reporting.STAGE:
            return as_json({"reports": [_report(part) for part in re.split(r"\n\n(?=C\d+ \()", text)]})
        case resolution.STAGE:
            return as_json({"same": [int(n) for n, a, b in PAIR.findall(text) if b in a or a in b]})
        case _:
            raise AssertionError(request.stage)


def model(*changes: Callable[[Request], Said | None]) -> FakeChat:
    """One that answers as the first of `changes` says that says anything, else as it should."""

    def said(request: Request) -> Said:
        said = next((said for change in changes if (said := change(request)) is not None), None)
        return answer(request) if said is None else said

    return FakeChat(said)


def read(text: str, claims: bool = False) -> str:
    """The graph of some numbered passages: capitalised words, and those that follow one another in a
    sentence; what was stolen is claimed."""
    said: dict[str, str] = {}
    met: dict[tuple[str, str], tuple[list[str], str]] = {}
    stolen: list[list[str]] = []
    for number, passage in PASSAGE.findall(text):
        for sentence in re.split(r"(?<=\.) ", passage):
            names: list[str] = list(dict.fromkeys(NAME.findall(sentence)))
            for name in names:
                said.setdefault(name, sentence)
            for a, b in pairwise(names):
                met.setdefault((a, b), ([], sentence))[0].append(number)
            if claims and "stole" in sentence:
                stolen.append([names[0], names[-1], "THEFT", "TRUE", "1843-12/1844", number, sentence])
    entities = [[name, _type(name), sentence] for name, sentence in said.items()]
    edges = [[a, b, "5", ",".join(dict.fromkeys(where)), sentence] for (a, b), (where, sentence) in met.items()]
    return graph(entities, edges, stolen)


def graph(entities: Any = (), relationships: Any = (), claims: Any = ()) -> str:
    """A reply to the prompt of extraction."""
    return as_json({"entities": list(entities), "relationships": list(relationships), "claims": list(claims)})


def as_json(value: object) -> str:
    """As compact as the prompts ask for."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _type(name: str) -> str:
    return "place" if name.endswith(("ton", "Hall")) else "person"


def _report(text: str) -> dict[str, object]:
    head, *lines = text.splitlines()
    found = HEAD.match(head)
    assert found, head
    rows = [line.split(" | ") for line in lines]
    findings = [[f"On {row[1]}", f"It is known that {row[-1]}", row[0]] for row in rows[: int(found[2])]]
    summary = f"They are known for this: {rows[0][-1]}"
    return {
        "id": found[1],
        "title": f"On {rows[0][1]}",
        "summary": summary,
        "rank": "6",
        "why": "It is so.",
        "findings": findings,
    }


class Forgetful:
    """What a `KeepingService` has beside `ask`, of one that keeps nothing."""

    def recall(self, requests: Sequence[Request], parse: Callable[[Reply], Any]) -> list[Any]:
        return [None for _ in requests]

    def remember(self, replies: Sequence[tuple[Request, str]]) -> None:
        pass


class Built:
    """What one run of the method `standard` did."""

    def __init__(self, root: Path, chat: FakeChat, summary: IndexSummary, usage: Mapping[str, StageUsage]) -> None:
        self.summary = summary
        self.usage = usage
        self.requests = list(chat.requests)
        self.tables = tables(root)

    def asked(self, stage: str) -> list[Request]:
        """The requests of a stage."""
        return [request for request in self.requests if request.stage == stage]

    def titles(self) -> set[str]:
        """Of all entities."""
        return {row["title"] for row in self.tables["entities"]}


def build(
    root: Path,
    chat: FakeChat | None = None,
    settings: Settings | None = None,
    *,
    budget: Budget | None = None,
    resolve: bool = True,
    embedder: Embedder | None = None,
) -> Built:
    """Index the folder `root` as `GraphRAG.index("standard")` does. Each run has a new service."""
    chat = chat or model()
    chosen = settings or SMALL
    service = serve(chat, root, chosen.llm, budget)
    try:
        vectors = embedder or WordEmbedder()
        method = Standard(chosen, Asking(service, PROMPTS, silent), vectors, resolve)
        pipeline = Pipeline(chosen, vectors, LanceStore(root / "output"), silent)
        # The vocabulary stays: to read it again would take longer than all else.
        with patch.object(tokens, "release"):
            return Built(root, chat, pipeline.run(root / "input", method), service.usage)
    finally:
        service.close()


def serve(
    chat: ChatModel, root: Path | None = None, llm: LLMSettings | None = None, budget: Budget | None = None
) -> ModelService:
    """The way to a model, with the memo of a folder."""
    memo = Memo(root / "cache" / "memo.sqlite" if root else None)
    return ModelService(chat, memo, llm or LLMSettings(), budget, Background(LeapingLoop), lambda: 0.5)


def tables(root: Path) -> dict[str, Table]:
    """Everything that is published, row by row, but for the dates of files."""
    reader = LanceStore(root / "output").open()
    found = {name: reader.table(name).to_pylist() for name in TABLES}
    return {name: [{**row, "creation_date": ""} for row in rows] for name, rows in found.items()}


def texts(built: Mapping[str, Table]) -> Iterator[str]:
    """Every text in an index but for those of the documents themselves."""
    for name, rows in built.items():
        for row in rows if name not in ("documents", "text_units") else ():
            yield json.dumps(row, ensure_ascii=False, default=str)


def configured(**sections: Any) -> Settings:
    """Settings under which a few short documents take many calls."""
    small: dict[str, dict[str, Any]] = {
        "chunking": {"size": 24},
        "extraction": {"window": 64, "summarize_above": 32},
        # What depends on the builds before has tests of its own.
        "communities": {"max_size": 4, "warm_start": False},
        "reports": {"max_findings": 1, "input_tokens": 256},
    }
    for name, section in sections.items():
        small[name] = {**small.get(name, {}), **section}
    return Settings.model_validate(small)


SMALL = configured()
FAMILIES = ("Harlow", "Pember", "Quill", "Tarn", "Vane", "Winter")


def town(documents: int = 6) -> list[tuple[str, str]]:
    """A collection: each document about a family, most of which know the next one and the mayor."""
    return [("", _family(n)) for n in range(documents)]


def _family(n: int) -> str:
    mayor = ("Elias Thorn", "Thorn")[n % 2]
    name, neighbour = FAMILIES[n % len(FAMILIES)], FAMILIES[(n + 1) % len(FAMILIES)]
    more = "" if n < len(FAMILIES) else f" The Year{n} was cold."
    return (
        f"Anna {name} lives at {name} Hall and mends clocks there. Anna {name} was taught by Bruno {name}.{more} "
        f"Bruno {name} once sailed to Aston with Clara {name}. Clara {name} stole a clock from Anna {neighbour}. "
        f"Bruno {name} and Dora {name} quarrelled over {name} Hall for years. Dora {name} wrote to {mayor} about it."
    )
