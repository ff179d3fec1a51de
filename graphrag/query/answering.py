"""From what a method found to the text of an answer, piece by piece.

With a model it is written from the context and checked sentence by sentence; without one, or where
none answers, it quotes.
"""

from collections.abc import Generator, Sequence

from graphrag.answers import ContextItem, Event, Restarted, Sentence, Token
from graphrag.messages import Reply, Request, Restart, Unanswered
from graphrag.query import findings, judging, wording
from graphrag.query.chat import Chat
from graphrag.query.cited_text import CitedText, Shown, bare
from graphrag.query.citing import Draft, Statement
from graphrag.query.context import Inquiry
from graphrag.query.extracting import quote
from graphrag.query.sources import render
from graphrag.query.wording import nothing_found

NOTHING_FOUND = wording.ENGLISH
STAGE = "answer"
ANY_FORM = "whatever suits the question: a sentence or two for a fact, a few paragraphs for more"


def answer(inquiry: Inquiry, items: Sequence[ContextItem]) -> Generator[Event, None, Draft]:
    """The answer that the items of a context give."""
    if inquiry.chat is None or not items:
        return (yield from state(inquiry, quoted(inquiry, items)))
    return (yield from write(inquiry, inquiry.chat, plan(inquiry, inquiry.chat, render(items)), items))


def plan(inquiry: Inquiry, chat: Chat, sources: str, prompt: str = "answer") -> Request:
    """The call that writes the answer from sources as `sources.render` has them."""
    form = inquiry.options.response_type or ANY_FORM
    messages = chat.render(prompt, form=form, sources=sources, question=inquiry.question)
    return Request(STAGE, messages, max_tokens=inquiry.settings.answer_tokens)


def write(
    inquiry: Inquiry, chat: Chat, request: Request, items: Sequence[ContextItem]
) -> Generator[Event, None, Draft]:
    """The model's answer to a request that showed it some items; quotes where it gives none."""
    text = _Text(inquiry, items)
    reply = yield from _stream(chat, request, text)
    if not text.cited.sentences and (isinstance(reply, Unanswered) or not reply.text.strip()):
        why = _problem(reply) or "its reply is empty"
        notice = f"the model wrote no answer ({why}): these are quotations"
        return (yield from state(inquiry, quoted(inquiry, items), notice))
    draft = text.draft(_problem(reply))
    if inquiry.settings.judge and isinstance(reply, Reply):
        draft = yield from judging.judge(inquiry, chat, text.shown, reply.text, draft)
    if not draft.text:
        return (yield from state(inquiry, (), *draft.notices))
    return draft


def quoted(inquiry: Inquiry, items: Sequence[ContextItem]) -> list[Statement]:
    """The sentences of passages among the items that answer best; where there are none, findings."""
    units = inquiry.sources.beneath(item for item in items if item.kind == "text_unit")
    limit = inquiry.settings.sentences
    if units:
        return quote(inquiry.question, units, limit, inquiry.tools.embedder)
    return findings.state(inquiry, [item for item in items if item.kind == "finding"], limit)


def state(inquiry: Inquiry, statements: Sequence[Statement], *notices: str) -> Generator[Event, None, Draft]:
    """Statements as they are, a line each; says so where there are none."""
    lines: list[str] = []
    sentences: list[Sentence] = []
    for statement in statements:
        # A mark of the document's own would lead to a source of ours.
        text, numbers = bare(" ".join(statement.text.split())), inquiry.numbering.marks(statement)
        sentences.append(Sentence(text, numbers, True))
        lines.append(" ".join([text, *(f"[{number}]" for number in numbers)]))
        yield Token(lines[-1] if len(lines) == 1 else f"\n{lines[-1]}")
    if not lines:
        nothing = nothing_found(inquiry.question)
        yield Token(nothing)
        return Draft(nothing, (), False, notices)
    return Draft("\n".join(lines), tuple(sentences), True, notices)


class _Text:
    """The answer as it goes out, and what it is if it begins anew."""

    def __init__(self, inquiry: Inquiry, items: Sequence[ContextItem]) -> None:
        self._inquiry = inquiry
        self.shown = Shown(items, inquiry.sources, inquiry.tools.checker, inquiry.question)
        self.begin()

    def begin(self) -> None:
        """Nothing is out."""
        self._inquiry.numbering.clear()
        self.cited = CitedText(self.shown, self._inquiry.numbering, strict=self._inquiry.options.strict)
        self._pieces: list[str] = []

    def out(self, piece: str) -> Token:
        """What goes out next."""
        self._pieces.append(piece)
        return Token(piece)

    def draft(self, *notices: str) -> Draft:
        """The whole of it."""
        told = tuple(filter(None, notices))
        return Draft("".join(self._pieces), tuple(self.cited.sentences), self.cited.found, told)


def _stream(chat: Chat, request: Request, text: _Text) -> Generator[Event, None, Reply | Unanswered]:
    stream = chat.stream(request)
    try:
        while True:
            piece = next(stream)
            if isinstance(piece, Restart):
                text.begin()
                yield Restarted()
            elif added := text.cited.feed(piece):
                yield text.out(added)
    except StopIteration as end:
        reply: Reply | Unanswered = end.value
    finally:
        stream.close()
    if rest := text.cited.close():
        yield text.out(rest)
    return reply


def _problem(reply: Reply | Unanswered) -> str:
    if isinstance(reply, Unanswered):
        return reply.reason
    return {
        "stop": "",
        "length": "the answer was cut at its greatest length (query.answer_tokens)",
        "loop": "the model repeated itself and was cut off",
    }[reply.finish]
