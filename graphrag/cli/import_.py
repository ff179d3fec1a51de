"""`graphrag import`: take over an index made by Microsoft GraphRAG."""

from pathlib import Path

import click

from graphrag.cli import output
from graphrag.cli.index import report
from graphrag.cli.options import Common, common


@click.command("import", short_help="Take over an index made by Microsoft GraphRAG 3.x.")
@common
@click.argument("folder", type=click.Path(path_type=Path))
def import_(options: Common, folder: Path) -> None:
    """Replace the index in --root by the parquet tables in FOLDER. Embeddings are made anew."""
    from graphrag.engine import GraphRAG

    rag = GraphRAG(options.root)
    with output.progress(options.verbose) as progress:
        summary = rag.import_parquet(folder, progress=progress)
    report(summary, options.as_json)
