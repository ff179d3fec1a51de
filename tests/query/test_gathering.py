from collections.abc import Callable
from pathlib import Path

import pytest
from samples import INCUMBENT, TWO_HOPS

from graphrag import GraphRAG
from graphrag.answers import ContextItem
from graphrag.models.embedded import EmbeddedEmbedder
from graphrag.query import gathering, packing
from graphrag.query.context import Inquiry, Tools


def kinds(items: list[ContextItem]) -> set[str]:
    return {item.kind for item in items}


def test_the_graph_is_in_the_context(tools: Tools):
    items = gathering.gather(Inquiry(TWO_HOPS, tools), TWO_HOPS, 4000)

    assert {"text_unit", "entity", "report"} <= kinds(items)
    assert all(item.handle and item.score > 0 for item in items)
    best = next(item for item in items if item.kind == "text_unit")
    assert best.score == 1.0


def test_the_limit_is_kept(tools: Tools):
    items = gathering.gather(Inquiry(TWO_HOPS, tools), TWO_HOPS, 300)

    assert items
    assert sum(map(packing.size, items)) <= 300


def test_what_was_shown_before_gives_way(tools: Tools):
    inquiry = Inquiry(TWO_HOPS, tools)
    first = {i.id: i.score for i in gathering.gather(inquiry, TWO_HOPS, 4000) if i.kind == "text_unit"}

    again = {i.id: i.score for i in gathering.gather(inquiry, TWO_HOPS, 4000) if i.kind == "text_unit"}

    assert first.keys() & again.keys()
    assert all(again[id_] == pytest.approx(gathering.SEEN * first[id_]) for id_ in first.keys() & again.keys())


def test_a_share_of_nothing_is_nothing(mills: GraphRAG, make_tools: Callable[..., Tools]):
    none = dict.fromkeys(("reports", "entities", "relationships", "claims"), 0.0)

    items = gathering.gather(Inquiry(TWO_HOPS, make_tools(mills, local=none)), TWO_HOPS, 4000)

    assert kinds(items) == {"text_unit"}


def test_what_a_question_is_focused_on_is_found_though_it_names_it_not(tools: Tools):
    rows = tools.retriever.reader.table("entities", ["id", "title"]).to_pylist()
    (aune,) = [row["id"] for row in rows if row["title"] == "Aune"]

    plain = gathering.nearest(Inquiry("What lives there?", tools), "What lives there?", 3)
    focused = gathering.nearest(Inquiry("What lives there?", tools), "What lives there?", 3, [aune])

    assert "Aune" in {item.title for item in focused if item.kind == "entity"}
    assert [item.id for item in plain] != [item.id for item in focused]


@pytest.mark.skipif(not INCUMBENT.exists(), reason="the shared data are not here")
def test_relationships_claims_and_reports_of_an_imported_index(tmp_path: Path, make_tools: Callable[..., Tools]):
    rag = GraphRAG(tmp_path, embedder=EmbeddedEmbedder())
    rag.import_parquet(INCUMBENT)
    tools = make_tools(rag, EmbeddedEmbedder())
    question = "What does Scrooge send to Bob Cratchit?"

    items = gathering.gather(Inquiry(question, tools), question, 6000)

    assert kinds(items) == {"text_unit", "entity", "relationship", "claim", "report"}
    units = {row["id"] for row in rag.table("text_units").to_pylist()}
    assert all(set(item.text_unit_ids) <= units for item in items)
    used = {kind: sum(packing.size(i) for i in items if i.kind == kind) for kind in kinds(items)}
    assert used["report"] <= 300
    assert used["relationship"] <= 300
    assert used["claim"] <= 300
    assert sum(used.values()) <= 6000
