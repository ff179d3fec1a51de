"""The options that several commands take, or all."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec

import click

P = ParamSpec("P")

filters = click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="CONDITION",
    help="Only documents that meet it: author=Doyle, date>=1890, title~mill. Several: all of them.",
)


@dataclass(frozen=True, slots=True)
class Common:
    """What the user said about where and how, beside what the command is asked to do."""

    root: Path
    as_json: bool
    verbose: bool


def common(command: Callable[Concatenate[Common, P], None]) -> Callable[P, None]:
    """Give a command --root, --json, --verbose and --debug, the first three as its first argument.

    --debug is read by `main`, which is where errors end.
    """

    @wraps(command)
    def gathered(*args: P.args, **kwargs: P.kwargs) -> None:
        root, as_json, verbose = (kwargs.pop(name) for name in ("root", "as_json", "verbose"))
        assert isinstance(root, Path)  # noqa: S101  (click has converted it)
        command(Common(root, bool(as_json), bool(verbose)), *args, **kwargs)

    for option in (
        click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error."),
        click.option("-v", "--verbose", is_flag=True, help="Say more about what happens."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON for programs to read."),
        click.option(
            "-r",
            "--root",
            type=click.Path(path_type=Path, file_okay=False),
            default=Path(),
            help="The folder of the index. [default: this one]",
        ),
    ):
        gathered = option(gathered)
    return gathered
