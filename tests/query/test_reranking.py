from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import reader
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from questions import Search, ask
from samples import TWO_HOPS, retrieved

from graphrag import GraphRAG, Settings
from graphrag.answers import Answer, RetrievedUnit
from graphrag.errors import ModelError, ModelRefusedError, OverloadedError, SettingsError, UnusableReplyError
from graphrag.query import basic, drift_search, local_search
from graphrag.query.context import Tools
from graphrag.query.reranking import rerank

TROUT = "trout in a short river"


class Prefers:
    """A reranker that likes a word, or is told its scores; keeps what it was asked."""

    name = "prefers"

    def __init__(self, said: str | Sequence[float] | Exception) -> None:
        self.said = said
        self.asked: list[tuple[str, list[str]]] = []

    def scores(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked.append((question, list(texts)))
        if isinstance(self.said, Exception):
            raise self.said
        found = [float(self.said in text) for text in texts] if isinstance(self.said, str) else self.said
        return np.array(found, dtype=np.float32)


def units(number: int) -> list[RetrievedUnit]:
    found = retrieved(*(f"text {n}" for n in range(number)))
    return [replace(unit, score=1 / (1 + n)) for n, unit in enumerate(found)]


@given(st.lists(st.floats(-50, 50, width=32), max_size=8), st.integers(1, 10))
def test_the_order_is_the_rerankers_and_the_scores_are_the_searchs(said: list[float], top: int):
    before = units(len(said))

    after = rerank("Who?", before, Prefers(said[:top]), top)

    assert [unit.score for unit in after] == [unit.score for unit in before]
    assert sorted(unit.text for unit in after) == [unit.text for unit in before]
    assert after[top:] == before[top:]
    scores = {unit.text: score for unit, score in zip(before, said[:top], strict=False)}
    expected = sorted(before[:top], key=lambda unit: -scores[unit.text])
    assert [unit.text for unit in after[:top]] == [unit.text for unit in expected]


@pytest.mark.parametrize("said", [[1.0], [1.0, 2.0, 3.0], [1.0, float("nan")], [float("inf"), 1.0], []])
def test_scores_that_are_not_one_number_for_each_are_refused(said: list[float]):
    with pytest.raises(UnusableReplyError, match="prefers gave no number for each of 2"):
        rerank("Who?", units(2), Prefers(said), 5)


def test_it_reads_the_question_and_passages_with_their_titles():
    reranker = Prefers("text")
    rerank("Who?", [replace(units(1)[0], document_title="Mills"), *units(2)[1:]], reranker, 5)

    ((question, texts),) = reranker.asked
    assert question == "Who?"
    assert texts[0] == "Mills\ntext 0"
    assert texts[1].endswith("text 1")


def test_the_order_of_a_walk_counts_twice_as_much():
    found = [unit.text for unit in rerank("Who?", units(5), Prefers("4"), 5, walked=True)]

    assert found == [f"text {n}" for n in (0, 1, 4, 2, 3)]
    agreed = rerank("Who?", units(5), Prefers([5, 4, 3, 2, 1]), 5, walked=True)
    assert agreed == units(5)


# --- In a search -------------------------------------------------------------------------


def passages(answer: Answer) -> list[tuple[str, float]]:
    return [(item.text, item.score) for item in answer.context if item.kind == "text_unit"]


@pytest.mark.parametrize("search", [basic.search, local_search.search])
@pytest.mark.parametrize("model", [None, reader.model])
def test_what_the_reranker_prefers_moves_up(tools: Tools, search: Search, model: Callable[[], Any] | None):
    asked = (search, TROUT) if search is basic.search else (search, TWO_HOPS)
    said = "Otto Veit taught"
    before = passages(ask(asked[0], tools, asked[1], model and model()))

    answer = ask(asked[0], replace(tools, reranker=Prefers(said)), asked[1], model and model())

    after = passages(answer)
    place, place_before = ([said in text for text, _ in each].index(True) for each in (after, before))
    assert place < place_before
    assert (place == 0) == (search is basic.search)
    assert [score for _, score in after] == pytest.approx([score for _, score in before])
    assert sorted(text for text, _ in after) == sorted(text for text, _ in before)
    assert answer.notices == ()


@pytest.mark.parametrize("search", [basic.search, local_search.search])
def test_it_may_bring_up_what_the_search_alone_would_not_show(
    mills: GraphRAG, make_tools: Callable[..., Tools], search: Search
):
    few = make_tools(mills, basic={"k": 3}, local={"k": 3}, sentences=1)
    said = "Otto Veit taught"
    reranker = Prefers(said)

    answer = ask(search, replace(few, reranker=reranker), TWO_HOPS)

    assert said not in "".join(text for text, _ in passages(ask(search, few, TWO_HOPS)))
    assert said in "".join(text for text, _ in passages(answer))
    assert len(passages(answer)) == 3
    assert len(reranker.asked[0][1]) > 3
    shown = ask(search, replace(few, reranker=Prefers(said), reranked=3), TWO_HOPS)
    assert said not in "".join(text for text, _ in passages(shown))


def test_entities_are_as_many_as_without(mills: GraphRAG, make_tools: Callable[..., Tools]):
    few = make_tools(mills, local={"k": 2})
    found = [
        [item.id for item in ask(local_search.search, each, TWO_HOPS).context if item.kind == "entity"]
        for each in (few, replace(few, reranker=Prefers("Otto")))
    ]

    assert found[0] == found[1]
    assert len(found[0]) == 2


def test_drift_reranks_for_each_question_it_asks(tools: Tools):
    reranker = Prefers("Otto")
    answer = ask(drift_search.search, replace(tools, reranker=reranker), TWO_HOPS, reader.model())

    assert answer.hierarchy
    asked = [question for question, _ in reranker.asked]
    assert len(set(asked)) > 1
    assert set(asked) - {TWO_HOPS} <= {step.question for step in answer.hierarchy.children} | {
        below.question for step in answer.hierarchy.children for below in step.children
    }


# --- When it fails -----------------------------------------------------------------------


@pytest.mark.parametrize("search", [basic.search, local_search.search, drift_search.search])
@pytest.mark.parametrize("failure", [OverloadedError("it is busy"), [1.0]])
def test_a_failing_reranker_changes_nothing_and_is_told_once(tools: Tools, search: Search, failure: Any):
    before = ask(search, tools, TWO_HOPS, reader.model())
    reranker = Prefers(failure)

    answer = ask(search, replace(tools, reranker=reranker), TWO_HOPS, reader.model())

    assert len(reranker.asked) == 1
    (notice,) = answer.notices
    assert notice.startswith("passages are in the order of the search, without reranking: ")
    assert replace(answer, notices=()) == before


@pytest.mark.parametrize("search", [basic.search, local_search.search])
def test_one_that_was_set_up_wrongly_is_an_error(tools: Tools, search: Search):
    with pytest.raises(ModelRefusedError, match="the key"):
        ask(search, replace(tools, reranker=Prefers(ModelRefusedError("it refuses the key"))), TWO_HOPS)


# --- Through the API ---------------------------------------------------------------------


def opened(mills: GraphRAG, reranker: Prefers) -> GraphRAG:
    return GraphRAG(mills.root, embedder=mills._given_embedder, reranker=reranker)  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("method", ["local", "basic"])
def test_retrieve(mills: GraphRAG, method: Any):
    said = "Otto Veit taught"
    rag = opened(mills, Prefers(said))

    found = rag.retrieve(TWO_HOPS, 3, method)

    assert len(found) == 3
    assert [said in unit.text for unit in found].index(True) == (0 if method == "basic" else 2)
    assert [unit.score for unit in found] == [unit.score for unit in mills.retrieve(TWO_HOPS, 3, method)]
    assert said in rag.retrieve(TWO_HOPS, 2, "basic", filters=["title=Otto Veit|Aune"])[0].text
    with pytest.raises(ModelError, match="busy"):
        opened(mills, Prefers(OverloadedError("busy"))).retrieve(TWO_HOPS, 2, method)


def test_query(mills: GraphRAG):
    assert "Otto Veit taught" in passages(opened(mills, Prefers("Otto Veit taught")).query(TROUT, "basic"))[0][0]


def test_one_that_cannot_be_had_is_an_error_of_the_first_query(mills: GraphRAG):
    settings = Settings.model_validate({"reranking": {"provider": "server"}})
    rag = GraphRAG(mills.root, settings, embedder=mills._given_embedder)  # pyright: ignore[reportPrivateUsage]

    with pytest.raises(SettingsError, match=r"reranking\.base_url"):
        rag.query(TROUT)
