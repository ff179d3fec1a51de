"""What commands print: tables for people, JSON for programs, progress and errors for both."""

import json
import re
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from graphrag.errors import GraphRAGError

if TYPE_CHECKING:
    from graphrag.progress import Progress

MOST_LINES = 20
INTERRUPTED = 130
"""The exit code of what Ctrl-C ended."""
# C0 but for tab and line feed, DEL, C1, and what turns the direction of writing round.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def print_json(value: object) -> None:
    """One line of JSON, in the script it is written in."""
    click.echo(json.dumps(value, ensure_ascii=False))


def visible(text: str) -> str:
    """A text without the characters that make a terminal do things: documents are untrusted."""
    return _CONTROLS.sub("", text)


def note(message: str) -> None:
    """A line for the user that is not the result: on stderr."""
    click.echo(visible(message), err=True)


def print_table(title: str, rows: Mapping[str, object]) -> None:
    """Two columns: names and values."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # Texts, for a string may hold markup, and what is shown comes from documents, models and settings.
    table = Table(title=Text(visible(title)), title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    for name, value in rows.items():
        shown = f"{value:,}" if isinstance(value, int) else str(value)
        table.add_row(Text(visible(name)), Text(visible(shown)))
    Console().print(table)


def print_columns(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table with a head; the first column is text, the others are numbers."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(visible(title)), title_justify="left")
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left", no_wrap=not place)
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    Console().print(table)


def print_some(lines: Sequence[str]) -> None:
    """The first lines on stderr, and how many more there are: all of them are in --json."""
    for line in lines[:MOST_LINES]:
        note(line)
    if len(lines) > MOST_LINES:
        note(f"… and {len(lines) - MOST_LINES} more (--json has them all)")


def explain(error: Exception) -> str:
    """One line for the user on what went wrong."""
    if isinstance(error, GraphRAGError):
        message = str(error)
    elif isinstance(error, OSError):
        message = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
    else:
        message = f"unexpected {type(error).__name__}: {error} (--debug shows where)"
    return " ".join(message.split())


@contextmanager
def progress(verbose: bool) -> "Generator[Progress]":
    """A bar for each stage on a terminal, a line for each stage elsewhere; both on stderr."""
    if sys.stderr.isatty():
        yield from _bars()
    else:
        yield _Lines(verbose)


def _bars() -> "Generator[Progress]":
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def finish() -> None:
            for task in bars.tasks:
                bars.update(task.id, total=task.total or 1, completed=task.total or 1)

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                finish()
                tasks[stage] = bars.add_task(stage, total=None, count="")
            count = f"{done:,}/{total:,}" if total else ""
            bars.update(tasks[stage], completed=done, total=total or None, count=count)

        yield report
        finish()


class _Lines:
    def __init__(self, verbose: bool) -> None:
        self._verbose = verbose
        self._stage = ""
        self._started = time.monotonic()

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self._stage:
            self._stage = stage
            elapsed = f" [{time.monotonic() - self._started:.1f} s]" if self._verbose else ""
            note(f"{stage}{f' ({total:,})' if total else ''}{elapsed}")
