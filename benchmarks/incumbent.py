"""The query procedures of Microsoft GraphRAG 3.3.0 with its defaults, as baselines.

From a description of what they do, over an index of this project: its tables and its vectors. The
prompts are shorter than the originals, which favours the baseline in tokens; rows of a table are one
line each. Prompt tokens are added up from counts of the parts.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from graphrag import tokens
from graphrag.models.base import Embedder
from graphrag.storage.base import Reader

CONTEXT_TOKENS = 12_000
LEVEL = 2
"""The finest reports that are read."""
ENTITIES, OVERSAMPLE = 10, 2
RELATIONSHIPS = 10
UNITS = 10
"""Of basic search."""
REPORTS, FOLDS, ROUNDS, AT_ONCE, FOLLOW_UPS = 20, 5, 3, 20, 5
"""Of DRIFT."""
SEED = 86

HYPOTHESIS = """\
You help to search: write a hypothetical answer to the question in the form of the report below, with
the kinds of names that it has. It is only compared with reports."""
STEP = """\
You answer a question from the rows of tables, each with its id, in multiple paragraphs of about 2,000
characters, and cite the ids of rows in brackets. Reply with a JSON object: {"response": markdown,
"score": 0 to 100, how well it answers the main question, "follow_up_queries": at least 5 questions that
lead further into the subject}."""
ANSWER = """\
You answer a question in multiple paragraphs from the rows of tables, each with its id, and cite the ids
of rows in brackets. Say so if they do not answer it; make nothing up."""

Model = Callable[[str, str], str]
"""From what the system and the user say to the reply."""


@dataclass
class Asked:
    """The calls of one question."""

    model: Model
    prompts: list[str] = field(default_factory=list)
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def calls(self) -> int:
        return len(self.prompts)

    def ask(self, system: str, rows: Sequence[str], *rest: str) -> str:
        user = "\n".join([*rows, *rest])
        self.prompts.append(user)
        self.prompt_tokens += count(system) + sum(map(count, rows)) + sum(map(count, rest))
        reply = self.model(system, user)
        self.completion_tokens += tokens.count(reply)
        return reply


@lru_cache(maxsize=100_000)
def count(row: str) -> int:
    return tokens.count(f"{row}\n")


@dataclass(frozen=True)
class Shares:
    """Of the context of local search."""

    text_units: float = 0.5
    reports: float = 0.15

    @property
    def tables(self) -> float:
        return 1 - self.text_units - self.reports


@dataclass
class Incumbent:
    """Answers questions over one index."""

    reader: Reader
    embedder: Embedder

    # --- The index ---

    @cached_property
    def entities(self) -> dict[str, dict[str, Any]]:
        columns = ["id", "title", "description", "text_unit_ids"]
        return {row["id"]: row for row in self.reader.table("entities", columns).to_pylist()}

    @cached_property
    def relationships(self) -> dict[str, list[dict[str, Any]]]:
        """By the title of either end."""
        columns = ["id", "source", "target", "description", "combined_degree", "text_unit_ids"]
        of: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in self.reader.table("relationships", columns).to_pylist():
            for end in {row["source"], row["target"]}:
                of[end].append(row)
        return of

    @cached_property
    def units(self) -> dict[str, str]:
        """Rows of text units, with the titles that documents have of their own."""
        documents = {row["id"]: row for row in self.reader.table("documents", ["id", "title", "titled"]).to_pylist()}
        rows: dict[str, str] = {}
        for place, row in enumerate(self.reader.table("text_units", ["id", "text", "document_id"]).to_pylist()):
            document = documents[row["document_id"]]
            title = f"{document['title']}|" if document["titled"] else ""
            rows[row["id"]] = f"{place}|{title}{one_line(row['text'])}"
        return rows

    @cached_property
    def reports(self) -> dict[str, dict[str, Any]]:
        columns = ["id", "community", "level", "title", "full_content", "rank"]
        rows = self.reader.table("community_reports", columns).to_pylist()
        return {row["id"]: row for row in rows if row["level"] <= LEVEL}

    @cached_property
    def communities(self) -> dict[str, list[str]]:
        """Ids of the reports on the communities of an entity."""
        reports = {row["community"]: id_ for id_, row in self.reports.items()}
        of: defaultdict[str, list[str]] = defaultdict(list)
        for row in self.reader.table("communities", ["community", "entity_ids"]).to_pylist():
            if row["community"] in reports:
                for entity in row["entity_ids"] or ():
                    of[entity].append(reports[row["community"]])
        return of

    # --- Local and basic search ---

    def basic(self, question: str, asked: Asked) -> None:
        hits = self.reader.nearest("text_units", self._embed(question), UNITS)
        asked.ask(ANSWER, _filled((self.units[hit.id] for hit in hits), CONTEXT_TOKENS), f"Question: {question}")

    def local(self, question: str, asked: Asked) -> None:
        asked.ask(ANSWER, self.context(question, Shares()), f"Question: {question}")

    def context(self, question: str, shares: Shares) -> list[str]:
        hits = self.reader.nearest("entities", self._embed(question), ENTITIES * OVERSAMPLE)
        chosen = [self.entities[hit.id] for hit in hits]
        reports = _filled(self._reports(chosen), shares.reports * CONTEXT_TOKENS)
        tables = _filled(self._tables(chosen), shares.tables * CONTEXT_TOKENS) if shares.tables > 0.01 else []
        units = _filled(self._text_units(chosen), shares.text_units * CONTEXT_TOKENS)
        return [*reports, *tables, *units]

    def _reports(self, chosen: Sequence[dict[str, Any]]) -> Iterator[str]:
        matches = Counter(report for entity in chosen for report in self.communities[entity["id"]])
        best = sorted(matches, key=lambda id_: (-matches[id_], -(self.reports[id_]["rank"] or 0)))
        return map(self._report, best)

    def _report(self, id_: str) -> str:
        row = self.reports[id_]
        return f"{row['community']}|{row['title']}|{one_line(row['full_content'])}"

    def _tables(self, chosen: Sequence[dict[str, Any]]) -> Iterator[str]:
        for place, entity in enumerate(chosen):
            yield f"{place}|{entity['title']}|{one_line(entity['description'] or '')}"
        titles = {entity["title"] for entity in chosen}
        edges = {edge["id"]: edge for title in titles for edge in self.relationships[title]}.values()
        inside = [edge for edge in edges if edge["source"] in titles and edge["target"] in titles]
        outward = [edge for edge in edges if not (edge["source"] in titles and edge["target"] in titles)]
        links = Counter(end for edge in outward for end in (edge["source"], edge["target"]) if end not in titles)

        def first(edge: dict[str, Any]) -> tuple[int, int]:
            return (-max(links[edge["source"]], links[edge["target"]]), -(edge["combined_degree"] or 0))

        most = RELATIONSHIPS * len(chosen)
        for place, edge in enumerate([*sorted(inside, key=first), *sorted(outward, key=first)[:most]]):
            yield f"{place}|{edge['source']} - {edge['target']}|{one_line(edge['description'] or '')}"

    def _text_units(self, chosen: Sequence[dict[str, Any]]) -> Iterator[str]:
        places: dict[str, tuple[int, int]] = {}
        for place, entity in enumerate(chosen):
            held = Counter(u for edge in self.relationships[entity["title"]] for u in edge["text_unit_ids"] or ())
            for unit in entity["text_unit_ids"] or ():
                places.setdefault(unit, (place, -held[unit]))
        return (self.units[unit] for unit in sorted(places, key=lambda unit: places[unit]))

    # --- DRIFT ---

    def drift(self, question: str, asked: Asked, replies: "Replies") -> None:
        draw = random.Random(f"{SEED} {question}")  # noqa: S311
        state: dict[str, str] = {}
        shape = self._report(draw.choice(sorted(self.reports)))
        told = asked.ask(HYPOTHESIS, [f"Report: {shape}"], f"Question: {question}")
        nearest = self.reader.nearest("community_reports", self._embed(told), len(self.reports) + REPORTS)
        best = [self._report(hit.id) for hit in nearest if hit.id in self.reports][:REPORTS]
        for fold in np.array_split(np.array(best, dtype=object), FOLDS):
            reply = asked.ask(STEP, fold.tolist(), f"Main question: {question}", f"Question: {question}")
            answer, follow_ups = replies(reply)
            state[f"{question} ({len(state)})"] = answer
            state = state | {up: "" for up in follow_ups if up not in state}
        for _ in range(ROUNDS):
            waiting = [up for up, answer in state.items() if not answer]
            draw.shuffle(waiting)
            for up in waiting[:AT_ONCE]:
                rows = self.context(up, Shares(0.9, 0.1))
                answer, follow_ups = replies(asked.ask(STEP, rows, f"Main question: {question}", f"Question: {up}"))
                state[up] = answer or "nothing"
                state = state | {more: "" for more in follow_ups if more not in state}
        answers = [f"{place}|{answer}" for place, answer in enumerate(state.values()) if answer]
        asked.ask(ANSWER, answers, f"Question: {question}")

    def _embed(self, text: str) -> np.ndarray:
        return self.embedder.embed([text])[0]


Replies = Callable[[str], tuple[str, list[str]]]
"""The answer and the follow-up questions in a reply to `STEP`."""


def one_line(text: str) -> str:
    return " ".join(text.split())


def _filled(rows: Iterable[str], limit: float) -> list[str]:
    """Rows up to the first that does not fit."""
    chosen: list[str] = []
    for row in rows:
        limit -= count(row)
        if limit < 0:
            break
        chosen.append(row)
    return chosen
