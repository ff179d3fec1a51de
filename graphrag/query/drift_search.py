"""DRIFT search: start from community reports, follow what they leave open, keep the hierarchy.

Dynamic Reasoning and Inference with Flexible Traversal (Microsoft Research, 2024), in three phases:
a primer over the reports most like the question and a hypothetical answer to it (HyDE, Gao et al.
2022, arXiv:2212.10496); follow-up questions answered by local search; and the tree of questions and
answers, ranked and reduced to one answer. Follow-ups go best first, and the search ends when a
round brings too little for what it costs, at a depth, or when the budget is spent.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from graphrag.answers import Answer, Event, QuestionAnswered, QuestionAsked, Retrieved
from graphrag.messages import Unanswered
from graphrag.query import local_search, primer
from graphrag.query.citing import Draft
from graphrag.query.context import Inquiry, with_notices
from graphrag.query.exploring import ModelExplorer
from graphrag.query.follow_ups import Frontier
from graphrag.query.hierarchy import FollowUp, Found, Node, Suggestion, to_step
from graphrag.query.primer import REPLY_TOKENS
from graphrag.query.quoting import QuotingExplorer

TOO_LITTLE = "the budget is too small for DRIFT: this is a local search"
ANSWERED = 0.9
"""The score from which a step is believed that the question is answered."""
READ_AT_ONCE = 2
"""Steps of a round that reads on."""
REPEATED = 0.9
"""Cosine from which a statement says nothing new."""


class Explorer(Protocol):
    """Takes DRIFT's steps, with a model or without."""

    def prime(self) -> list[Found | Unanswered]:
        """What the primer's folds found."""
        ...

    def follow(self, batch: Sequence[FollowUp]) -> list[Found | Unanswered]:
        """What each follow-up found, in their order."""
        ...

    def conclude(self, root: Node) -> Generator[Event, None, Draft]:
        """The answer that the tree gives."""
        ...

    def cost(self) -> tuple[int, int]:
        """Calls and prompt tokens that a follow-up is expected to take."""
        ...


def search(inquiry: Inquiry) -> Generator[Event, None, Answer]:
    """Answer from all that the primer and the follow-ups found.

    With a budget that is too small for two steps it is a local search, and says so.
    """
    if inquiry.chat and not primer.affords(inquiry, inquiry.chat):
        return with_notices((yield from local_search.search(inquiry)), TOO_LITTLE)
    explorer: Explorer = ModelExplorer(inquiry, inquiry.chat) if inquiry.chat else QuotingExplorer(inquiry)
    run = _Run(inquiry, explorer)
    yield from run.prime()
    while batch := run.next_batch():
        yield from run.follow(batch)
    draft = yield from explorer.conclude(run.root)
    hierarchy = to_step(run.root, inquiry.numbering)
    answer = inquiry.conclude("drift", draft, hierarchy=hierarchy, stopped=run.stopped)
    return with_notices(answer, *run.notices)


