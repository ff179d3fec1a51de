"""Who hears the events of a question: a terminal, a pipe, or a program that reads JSON."""

import sys
from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol

import click

from graphrag.answers import Answer, Event, Finished, Restarted, Routed, Token
from graphrag.cli import answer_view, output, terminal
from graphrag.errors import QueryError


@dataclass(frozen=True, slots=True)
class View:
    """How much of an answer is shown."""

    stream: bool = False
    """Its text as it comes."""
    sources: bool = True
    trace: bool = False
    verbose: bool = False


class Listener(Protocol):
    """Hears what happens on the way to an answer."""

    def hear(self, event: Event) -> None:
        """The next event."""
        ...

    def end(self, interrupted: bool) -> None:
        """Nothing more comes; `interrupted`: the user wants no more than there is."""
        ...


def attend(events: Generator[Event], listener: Listener) -> Answer:
    """Let somebody hear all events; returns the answer.

    A KeyboardInterrupt ends the question, and is raised again. Raises as the events do.
    """
    interrupted = True
    try:
        for event in events:
            listener.hear(event)
            if isinstance(event, Finished):
                return event.answer
        raise QueryError("the question was not answered")
    except Exception:
        interrupted = False
        raise
    finally:
        events.close()
        listener.end(interrupted)


def listener(view: View, as_json: bool) -> Listener:
    """Whoever listens at the other end of stdout."""
    if as_json:
        return Program(view.stream)
    return Terminal(view) if sys.stdout.isatty() else Pipe(view)


class Program:
    """One JSON object, or, streamed, one a line for each event."""

    def __init__(self, stream: bool) -> None:
        """`stream`: events, too."""
        self._stream = stream

    def hear(self, event: Event) -> None:
        """See `Listener`."""
        if self._stream:
            output.print_json(answer_view.event_json(event))
        elif isinstance(event, Finished):
            output.print_json(answer_view.answer_json(event.answer))

    def end(self, interrupted: bool) -> None:
        """See `Listener`: half an object is none."""


class Pipe:
    """Plain text: answer and sources on stdout, the rest on stderr. No line is broken."""

    def __init__(self, view: View) -> None:
        """What is shown is in `view`."""
        self._view = view
        self._said: list[str] = []
        self._waiting = terminal.Waiting.on_stderr()
        self._done = False

    def hear(self, event: Event) -> None:
        """See `Listener`."""
        match event:
            case Token(text):
                self._said.append(output.visible(text))
                if self._view.stream:
                    self._waiting.stop()
                    click.echo(self._said[-1], nl=False)
            case Restarted():
                self._restart()
            case Finished(answer):
                self._waiting.stop()
                self._finish(answer)
            case _:
                self._go_on(event)

    def end(self, interrupted: bool) -> None:
        """See `Listener`: what was said until now is better than nothing."""
        self._waiting.stop()
        if self._done or not self._said:
            return
        if self._view.stream:
            click.echo()
        elif interrupted:
            click.echo("".join(self._said))
        self._said.clear()

    def _restart(self) -> None:
        if self._view.stream and self._said:
            click.echo()
        self._waiting.note(answer_view.RESTARTED)
        self._said.clear()

    def _go_on(self, event: Event) -> None:
        line = answer_view.progress_line(event)
        self._waiting.say(line)
        if isinstance(event, Routed):
            if event.reason:
                self._waiting.note(f"Method {line}.")
        elif self._view.verbose:
            self._waiting.note(line)

    def _finish(self, answer: Answer) -> None:
        self._done = True
        click.echo("" if self._view.stream and self._said else output.visible(answer.text))
        if self._view.sources:
            terminal.print_sources(answer, self._view.verbose, self._view.trace)
        if self._view.trace:
            terminal.print_trace(answer)
        for line in answer_view.remarks(answer):
            output.note(line)
        for notice in answer.notices:
            output.note(f"Note: {notice}")
        if self._view.verbose:
            output.note(answer_view.summary(answer))
            output.note(f"{len(answer.context)} context items")


class Terminal:
    """Colours, a spinner while there is nothing to read yet, then the text as it comes."""

    def __init__(self, view: View) -> None:
        """What is shown is in `view`."""
        self._view = view
        self._console = terminal.console()
        self._waiting = terminal.Waiting(self._console)
        self._flow = terminal.Flow(self._console)
        self._said: list[str] = []
        self._done = False

    def hear(self, event: Event) -> None:
        """See `Listener`."""
        match event:
            case Token(text):
                self._said.append(text)
                if self._view.stream:
                    self._waiting.stop()
                    self._flow.write(text)
            case Restarted():
                self._flow.close()
                self._said.clear()
                self._console.print(answer_view.RESTARTED, style="yellow")
            case Finished(answer):
                self._finish(answer)
            case _:
                line = answer_view.progress_line(event)
                if self._view.verbose:
                    self._console.print(line, style="dim", markup=False)
                self._waiting.say(line)

    def end(self, interrupted: bool) -> None:
        """See `Listener`."""
        self._waiting.stop()
        if self._done:
            return
        if self._view.stream:
            self._flow.close()
        elif interrupted and self._said:
            self._console.print(answer_view.marked("".join(self._said)))

    def _finish(self, answer: Answer) -> None:
        self._done = True
        self._waiting.stop()
        if self._view.stream and self._said:
            self._flow.close()
        else:
            self._console.print(answer_view.marked(answer.text))
        if self._view.sources:
            terminal.print_sources(answer, self._view.verbose, self._view.trace)
        if self._view.trace:
            self._console.print()
            terminal.print_trace(answer)
        self._console.print()
        for notice in answer.notices:
            self._console.print(output.visible(notice), style="yellow", markup=False)
        for line in (*answer_view.remarks(answer), answer_view.summary(answer)):
            self._console.print(line, style="dim", markup=False)
