"""Take the thinking aloud of reasoning models out of their replies."""

import re
from collections.abc import Callable, Iterator

from graphrag.messages import Restart

_TAG = r"think|thinking|thought|reasoning"
_BLOCK = re.compile(rf"\s*<({_TAG})\b[^<>]*>.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_END = re.compile(rf"</(?:{_TAG})\s*>", re.IGNORECASE)
_START = re.compile(rf"<({_TAG})\b[^<>]*>", re.IGNORECASE)
_PART = re.compile(rf"<(?:/?[a-z]{{0,9}}|(?:{_TAG})\b[^<>]*|/(?:{_TAG})\s*)\Z", re.IGNORECASE)
"""The end of a text that may become a tag."""
# What no train of thought begins with: such a text is the reply itself, and a tag in it is quoted.
_REPLY = ("{", "[", "(", '"', "```")


def strip(text: str) -> str:
    """A reply without the blocks of reasoning it begins with.

    A block that was never closed is the whole text; one whose opening tag is missing (chat
    templates put it into the prompt) ends with its closing tag. A tag further inside stays: it
    may be quoted from a document.
    """
    rest = text
    while block := _BLOCK.match(rest):
        rest = rest[block.end() :]
    if not rest.lstrip().startswith(_REPLY) and (end := _END.search(rest)):
        rest = rest[end.end() :]
    return rest if rest is text else rest.strip()


def unopened(text: str) -> bool | None:
    """Whether a reply begins with reasoning that no tag opens; None if it says nothing either way."""
    if not text.strip() or text.lstrip().startswith(("<", *_REPLY)):
        return None
    return _END.search(text) is not None


class Gate:
    """`strip` for a reply that comes in pieces: lets pass what is known not to be reasoning.

    Joined, what has passed since the last Restart is a beginning of what `strip` makes of the whole,
    which may have some more at its end. A Restart comes where what has passed turns out to be
    reasoning that no tag opened.
    """

    def __init__(self, unopened: bool = False) -> None:
        """`unopened`: let nothing pass before a closing tag, as there may be no opening one."""
        self._unopened = unopened
        self._held = ""
        self._searched = 0
        """No tag ends before this place of what is held."""
        self._clean = False
        """Something was taken out: white space around the rest goes too."""
        self._passed = False
        self._step: Callable[[], Iterator[str | Restart]] = self._beginning
        self._end = _END

    def __call__(self, piece: str) -> Iterator[str | Restart]:
        """What may pass now that this piece is there."""
        self._held += piece
        step = None
        while step != self._step:
            step = self._step
            yield from step()

    def _beginning(self) -> Iterator[str | Restart]:
        rest = self._held.lstrip()
        if start := _START.match(rest):
            self._take(rest[start.end() :])
            self._end = re.compile(rf"</{start[1]}\s*>", re.IGNORECASE)
            self._step = self._block
        elif rest and not _PART.fullmatch(rest) and rest not in ("`", "``"):
            quoting = rest.startswith(_REPLY)
            self._step = self._plain if quoting else self._hidden if self._unopened else self._loose
        return iter(())

    def _block(self) -> Iterator[str | Restart]:
        """Reasoning, up to its closing tag; then perhaps more of it."""
        if self._found_end():
            self._end = _END
            self._step = self._beginning
        return iter(())

    def _hidden(self) -> Iterator[str | Restart]:
        """What may be reasoning: a closing tag would say so."""
        if self._found_end():
            self._step = self._plain
            yield Restart()

    def _loose(self) -> Iterator[str | Restart]:
        """Text, as long as no tag comes: from one that opens on it may be reasoning."""
        text, closed = self._held, _END.search(self._held)
        tag = closed or _START.search(text)
        if tag:
            self._step = self._hidden
        if not closed:
            part = tag or _PART.search(text, max(0, text.rfind("<")))
            end = part.start() if part else len(text)
            yield from self._pass(text[:end])
            self._held += text[end:]

    def _plain(self) -> Iterator[str | Restart]:
        """The reply; a tag in it is quoted."""
        yield from self._pass(self._held)

    def _found_end(self) -> bool:
        """Whether the closing tag is there: what follows it is held then."""
        if end := self._end.search(self._held, self._searched):
            self._take(self._held[end.end() :])
            return True
        part = _PART.search(self._held, max(self._searched, self._held.rfind("<")))
        self._searched = part.start() if part else len(self._held)
        return False

    def _take(self, rest: str) -> None:
        self._held, self._searched, self._clean, self._passed = rest, 0, True, False

    def _pass(self, text: str) -> Iterator[str]:
        """The text but for white space that may be at an end of the reply, which is held."""
        self._held = ""
        if self._clean:
            text = text if self._passed else text.lstrip()
            kept = text.rstrip()
            text, self._held = kept, text[len(kept) :]
        if text:
            self._passed = True
            yield text
