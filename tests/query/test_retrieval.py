from collections.abc import Callable
from pathlib import Path

import pytest
from samples import MILLS, TWO_HOPS, indexed

from graphrag import GraphRAG
from graphrag.query.context import Tools
from graphrag.query.retrieval import Retriever
from graphrag.settings import RetrievalSettings
from graphrag.storage.base import Hit


def titles(retriever: Retriever, hits: list[Hit]) -> list[str]:
    return [unit.document_title for unit in retriever.units(hits)]


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

    found = titles(retriever, retriever.local(TWO_HOPS, 3).text_units)

    assert "Corvane Group" not in titles(retriever, dense)
    assert found[0] == "Brightwell Mill"
    assert "Corvane Group" in found


def test_one_walk_alone_puts_both_hops_first(real_tools: Tools):
    """What the other passages ask of owners is like the rest of the question: the second walk minds that."""
    first = Retriever(real_tools.retriever.reader, real_tools.embedder, RetrievalSettings(focus=0))

    assert titles(first, first.local(TWO_HOPS, 2).text_units) == ["Brightwell Mill", "Corvane Group"]


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
