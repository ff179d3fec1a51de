from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import MILLS, TWO_HOPS, indexed

from graphrag import GraphRAG
from graphrag.query import retrieval
from graphrag.query.context import Tools
from graphrag.query.retrieval import LOOKED_THROUGH, MOST_QUESTIONS, Retriever, fuse
from graphrag.storage.base import Hit

KOREAN = [
    ("", "서울은 대한민국의 수도이다. 서울에는 한강이 흐른다."),
    ("", "부산은 항구 도시이다. 부산에는 해운대가 있다."),
    ("", "제주도는 큰 섬이다. 제주도에는 한라산이 있다. 한라산에 눈이 온다."),
]


def titles(retriever: Retriever, hits: list[Hit]) -> list[str]:
    return [unit.document_title for unit in retriever.units(hits)]


def named(retriever: Retriever, question: str) -> list[str]:
    offset = len(retriever.graph.unit_ids)
    return [retriever.graph.entity_titles[position - offset] for position in retriever.names_in(question)]


# --- Fusion ------------------------------------------------------------------------------


def test_fusion_is_by_reciprocal_rank():
    fused = fuse([[Hit("a", 0.9), Hit("b", 0.1)], [Hit("b", 17.0), Hit("c", 16.0)]])

    assert fused == [Hit("b", 1 / 62 + 1 / 61), Hit("a", 1 / 61), Hit("c", 1 / 62)]


def test_later_rankings_may_weigh_less():
    first, later = [Hit("a", 0.0)], [Hit("b", 0.0)]

    assert fuse([first, later], constant=1, decay=0.5) == [Hit("a", 1 / 2), Hit("b", 1 / 4)]


def test_fusion_of_nothing():
    assert fuse([]) == fuse([[], []]) == []


rankings = st.lists(st.lists(st.sampled_from("abcdef"), unique=True).map(lambda ids: [Hit(i, 0.0) for i in ids]))


@given(rankings)
def test_the_order_of_the_rankings_decides_nothing(rankings: list[list[Hit]]):
    fused = fuse(rankings)

    scores = {hit.id: hit.score for hit in fuse(reversed(rankings))}
    assert scores == pytest.approx({hit.id: hit.score for hit in fused})
    assert {hit.id for hit in fused} == {hit.id for ranking in rankings for hit in ranking}
    assert [hit.score for hit in fused] == sorted((hit.score for hit in fused), reverse=True)


# --- Hybrid ------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 3, 100])
def test_hybrid_gives_the_k_best_rows(tools: Tools, k: int):
    hits = tools.retriever.hybrid("text_units", "trout in a short river", k)

    assert len(hits) == min(k, len(MILLS))
    assert titles(tools.retriever, hits)[0] == "Aune"
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


@pytest.mark.parametrize("table", ["text_units", "entities", "community_reports"])
def test_every_searchable_table_is_searched(tools: Tools, table: str):
    (best,) = tools.retriever.hybrid(table, "the chemist Ilse Tarnow", 1)

    (row,) = tools.retriever.reader.rows(table, [best.id]).to_pylist()
    assert "Tarnow" in str(row)


def test_hybrid_finds_a_word_that_no_meaning_leads_to(real_tools: Tools):
    assert titles(real_tools.retriever, real_tools.retriever.hybrid("text_units", "Veit", 1)) == ["Otto Veit"]


# --- Local -------------------------------------------------------------------------------


def test_local_finds_the_second_hop_that_dense_search_misses(real_tools: Tools):
    retriever = real_tools.retriever
    dense = retriever.reader.nearest("text_units", retriever.vector(TWO_HOPS), 3)

    found = titles(retriever, retriever.local(TWO_HOPS, 2).text_units)

    assert "Corvane Group" not in titles(retriever, dense)
    assert found == ["Brightwell Mill", "Corvane Group"]


def test_local_gives_the_k_best_text_units_and_entities(tools: Tools):
    found = tools.retriever.local(TWO_HOPS, 3)

    for hits in (found.text_units, found.entities):
        assert len(hits) == 3
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        assert all(hit.score > 0 for hit in hits)
    assert {hit.id for hit in found.entities} <= set(tools.retriever.graph.entity_ids)


def test_local_is_the_same_every_time(tools: Tools):
    assert tools.retriever.local(TWO_HOPS, 7) == tools.retriever.local(TWO_HOPS, 7)


def test_focus_leads_to_the_passages_of_an_entity(tools: Tools):
    graph = tools.retriever.graph
    entity = dict(zip(graph.entity_titles, graph.entity_ids, strict=True))
    question = "What is known?"

    def best(*focus: str) -> str:
        return titles(tools.retriever, tools.retriever.local(question, 1, focus).text_units)[0]

    assert best(entity["Otto Veit"]) == "Otto Veit"
    assert best(entity["Trout"]) == "Aune"
    assert best("unknown") == best()


# --- Names -------------------------------------------------------------------------------


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
    spans = retrieval._spans  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(retrieval, "_spans", lambda text: looked.append(text) or spans(text))  # pyright: ignore

    assert named(tools.retriever, "what of otto veit? " + "who " * 4900) == ["Otto Veit"]
    assert named(tools.retriever, "who " * 4900 + "is otto veit?") == []
    assert named(tools.retriever, "who " * 4000 + "is Otto Veit?") == ["Otto Veit"]
    assert [len(text) for text in looked] == [LOOKED_THROUGH] * 2


def test_the_names_of_the_last_questions_are_kept(tools: Tools, monkeypatch: pytest.MonkeyPatch):
    looked: list[str] = []
    monkeypatch.setattr(retrieval, "_spans", lambda text: looked.append(text) or ())  # pyright: ignore
    questions = [f"whose mill is number {n}?" for n in range(MOST_QUESTIONS + 1)]

    for question in [*questions, questions[-1], questions[0]]:
        tools.retriever.names_in(question).append(0)  # the list is the caller's

    assert looked == [*questions, questions[0]]
    assert tools.retriever.names_in(questions[0]) == []


# --- Units -------------------------------------------------------------------------------


def test_units_come_in_the_order_of_the_hits_with_their_documents(tools: Tools):
    ids = tools.retriever.graph.unit_ids

    units = tools.retriever.units([Hit(ids[1], 0.5), Hit("unknown", 0.4), Hit(ids[0], 0.3)])

    assert [(unit.text_unit_id, unit.score) for unit in units] == [(ids[1], 0.5), (ids[0], 0.3)]
    assert [(unit.document_title, unit.source_id) for unit in units] == [
        ("Corvane Group", "row-2"),
        ("Brightwell Mill", "row-1"),
    ]
    assert [unit.text for unit in units] == [MILLS[1][1], MILLS[0][1]]


def test_no_hits_have_no_units(tools: Tools):
    assert tools.retriever.units([]) == []


# --- Without entities --------------------------------------------------------------------


def test_without_entities_local_ranks_by_likeness(nameless: GraphRAG, make_tools: Callable[..., Tools]):
    retriever = make_tools(nameless).retriever

    found = retriever.local("when did the snow fall at night", 1)

    assert found.entities == []
    assert [unit.text for unit in retriever.units(found.text_units)] == ["the snow fell all night."]
    assert retriever.names_in("snow at night") == []


def test_a_single_passage_is_found(tmp_path: Path, make_tools: Callable[..., Tools]):
    retriever = make_tools(indexed(tmp_path, [("", "it rained and it was cold.")])).retriever

    assert len(retriever.local("was it cold", 5).text_units) == 1
    assert len(retriever.hybrid("text_units", "was it cold", 5)) == 1
