"""Basic search: the passages that vector and full-text search agree on, in their order."""

from graphrag.answers import Answer
from graphrag.query.context import Tools, answer, unit_items


def search(tools: Tools, question: str) -> Answer:
    """Answer from the hybrid search's best text units."""
    hits = tools.retriever.hybrid("text_units", question, tools.settings.basic.k)
    units = tools.retriever.units(hits)
    statements = tools.answerer.answer(question, units, tools.settings.sentences)
    return answer(question, "basic", statements, unit_items(units))
