"""`graphrag chat`: a conversation at the terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from graphrag.cli import output
from graphrag.cli.asking import METHODS, Wanted, asking, opened
from graphrag.cli.options import Common, common
from graphrag.errors import GraphRAGError, QueryError

if TYPE_CHECKING:
    from graphrag.answers import Answer
    from graphrag.cli.listeners import View
    from graphrag.engine import GraphRAG, QueryMethod
    from graphrag.query.conversing import Conversation

PROMPT = "> "
GREETING = "Ask; /help lists what else can be said, Ctrl-D ends."
HELP = f"""\
/method NAME       how to search: {", ".join(METHODS)}
/sources           the sources of the last answer
/trace             what was asked and found for it, or retrieved
/strict on|off     leave out what the sources do not support
/filter CONDITION  only documents that meet it, such as author=Doyle; off: all
/save FILE         write the conversation to a new file
/new               begin a new conversation
/help              this list
/quit              end, as does Ctrl-D"""


@click.command(short_help="A conversation at the terminal.")
@common
@asking
def chat(options: Common, wanted: Wanted) -> None:
    """Answer questions one after the other; each may refer to what was said before.

    Questions come from the terminal, or from a pipe, a line each. /help lists what can be said beside
    questions. A question that cannot be answered does not end the conversation.
    """
    from graphrag.cli.listeners import View
    from graphrag.query.conversing import Conversation

    conversation = Conversation.load(wanted.history) if wanted.history else Conversation()
    view = View(stream=sys.stdout.isatty() and not options.as_json, sources=options.verbose, verbose=options.verbose)
    with opened(options, wanted) as rag:
        talk = Talk(rag, wanted, conversation, Telling(view, options.as_json))
        for line in _lines():
            if not talk.hear(line.strip()):
                break


@dataclass(frozen=True, slots=True)
class Telling:
    """How answers are shown."""

    view: "View"
    as_json: bool


class Talk:
    """A conversation: what is set in it, and what was said last."""

    def __init__(self, rag: "GraphRAG", wanted: Wanted, conversation: "Conversation", telling: Telling) -> None:
        """`wanted` is what it begins with."""
        self._rag = rag
        self._method: QueryMethod | None = wanted.method
        self._options = wanted.options
        self._history = wanted.history
        self._conversation = conversation
        self._telling = telling
        self._last: Answer | None = None
        self._commands: dict[str, Callable[[str], None]] = {
            "/method": self._set_method,
            "/sources": self._show_sources,
            "/trace": self._show_trace,
            "/strict": self._set_strict,
            "/filter": self._set_filter,
            "/save": self._save,
            "/new": self._begin_anew,
            "/help": lambda _: click.echo(HELP),
        }

    def hear(self, line: str) -> bool:
        """Do what a line says: a command, or else a question. False if it ends the conversation."""
        if line in ("/quit", "/exit", "/q"):
            return False
        try:
            if line.startswith("/"):
                self._obey(line)
            elif line:
                self._ask(line)
        except KeyboardInterrupt:
            output.note("Interrupted.")
        except Exception as error:  # one question that fails is not the end
            if "--debug" in sys.argv and not isinstance(error, GraphRAGError):
                raise
            self._regret(line, output.explain(error))
        return True

    def _obey(self, line: str) -> None:
        name, _, argument = line.partition(" ")
        if name not in self._commands:
            raise QueryError(f"there is no {name}: /help lists what there is")
        self._commands[name](argument.strip())

    def _ask(self, question: str) -> None:
        from graphrag.cli.listeners import attend, listener

        listening = listener(self._telling.view, self._telling.as_json)
        events = self._rag.stream(question, self._method, self._options, conversation=self._conversation)
        self._last = attend(events, listening)
        if not self._telling.as_json:
            click.echo()
        if self._history:
            self._conversation.save(self._history)

    def _regret(self, line: str, message: str) -> None:
        if self._telling.as_json:
            output.print_json({"question": line, "error": message})
        output.note(f"Error: {message}")

    def _set_method(self, name: str) -> None:
        if name and name not in METHODS:
            raise QueryError(f"there is no method {name}: use {', '.join(METHODS)}")
        if name:
            self._method = cast("QueryMethod", name)
        output.note(f"Method: {self._method or self._rag.settings.query.method}")

    def _set_strict(self, said: str) -> None:
        if said not in ("on", "off", ""):
            raise QueryError("say /strict on or /strict off")
        if said:
            self._options = replace(self._options, strict=said == "on")
        output.note(f"Strict: {'on' if self._options.strict else 'off'}")

    def _set_filter(self, condition: str) -> None:
        from graphrag.query import filtering

        filters = self._options.filters
        if condition:
            filters = () if condition == "off" else (*filters, condition)
            filtering.parse(filters)
        self._options = replace(self._options, filters=filters)
        output.note(f"Filters: {', '.join(filters) or 'none'}")

    def _show_sources(self, _: str) -> None:
        from graphrag.cli.terminal import print_sources

        answer = self._answered()
        if not answer.citations:
            output.note("The last answer cites nothing.")
        print_sources(answer, self._telling.view.verbose)

    def _show_trace(self, _: str) -> None:
        from graphrag.cli.terminal import print_trace

        print_trace(self._answered())

    def _answered(self) -> "Answer":
        if self._last is None:
            raise QueryError("there is no answer yet")
        return self._last

    def _save(self, name: str) -> None:
        path = Path(name).expanduser()
        if not name or path.exists():
            raise QueryError(f"{path} exists already: say /save and a new file" if name else "say /save FILE")
        self._conversation.save(path)
        output.note(f"Wrote {path}")

    def _begin_anew(self, _: str) -> None:
        from graphrag.query.conversing import Conversation

        self._conversation, self._last = Conversation(), None
        kept = f"; {self._history} stays as it is" if self._history else ""
        self._history = None
        output.note(f"A new conversation{kept}.")


def _lines() -> Iterator[str]:
    """What the user says, line by line, until there is no more."""
    if not sys.stdin.isatty():
        for line in sys.stdin.buffer:
            yield line.decode("utf-8", "replace")
        return
    with suppress(ImportError):  # there is none on Windows; lines cannot be edited then
        import readline  # noqa: F401  # pyright: ignore[reportUnusedImport]
    output.note(GREETING)
    while True:
        try:
            yield input(PROMPT)
        except EOFError:
            click.echo()
            return
        except KeyboardInterrupt:
            output.note("\n/quit or Ctrl-D ends the conversation.")
