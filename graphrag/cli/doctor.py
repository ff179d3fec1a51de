"""`graphrag doctor`: what is right and what is wrong with a set-up."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from graphrag.cli import output
from graphrag.cli.options import Common, common

if TYPE_CHECKING:
    from graphrag.models.checkup import Check

STYLES = {"ok": "green", "warning": "yellow", "failed": "bold red"}


@click.command(short_help="Check models, server, index and disk.")
@common
def doctor(options: Common) -> None:
    """Check the language model and its server, the embedding model, the index, the memo and the disk.

    Says what to change for each thing that is wrong. Makes three small calls of the language model.
    Exit code 1 if anything failed.
    """
    from graphrag.engine import GraphRAG

    checks = GraphRAG(options.root).doctor()
    if options.as_json:
        output.print_json({"checks": [asdict(check) for check in checks]})
    else:
        _print(checks)
    if any(check.state == "failed" for check in checks):
        sys.exit(1)


def _print(checks: "Sequence[Check]") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None, pad_edge=False)
    for check in checks:
        found = Text(output.visible(check.found))
        if check.advice:
            found.append(f"\n→ {output.visible(check.advice)}", style="dim" if check.state == "ok" else "bold")
        table.add_row(Text(check.state, style=STYLES[check.state]), Text(check.name), found)
    Console(highlight=False).print(table)
