"""`graphrag versions` and `graphrag rollback`: builds that can be gone back to."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from graphrag.cli import output
from graphrag.cli.options import Common, common

if TYPE_CHECKING:
    from graphrag.storage.base import Version

COLUMNS = ("version", "made (UTC)", "method", "documents", "entities", "")

NEXT = "The next `graphrag index` makes the index match the input folder again."


@click.command(short_help="List the versions of the index.")
@common
@click.option("--clean", is_flag=True, help="Remove all but the published one now.")
def versions(options: Common, clean: bool) -> None:
    """List the builds that can be gone back to, oldest first.

    A build that another replaced is kept for a while (storage.retention, in days), for those who are
    reading it and for `graphrag rollback`.
    """
    from graphrag.engine import GraphRAG

    rag = GraphRAG(options.root)
    if clean:
        rag.clean()
    found = rag.versions()
    if options.as_json:
        output.print_json([asdict(version) for version in found])
    elif found:
        output.print_columns("Versions", COLUMNS, [_row(version) for version in found])
    else:
        click.echo("There is no index yet; make one with `graphrag index`.")


@click.command(short_help="Go back to a version of the index.")
@common
@click.argument("version", type=int)
def rollback(options: Common, version: int) -> None:
    """Publish an earlier build again, at once; VERSION is its number in `graphrag versions`.

    Documents that were added or removed by hand since are so no longer. The input folder stays as it is,
    and the next `graphrag index` makes the index match it again.
    """
    from graphrag.engine import GraphRAG

    published = GraphRAG(options.root).rollback(version)
    if options.as_json:
        output.print_json(asdict(published))
    else:
        click.echo(f"Version {published.number}, made {_made(published)} UTC, is the index again.")
        output.note(NEXT)


def _row(version: "Version") -> tuple[str, ...]:
    said = version.build.summary
    counts = (f"{said.get(kind, 0):,}" for kind in ("documents", "entities"))
    shown = "published" if version.published else ""
    return (str(version.number), _made(version), version.build.method, *counts, shown)


def _made(version: "Version") -> str:
    """When a build was made, to the second, in UTC."""
    return version.build.created[:19].replace("T", " ")
