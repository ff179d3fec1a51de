"""Basic search: the passages that vector and full-text search agree on, in their order."""

from collections.abc import Generator, Sequence

from graphrag.answers import Answer, ContextItem, Event, Retrieved
from graphrag.query import answering, neighbours, packing
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
    if inquiry.chat:
        units = neighbours.with_neighbours(retriever, units, settings.neighbours)
    inquiry.sources.know(units)
    items = inquiry.sources.add(_fitting(inquiry, unit_items(units), limit) if inquiry.chat else unit_items(units))
    yield Retrieved(inquiry.question, items)
    return inquiry.conclude("basic", (yield from answering.answer(inquiry, items)))


def _fitting(inquiry: Inquiry, ranked: Sequence[ContextItem], limit: int) -> Sequence[ContextItem]:
    """As many of the best as fit, as a model reads them."""
    items = packing.in_order(ranked, limit)
    return neighbours.in_reading_order(inquiry.retriever, items, inquiry.sources.beneath(items))
