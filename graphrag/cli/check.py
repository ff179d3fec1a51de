"""`graphrag check`: whether the index is whole."""

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from graphrag.cli import output
from graphrag.cli.options import Common, common

if TYPE_CHECKING:
    from graphrag.indexer.integrity import Checked

REMEDY = (
    "For a new build delete the folder lancedb of the index and run `graphrag index`, or import again: "
    "what a model said is remembered. Documents that were added by hand have to be added again"
)


@click.command(short_help="Check that the index is whole.")
@common
@click.option("--repair", is_flag=True, help="Recompute what follows from the rest of the index.")
def check(options: Common, repair: bool) -> None:
    """Check every reference, count and vector of the index. Exit code 1 if anything is wrong.

    --repair recomputes links, counts, degrees, parents and children, and drops references that lead
    nowhere. Asks no model. What it cannot mend takes a build.
    """
    from graphrag.engine import GraphRAG

    checked = GraphRAG(options.root).check(repair=repair)
    if options.as_json:
        output.print_json({"whole": not checked.faults, **asdict(checked)})
    else:
        _print(checked)
    if checked.faults:
        sys.exit(1)


def _print(checked: "Checked") -> None:
    rows = [
        (
            name,
            f"{rows:,}",
            f"{checked.references[name]:,}",
            f"{checked.vectors[name]:,}" if name in checked.vectors else "",
        )
        for name, rows in checked.rows.items()
    ]
    output.print_columns("Checked", ("table", "rows", "references", "vectors"), rows)
    for fault in checked.faults[: output.MOST_LINES]:
        advice = "--repair mends it" if fault.repairable else "a new build mends it"
        click.echo(output.visible(f"{' '.join(filter(None, (fault.table, fault.item)))}: {fault.what} ({advice})"))
    if len(checked.faults) > output.MOST_LINES:
        click.echo(f"… and {len(checked.faults) - output.MOST_LINES:,} more (--json has them all)")
    if checked.repaired:
        click.echo(f"Repaired: {len(checked.repaired):,}")
    click.echo(f"Faults: {len(checked.faults):,}" if checked.faults else "The index is whole")
    if not all(fault.repairable for fault in checked.faults):
        output.note(REMEDY)
