"""`graphrag export`: the index in formats that other tools read."""

from pathlib import Path

import click

from graphrag.cli import output
from graphrag.cli.options import Common, common


@click.command(short_help="Write the index as parquet or GraphML.")
@common
@click.option("--format", "form", type=click.Choice(["parquet", "graphml"]), default="parquet", show_default=True)
@click.argument("target", type=click.Path(path_type=Path))
def export(options: Common, form: str, target: Path) -> None:
    """Write the index to TARGET: a folder of parquet tables, or a GraphML file.

    The tables are those of Microsoft GraphRAG 3.x, column for column.
    """
    from graphrag.engine import GraphRAG

    rag = GraphRAG(options.root)
    rows: dict[str, int] = {}
    if form == "parquet":
        rows = rag.export_parquet(target)
    else:
        rag.export_graphml(target)
    if options.as_json:
        output.print_json({"format": form, "target": str(target), "rows": rows})
    elif options.verbose and rows:
        output.print_table(f"Wrote {target}", rows)
    else:
        click.echo(f"Wrote {target}")
