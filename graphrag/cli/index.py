"""`graphrag index`: make the index match the input folder."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from graphrag.cli import output
from graphrag.cli.options import Common, common

if TYPE_CHECKING:
    from graphrag.engine import IndexMethod
    from graphrag.records import IndexSummary

NO_MODEL = (
    "No language model is configured (llm.provider: none), so the method is fast. One is configured by llm.provider, "
    "llm.model and llm.base_url in settings.yaml; this version cannot index with it yet."
)


@click.command(short_help="Make the index match the input folder.")
@common
@click.option(
    "-m",
    "--method",
    type=click.Choice(["auto", "standard", "fast"]),
    default="auto",
    show_default=True,
    help="standard uses a language model, fast uses none; auto is fast while none is configured.",
)
def index(options: Common, method: "IndexMethod") -> None:
    """Read the input folder, build the knowledge graph, and publish the index.

    Does nothing if the index already matches the input and the settings.
    """
    from graphrag.engine import GraphRAG

    rag = GraphRAG(options.root)
    if method == "auto" and rag.settings.llm.provider == "none":
        output.note(NO_MODEL)
    with output.progress(options.verbose) as progress:
        summary = rag.index(method, progress=progress)
    report(summary, options.as_json)


def report(summary: "IndexSummary", as_json: bool) -> None:
    """Print what a build did."""
    output.print_some([f"Note: {notice}" for notice in summary.notices])
    output.print_some([f"Failed ({failure.stage}): {failure.item}: {failure.reason}" for failure in summary.failures])
    if as_json:
        output.print_json(asdict(summary))
    elif not summary.changed:
        click.echo(f"Nothing changed: the index matches its input ({summary.seconds:.2f} s).")
    else:
        output.print_table("Index", _rows(summary))


def _rows(summary: "IndexSummary") -> dict[str, object]:
    return {
        "method": summary.method,
        "documents": summary.documents,
        "text units": summary.text_units,
        "entities": summary.entities,
        "relationships": summary.relationships,
        **{f"communities, level {level}": count for level, count in summary.communities.items()},
        "reports": summary.reports,
        "seconds": f"{summary.seconds:.1f}",
        "failed": len(summary.failures),
    }
