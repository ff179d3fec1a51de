"""The findings of community reports, ranked for a question."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from graphrag.answers import ContextItem
from graphrag.language import DATA_REFERENCE
from graphrag.query.citing import Statement, support
from graphrag.query.comparing import products
from graphrag.query.context import Inquiry
from graphrag.ranking import diverse

COLUMNS = ["id", "community", "title", "rank", "findings", "finding_text_unit_ids"]
HIGHEST_RANK = 10
COMPARED = 200
"""Characters of a finding that are embedded: it begins with what it is about, and the time goes with the length."""
NOVELTY = 0.4
"""What a finding loses that repeats one chosen before, against a cosine of 1 for likeness."""


def choose(inquiry: Inquiry, report_ids: Sequence[str], limit: int, importance: float = 0.0) -> list[ContextItem]:
    """At most `limit` findings of some reports, without the data references in their text: like the
    question, unlike each other, best first. Their score is the cosine similarity to the question.

    `importance` is what the most important report adds to its findings, against a cosine of 1.
    """
    import numpy as np

    rows = inquiry.retriever.kept.rows("community_reports", report_ids, COLUMNS)
    found = {item.text: (item, row["rank"] or 0) for row in reversed(rows) for item in of_report(row)}
    if not found:
        return []
    vectors = inquiry.tools.embedder.embed([inquiry.question, *(text[:COMPARED] for text in found)])
    likeness = products(vectors[1:], vectors[0])
    worth = likeness.astype(float) + np.array([importance * rank / HIGHEST_RANK for _, rank in found.values()])
    ranked = [replace(item, score=float(score)) for (item, _), score in zip(found.values(), likeness, strict=True)]
    return [ranked[index] for index in diverse(vectors[1:], worth, limit, NOVELTY)]


def of_report(report: Mapping[str, Any]) -> Iterator[ContextItem]:
    """The findings in a row of the reports that say something, without data references; each text once.

    Another program may have left out any part: a finding without evidence rests on nothing, but says something.
    """
    evidence = report["finding_text_unit_ids"] or ()
    seen = {""}
    for place, finding in enumerate(report["findings"] or ()):
        said = (finding["explanation"] or finding["summary"] or "") if finding else ""
        text = " ".join(DATA_REFERENCE.sub("", said).split())
        if text not in seen:
            seen.add(text)
            units = evidence[place] if place < len(evidence) else ()
            yield ContextItem("finding", report["id"], report["title"] or "", text, 1.0, tuple(units or ()))


def state(inquiry: Inquiry, findings: Sequence[ContextItem], limit: int) -> list[Statement]:
    """The first findings as statements, each with the place in its text units that bears it out.

    A finding that nothing there bears out is passed over.
    """
    statements: list[Statement] = []
    for finding in findings:
        if len(statements) == limit:
            break
        evidence = support(finding.text, inquiry.sources.beneath([finding]), inquiry.tools.embedder)
        if evidence:
            statements.append(Statement(finding.text, (evidence,), finding.score))
    return statements


def summaries(inquiry: Inquiry, report_ids: Sequence[str]) -> list[ContextItem]:
    """Title and summary of each report, resting on all that its findings rest on."""
    columns = ["id", "title", "summary", "finding_text_unit_ids"]
    rows = inquiry.retriever.kept.rows("community_reports", report_ids, columns)
    return [
        ContextItem(
            "report",
            row["id"],
            row["title"] or "",
            " ".join(DATA_REFERENCE.sub("", row["summary"] or "").split()),
            1.0,
            tuple(dict.fromkeys(unit for ids in row["finding_text_unit_ids"] or () for unit in ids or ())),
        )
        for row in rows
    ]
