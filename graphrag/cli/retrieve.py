"""`graphrag retrieve`: ranked text units without an answer, for applications and benchmarks."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from graphrag.cli import output
from graphrag.cli.options import Common, common, filters
from graphrag.errors import QueryError

if TYPE_CHECKING:
    from graphrag.answers import RetrievedUnit
    from graphrag.engine import RetrievalMethod


@click.command(short_help="Rank text units, without an answer.")
@common
@click.argument("question", required=False)
@click.option(
    "--questions",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A JSONL file of {id, question}: prints one JSON line for each, in order.",
)
@click.option("-k", type=click.IntRange(min=1), default=10, show_default=True, help="How many text units.")
@click.option(
    "-m",
    "--method",
    type=click.Choice(["local", "basic"]),
    default="local",
    show_default=True,
    help="local ranks by the graph, basic by hybrid search alone.",
)
@filters
def retrieve(
    options: Common,
    question: str | None,
    questions: Path | None,
    k: int,
    method: "RetrievalMethod",
    filters: tuple[str, ...],
) -> None:
    """Rank the text units for QUESTION, or for every question of a file."""
    from graphrag.engine import GraphRAG

    if (question is None) == (questions is None):
        raise click.UsageError("Give either QUESTION or --questions FILE.jsonl.")
    rag = GraphRAG(options.root)
    if questions is not None:
        for id_, text in list(_read(questions)):
            results = [asdict(unit) for unit in rag.retrieve(text, k, method, filters=filters)]
            output.print_json({"id": id_, "question": text, "results": results})
        return
    found = rag.retrieve(question or "", k, method, filters=filters)
    if options.as_json:
        output.print_json({"question": question, "results": [asdict(unit) for unit in found]})
    else:
        _print(found, options.verbose)


def _read(path: Path) -> Iterator[tuple[object, str]]:
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if line.strip():
            try:
                match json.loads(line):
                    case {"question": str(question), **rest} if question.strip():
                        yield rest.get("id", number), question
                    case _:
                        raise ValueError
            except (ValueError, RecursionError):
                raise QueryError(f'{path}, line {number}: not a JSON object with a "question"') from None


def _print(found: "list[RetrievedUnit]", verbose: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("rank", "score", "document", "id", "text unit", "text")
    for rank, unit in enumerate(found, start=1):
        text = " ".join(unit.text.split())
        shown = text if verbose or len(text) < 160 else f"{text[:160]}…"
        cells = (str(rank), f"{unit.score:.4f}", unit.document_title, unit.source_id, unit.text_unit_id[:8], shown)
        table.add_row(*(Text(output.visible(cell)) for cell in cells))
    Console().print(table)
