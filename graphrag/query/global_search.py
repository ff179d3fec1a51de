"""Global search: what the community reports of the whole collection say about the question.

With a model the reports are read in batches, each giving scored points (map), and the answer is
written from the best points of all (reduce). Which reports are read is a setting: the best ones for
a fixed number of tokens (light), those that the model follows from the top down (dynamic), or all of
a level (static). Without a model it quotes findings, ranked by likeness and by the report's
importance: a question about everything is like no finding in particular, and then importance decides.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from graphrag.answers import Answer, ContextItem, Event, QuestionAnswered, Retrieved
from graphrag.models.budget import prompt_tokens
from graphrag.query import (
    answering,
    findings,
    local_search,
    mapping,
    packing,
    reducing,
    report_rating,
    report_selection,
)
from graphrag.query.chat import Chat
from graphrag.query.citing import Draft
from graphrag.query.context import Inquiry, with_notices
from graphrag.query.fusing import fuse
from graphrag.query.mapping import Batch, Mapped
from graphrag.query.report_selection import Hierarchy, Place
from graphrag.query.retrieval import DEPTH
from graphrag.storage.base import Hit

REPORTS = 20
"""Reports whose findings are quoted from."""
IMPORTANCE = 0.4
"""What the most important report adds to its findings, against a cosine of 1 for likeness."""
LIGHT_CALLS = 3
"""Batches that the tokens of light mode are meant for; the answer is one more call."""
AT_ONCE = 2
"""Batches that light mode reads before it looks whether to go on."""
DRY = 0.2
"""The score under which a point does not say that there may be more to find."""
REPORT_TOKENS = 400
"""Of one report, in light mode, if there are many: rather something of many than all of few."""
REDUCE_SHARE = 1 / 3
"""Of the tokens of light mode, the most that the answer is written from."""
LEAST_TOKENS = 256
"""However little there is to spend, a batch and an answer are made of as many tokens of sources."""
READ_AT_ONCE = 8
"""Reports read from the store at once."""
NOTHING_RELEVANT = "the model found no report that bears on the question"
NO_REPORTS = "the index has no community reports: this is what local search answers"


def search(inquiry: Inquiry) -> Generator[Event, None, Answer]:
    """Answer from the community reports that matter most to the question."""
    hierarchy = report_selection.load(inquiry)
    if not hierarchy.places:
        return with_notices((yield from local_search.search(inquiry)), NO_REPORTS)
    if inquiry.chat is None:
        return inquiry.conclude("global", (yield from _quote(inquiry, hierarchy)))
    run = _Run(inquiry, inquiry.chat, _choose(inquiry, inquiry.chat, hierarchy))
    yield from run.read()
    draft = yield from run.answer(hierarchy)
    return with_notices(inquiry.conclude("global", draft, stopped=run.stopped), *run.notices())


# --- Without a model ---------------------------------------------------------------------


def _quote(inquiry: Inquiry, hierarchy: Hierarchy, *notices: str) -> Generator[Event, None, Draft]:
    """The findings of the best reports that their text units bear out."""
    allowed = {place.id for place in hierarchy.places.values()}
    hybrid = inquiry.retriever.hybrid(report_selection.TABLE, inquiry.question, DEPTH)
    rankings = [[hit for hit in hybrid if hit.id in allowed], _by_importance(hierarchy)]
    reports = [hit.id for hit in fuse(rankings)[:REPORTS]]
    items = inquiry.sources.add(findings.choose(inquiry, reports, inquiry.settings.global_.k, IMPORTANCE))
    yield Retrieved(inquiry.question, items)
    return (yield from answering.state(inquiry, answering.quoted(inquiry, items), *notices))


def _by_importance(hierarchy: Hierarchy) -> list[Hit]:
    hits = [Hit(place.id, place.rank) for place in hierarchy.places.values()]
    return sorted(hits, key=lambda hit: (-hit.score, hit.id))[:DEPTH]


# --- What is read ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be read, and how."""

    batches: tuple[Batch, ...]
    """Best first."""
    reports: int
    """All that there would be to read."""
    reduce_tokens: int
    at_once: int = 0
    """Calls of one round, after which a search that found nothing ends; 0: all are made at once."""
    notice: str = ""

    @property
    def direct(self) -> tuple[ContextItem, ...]:
        """What the answer can be written from as it is, without mapping: all, or where that is more
        than it can be written from, a lone batch."""
        fits = len(self.batches) == 1 or sum(batch.size for batch in self.batches) <= self.reduce_tokens
        return tuple(item for batch in self.batches for item in batch.items) if fits else ()


