from collections.abc import Callable

import pytest
import reader
from questions import Search, ask, follow, streamed
from samples import MILLS, TWO_HOPS, check_citations

from graphrag import GraphRAG
from graphrag.answers import Retrieved
from graphrag.query import answering, basic, global_search, local_search
from graphrag.query.answering import NOTHING_FOUND
from graphrag.query.context import Tools

SEARCHES = [basic.search, local_search.search, global_search.search]


@pytest.mark.parametrize("search", SEARCHES)
def test_every_sentence_has_its_citation(mills: GraphRAG, tools: Tools, search: Search):
    answer = ask(search, tools, TWO_HOPS)

    check_citations(answer, mills)
    assert (answer.question, answer.hierarchy, answer.route) == (TWO_HOPS, None, "")
    assert len(answer.text.splitlines()) == len(answer.citations) == tools.settings.sentences


@pytest.mark.parametrize("search", SEARCHES)
def test_what_is_cited_is_in_the_context(tools: Tools, search: Search):
    answer = ask(search, tools, TWO_HOPS)

    known = {unit for item in answer.context for unit in item.text_unit_ids}
    assert {citation.text_unit_id for citation in answer.citations} <= known


def test_the_context_is_the_hybrid_ranking(tools: Tools):
    answer = ask(basic.search, tools, "trout in a short river")

    hits = tools.retriever.hybrid("text_units", "trout in a short river", 10)
    assert [(item.kind, item.id, item.score) for item in answer.context] == [("text_unit", h.id, h.score) for h in hits]
    assert answer.method == "basic"
    assert answer.citations[0].document_title == "Aune"


def test_settings(mills: GraphRAG, make_tools: Callable[..., Tools]):
    answer = ask(basic.search, make_tools(mills, sentences=2, basic={"k": 3}), TWO_HOPS)

    assert (len(answer.context), len(answer.citations)) == (3, 2)
    assert len(MILLS) > 3


def test_nothing_found(real_tools: Tools):
    answer = ask(basic.search, real_tools, "What is the boiling point of tungsten?")

    assert (answer.text, answer.citations, answer.found) == (NOTHING_FOUND, (), False)


def test_a_model_reads_passages_in_rank_order_up_to_the_limit(mills: GraphRAG, make_tools: Callable[..., Tools]):
    model = reader.model()
    tools = make_tools(mills, basic={"context_tokens": 256})

    answer, events = follow(basic.search, tools, "Where do trout live?", model)

    check_citations(answer, mills)
    prompt = model.requests[0].messages[1].content
    assert prompt.startswith("Passages:\n[T1] Aune: ")
    assert prompt.endswith("Question: Where do trout live?\nForm of the answer: " + answering.ANY_FORM)
    assert "Trout live in the Aune. [1]" in answer.text
    assert isinstance(events[0], Retrieved)
    assert streamed(events) == answer.text
