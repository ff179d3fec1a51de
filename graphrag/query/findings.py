"""The findings of community reports, ranked for a question."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphrag.answers import ContextItem
from graphrag.language import DATA_REFERENCE
from graphrag.query.citing import Statement, support
from graphrag.query.context import Tools
from graphrag.ranking import diverse
from graphrag.storage.base import Hit

COLUMNS = ["id", "community", "title", "rank", "findings", "finding_text_unit_ids"]
HIGHEST_RANK = 10
NOVELTY = 0.4
"""What a finding loses that repeats one chosen before, against a cosine of 1 for likeness."""
MOST_SOURCES = 20
"""Text units looked through for the evidence of one finding."""


@dataclass(frozen=True, slots=True)
class RankedFinding:
    """A finding of a report, without the data references in its text."""

    report_id: str
    community: int
    report_title: str
    text: str
    text_unit_ids: tuple[str, ...]
    score: float
    """Cosine similarity to the question."""


def choose(
    tools: Tools, question: str, report_ids: Sequence[str], limit: int, importance: float = 0.0
) -> list[RankedFinding]:
    """At most `limit` findings of some reports: like the question, unlike each other, best first.

    `importance` is what the most important report adds to its findings, against a cosine of 1.
    """
    import numpy as np

    rows = tools.retriever.reader.rows("community_reports", report_ids, COLUMNS).to_pylist()
    found = {text: (row, units) for row in reversed(rows) for text, units in _findings(row)}
    vectors = tools.embedder.embed([question, *found])
    likeness = vectors[1:] @ vectors[0]
    worth = likeness + np.array([importance * (row["rank"] or 0) / HIGHEST_RANK for row, _ in found.values()])
    ranked = [
        RankedFinding(row["id"], row["community"], row["title"], text, tuple(units), float(score))
        for (text, (row, units)), score in zip(found.items(), likeness, strict=True)
    ]
    return [ranked[index] for index in diverse(vectors[1:], worth, limit, NOVELTY)]


def _findings(report: dict[str, Any]) -> list[tuple[str, list[str]]]:
    texts = [
        " ".join(DATA_REFERENCE.sub("", finding["explanation"] or finding["summary"]).split())
        for finding in report["findings"]
    ]
    return [(text, units) for text, units in zip(texts, report["finding_text_unit_ids"], strict=True) if text]


def state(tools: Tools, findings: Sequence[RankedFinding], limit: int) -> list[Statement]:
    """The first findings as statements, each with the place in its text units that bears it out.

    A finding that nothing there bears out is passed over.
    """
    statements: list[Statement] = []
    for finding in findings:
        if len(statements) == limit:
            break
        units = tools.retriever.units([Hit(unit, finding.score) for unit in finding.text_unit_ids[:MOST_SOURCES]])
        evidence = support(finding.text, units, tools.embedder)
        if evidence:
            statements.append(Statement(finding.text, (evidence,), finding.score))
    return statements


def items(findings: Sequence[RankedFinding]) -> list[ContextItem]:
    """Findings as items of a context."""
    return [ContextItem("finding", f.report_id, f.report_title, f.text, f.score, f.text_unit_ids) for f in findings]
