"""Conversations: what was asked and answered before, and questions made to stand alone.

Everything after this reads one question that needs no history: search looks for what its words
say, and prompts stay small.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import cast

from graphrag import tokens
from graphrag.errors import QueryError
from graphrag.language import sentences
from graphrag.messages import Reply, Request, Unanswered
from graphrag.query import referring
from graphrag.query.chat import Chat
from graphrag.storage.files import replacing

STAGE = "rewrite"
HISTORY_TOKENS = 1500
"""Of the conversation that the model reads, the last turns first."""
LONGEST_SAID = 600
"""Characters of an answer, or of a question before, that are repeated."""
MOST_TOKENS = 600
"""Of the model's reply: a question is short, but a model may think first."""
MOST_WORDS = 8
"""Put before a question that lacks something, where no model does better."""

_MARK = re.compile(r"\s?\[(?:\d{1,4}|\?)\]")
_LABEL = re.compile(
    r"(?:[\w ,'’-]{0,50}\bquestion\b[\w ,'’-]{0,30}|q|answer|frage|pregunta|질문)\s*[:：]\s*", re.IGNORECASE
)
_WRAPPING = "\"'“”„‘’«»「」『』`* \t"


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and its answer."""

    question: str
    answer: str
    stands_for: str = ""
    """The question as it was answered, if it had to be made to stand alone."""
    filters: tuple[str, ...] = ()
    """Those it was asked under: the answer is from the documents that met them."""

    @property
    def asked(self) -> str:
        """The question as somebody understands who has not heard what came before."""
        return self.stands_for or self.question


class Conversation:
    """What was asked and answered, oldest first. For any thread.

    >>> conversation = Conversation([Turn("Who is Scrooge?", "A miser.")])
    >>> conversation.add("And Marley?", "His partner.")
    >>> len(conversation.turns)
    2
    """

    def __init__(self, turns: Sequence[Turn] = ()) -> None:
        """A conversation that had these turns."""
        self._turns = list(turns)
        self._kept: list[object] = []
        """Items of the file it was loaded from, as they were, and how many turns they are."""
        self._kept_turns = 0
        self._lock = Lock()

    @property
    def turns(self) -> Sequence[Turn]:
        """As they are now."""
        with self._lock:
            return tuple(self._turns)

    def under(self, filters: Sequence[str]) -> Sequence[Turn]:
        """The turns asked under these filters, in any order: others may tell of other documents."""
        return tuple(turn for turn in self.turns if set(turn.filters) == set(filters))

    def add(self, question: str, answer: str, stands_for: str = "", filters: Sequence[str] = ()) -> None:
        """What was asked and answered last."""
        with self._lock:
            self._turns.append(Turn(question, answer, stands_for, tuple(filters)))

    @classmethod
    def load(cls, path: Path) -> "Conversation":
        """The conversation in a file; a new one if there is no such file, or nothing in it.

        The file is a JSON list: of `{"question", "answer"}` as `save` writes it, or of
        `{"role", "content"}` messages. Raises QueryError for anything else.
        """
        try:
            text = path.read_text("utf-8") if path.exists() else ""
            items: object = json.loads(text) if text.strip() else []
            turns = list(_turns(items))
        except OSError as error:
            raise QueryError(f"cannot read the history {path}: {error.strerror}") from None
        except (ValueError, RecursionError):
            raise QueryError(
                f'{path} is no history: it must hold a JSON list of {{"question", "answer"}} or {{"role", "content"}} '
                "objects; mend it or name another file"
            ) from None
        loaded = cls(turns)
        loaded._kept, loaded._kept_turns = cast("list[object]", items), len(turns)
        return loaded

    def save(self, path: Path) -> None:
        """Write it to a file: whole, or not at all. What it was loaded from is in it as it was.

        Raises QueryError.
        """
        with self._lock:
            new = self._turns[self._kept_turns :]
            as_messages = any(isinstance(item, dict) and "role" in item for item in self._kept)
            items = [*self._kept, *(item for turn in new for item in _items(turn, as_messages))]
        lines = ",\n ".join(json.dumps(item, ensure_ascii=False) for item in items)
        try:
            with replacing(path) as temporary:
                # A lone surrogate, which UTF-8 has no bytes for, becomes its JSON escape.
                temporary.write_bytes(f"[{lines}]\n".encode("utf-8", "backslashreplace"))
        except OSError as error:
            raise QueryError(f"cannot write the history {path}: {error.strerror}") from None


def stand_alone(question: str, conversation: Conversation, chat: Chat | None, filters: Sequence[str] = ()) -> str:
    """The question as somebody understands who has not heard the conversation: its turns under the same filters.

    With a model one small call, and none where the question plainly stands alone or where the answer
    needs the only call that is left. Where the model gives no question, or is not asked for one, what
    the question refers to is put before it: the words of the last question, and if it has none those of
    its answer. That reads badly and is found well, for search goes by words and by meaning, not by grammar.

    Raises as `ChatService.ask` does.
    """
    turns = conversation.under(filters)
    if not turns:
        return question
    if chat is None or _short_of_calls(chat):
        return prefixed(question, turns[-1])
    if not referring.may_refer(question):
        return question
    request = Request(
        STAGE, chat.render("rewrite", history=history(turns), question=_line(question)), max_tokens=MOST_TOKENS
    )
    (rewritten,) = chat.ask([request], lambda reply: parse(reply, question))
    if isinstance(rewritten, Unanswered):
        return f"{_short(turns[-1].asked)} {question}"
    return rewritten


def history(turns: Sequence[Turn], limit: int = HISTORY_TOKENS) -> str:
    """The last turns that are within a number of tokens, oldest first; always at least one."""
    kept: list[str] = []
    left = limit
    for turn in reversed(turns):
        lines = f"Question: {_short(turn.asked)}\nAnswer: {_short(turn.answer)}"
        left -= tokens.count(lines) + 1
        if kept and left < 0:
            break
        kept.insert(0, lines)
    return "\n".join(kept)


def parse(reply: Reply, question: str) -> str:
    """The question in a model's reply; `question` itself where there is none, or an answer instead."""
    lines = [line for line in map(_bare, _MARK.sub("", reply.text).splitlines()) if line]
    line = next((line for line in lines if "?" in line or "？" in line), lines[0] if lines else "")
    too_long = len(line) > 4 * len(question) + 300
    return question if not line or too_long or _is_answer(line, question) else line


