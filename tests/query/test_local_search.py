from collections.abc import Callable

from questions import ask
from samples import TWO_HOPS, check_citations

from graphrag import GraphRAG
from graphrag.query import local_search
from graphrag.query.context import Tools


def test_the_context_is_what_the_walk_found(tools: Tools):
    found = tools.retriever.local(TWO_HOPS, 10)

    answer = ask(local_search.search, tools, TWO_HOPS)

    assert answer.method == "local"
    expected = [*(("text_unit", h.id) for h in found.text_units), *(("entity", h.id) for h in found.entities)]
    assert [(item.kind, item.id) for item in answer.context] == expected
    entities = {item.title: item for item in answer.context if item.kind == "entity"}
    assert "Ilse Tarnow" in entities["Ilse Tarnow"].text
    assert entities["Ilse Tarnow"].text_unit_ids


def test_both_hops_are_answered_from(mills: GraphRAG, make_tools: Callable[..., Tools]):
    answer = ask(local_search.search, make_tools(mills, local={"k": 3}), TWO_HOPS)

    assert {"Brightwell Mill", "Corvane Group"} <= {citation.document_title for citation in answer.citations}


def test_without_entities_it_answers_from_the_nearest_passages(nameless: GraphRAG, make_tools: Callable[..., Tools]):
    answer = ask(local_search.search, make_tools(nameless, sentences=1), "when did the snow fall")

    check_citations(answer, nameless)
    assert answer.text == "the snow fell all night. [1]"
