"""The query engine itself: what it checks before anything is asked, and indexes that lack something."""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from fakes import WordEmbedder
from made_reports import Models, session

from graphrag import GraphRAG
from graphrag.answers import Finished, QueryOptions, Routed, Token
from graphrag.errors import QueryError
from graphrag.models.budget import Budget
from graphrag.query.chat import Chat
from graphrag.query.conversing import Conversation, Turn
from graphrag.query.engine import METHODS, NO_TEXT_UNITS, QueryEngine
from graphrag.query.retrieval import Retriever
from graphrag.query.signals import read
from graphrag.settings import QuerySettings
from graphrag.storage.base import Hit, Reader
from graphrag.storage.lance import LanceStore

OPEN = "What role does the river play?"
"""Routing is not sure of it."""


class Without:
    """An index as it is, but for some tables that are empty."""

    def __init__(self, reader: Reader, *hidden: str) -> None:
        self.build = reader.build
        self._reader = reader
        self._hidden = hidden

    def table(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        table = self._reader.table(name, columns)
        return table.slice(0, 0) if name in self._hidden else table

    def rows(self, name: str, ids: Sequence[str], columns: Sequence[str] | None = None) -> pa.Table:
        return self._reader.rows(name, [] if name in self._hidden else ids, columns)

    def nearest(self, name: str, vector: np.ndarray, k: int) -> list[Hit]:
        return [] if name in self._hidden else self._reader.nearest(name, vector, k)

    def matching(self, name: str, text: str, k: int) -> list[Hit]:
        return [] if name in self._hidden else self._reader.matching(name, text, k)


@pytest.fixture(scope="module")
def stored(mills: GraphRAG) -> Reader:
    return LanceStore(mills.root / "output").open()


def engine(reader: Reader) -> QueryEngine:
    return QueryEngine(reader, WordEmbedder(), QuerySettings())


# --- An index that lacks something -------------------------------------------------------


@pytest.mark.parametrize("method", [*METHODS, "auto"])
@pytest.mark.parametrize(
    "hidden",
    [("text_units",), ("text_units", "documents", "entities", "relationships", "facts")],
    ids=["entities are there", "reports only"],
)
def test_without_text_units_nothing_is_answered_and_nobody_asked(stored: Reader, hidden: tuple[str, ...], method: str):
    conversation = Conversation([Turn("Who is Otto Veit?", "A chemist.")])
    with session({}) as (chat, model):
        events = list(engine(Without(stored, *hidden)).ask("Where did he teach?", method, chat, None, conversation))

    assert isinstance(events[0], Routed)
    assert isinstance(events[-1], Finished)
    answer = events[-1].answer
    assert (answer.found, answer.citations, answer.notices) == (False, (), (NO_TEXT_UNITS,))
    assert "".join(event.text for event in events if isinstance(event, Token)) == answer.text
    assert model.requests == []
    assert len(conversation.turns) == 2


def test_without_text_units_a_name_has_no_rarity(stored: Reader):
    retriever = Retriever(Without(stored, "text_units"), WordEmbedder(), QuerySettings().retrieval)

    found = read("Who is Otto Veit?", retriever)

    assert (found.names, found.rarity) == (("Otto Veit",), 0.0)


# --- What is paid for --------------------------------------------------------------------


def test_an_unknown_method_is_refused_before_anything_is_asked(stored: Reader):
    conversation = Conversation([Turn("Who is Otto Veit?", "A chemist.")])
    with session({}) as (chat, model), pytest.raises(QueryError, match="unknown query method 'locale'"):
        list(engine(stored).ask("Where did he teach?", "locale", chat, None, conversation))

    assert model.requests == []


@pytest.mark.parametrize(("calls", "routed"), [(None, True), (2, True), (1, False)])
def test_the_last_call_is_not_spent_on_the_choice_of_a_method(stored: Reader, calls: int | None, routed: bool):
    said: Models = {"route": lambda _: '{"method": "local"}', "answer": lambda _: "[NONE] Nothing."}
    with session(said, Budget(max_calls=calls)) as (chat, model):
        list(engine(stored).ask(OPEN, "auto", chat))

    assert ("route" in [request.stage for request in model.requests]) == routed
    assert "answer" in [request.stage for request in model.requests]


# --- Conversations under filters ---------------------------------------------------------


def test_a_filtered_question_is_not_told_of_what_was_said_of_other_documents(stored: Reader):
    conversation = Conversation([Turn("Who started the Corvane Group?", "Ilse Tarnow [1].")])
    titled = ("title~veit",)

    def ask(question: str, chat: Chat, *filters: str) -> None:
        options = QueryOptions(filters=filters)
        list(engine(stored).filtered(filters).ask(question, "basic", chat, options, conversation))

    said: Models = {"rewrite": lambda _: "Where did Otto Veit teach?", "answer": lambda _: "[NONE] Nothing."}
    with session(said) as (chat, model):
        ask("Who is he?", chat, *titled)
        ask("Where did he teach?", chat, *titled)
        ask("And why?", chat)

    asked = [request.messages[-1].content for request in model.requests if request.stage == "rewrite"]
    assert [re.findall("Question: (.*)", text) for text in asked] == [
        ["Who is he?"],
        ["Who started the Corvane Group?"],
    ]
    assert "Tarnow" not in asked[0]
    assert [turn.filters for turn in conversation.turns] == [(), titled, titled, ()]
