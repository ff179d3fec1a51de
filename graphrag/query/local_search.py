"""Local search: the passages and entities that hang together with what the question names."""

from graphrag.answers import Answer
from graphrag.query.context import Tools, answer, entity_items, unit_items


def search(tools: Tools, question: str) -> Answer:
    """Answer from the text units that the walk over the graph ranks best."""
    found = tools.retriever.local(question, tools.settings.local.k)
    units = tools.retriever.units(found.text_units)
    statements = tools.answerer.answer(question, units, tools.settings.sentences)
    context = [*unit_items(units), *entity_items(tools.retriever, found.entities)]
    return answer(question, "local", statements, context)
