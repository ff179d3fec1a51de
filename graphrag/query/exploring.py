"""The steps of DRIFT with a model: the primer over community reports, and follow-up questions.

Each step plans its calls, asks them all at once, and parses: an intermediate answer whose
sentences are checked against what the step was shown, and questions that it leaves open.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

from graphrag import tokens
from graphrag.answers import ContextItem, Event, ItemKind
from graphrag.errors import UnusableReplyError
from graphrag.messages import Reply, ReplySchema, Request, Unanswered
from graphrag.models.budget import prompt_tokens
from graphrag.models.replies import to_object, to_share
from graphrag.query import answering, gathering, packing, primer, reducing
from graphrag.query.chat import Chat
from graphrag.query.cited_text import Shown, supported
from graphrag.query.citing import Draft
from graphrag.query.context import Inquiry
from graphrag.query.hierarchy import FollowUp, Found, Node, Suggestion
from graphrag.query.primer import REPLY_TOKENS
from graphrag.query.reducing import Note
from graphrag.query.sources import render

STAGE = "follow-up"
KNOWN_TOKENS = 300
"""Of what the steps above found."""
UNITS = 10
"""Passages that are read where no step could be taken."""
RAISED = 3
"""Follow-up questions that one reply may raise."""
SHORTEST, LONGEST = 4, 400
"""Characters of a question."""
MIDDLING = 0.5
"""The score of what has none that can be read."""

SCHEMA = ReplySchema(
    "step",
    {
        "type": "object",
        "properties": {
            "answer": {"type": "string"},
            "score": {"type": "integer"},
            "follow_ups": {
                "type": "array",
                "items": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2},
                "maxItems": RAISED,
            },
        },
        "required": ["answer", "score", "follow_ups"],
        "additionalProperties": False,
    },
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with what the steps above it found and what is shown."""

    question: str
    known: str
    items: tuple[ContextItem, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """What a model says to a step: text with handles, 0 to 1, and questions with theirs."""

    answer: str
    score: float
    follow_ups: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class ModelExplorer:
    """Explores with a model. See `drift_search.Explorer`."""

    inquiry: Inquiry
    chat: Chat

    def prime(self) -> list[Found | Unanswered]:
        """What the folds of the primer and a first local search found."""
        primed = primer.choose(self.inquiry, self.chat)
        question = self.inquiry.question
        asked = [*(Asked(question, "", fold) for fold in primed.folds), self._local(question, "")]
        found = self._ask(asked, primer.STAGE, RAISED)
        return [
            replace(each, calls=each.calls + primed.calls, tokens=each.tokens + primed.tokens)
            if place == 0 and isinstance(each, Found)
            else each
            for place, each in enumerate(found)
        ]

    def follow(self, batch: Sequence[FollowUp]) -> list[Found | Unanswered]:
        """Local search for each question, all at once."""
        asked = [self._local(up.question, _known(up.parent), up.suggestion.focus) for up in batch]
        deeper = any(up.parent.depth + 1 < self.inquiry.settings.drift.depth for up in batch)
        return self._ask(asked, STAGE, RAISED if deeper else 0)

    def conclude(self, root: Node) -> Generator[Event, None, Draft]:
        """Reduce all that was found."""
        settings = self.inquiry.settings.drift
        notes = [
            Note(node.question, node.found.statements, node.relevance) for node in root.walk() if node.found.statements
        ]
        if not notes:
            return answering.answer(self.inquiry, self._retrieved(root))
        limit, equal = settings.reduce_tokens, settings.equal_weights
        return reducing.reduce(self.inquiry, self.chat, notes, limit, equal=equal)

    def _retrieved(self, root: Node) -> list[ContextItem]:
        """Of what the steps were shown as much as an answer may read; where there were none, of local search."""
        shown = {item.handle: item for node in root.walk() for item in node.found.items}
        items = list(shown.values()) or gathering.nearest(self.inquiry, self.inquiry.question, UNITS)
        return packing.in_order(items, self.inquiry.fitting(self.inquiry.settings.drift.reduce_tokens))

    def cost(self) -> tuple[int, int]:
        """Calls and prompt tokens that a follow-up is expected to take."""
        return 1, self.inquiry.settings.drift.step_tokens + primer.fixed_tokens(self.inquiry)

    def _local(self, question: str, known: str, focus: Sequence[str] = ()) -> Asked:
        settings = self.inquiry.settings.drift
        shares: dict[ItemKind, float] = dict.fromkeys(("report", "entity", "relationship", "claim"), settings.graph)
        items = gathering.gather(self.inquiry, question, settings.step_tokens, focus, shares)
        return Asked(question, known, tuple(items))

    def _ask(self, asked: Sequence[Asked], stage: str, most: int) -> list[Found | Unanswered]:
        requests = [self._plan(each, stage, most) for each in asked]
        answers = self.chat.ask(requests, _parse)
        return [
            answer if isinstance(answer, Unanswered) else self._found(answer, each.items, prompt_tokens(request), most)
            for each, request, answer in zip(asked, requests, answers, strict=True)
        ]

    def _plan(self, asked: Asked, stage: str, most: int) -> Request:
        messages = self.chat.render(
            "explore",
            main=self.inquiry.question,
            known=asked.known or "nothing yet",
            sources=render(asked.items),
            question=asked.question,
            most=str(most),
        )
        return Request(stage, messages, SCHEMA, REPLY_TOKENS)

    def _found(self, said: Said, items: tuple[ContextItem, ...], used: int, most: int) -> Found:
        shown = Shown(items, self.inquiry.sources, self.inquiry.tools.checker, self.inquiry.question)
        suggestions = tuple(Suggestion(text, score, text) for text, score in said.follow_ups[:most])
        return Found(tuple(supported(said.answer, shown)), said.score, suggestions, items, used, 1)


def _known(node: Node) -> str:
    """What the steps from the first to this one found, the latest kept where not all fits."""
    lines: list[str] = []
    room = KNOWN_TOKENS
    for above in reversed(node.path()):
        for statement, _ in above.found.statements:
            n = tokens.count(statement.text)
            if n > room:
                return "\n".join(reversed(lines))
            room -= n
            lines.append(f"- {statement.text}")
    return "\n".join(reversed(lines))


def _parse(reply: Reply) -> Said:
    data = to_object(reply.text).data
    answer = data.get("answer")
    if not isinstance(answer, str):
        raise UnusableReplyError("the reply holds no answer")
    score = to_share(data.get("score"), 100)
    return Said(answer.strip(), MIDDLING if score is None else score, tuple(_questions(data.get("follow_ups"))))


def _questions(value: object) -> Iterator[tuple[str, float]]:
    """Questions with their scores, whether as pairs, as objects or alone."""
    for row in cast("list[object]", value) if isinstance(value, list) else ():
        parts: list[object]
        match row:
            case str():
                parts = [row]
            case list():
                parts = cast("list[object]", row)
            case dict():
                parts = list(cast("dict[str, object]", row).values())
            case _:
                continue
        # Of a pair the longer text is the question: no language has scores as long as that.
        asked = max((part for part in parts if isinstance(part, str)), key=len, default="")
        scores = [score for part in parts if part is not asked and (score := to_share(part, 100)) is not None]
        text = " ".join(asked.split())
        if len(text) >= SHORTEST:
            yield text[:LONGEST], (scores[-1] if scores else MIDDLING)
