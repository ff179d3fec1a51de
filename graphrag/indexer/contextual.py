"""Say of text units what they leave unsaid, with a chat model (contextual retrieval, Anthropic 2024).

Who asks for Scrooge does not find the passage that says "he refused". A sentence on whom and what a
passage is about is embedded and indexed with it; the passage itself stays as it is. A call reads
neighbouring passages of one document and writes a sentence for each, so that every passage is read
about once. A document of one passage has nothing around it and is not asked about.

A context is remembered by all that the model is shown when it is asked for that passage alone:
title and headings, how the document begins, the end of the passage before, and the passage.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import cast

from graphrag.asking import Asking
from graphrag.errors import UnusableReplyError
from graphrag.indexer.echoes import Instructions
from graphrag.indexer.windows import Passage, Window, balanced, passages
from graphrag.language import FUNCTION_WORDS, fold_text, search_terms
from graphrag.messages import Message, Reply, ReplySchema, Request, Unanswered
from graphrag.models.replies import to_object
from graphrag.names import WordCase, find_names
from graphrag.records import Document, Failure, TextUnit, content_id

STAGE = "contexts"
LABEL = "Writing contexts"
FORMAT = "1"
"""Raised when the same replies would be understood otherwise."""
SIZES = (2400, 600)
"""Tokens of passages a call reads, and one that asks again for what replies left out."""
MOST_ROWS = 64
OPENING, LEAD = 400, 300
"""Characters shown of a document's beginning and of what stands before a passage."""
LONGEST = 300
"""Characters of a context: some 40 words."""
LEAST_KNOWN = 0.5
"""A context of whose names a smaller share is in what was shown was made of something else."""
LEFT_OUT = Unanswered("the model's reply leaves it out")

SCHEMA = ReplySchema(
    "contexts",
    {
        "type": "object",
        "properties": {
            "contexts": {
                "type": "array",
                "items": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2},
                "maxItems": MOST_ROWS,
            }
        },
        "required": ["contexts"],
        "additionalProperties": False,
    },
)


@dataclass(frozen=True, slots=True)
class Contexts:
    """What was written, by the id of the text unit, and what was not."""

    texts: Mapping[str, str]
    failures: tuple[Failure, ...] = ()


def write(documents: Sequence[Document], text_units: Sequence[TextUnit], asking: Asking) -> Contexts:
    """A context for every text unit that shares its document with others.

    A text unit that no usable reply was had for has none, and is a Failure of the stage
    "contexts". Raises what `ChatService.ask` raises.
    """
    surroundings = _Surroundings.of(documents, text_units)
    writer = _Writer(asking, surroundings)
    known = writer.recall(surroundings.passages)
    missed = {each: LEFT_OUT for each in surroundings.passages if each.text_unit_id not in known}
    for size in SIZES:
        written, answers = writer.ask([each for each, answer in missed.items() if answer.asked], size)
        known |= written
        missed = {each: answer for each, answer in (missed | answers).items() if each.text_unit_id not in known}
    return Contexts(known, tuple(_failures(documents, text_units, missed)))


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What stands around the passages that are asked about."""

    passages: tuple[Passage, ...]
    before: Mapping[str, Passage]
    """The passage before each, by text unit; none before the first of a document."""
    openings: Mapping[str, str]
    """How each document begins, by its id."""

    @classmethod
    def of(cls, documents: Sequence[Document], text_units: Sequence[TextUnit]) -> "_Surroundings":
        asked: list[Passage] = []
        before: dict[str, Passage] = {}
        for _, group in groupby(passages(documents, text_units), key=lambda passage: passage.document_id):
            units = list(group)
            asked += units if len(units) > 1 else ()
            before |= {unit.text_unit_id: last for last, unit in pairwise(units)}
        return cls(tuple(asked), before, {document.id: _head(document.text) for document in documents})

    def lines(self, window: Window) -> Iterator[str]:
        """A window as the model reads it: no text can look like the beginning of a line."""
        first, above, last = window.passages[0], "", ""
        if first.text_unit_id in self.before:
            yield f"Opening: {self.openings[first.document_id]}"
        for number, passage in enumerate(window.passages, start=1):
            about = _line(passage.about)
            if about != above:
                yield f"# {about}".rstrip()
            before = self.before.get(passage.text_unit_id)
            if before and before.text_unit_id != last:
                yield f"… {_tail(before.text)}"
            yield f"[{number}] {_line(passage.text)}"
            above, last = about, passage.text_unit_id


@dataclass(frozen=True, slots=True)
class _Writer:
    asking: Asking
    surroundings: _Surroundings

    def ask(self, todo: Sequence[Passage], size: int) -> tuple[dict[str, str], dict[Passage, Unanswered]]:
        """The contexts that replies hold, by text unit, and why there are none of other passages."""
        grouped = groupby(todo, key=lambda passage: passage.document_id)
        windows = [window for _, group in grouped for window in balanced(list(group), size)]
        if not windows:
            return {}, {}
        answers = self.asking.ask([self.plan(window) for window in windows], self._parser(windows), LABEL)
        written: dict[str, str] = {}
        missed: dict[Passage, Unanswered] = {}
        for window, answer in zip(windows, answers, strict=True):
            if isinstance(answer, Unanswered):
                missed |= dict.fromkeys(window.passages, answer)
            else:
                written |= answer
                missed |= {each: LEFT_OUT for each in window.passages if each.text_unit_id not in answer}
        self._remember([passage for passage in todo if passage.text_unit_id in written], written)
        return written, missed

    def recall(self, known: Sequence[Passage]) -> dict[str, str]:
        """The contexts that are remembered, by text unit."""
        texts = self.asking.service.recall([self._address(each) for each in known], _text) if known else []
        return {each.text_unit_id: text for each, text in zip(known, texts, strict=True) if text}

    def plan(self, window: Window) -> Request:
        """What is asked about a window."""
        return Request(STAGE, self.asking.prompts.render("contextual", passages=self._shown(window)), SCHEMA)

    def _remember(self, known: Sequence[Passage], texts: Mapping[str, str]) -> None:
        if known:
            self.asking.service.remember([(self._address(each), texts[each.text_unit_id]) for each in known])

    def _address(self, passage: Passage) -> Request:
        """A request that nobody makes: a model's own reply has yet to be checked."""
        shown = self._shown(Window((passage,)))
        return Request(STAGE, (Message("system", content_id(FORMAT, self._instructions())), Message("user", shown)))

    def _shown(self, window: Window) -> str:
        return "\n".join(self.surroundings.lines(window))

    def _instructions(self) -> str:
        return "\n".join(message.content for message in self.asking.prompts.render("contextual", passages=""))

    def _parser(self, windows: Sequence[Window]) -> Callable[[Reply], dict[str, str]]:
        """What reads the replies about these windows: contexts by text unit."""
        of_request = {self.plan(window).messages: window for window in windows}
        instructions = Instructions(self._instructions())

        def parse(reply: Reply) -> dict[str, str]:
            window = of_request[reply.request.messages] if reply.request else Window(())
            rows, shown = parse_rows(reply), _Shown.of(self._shown(window))
            numbered = ((each.text_unit_id, rows.get(n, "")) for n, each in enumerate(window.passages, start=1))
            found = {unit: text for unit, row in numbered if (text := _checked(row, shown, instructions))}
            if not found:
                # It would not be asked for again if it were remembered.
                raise UnusableReplyError(LEFT_OUT.reason)
            return found

        return parse


