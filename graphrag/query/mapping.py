"""Map: what each batch of reports says about a question, as scored points, checked.

A point rests on the findings that it cites of its own batch. What their text units do not bear out
goes no further: the answer is written from what is left.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from graphrag.answers import ContextItem
from graphrag.language import FUNCTION_WORDS, search_terms, sentences
from graphrag.messages import Request, Unanswered
from graphrag.models.base import Left
from graphrag.models.budget import prompt_tokens
from graphrag.query import findings, packing
from graphrag.query.chat import Chat
from graphrag.query.cited_text import Shown, supported
from graphrag.query.context import Inquiry
from graphrag.query.points import MOST_POINTS, SCHEMA, Point, parse
from graphrag.query.reducing import Note
from graphrag.query.sources import render

STAGE = "map"
TABLE = "community_reports"
REPLY_TOKENS = 500
"""Of a reply, about."""
SPLITS = 3
"""How often a batch that overflows the model's context is halved."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one call reads."""

    items: tuple[ContextItem, ...]
    size: int
    """Tokens, about."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """What became of a batch."""

    items: tuple[ContextItem, ...]
    """What was shown."""
    notes: tuple[Note, ...] = ()
    """Its points that are borne out, best first."""
    refused: tuple[ContextItem, ...] = ()
    """What those points cite that are not."""
    dropped: int = 0
    """Points that are not borne out or cite nothing of the batch."""
    unanswered: Unanswered | None = None

    @property
    def text(self) -> str:
        """Its notes as one text."""
        return " ".join(statement.text for note in self.notes for statement, _ in note.statements)

    @property
    def score(self) -> float:
        """That of its best note."""
        return max((note.weight for note in self.notes), default=0.0)


# --- What is read ------------------------------------------------------------------------


def readings(inquiry: Inquiry, report_ids: Sequence[str], limit: int = 0) -> Iterator[tuple[ContextItem, ...]]:
    """The findings of each report; of one that has none, its summary.

    With `limit` at most so many tokens of each: those first that share words with the question, then
    those that the report has first.
    """
    columns = ["id", "title", "findings", "finding_text_unit_ids"]
    rows = inquiry.retriever.reader.rows(TABLE, report_ids, columns).to_pylist()
    asked = set(search_terms(inquiry.question).split()) - FUNCTION_WORDS
    for row in rows:
        items = list(findings.of_report(row)) or findings.summaries(inquiry, [row["id"]])
        if limit:
            ranked = _by_words(items, asked)
            items = packing.in_order(ranked, limit) or ranked[:1]
        yield tuple(items)


def pack(items_of_reports: Iterable[tuple[ContextItem, ...]], limit: int) -> Iterator[Batch]:
    """Batches of at most `limit` tokens, in order: reports whole where they fit into one at all."""
    items: list[ContextItem] = []
    used = 0
    for report in items_of_reports:
        sizes = [packing.size(item) for item in report]
        whole = sum(sizes)
        for item, size in zip(report, sizes, strict=True):
            if items and used + max(size, min(whole, limit)) > limit:
                yield Batch(tuple(items), used)
                items, used = [], 0
            whole = 0
            # One sentence that is longer than a batch is a batch.
            part = item if size <= limit else next(iter(packing.in_order([item], limit)), item)
            items.append(part)
            used += size if part is item else limit
    if items:
        yield Batch(tuple(items), used)


def _by_words(items: Sequence[ContextItem], asked: set[str]) -> list[ContextItem]:
    def held(item: ContextItem) -> int:
        text = item.text.casefold()
        return sum(word in text for word in asked)

    return sorted(items, key=lambda item: -held(item))


# --- Asking ------------------------------------------------------------------------------


def plan(inquiry: Inquiry, chat: Chat, items: Sequence[ContextItem]) -> Request:
    """The call that reads some items, which have handles."""
    values = {"question": inquiry.question, "sources": render(items), "most": str(MOST_POINTS)}
    return Request(STAGE, chat.render("map", **values), SCHEMA)


def overhead(inquiry: Inquiry, chat: Chat) -> int:
    """Tokens of a call's prompt beside its batch."""
    return prompt_tokens(plan(inquiry, chat, ()))


