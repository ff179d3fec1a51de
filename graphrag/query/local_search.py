"""Local search: the passages, entities, relationships, claims and reports that hang together with
what the question names."""

from collections.abc import Generator

from graphrag.answers import Answer, Event, Retrieved
from graphrag.query import answering, gathering
from graphrag.query.context import Inquiry


def search(inquiry: Inquiry) -> Generator[Event, None, Answer]:
    """Answer from what the walk over the graph comes to."""
    settings = inquiry.settings.local
    if inquiry.chat:
        items = gathering.gather(inquiry, inquiry.question, inquiry.fitting(settings.context_tokens))
    else:
        items = gathering.nearest(inquiry, inquiry.question, settings.k)
    yield Retrieved(inquiry.question, tuple(items))
    return inquiry.conclude("local", (yield from answering.answer(inquiry, items)))
