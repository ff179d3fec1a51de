"""`graphrag query`: answer a question."""

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from graphrag.cli import output
from graphrag.cli.options import Common, common

if TYPE_CHECKING:
    from graphrag.engine import QueryMethod


@click.command(short_help="Answer a question, with citations.")
@common
@click.argument("question")
@click.option(
    "-m",
    "--method",
    type=click.Choice(["auto", "local", "global", "drift", "basic"]),
    default=None,
    help="How to search. [default: query.method of the settings: auto]",
)
def query(options: Common, question: str, method: "QueryMethod | None") -> None:
    """Answer QUESTION ("-" reads it from stdin) from the index, every sentence with its source."""
    from graphrag.engine import GraphRAG

    if question == "-":
        question = sys.stdin.read()
    answer = GraphRAG(options.root).query(question, method)
    if options.as_json:
        output.print_json(asdict(answer))
    else:
        output.print_answer(answer, options.verbose)