@dataclass(slots=True)
class _Run:
    """How far a search is."""

    inquiry: Inquiry
    explorer: Explorer
    root: Node = field(init=False)
    frontier: Frontier = field(init=False)
    stopped: str = ""
    notices: list[str] = field(default_factory=list[str])
    calls: int = 0
    tokens: int = 0
    """Of prompts, planned: the same whether replies are remembered or not."""
    read: int = 0
    """Passages that had been shown when the search last read on."""
    gain: float | None = None
    """New statements per 1,000 tokens in the last round of follow-ups."""

    def __post_init__(self) -> None:
        embedder = self.inquiry.tools.embedder
        vector = embedder.embed([self.inquiry.question])[0]
        self.frontier = Frontier(embedder, vector, asked=[vector])
        self.root = Node(self.inquiry.question, Found(), 1.0)

    def prime(self) -> Generator[Event]:
        """Phase 1: the root of the tree."""
        folds = self._answered(self.explorer.prime(), "the primer")
        yield Retrieved(self.inquiry.question, tuple(item for fold in folds for item in fold.items))
        for fold in folds:
            yield QuestionAnswered(self.inquiry.question, fold.answer, fold.score)
        self.root.found = _joined(folds)
        self._settle(folds)
        if self.inquiry.settings.drift.depth:
            self.frontier.open(self.root)

    def next_batch(self) -> list[FollowUp]:
        """The follow-ups of the next round; empty when the search ends, and `stopped` says why."""
        settings = self.inquiry.settings.drift
        if self.stopped:
            return []
        # A search that has found nothing yet has nothing to lose by going on.
        found = any(node.found.statements for node in self.root.walk())
        if found and self.gain is not None and self.gain < settings.gain:
            self.stopped = f"gain: the last round brought {self.gain:.2f} new claims per 1,000 tokens"
            return []
        most = min(settings.follow_ups, self._affordable())
        return (self.frontier.take(most) or self._read_on(most)) if most > 0 else []

    def _read_on(self, most: int) -> list[FollowUp]:
        """Where nothing is left to ask and the question is not answered: the question itself, over
        passages that no step was shown."""
        read = sum(item.kind == "text_unit" for item in self.inquiry.sources.items)
        unread = len(self.inquiry.retriever.graph.unit_ids) - read
        answered = any(node.found.score >= ANSWERED for node in self.root.walk())
        if not (unread and self.inquiry.settings.drift.depth) or read == self.read or answered or not self.inquiry.chat:
            self.stopped = "depth: nothing was left to ask within it" if self._deep() else "nothing was left to ask"
            return []
        self.read = read
        asked = Suggestion(self.inquiry.question, 1.0, self.inquiry.question)
        return [FollowUp(self.root, asked, 0.0)] * min(most, READ_AT_ONCE, unread)

    def follow(self, batch: Sequence[FollowUp]) -> Generator[Event]:
        """Phase 2: one round."""
        for up in batch:
            yield QuestionAsked(up.question, up.parent.question, up.parent.depth + 1, round(up.expected, 4))
        before = self.tokens
        found = self.explorer.follow(batch)
        kept = self._answered(found, "a follow-up")
        for up, step in zip(batch, found, strict=True):
            if isinstance(step, Found):
                node = up.parent.grow(up.question, step, self._relevance(up, step))
                yield Retrieved(up.question, step.items)
                yield QuestionAnswered(up.question, step.answer, step.score)
                if node.depth < self.inquiry.settings.drift.depth:
                    self.frontier.open(node)
        new = self._settle(kept)
        if any(isinstance(step, Unanswered) and step.spent for step in found):
            self.stopped = f"budget: after {self.calls} calls it allowed no more"
        elif not kept:
            self.stopped = "the model answered none of the last questions"
        else:
            self.gain = 1000 * new / max(self.tokens - before, 1)

    def _answered(self, steps: Sequence[Found | Unanswered], what: str) -> list[Found]:
        missed = [step for step in steps if isinstance(step, Unanswered)]
        if missed:
            self.notices.append(f"{len(missed)} of {len(steps)} calls of {what} went unanswered: {missed[0].reason}")
        return [step for step in steps if isinstance(step, Found)]

    def _settle(self, found: Sequence[Found]) -> int:
        """Count what steps took, and how much of what they found is new."""
        self.calls += sum(step.calls for step in found)
        self.tokens += sum(step.tokens for step in found)
        texts = [statement.text for step in found for statement, _ in step.statements]
        new = self.frontier.new(texts, REPEATED)
        self.frontier.learn(new)
        return len(new)

    def _relevance(self, up: FollowUp, found: Found) -> float:
        """How much a step matters to the original question: half what it says of itself, half how like
        it the nearest of its statements is, or its question where it has none."""
        texts = [statement.text for statement, _ in found.statements] or [up.suggestion.topic]
        likeness = float((self.inquiry.tools.embedder.embed(texts) @ self.frontier.question).max())
        return (found.score + max(likeness, 0.0)) / 2

    def _affordable(self) -> int:
        """Follow-ups that the budget allows beside the final answer; where none, `stopped` says what is spent."""
        calls, tokens = self.explorer.cost()
        if not calls:
            return self.inquiry.settings.drift.follow_ups if self._rounds_left() else 0
        settings = self.inquiry.settings.drift
        reserve = settings.reduce_tokens + primer.fixed_tokens(self.inquiry)
        room = {
            "calls": (settings.max_calls - self.calls - 1) // calls,
            "tokens": (settings.max_tokens - self.tokens - reserve) // tokens,
        }
        left = self.inquiry.chat.session.left if self.inquiry.chat else None
        if left and left.calls is not None:
            room["calls"] = min(room["calls"], (left.calls - 1) // calls)
        if left and left.tokens is not None:
            # What is left to the question counts replies too.
            spare = left.tokens - reserve - self.inquiry.settings.answer_tokens
            room["tokens"] = min(room["tokens"], spare // (tokens + REPLY_TOKENS))
        if left and left.seconds is not None and left.seconds <= 0:
            room["seconds"] = 0
        short = min(room, key=lambda kind: room[kind])
        if room[short] < 1:
            self.stopped = (
                f"budget: {self.calls} calls and about {self.tokens:,} prompt tokens, no {short} left for more"
            )
        return max(room[short], 0)

    def _rounds_left(self) -> bool:
        deepest = max(node.depth for node in self.root.walk())
        if deepest < self.inquiry.settings.drift.depth:
            return True
        self.stopped = f"depth: {deepest} rounds of follow-ups"
        return False

    def _deep(self) -> bool:
        return any(node.depth >= self.inquiry.settings.drift.depth for node in self.root.walk())


def _joined(folds: Sequence[Found]) -> Found:
    """What the folds found, as one."""
    return Found(
        statements=tuple(statement for fold in folds for statement in fold.statements),
        score=max((fold.score for fold in folds), default=0.0),
        suggestions=tuple(suggestion for fold in folds for suggestion in fold.suggestions),
        items=tuple(item for fold in folds for item in fold.items),
    )