def parse_rows(reply: Reply) -> dict[int, str]:
    """The sentences of a reply by the number of their passage, unchecked; of a cut one those that are whole.

    Raises UnusableReplyError if there are none.
    """
    rows = to_object(reply.text).data.get("contexts")
    found: dict[int, str] = {}
    for row in cast("list[object]", rows) if isinstance(rows, list) else ():
        number, text = (*map(str, cast("list[object]", row)), "", "")[:2] if isinstance(row, list) else ("", "")
        number = number.strip("[] ")
        if number.isdecimal() and len(number) < 6:
            found.setdefault(int(number), text)
    if not found:
        raise UnusableReplyError("the reply holds no contexts")
    return found


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the model was shown: folded, and its words."""

    text: str
    words: frozenset[str]

    @classmethod
    def of(cls, text: str) -> "_Shown":
        return cls(fold_text(text), frozenset(search_terms(text).split()) - FUNCTION_WORDS)

    def share_known(self, text: str) -> float:
        """Of the names in a text, the share of which a word was shown; 1 if there are none."""
        # A capital that begins the text says nothing.
        names = [search_terms(text[span.start : span.end]) for span in find_names(text, WordCase()) if span.start]
        known = [not self.words.isdisjoint(name.split()) for name in names]
        return sum(known) / len(known) if known else 1.0


def _checked(text: str, shown: _Shown, instructions: Instructions) -> str:
    """A sentence as it may be embedded; empty if it is of nothing that was shown."""
    visible = _line("".join(each if each.isprintable() else " " for each in text))
    own = instructions.without_echoes(visible, shown.text)
    return _cut(own, LONGEST) if shown.share_known(own) >= LEAST_KNOWN else ""


def _text(reply: Reply) -> str:
    return reply.text


def _line(text: str) -> str:
    return " ".join(text.split())


def _head(text: str) -> str:
    return _cut(_line(text[: 2 * OPENING]), OPENING)


def _tail(text: str) -> str:
    end = _line(text[-2 * LEAD :])
    return end if len(end) <= LEAD else end[-LEAD:].split(" ", 1)[-1]


def _cut(text: str, most: int) -> str:
    """The beginning of a text, in whole words where it has them."""
    return text if len(text) <= most else text[: most + 1].rsplit(" ", 1)[0][:most]


def _failures(
    documents: Sequence[Document], text_units: Sequence[TextUnit], missed: Mapping[Passage, Unanswered]
) -> Iterator[Failure]:
    titles = {document.id: document.title for document in documents}
    numbers = {unit.id: unit.human_readable_id for unit in text_units}
    for passage, answer in missed.items():
        item = f"{titles.get(passage.document_id, passage.document_id)}, text unit {numbers[passage.text_unit_id]}"
        yield Failure(STAGE, item, answer.reason)
