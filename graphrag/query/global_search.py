"""Global search: what the community reports of the whole collection say about the question.

Reports are ranked by vector, by full text and by their importance, and the three fused; their
findings by likeness and by the report's importance: a question about everything is like no
finding in particular, and then importance decides.
"""

from graphrag.answers import Answer
from graphrag.query import findings
from graphrag.query.context import Tools, answer
from graphrag.query.retrieval import DEPTH, fuse
from graphrag.storage.base import Hit

REPORTS = 20
"""Reports whose findings are read."""
IMPORTANCE = 0.4
"""What the most important report adds to its findings, against a cosine of 1 for likeness."""


def search(tools: Tools, question: str) -> Answer:
    """Answer from the findings of the reports that matter most to the question."""
    rankings = [tools.retriever.hybrid("community_reports", question, DEPTH), _by_importance(tools)]
    reports = [hit.id for hit in fuse(rankings)[:REPORTS]]
    chosen = findings.choose(tools, question, reports, tools.settings.global_.k, IMPORTANCE)
    statements = findings.state(tools, chosen, tools.settings.sentences)
    return answer(question, "global", statements, findings.items(chosen))


def _by_importance(tools: Tools) -> list[Hit]:
    table = tools.retriever.reader.table("community_reports", ["id", "rank"])
    hits = [Hit(row["id"], row["rank"] or 0.0) for row in table.to_pylist()]
    return sorted(hits, key=lambda hit: (-hit.score, hit.id))[:DEPTH]
