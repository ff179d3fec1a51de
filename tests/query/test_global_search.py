from collections.abc import Callable

from samples import check_citations

from graphrag import GraphRAG
from graphrag.query import findings, global_search
from graphrag.query.context import Tools

WHOLE = "What is this collection about?"


def test_the_context_is_findings_of_reports(mills: GraphRAG, tools: Tools):
    answer = global_search.search(tools, WHOLE)

    reports = {row["id"]: row for row in mills.table("community_reports").to_pylist()}
    assert answer.method == "global"
    assert answer.context
    for item in answer.context:
        report = reports[item.id]
        explanations = [finding["explanation"] for finding in report["findings"]]
        assert (item.kind, item.title) == ("finding", report["title"])
        assert any(explanation.startswith(item.text) for explanation in explanations)
        assert "[Data:" not in item.text
    assert len({item.text for item in answer.context}) == len(answer.context)


def test_the_answer_comes_from_all_over_the_collection(mills: GraphRAG, tools: Tools):
    answer = global_search.search(tools, WHOLE)

    check_citations(answer, mills)
    assert len({citation.document_id for citation in answer.citations}) >= 3


def test_what_is_asked_for_comes_before_what_is_important(tools: Tools):
    answer = global_search.search(tools, "Is a person who only works there called a miller?")

    assert answer.citations[0].quote.startswith("The owner of a mill is called a miller")


def test_settings(mills: GraphRAG, make_tools: Callable[..., Tools]):
    answer = global_search.search(make_tools(mills, sentences=2, **{"global": {"k": 3}}), WHOLE)

    assert (len(answer.context), len(answer.citations)) == (3, 2)


def test_a_finding_is_borne_out_by_its_own_text_units(tools: Tools):
    reports = tools.retriever.reader.table("community_reports", ["id"])["id"].to_pylist()

    chosen = findings.choose(tools, WHOLE, reports, 50)
    stated = findings.state(tools, chosen, 50)

    assert len(stated) == len(chosen) > 3
    for finding, statement in zip(chosen, stated, strict=True):
        (evidence,) = statement.evidence
        assert evidence.unit.text_unit_id in finding.text_unit_ids
        assert evidence.quote.split() == finding.text.split()


def test_importance_decides_where_nothing_else_does(tools: Tools):
    rank = {row["id"]: row["rank"] for row in tools.retriever.reader.table("community_reports").to_pylist()}

    (chosen,) = findings.choose(tools, WHOLE, list(rank), 1, importance=100.0)

    assert rank[chosen.report_id] == max(rank.values()) > min(rank.values())


def test_no_reports_have_no_findings(tools: Tools):
    assert findings.choose(tools, WHOLE, [], 5) == []
    assert findings.choose(tools, WHOLE, ["unknown"], 5) == []
