"""Reduce: one answer from what the steps before it found.

Notes weigh by their relevance: the most relevant come first, and where not all fit the least
relevant are left out. With them go the places in the sources that they rest on, so that the model
that writes the answer sees evidence and not only what others made of it.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

from graphrag import tokens
from graphrag.answers import ContextItem, Event
from graphrag.query import answering, packing
from graphrag.query.chat import Chat
from graphrag.query.citing import Draft, Statement
from graphrag.query.context import Inquiry
from graphrag.query.sources import plain, render

NOTES_SHARE = 0.6
"""Of the limit; evidence has the rest, and what notes leave of theirs."""


@dataclass(frozen=True, slots=True)
class Note:
    """What a step found: statements that cite items of its context."""

    question: str
    statements: tuple[tuple[Statement, tuple[ContextItem, ...]], ...]
    """Each with the items that it cites, which have handles."""
    weight: float
    """Relevance to the question, 0 to 1."""

    @property
    def text(self) -> str:
        """Its statements with the handles that they cite."""
        return " ".join(
            " ".join([statement.text, *(f"[{item.handle}]" for item in items)]) for statement, items in self.statements
        )


def reduce(
    inquiry: Inquiry, chat: Chat, notes: Sequence[Note], limit: int, *, equal: bool = False
) -> Generator[Event, None, Draft]:
    """The answer that notes give, from at most `limit` tokens of them and of their evidence.

    `equal`: all weigh the same, and go in their own order. Where the model gives no answer, the
    items that the notes cite are quoted.
    """
    kept = list(_fitting(notes, int(limit * NOTES_SHARE), equal))
    room = limit - sum(tokens.count(text) for _, text in kept)
    evidence = packing.in_order(list(_evidence([note for note, _ in kept])), room)
    items = [item for note, _ in kept for _, cited in note.statements for item in cited]
    text = "\n".join(["Notes:", *(text for _, text in kept), "", render(evidence)])
    return (yield from answering.write(inquiry, chat, answering.plan(inquiry, chat, text, "reduce"), _unique(items)))


def _fitting(notes: Sequence[Note], limit: int, equal: bool) -> Iterator[tuple[Note, str]]:
    used = 0
    order = list(notes) if equal else sorted(notes, key=lambda note: -note.weight)
    for note in order:
        told = "" if equal else f"(relevance {note.weight:.2f}) "
        text = f"- {told}{plain(note.question)}\n  {note.text}"
        n = tokens.count(text)
        if note.statements and used + n <= limit:
            used += n
            yield note, text


def _evidence(notes: Sequence[Note]) -> Iterator[ContextItem]:
    """For each cited item the passages in it that bear the statements out."""
    quotes: dict[str, tuple[ContextItem, dict[str, None]]] = {}
    for note in notes:
        for statement, items in note.statements:
            for item in items:
                _, texts = quotes.setdefault(item.handle, (item, {}))
                own = [e.quote for e in statement.evidence if e.unit.text_unit_id == item.id]
                texts |= dict.fromkeys(own if item.kind == "text_unit" else [item.text])
    for item, texts in quotes.values():
        yield replace(item, text=" … ".join(texts))


def _unique(items: Sequence[ContextItem]) -> list[ContextItem]:
    return list({item.handle: item for item in items}.values())
