"""A model's second opinion on an answer: which sentences do their quotes not bear out after all?

The checker goes by words and does not see who did what, nor how much of it (see
docs/explanation/citations.md). The judge may lower what it let pass, and nothing else: no sentence
is supported because a model says so.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import cast

from graphrag.answers import Event, Restarted, Sentence, Token
from graphrag.errors import UnusableReplyError
from graphrag.messages import Reply, ReplySchema, Request, Unanswered
from graphrag.models.replies import to_object, to_score
from graphrag.query.chat import Chat
from graphrag.query.cited_text import CitedText, Shown
from graphrag.query.citing import Draft, Statement
from graphrag.query.context import Inquiry

STAGE = "judge"
MOST = 10**6
"""Beyond it a number is no sentence's."""
SCHEMA = ReplySchema(
    "judgement",
    {
        "type": "object",
        "properties": {"unsupported": {"type": "array", "items": {"type": "integer"}}},
        "required": ["unsupported"],
        "additionalProperties": False,
    },
)


@dataclass(frozen=True, slots=True)
class Overruled(Shown):
    """What a text may cite, but for some sentences that are not supported whatever they cite."""

    refused: frozenset[str] = frozenset()

    def check(self, sentence: str, handles: Sequence[str]) -> Statement:
        """See `Shown`."""
        if sentence in self.refused:
            return Statement(sentence, (), 0.0, False)
        return Shown.check(self, sentence, handles)


def judge(inquiry: Inquiry, chat: Chat, shown: Shown, said: str, draft: Draft) -> Generator[Event, None, Draft]:
    """The draft as it stands when the model has looked its cited sentences over, in one call.

    `said` is the reply, with its handles, that the draft was made from. If sentences are refused the
    text begins anew. Where the model does not judge, the draft stays, with a notice.
    """
    cited = [sentence for sentence in draft.sentences if sentence.supported and sentence.citations]
    if not cited:
        return draft
    (numbers,) = chat.ask([plan(inquiry, chat, cited)], parse, spare=0)
    if isinstance(numbers, Unanswered):
        return replace(draft, notices=(*draft.notices, f"the model did not look its answer over: {numbers.reason}"))
    refused = frozenset(sentence.text for number, sentence in enumerate(cited, start=1) if number in numbers)
    if not refused:
        return draft
    yield Restarted()
    inquiry.numbering.clear()
    overruled = Overruled(shown.items, shown.sources, shown.checker, shown.question, refused)
    text = CitedText(overruled, inquiry.numbering, strict=inquiry.options.strict)
    corrected = text.feed(said) + text.close()
    if corrected:
        yield Token(corrected)
    return Draft(corrected, tuple(text.sentences), text.found, draft.notices)


def plan(inquiry: Inquiry, chat: Chat, sentences: Sequence[Sentence]) -> Request:
    """The call that judges cited sentences, numbered from 1, each above what it cites."""
    quotes = {citation.number: citation.quote for citation in inquiry.numbering.citations()}
    told = "\n\n".join(
        "\n".join([f"{number}. {_line(sentence.text)}", *(f"   > {_line(quotes[n])}" for n in sentence.citations)])
        for number, sentence in enumerate(sentences, start=1)
    )
    return Request(STAGE, chat.render("judge", question=_line(inquiry.question), sentences=told), SCHEMA)


def parse(reply: Reply) -> frozenset[int]:
    """The numbers of the refused sentences. Raises UnusableReplyError for a reply that names none
    and does not say so."""
    parsed = to_object(reply.text)
    given = parsed.data.get("unsupported")
    items = cast("list[object]", given) if isinstance(given, list) else [given]
    numbers = frozenset(number for item in items if (number := _number(item)))
    if not parsed.complete or (items and not numbers):
        raise UnusableReplyError("the reply does not say which sentences are not supported")
    return numbers


def _number(item: object) -> int:
    """The number that an item names, alone or with a reason; 0 for none."""
    parts: list[object] = [item]
    if isinstance(item, dict):
        parts = list(cast("dict[str, object]", item).values())
    elif isinstance(item, list):
        parts = cast("list[object]", item)
    number = to_score(parts[0], 0, MOST) if parts else None
    return int(number) if number and number == int(number) else 0


def _line(text: str) -> str:
    return " ".join(text.split())