def afford(left: Left, prompts: Sequence[int], kept: int) -> int:
    """How many of some calls, in their order, can be made so that one call and `kept` tokens remain.

    `prompts` are their tokens; those of their replies are added here.
    """
    number = len(prompts) if left.calls is None else min(max(left.calls - 1, 0), len(prompts))
    if left.seconds is not None and left.seconds <= 0:
        return 0
    room = None if left.tokens is None else left.tokens - kept
    for place in range(number):
        if room is not None:
            room -= prompts[place] + REPLY_TOKENS
            if room < 0:
                return place
    return number


def read(inquiry: Inquiry, chat: Chat, batches: Sequence[tuple[ContextItem, ...]]) -> list[Mapped]:
    """What each batch of items, which have handles, says; all are asked at once.

    One that overflows the model's context is asked in halves, where the budget leaves a call for
    the answer too.
    """
    done: list[Mapped] = []
    waiting = list(batches)
    for split in range(SPLITS + 1):
        if not waiting:
            break
        halves: list[tuple[ContextItem, ...]] = []
        answers = chat.ask([plan(inquiry, chat, items) for items in waiting], parse)
        # All that will be checked, read at once.
        inquiry.sources.beneath(item for each in zip(waiting, answers, strict=True) for item in _all_cited(*each))
        for items, answer in zip(waiting, answers, strict=True):
            smaller = [items[: len(items) // 2], items[len(items) // 2 :]] if len(items) > 1 else []
            spare = chat.session.left.calls
            can = split < SPLITS and (spare is None or spare > len(halves) + len(smaller))
            if isinstance(answer, Unanswered) and answer.overflow and smaller and can:
                halves += smaller
            else:
                done.append(_mapped(inquiry, items, answer))
        waiting = halves
    return done


def _mapped(inquiry: Inquiry, items: tuple[ContextItem, ...], answer: tuple[Point, ...] | Unanswered) -> Mapped:
    points = _understood(answer)
    notes: list[Note] = []
    refused: dict[str, ContextItem] = {}
    for point in points:
        cited = _cited(point, items)
        note = _note(inquiry, point, cited)
        if note.statements:
            notes.append(note)
        else:
            refused |= {item.handle: item for item in cited}
    missed = answer if isinstance(answer, Unanswered) and not points else None
    return Mapped(items, tuple(notes), tuple(refused.values()), len(points) - len(notes), missed)


def _understood(answer: tuple[Point, ...] | Unanswered) -> tuple[Point, ...]:
    """The points of a reply; of one that broke off, those there are."""
    said = answer.partial if isinstance(answer, Unanswered) else answer
    return cast("tuple[Point, ...]", said) if isinstance(said, tuple) else ()


def _cited(point: Point, items: Sequence[ContextItem]) -> list[ContextItem]:
    """What a point cites of what was shown, in its order."""
    known = {item.handle: item for item in items}
    return [known[handle] for handle in point.handles if handle in known]


def _all_cited(items: Sequence[ContextItem], answer: tuple[Point, ...] | Unanswered) -> Iterator[ContextItem]:
    for point in _understood(answer):
        yield from _cited(point, items)


def _note(inquiry: Inquiry, point: Point, cited: Sequence[ContextItem]) -> Note:
    """The sentences of a point that what it cites bears out."""
    shown = Shown(cited, inquiry.sources, inquiry.tools.checker, inquiry.question)
    handles = ", ".join(item.handle for item in cited)
    parts = [point.text[span.start : span.end].strip() for span in sentences(point.text)] if cited else []
    # A handle at the end of a point stands for all of it.
    statements = [each for part in parts for each in supported(f"{part} [{handles}]", shown)]
    return Note(cited[0].title if cited else "", tuple(statements), point.score)
