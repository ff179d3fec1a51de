"""The findings of community reports, ranked for a question."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphrag.models.base import Embedder
from graphrag.query.citing import DATA_REFERENCE, Statement, support
from graphrag.query.retrieval import Retriever
from graphrag.records import ContextItem
from graphrag.storage.base import Hit

COLUMNS = ["id", "community", "title", "rank", "findings", "finding_text_unit_ids"]
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
    rank: float
    """Importance of the report, 0 to 10."""
    score: float
    """Cosine similarity to the question."""


def of_reports(
    retriever: Retriever, report_ids: Sequence[str], question: str, embedder: Embedder
) -> list[RankedFinding]:
    """All findings of some reports, most like the question first; the same text is kept once."""
    rows = retriever.reader.rows("community_reports", report_ids, COLUMNS).to_pylist()
    found = {text: (row, units) for row in reversed(rows) for text, units in _findings(row)}
    if not found:
        return []
    scores = embedder.embed(list(found)) @ retriever.vector(question)
    ranked = [
        RankedFinding(row["id"], row["community"], row["title"], text, tuple(units), row["rank"] or 0.0, float(score))
        for (text, (row, units)), score in zip(found.items(), scores, strict=True)
    ]
    return sorted(ranked, key=lambda finding: (-finding.score, finding.text))


def _findings(report: dict[str, Any]) -> list[tuple[str, list[str]]]:
    texts = [DATA_REFERENCE.sub("", finding["explanation"] or finding["summary"]) for finding in report["findings"]]
    return [(text, units) for text, units in zip(texts, report["finding_text_unit_ids"], strict=True) if text]


def state(findings: Sequence[RankedFinding], retriever: Retriever, embedder: Embedder) -> list[Statement]:
    """Findings as statements, each with the place in its text units that bears it out best."""
    statements: list[Statement] = []
    for finding in findings:
        units = retriever.units([Hit(unit, finding.score) for unit in finding.text_unit_ids[:MOST_SOURCES]])
        evidence = support(finding.text, units, embedder)
        if evidence:
            statements.append(Statement(finding.text, (evidence,), finding.score))
    return statements


def items(findings: Sequence[RankedFinding]) -> list[ContextItem]:
    """Findings as items of a context."""
    return [ContextItem("finding", f.report_id, f.report_title, f.text, f.score, f.text_unit_ids) for f in findings]
