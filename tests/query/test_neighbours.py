from collections.abc import Callable
from pathlib import Path

import pytest
import reader
from fakes import WordEmbedder
from hypothesis import given, settings
from hypothesis import strategies as st
from questions import follow
from samples import check_citations

from graphrag import GraphRAG
from graphrag.answers import ContextItem, RetrievedUnit
from graphrag.query import basic, gathering, neighbours
from graphrag.query.context import Inquiry, Tools, unit_item
from graphrag.query.neighbours import in_reading_order, with_neighbours
from graphrag.query.retrieval import Retriever
from graphrag.settings import Settings
from graphrag.storage.base import Hit

STORY = (
    "# The mill\n\nThe wheel of the mill broke in the first week of spring. It stood still for a month.\n\n"
    "Nobody in the village could bake bread, and children went hungry. Some left for the coast.\n\n"
    "Then a carpenter came by and cut new paddles from old oak. He took no money for it.\n\n"
    "They named the bridge behind the mill after him, and he never learnt of it. It stands today.\n\n"
    "## The lake\n\nFar above the village lies a lake that feeds the stream. Herons nest on its shore.\n\n"
    "In winter it freezes, and skaters come from every side. The ice is said to sing.\n\n"
    "Nobody has ever found out how deep it is, though many a rope was let down.\n"
)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> GraphRAG:
    """A document of seven text units, four under one heading and three under the next; and one of a single unit."""
    root: Path = tmp_path_factory.mktemp("story")
    (root / "input").mkdir()
    (root / "input" / "story.md").write_text(STORY, "utf-8")
    (root / "input" / "other.md").write_text("Something else altogether happened in a town.", "utf-8")
    rag = GraphRAG(root, Settings.model_validate({"chunking": {"size": 26}}), embedder=WordEmbedder())
    rag.index("fast")
    return rag


@pytest.fixture(scope="module")
def retriever(story: GraphRAG, make_tools: Callable[..., Tools]) -> Retriever:
    return make_tools(story).retriever


@pytest.fixture(scope="module")
def order(retriever: Retriever) -> list[RetrievedUnit]:
    """The text units of the story as they stand there, then the other document."""
    rows = retriever.reader.table("text_units", ["id", "start", "document_id"]).to_pylist()
    sizes = {row["document_id"]: sum(other["document_id"] == row["document_id"] for other in rows) for row in rows}
    ids = [row["id"] for row in sorted(rows, key=lambda row: (-sizes[row["document_id"]], row["start"]))]
    return retriever.units([Hit(id_, 1 - place / 10) for place, id_ in enumerate(ids)])


def ranked(order: list[RetrievedUnit], *places: int) -> list[RetrievedUnit]:
    scores = [1 - rank / 10 for rank in range(len(places))]
    units = [order[place] for place in places]
    return [
        RetrievedUnit(u.text_unit_id, s, u.text, u.document_id, u.document_title, u.source_id)
        for u, s in zip(units, scores, strict=True)
    ]


def places(found: list[RetrievedUnit], order: list[RetrievedUnit]) -> list[int]:
    ids = [unit.text_unit_id for unit in order]
    return [ids.index(unit.text_unit_id) for unit in found]


