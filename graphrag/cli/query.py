"""`graphrag query`: answer a question."""

import sys

import click

from graphrag.cli import output
from graphrag.cli.asking import Wanted, asking, opened
from graphrag.cli.options import Common, common


@click.command(short_help="Answer a question, with citations.")
@common
@asking
@click.argument("question")
@click.option(
    "--stream/--no-stream",
    default=None,
    help="Show the answer as it is written; with --json, an event a line. [default: on a terminal]",
)
@click.option("--streaming/--no-streaming", default=None, hidden=True)
@click.option("--trace", is_flag=True, help="Show what was asked and found on the way (drift), or retrieved.")
def query(
    options: Common, wanted: Wanted, question: str, stream: bool | None, streaming: bool | None, trace: bool
) -> None:
    """Answer QUESTION ("-" reads it from stdin) from the index, every sentence with its source."""
    from graphrag.cli.listeners import View, attend, listener
    from graphrag.query.conversing import Conversation

    asked = _read() if question == "-" else question.encode("utf-8", "replace").decode()
    conversation = Conversation.load(wanted.history) if wanted.history else None
    streamed = stream if stream is not None else streaming
    if streamed is None:
        streamed = sys.stdout.isatty() and not options.as_json
    view = View(stream=streamed, trace=trace, verbose=options.verbose)
    try:
        with opened(options, wanted) as rag:
            events = rag.stream(asked, wanted.method, wanted.options, conversation=conversation)
            attend(events, listener(view, options.as_json))
    except KeyboardInterrupt:
        sys.exit(output.INTERRUPTED)
    if conversation and wanted.history:
        conversation.save(wanted.history)


def _read() -> str:
    """The question on stdin, whatever the bytes."""
    return sys.stdin.buffer.read().decode("utf-8", "replace")
