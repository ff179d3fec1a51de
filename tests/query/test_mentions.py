from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import indexed

from graphrag.query import mentions
from graphrag.query.context import Tools
from graphrag.query.mentions import LONGEST_NAME, LOOKED_THROUGH, find
from graphrag.query.retrieval import MOST_QUESTIONS, Retriever

KOREAN = [
    ("", "서울은 대한민국의 수도이다. 서울에는 한강이 흐른다."),
    ("", "부산은 항구 도시이다. 부산에는 해운대가 있다."),
    ("", "제주도는 큰 섬이다. 제주도에는 한라산이 있다. 한라산에 눈이 온다."),
]


def named(retriever: Retriever, question: str) -> list[str]:
    offset = len(retriever.graph.unit_ids)
    return [retriever.graph.entity_titles[position - offset] for position in retriever.names_in(question)]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Who owns Brightwell Mill?", ["Brightwell Mill"]),
        ("who owns brightwell mill?", ["Brightwell Mill"]),
        ("What did Otto Veit's pupils learn?", ["Otto Veit"]),
        ("what did otto veit's pupils learn?", ["Otto Veit"]),
        ("Did Ilse Tarnow know Otto Veit?", ["Ilse Tarnow", "Otto Veit"]),
        ("BRIGHTWELL MILL?", ["Brightwell Mill"]),
        ("Did Otto Veit meet Otto Veit?", ["Otto Veit"]),
        ("What about Nobody Known?", []),
        ("", []),
        ("?!", []),
    ],
)
def test_names_in_a_question_with_and_without_capitals(tools: Tools, question: str, expected: list[str]):
    assert named(tools.retriever, question) == expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("서울은 어디에 있나?", ["서울"]),
        ("한라산에서 무엇을 하나?", ["한라산"]),
        ("부산과 제주도의 차이는?", ["부산", "제주도"]),
    ],
)
def test_names_in_a_korean_question(
    tmp_path_factory: pytest.TempPathFactory, make_tools: Callable[..., Tools], question: str, expected: list[str]
):
    retriever = make_tools(indexed(tmp_path_factory.mktemp("korean"), KOREAN)).retriever

    assert sorted(named(retriever, question)) == expected
    (best,) = retriever.units(retriever.local(question, 1).text_units)
    assert any(name in best.text for name in expected)


def test_names_in_a_script_without_spaces(tmp_path: Path, make_tools: Callable[..., Tools]):
    texts = [("東京タワー", "東京タワーは高い。"), ("大阪城", "大阪城は古い。")]

    assert named(make_tools(indexed(tmp_path, texts)).retriever, "大阪城はいつ建てられましたか") == ["大阪城"]


def test_of_a_long_question_without_capitals_only_the_beginning_is_looked_through(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
):
    looked: list[str] = []
    spans = mentions._spans  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(mentions, "_spans", lambda text: looked.append(text) or spans(text))  # pyright: ignore

    assert named(tools.retriever, "what of otto veit? " + "who " * 4900) == ["Otto Veit"]
    assert named(tools.retriever, "who " * 4900 + "is otto veit?") == []
    assert named(tools.retriever, "who " * 4000 + "is Otto Veit?") == ["Otto Veit"]
    assert [len(text) for text in looked] == [LOOKED_THROUGH] * 2


def test_the_names_of_the_last_questions_are_kept(tools: Tools, monkeypatch: pytest.MonkeyPatch):
    looked: list[str] = []
    monkeypatch.setattr(mentions, "_spans", lambda text: looked.append(text) or ())  # pyright: ignore
    questions = [f"whose mill is number {n}?" for n in range(MOST_QUESTIONS + 1)]

    for question in [*questions, questions[-1], questions[0]]:
        tools.retriever.names_in(question).append(0)  # the list is the caller's

    assert looked == [*questions, questions[0]]
    assert tools.retriever.names_in(questions[0]) == []


# --- Where names stand -------------------------------------------------------------------

KNOWN = {"otto veit": 7, "veit": 8, "mill": 9, "한라산": 4, "大阪城": 5}


def found(question: str) -> tuple[tuple[int, ...], list[str]]:
    """The entities that are named, and the text of each span."""
    named = find(question, KNOWN)
    return named.entities, [question[span.start : span.end] for span in named.spans]


@pytest.mark.parametrize(
    ("question", "entities", "spans"),
    [
        ("Who taught Otto Veit?", (7,), ["Otto Veit"]),
        ("Did Otto Veit own a mill in Dresden?", (7,), ["Otto Veit", "Dresden"]),
        ("Who lives in Dresden?", (), ["Dresden"]),
        ("who taught otto veit?", (7,), []),
        ("what did veit's mill grind?", (8, 9), []),
        ("한라산에서 무엇을 하나?", (4,), ["한라산에서"]),
        ("Seit wann steht 大阪城?", (5,), ["Seit", "大阪城"]),
    ],
)
def test_names_and_where_they_stand(question: str, entities: tuple[int, ...], spans: list[str]):
    assert found(question) == (entities, spans)


def test_a_number_inside_a_name_stands_nowhere_of_its_own():
    named = find("Who won Winter 2010?", {"2010": 6})

    assert (named.entities, [(span.start, span.end) for span in named.spans]) == ((6,), [(8, 19)])


def test_a_name_of_more_words_than_are_looked_at_is_not_found():
    long = " ".join(["mill"] * LONGEST_NAME)

    assert find(f"of {long} {long}", {f"{long} mill": 1}).entities == ()
    assert find(f"of {long} or", {long: 1}).entities == (1,)


@given(
    st.lists(st.sampled_from(["Otto", "veit", "Veit", "mill", "of", "한라산에", "大阪城は", "Dresden", ","])).map(
        " ".join
    )
)
def test_spans_do_not_overlap(question: str):
    spans = sorted(find(question, KNOWN).spans, key=lambda span: span.start)

    assert all(0 <= span.start < span.end <= len(question) for span in spans)
    assert all(first.end <= second.start for first, second in pairwise(spans))
