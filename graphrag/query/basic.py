"""Basic search: the passages that vector and full-text search agree on, in their order."""

from collections.abc import Generator

from graphrag.answers import Answer, Event, Retrieved
from graphrag.query import answering, packing
from graphrag.query.context import Inquiry, unit_items

TOKENS_PER_PASSAGE = 100
"""About; more passages than this are not looked at."""


def search(inquiry: Inquiry) -> Generator[Event, None, Answer]:
    """Answer from the hybrid search's best text units."""
    settings, retriever = inquiry.settings.basic, inquiry.retriever
    limit = inquiry.fitting(settings.context_tokens)
    most = max(settings.k, limit // TOKENS_PER_PASSAGE) if inquiry.chat else settings.k
    found = retriever.hybrid("text_units", inquiry.question, max(most, inquiry.second_look.depth))
    units = inquiry.second_look.order(inquiry.question, retriever.units(found))[:most]
    inquiry.sources.know(units)
    ranked = unit_items(units)
    items = inquiry.sources.add(packing.in_order(ranked, limit) if inquiry.chat else ranked)
    yield Retrieved(inquiry.question, items)
    return inquiry.conclude("basic", (yield from answering.answer(inquiry, items)))
