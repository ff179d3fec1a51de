from collections.abc import Callable

import pytest
from samples import MILLS, TWO_HOPS, check_citations

from graphrag import GraphRAG
from graphrag.query import basic, global_search, local_search
from graphrag.query.context import NOTHING_FOUND, Tools

SEARCHES = [basic.search, local_search.search, global_search.search]


@pytest.mark.parametrize("search", SEARCHES)
def test_every_sentence_has_its_citation(mills: GraphRAG, tools: Tools, search: Callable[..., object]):
    answer = search(tools, TWO_HOPS)

    check_citations(answer, mills)
    assert (answer.question, answer.hierarchy, answer.route) == (TWO_HOPS, None, "")
    assert len(answer.text.splitlines()) == len(answer.citations) == tools.settings.sentences


@pytest.mark.parametrize("search", SEARCHES)
def test_what_is_cited_is_in_the_context(tools: Tools, search: Callable[..., object]):
    answer = search(tools, TWO_HOPS)

    known = {unit for item in answer.context for unit in item.text_unit_ids}
    assert {citation.text_unit_id for citation in answer.citations} <= known


def test_the_context_is_the_hybrid_ranking(tools: Tools):
    answer = basic.search(tools, "trout in a short river")

    hits = tools.retriever.hybrid("text_units", "trout in a short river", 10)
    assert [(item.kind, item.id, item.score) for item in answer.context] == [("text_unit", h.id, h.score) for h in hits]
    assert answer.method == "basic"
    assert answer.citations[0].document_title == "Aune"


def test_settings(mills: GraphRAG, make_tools: Callable[..., Tools]):
    answer = basic.search(make_tools(mills, sentences=2, basic={"k": 3}), TWO_HOPS)

    assert (len(answer.context), len(answer.citations)) == (3, 2)
    assert len(MILLS) > 3


def test_nothing_found(nameless: GraphRAG, make_tools: Callable[..., Tools]):
    answer = global_search.search(make_tools(nameless), "snow")

    assert (answer.text, answer.citations, answer.context) == (NOTHING_FOUND, (), ())