def _choose(inquiry: Inquiry, chat: Chat, hierarchy: Hierarchy) -> _Plan:
    settings, dynamic = inquiry.settings.global_, inquiry.options.dynamic_selection
    mode = settings.mode if dynamic is None else "dynamic" if dynamic else "static"
    if mode == "light":
        return _light(inquiry, chat, report_selection.by_worth(inquiry, hierarchy))
    if mode == "static":
        return _all_of(inquiry, report_selection.covering(hierarchy))
    followed = report_rating.descend(inquiry, chat, hierarchy, settings.reduce_tokens)
    guessed = f"{followed.guessed} of {followed.rated} reports went by their likeness to the question, without a rating"
    return _all_of(inquiry, followed.places, guessed if followed.guessed else "")


def _all_of(inquiry: Inquiry, places: Sequence[Place], notice: str = "") -> _Plan:
    settings = inquiry.settings.global_
    batches = tuple(mapping.pack(_readings(inquiry, places), settings.batch_tokens))
    return _Plan(batches, _count(batches), settings.reduce_tokens, notice=notice)


def _light(inquiry: Inquiry, chat: Chat, places: Sequence[Place]) -> _Plan:
    """As many of the best reports as there are tokens for, all prompts counted whole."""
    settings = inquiry.settings.global_
    answer = prompt_tokens(answering.plan(inquiry, chat, "", "reduce"))
    extra = mapping.overhead(inquiry, chat)
    reduce = max(min(settings.reduce_tokens, int(settings.tokens * REDUCE_SHARE)), LEAST_TOKENS)
    room = settings.tokens - reduce - answer
    size = min(settings.batch_tokens, max(room // LIGHT_CALLS - extra, LEAST_TOKENS))
    number = max(room // (size + extra), 1)
    if number * size <= reduce:
        # So few tokens that instructions would take most of them: one call reads, and answers.
        reduce = size = max(min(settings.reduce_tokens, settings.tokens - answer), LEAST_TOKENS)
        number = 1
    share = max(REPORT_TOKENS, number * size // max(len(places), 1))
    packed = mapping.pack(_readings(inquiry, places, share), size)
    batches = tuple(islice(packed, number))
    return _Plan(batches, len(places) if next(packed, None) else _count(batches), reduce, AT_ONCE)


def _readings(inquiry: Inquiry, places: Sequence[Place], limit: int = 0) -> Iterator[tuple[ContextItem, ...]]:
    for start in range(0, len(places), READ_AT_ONCE):
        ids = [place.id for place in places[start : start + READ_AT_ONCE]]
        yield from mapping.readings(inquiry, ids, limit)


# --- Map and reduce ----------------------------------------------------------------------


@dataclass(slots=True)
class _Run:
    """How far a search with a model is."""

    inquiry: Inquiry
    chat: Chat
    plan: _Plan
    mapped: list[Mapped] = field(default_factory=list[Mapped])
    stopped: str = ""

    def read(self) -> Generator[Event]:
        """Map: a round of batches after the other, until all are read, none helps, or the budget is spent."""
        waiting = list(self.plan.batches)
        if not waiting:
            self.stopped = NOTHING_RELEVANT
        if self.plan.direct:
            return
        extra = mapping.overhead(self.inquiry, self.chat)
        while waiting:
            size = self.plan.at_once or len(waiting)
            number = mapping.afford(self.chat.session.left, [extra + b.size for b in waiting[:size]], self._kept())
            if not number:
                break
            found = yield from self._round([batch.items for batch in waiting[:number]])
            waiting = waiting[number:]
            if self.plan.at_once and not any(mapped.score > DRY or mapped.unanswered for mapped in found):
                self.stopped = f"nothing more to find: the last {_count(found)} reports read had no point to make"
                return
        read = [mapped for mapped in self.mapped if not (mapped.unanswered and mapped.unanswered.spent)]
        self._note_budget(_count(read))

    def answer(self, hierarchy: Hierarchy) -> Generator[Event, None, Draft]:
        """Reduce: the answer that all points give, or what can be said without any."""
        notes = [note for mapped in self.mapped for note in mapped.notes]
        if notes:
            return (yield from reducing.reduce(self.inquiry, self.chat, notes, self._limit()))
        if self.plan.batches and not self.mapped:
            return (yield from self._direct(self.plan.direct or self.plan.batches[0].items))
        if self.mapped and all(mapped.unanswered for mapped in self.mapped):
            told = "the model read no report: these are quotations of findings"
            return (yield from _quote(self.inquiry, hierarchy, told))
        refused = [item for mapped in self.mapped for item in mapped.refused]
        return (yield from answering.state(self.inquiry, answering.quoted(self.inquiry, refused)))

    def notices(self) -> Iterator[str]:
        """What was not as it should be."""
        yield self.plan.notice
        lost = [mapped for mapped in self.mapped if mapped.unanswered and not mapped.unanswered.spent]
        if lost and lost[0].unanswered:
            yield f"{_count(lost)} reports were not read: {lost[0].unanswered.reason}"
        if dropped := sum(mapped.dropped for mapped in self.mapped):
            yield f"{dropped} points that the sources do not bear out were left out"

    def _round(self, batches: Iterable[tuple[ContextItem, ...]]) -> Generator[Event, None, list[Mapped]]:
        inquiry = self.inquiry
        shown = [inquiry.sources.add(items) for items in batches]
        yield Retrieved(inquiry.question, tuple(item for items in shown for item in items))
        found = mapping.read(inquiry, self.chat, shown)
        self.mapped += found
        for mapped in found:
            if not mapped.unanswered:
                yield QuestionAnswered(inquiry.question, mapped.text, mapped.score)
        return found

    def _direct(self, items: tuple[ContextItem, ...]) -> Generator[Event, None, Draft]:
        """The answer from what was not mapped, by a single call."""
        left = self.chat.session.left.tokens
        fitting = items if left is None else packing.in_order(items, self._limit())
        shown = self.inquiry.sources.add(fitting)
        self._note_budget(len({item.id for item in shown}))
        yield Retrieved(self.inquiry.question, shown)
        return (yield from answering.answer(self.inquiry, shown))

    def _note_budget(self, read: int) -> None:
        if read < self.plan.reports:
            self.stopped = f"budget: {read} of {self.plan.reports} reports read"

    def _kept(self) -> int:
        """Tokens that reading must leave for the answer."""
        left = self.chat.session.left.tokens
        return self._whole_answer() if left is None else min(self._whole_answer(), left // 2)

    def _limit(self) -> int:
        """Tokens of sources that the answer can be written from."""
        left = self.chat.session.left.tokens
        spare = self.plan.reduce_tokens if left is None else left - self._whole_answer() + self.plan.reduce_tokens
        return max(min(self.plan.reduce_tokens, spare), LEAST_TOKENS)

    def _whole_answer(self) -> int:
        request = answering.plan(self.inquiry, self.chat, "", "reduce")
        return self.plan.reduce_tokens + prompt_tokens(request) + mapping.REPLY_TOKENS


def _count(batches: Iterable[Batch | Mapped]) -> int:
    """The reports that batches have something of."""
    return len({item.id for batch in batches for item in batch.items})