@pytest.fixture
def no_sections(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(neighbours, "LARGEST", 1)


def test_the_story_is_what_the_tests_take_it_for(order: list[RetrievedUnit], retriever: Retriever):
    ids = [unit.text_unit_id for unit in order]
    headings = [
        row["headings"][-1:] for row in retriever.reader.rows("text_units", ids, ["id", "headings"]).to_pylist()
    ]
    assert headings == [["The mill"]] * 4 + [["The lake"]] * 3 + [[]]


@pytest.mark.usefixtures("no_sections")
def test_those_beside_the_first_come_behind_some_others(order: list[RetrievedUnit], retriever: Retriever):
    found = with_neighbours(retriever, ranked(order, 1, 7, 5, 6), 0.5)
    # The second is alone in its document; those beside the first come behind two others and the one after them.
    assert places(found, order) == [1, 7, 5, 0, 2, 6]
    assert found[3].score == found[4].score < found[2].score


@pytest.mark.usefixtures("no_sections")
def test_across_a_heading_is_twice_as_far(order: list[RetrievedUnit], retriever: Retriever):
    found = with_neighbours(retriever, ranked(order, 3, 7, 0, 1, 6), 0.5)
    assert places(found, order) == [3, 7, 0, 2, 1, 6, 4]


@pytest.mark.usefixtures("no_sections")
def test_what_was_found_further_up_stays_there(order: list[RetrievedUnit], retriever: Retriever):
    found = with_neighbours(retriever, ranked(order, 2, 1, 7), 0.4)
    assert places(found, order) == [2, 1, 7, 3]
    assert with_neighbours(retriever, [], 1.0) == []


def test_a_share_of_nothing_adds_nothing(order: list[RetrievedUnit], retriever: Retriever):
    assert with_neighbours(retriever, ranked(order, 2, 1, 7), 0.0) == ranked(order, 2, 1, 7)


@pytest.mark.usefixtures("no_sections")
def test_what_was_found_further_down_is_lifted(order: list[RetrievedUnit], retriever: Retriever):
    found = with_neighbours(retriever, ranked(order, 1, 7, 5, 6, 0), 1.0)
    assert places(found, order)[:4] == [1, 7, 0, 2]
    assert len({unit.text_unit_id for unit in found}) == len(found)


@given(data=st.data(), share=st.floats(0, 1))
@settings(deadline=None, max_examples=60)
def test_the_order_of_what_was_found_first_stays(
    data: st.DataObject, share: float, order: list[RetrievedUnit], retriever: Retriever
):
    chosen = data.draw(st.lists(st.integers(0, len(order) - 1), unique=True))
    units = ranked(order, *chosen)
    found = with_neighbours(retriever, units, share)
    scores = [unit.score for unit in found]
    assert scores == sorted(scores, reverse=True)
    assert set(chosen) <= set(places(found, order))
    assert found[:1] == units[:1]


def test_passages_that_stand_together_are_read_together(order: list[RetrievedUnit], retriever: Retriever):
    units = ranked(order, 2, 7, 5, 1, 0)
    items: list[ContextItem] = [unit_item(unit, unit.score) for unit in units]
    entity = ContextItem("entity", "e", "E", "", 0.95)
    shown = in_reading_order(retriever, [items[0], entity, *items[1:]], units)
    ids = {unit.text_unit_id: place for place, unit in enumerate(order)} | {"e": -1}
    assert [ids[item.id] for item in shown] == [0, 1, 2, -1, 7, 5]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ((1, 7, 0, 6), [1, 7, 0, 2, 3, 6]),  # two of four: the others come next
        ((1, 7, 0, 6, 2), [1, 7, 0, 2, 3, 6]),  # one of them was found further down
        ((4, 7, 6, 0), [4, 7, 6, 5, 0]),  # two of three
        ((4, 7, 0), [4, 7, 0]),  # one of three, and one of four
        ((3, 4, 7), [3, 4, 7]),  # side by side, but of two sections
    ],
)
def test_half_of_a_section_brings_the_rest(
    order: list[RetrievedUnit], retriever: Retriever, found: tuple[int, ...], expected: list[int]
):
    assert places(with_neighbours(retriever, ranked(order, *found), 0.01), order) == expected


def test_one_text_unit_is_never_enough_of_a_section(
    order: list[RetrievedUnit], retriever: Retriever, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(neighbours, "ENOUGH", 0.1)
    assert places(with_neighbours(retriever, ranked(order, 1, 7, 5), 0.01), order) == [1, 7, 5]


def test_a_section_that_is_too_long_is_not_completed(
    order: list[RetrievedUnit], retriever: Retriever, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(neighbours, "LARGEST", 3)
    assert places(with_neighbours(retriever, ranked(order, 1, 0, 4, 6), 0.01), order) == [1, 0, 4, 6, 5]


@pytest.mark.parametrize(("share", "count"), [(0.0, 2), (1.0, 4)])
def test_a_model_reads_neighbours_in_their_order_and_cites_them(
    story: GraphRAG, make_tools: Callable[..., Tools], share: float, count: int
):
    question, model = "Which carpenter cut paddles from oak?", reader.model()
    tools = make_tools(story, basic={"neighbours": share, "k": 1, "context_tokens": 256})

    answer, _ = follow(basic.search, tools, question, model)

    check_citations(answer, story)
    starts = {row["id"]: row["start"] for row in tools.retriever.reader.table("text_units").to_pylist()}
    shown = [starts[item.id] for item in answer.context]
    assert len(shown) == count
    assert "carpenter" in model.requests[0].messages[1].content
    assert share == 0 or shown[:3] == sorted(shown[:3])


def test_local_search_reads_neighbours_too(story: GraphRAG, make_tools: Callable[..., Tools]):
    question = "Which carpenter cut paddles from oak?"
    shown = [
        [item.text for item in gathering.gather(Inquiry(question, tools), question, 200) if item.kind == "text_unit"]
        for tools in (make_tools(story, local={"neighbours": share}) for share in (0.0, 1.0))
    ]
    texts = "".join(shown[1])
    assert shown[0] != shown[1]
    assert texts.index("hungry") < texts.index("carpenter") < texts.index("bridge")
