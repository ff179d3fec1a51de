"""How answers get on to a terminal, or out of it: colours, a spinner, and text that flows."""

import re
import sys
from typing import TYPE_CHECKING

import click

from graphrag.answers import Answer
from graphrag.cli import answer_view, output
from graphrag.language import UNSPACED

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

_UNSPACED = UNSPACED.pattern.removesuffix("+")
# A line may be broken before any character of a script without spaces.
_PIECE = re.compile(rf"\n|[^\S\n]+|{_UNSPACED}|(?:(?!{_UNSPACED})\S)+")


def console() -> "Console":
    """stdout as it is: nothing in a text is markup, and nothing is coloured that we do not colour."""
    from rich.console import Console

    return Console(highlight=False, emoji=False)


def print_sources(answer: Answer, verbose: bool, everywhere: bool = False) -> None:
    """The numbered sources of an answer, if it has any; `everywhere`: of its trace, too."""
    citations = answer_view.cited(answer, everywhere)
    if not citations:
        return
    if not sys.stdout.isatty():
        click.echo("\nSources\n" + "\n".join(map(answer_view.source_line, citations)))
        return
    shown = console()
    shown.print("\nSources", style="bold")
    for citation in citations:
        shown.print(answer_view.whole_source(citation) if verbose else answer_view.source(citation, shown.width))


def print_trace(answer: Answer) -> None:
    """What was asked and found, or retrieved."""
    title = "What was asked and found" if answer.hierarchy else "What was retrieved"
    if sys.stdout.isatty():
        console().print(title, style="bold")
        console().print(answer_view.trace(answer))
    else:
        click.echo("\n".join([f"\n{title}", *answer_view.trace_lines(answer)]))


class Waiting:
    """A spinner with what goes on beside it, on a terminal; nothing elsewhere."""

    def __init__(self, console: "Console | None") -> None:
        """It shows at once."""
        self._status: Status | None = console.status("opening the index") if console else None
        if self._status:
            self._status.start()

    @classmethod
    def on_stderr(cls) -> "Waiting":
        """One for those who wait while stdout goes elsewhere."""
        from rich.console import Console

        return cls(Console(stderr=True) if sys.stderr.isatty() else None)

    def say(self, line: str) -> None:
        """What goes on now, on one line."""
        if self._status and line:
            from rich.text import Text

            text = Text(line)
            text.truncate(self._status.console.width - len("⠋  "), overflow="ellipsis")
            self._status.update(text)

    def note(self, line: str) -> None:
        """A line that stays."""
        if self._status:
            self._status.console.print(output.visible(line), markup=False, highlight=False)
        else:
            output.note(line)

    def stop(self) -> None:
        """It is gone."""
        if self._status:
            self._status.stop()
            self._status = None


class Flow:
    """Writes a text that comes in pieces, broken between words at the width of the terminal."""

    def __init__(self, console: "Console") -> None:
        """At the beginning of a line."""
        self._console = console
        self._column = 0
        self._space = ""
        self._word = ""

    def write(self, piece: str) -> None:
        """The next piece; its last word waits for its end."""
        pieces: list[str] = _PIECE.findall(self._word + output.visible(piece).expandtabs(4))
        self._word = pieces.pop() if pieces and not pieces[-1].isspace() else ""
        for part in pieces:
            self._put(part)

    def close(self) -> None:
        """The text has ended; so does its line."""
        if self._word:
            self._put(self._word)
        if self._column:
            self._break()
        self._word = self._space = ""

    def _put(self, part: str) -> None:
        from rich.cells import cell_len
        from rich.text import Text

        if part == "\n":
            self._break()
        elif part.isspace():
            # It may come in pieces, too.
            self._space += part
        else:
            if self._column and self._column + len(self._space) + cell_len(part) > self._console.width:
                self._break()
            text = Text.assemble(self._space, (part, answer_view.mark_style(part)))
            self._console.print(text, end="", soft_wrap=True)
            self._column += text.cell_len
            self._space = ""

    def _break(self) -> None:
        self._console.print()
        self._column, self._space = 0, ""