def prefixed(question: str, last: Turn) -> str:
    """The question with what it refers to before it; as it is, if it refers to nothing."""
    if not referring.refers(question):
        return question
    subject = referring.content(last.asked) if referring.repeats(question) else _subject(last.asked)
    before = subject or _subject(_short(last.answer))
    own = {word.casefold() for word in referring.content(question)}
    added = [word for word in before if word.casefold() not in own][:MOST_WORDS]
    return f"{', '.join(added)}: {question}" if added else question


def _short_of_calls(chat: Chat) -> bool:
    left = chat.session.left.calls
    return left is not None and left < 2


def _subject(text: str) -> list[str]:
    return referring.names(text) or referring.content(text)


def _is_answer(line: str, question: str) -> bool:
    if "?" in line or "？" in line:
        return False
    return len(sentences(line)) > 2 or (referring.asks(question) and not referring.asks(line))


def _bare(line: str) -> str:
    """A line without what models put around a question."""
    line = line.strip(_WRAPPING)
    if label := _LABEL.match(line):
        line = line[label.end() :].strip(_WRAPPING)
    return " ".join(line.split())


def _short(text: str) -> str:
    line = _line(_MARK.sub("", text))
    return line if len(line) <= LONGEST_SAID else f"{line[:LONGEST_SAID].rsplit(' ', 1)[0]} …"


def _line(text: str) -> str:
    """On one line, so that nothing said can look like another turn."""
    return " ".join(text.split())


# --- Files -------------------------------------------------------------------------------


def _turns(items: object) -> Iterator[Turn]:
    """The turns in what a file holds. Raises ValueError."""
    if not isinstance(items, list):
        raise ValueError
    asked: str | None = None
    filters: tuple[str, ...] = ()
    for item in cast("list[object]", items):
        match item:
            case {"question": str(question), "answer": str(answer), "stands_for": str(stands_for)}:
                yield Turn(question, answer, stands_for, _filters(item))
            case {"question": str(question), "answer": str(answer)}:
                yield Turn(question, answer, "", _filters(item))
            case {"role": "user", "content": str(content)}:
                if asked is not None:
                    yield Turn(asked, "", "", filters)
                asked, filters = content, _filters(item)
            case {"role": "assistant", "content": str(content)}:
                if asked is not None:
                    yield Turn(asked, content, "", filters)
                asked = None
            case {"role": str(_), "content": str(_)}:
                pass
            case _:
                raise ValueError
    if asked is not None:
        yield Turn(asked, "", "", filters)


def _filters(item: object) -> tuple[str, ...]:
    """The filters of a turn; what another program means by the word is left aside."""
    found = cast("dict[str, object]", item).get("filters")
    filters = cast("list[object]", found) if isinstance(found, list) else []
    said = tuple(each for each in filters if isinstance(each, str))
    return said if len(said) == len(filters) else ()


def _items(turn: Turn, as_messages: bool) -> list[dict[str, object]]:
    under: dict[str, object] = {"filters": list(turn.filters)} if turn.filters else {}
    if as_messages:
        return [{"role": "user", "content": turn.question} | under, {"role": "assistant", "content": turn.answer}]
    said: dict[str, object] = {"stands_for": turn.stands_for} if turn.stands_for else {}
    return [{"question": turn.question, "answer": turn.answer} | said | under]
