"""`graphrag index`: make the index match the input folder."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from graphrag.cli import output
from graphrag.cli.options import Common, common

if TYPE_CHECKING:
    from graphrag.engine import IndexMethod
    from graphrag.records import Changes, Estimate, IndexSummary, StageEstimate, StageUsage

NO_MODEL = (
    "No language model is configured (llm.provider: none), so the method is fast, which needs none. One is configured "
    "by llm.provider, llm.model and llm.base_url in settings.yaml; `graphrag doctor` checks it."
)

SHOWN = 5
"""Documents that are named, of each kind."""
NO_PRICES = "No cost: llm.prompt_price and llm.completion_price are not set."


class Limits(TypedDict):
    """What a run may take of the model."""

    max_tokens: int | None
    max_cost: float | None


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
@click.option("--dry-run", is_flag=True, help="Say what it would ask of the model and cost, and do nothing.")
@click.option("--resolve/--no-resolve", default=True, help="Merge different names of the same entity (standard).")
@click.option("--max-tokens", type=click.IntRange(min=0), help="Stop before the model has used more, to go on later.")
@click.option("--max-cost", type=click.FloatRange(min=0), help="The same in money, by the prices in settings.yaml.")
@click.option(
    "--purge", is_flag=True, help="Forget what the index does not need: old versions, and replies it was not made of."
)
@click.option("--skip-validation", is_flag=True, hidden=True, expose_value=False)
def index(
    options: Common, method: "IndexMethod", dry_run: bool, resolve: bool, purge: bool, **limits: Unpack[Limits]
) -> None:
    """Make the index match the input folder.

    Does the least work: documents that were added, edited, renamed or removed are found by content, and
    what did not change is neither read by the model nor embedded again. Nothing at all happens if the
    index already matches the input and the settings. A run that was stopped goes on where it was: no
    reply of the model is paid for twice.
    """
    from graphrag.engine import GraphRAG

    rag = GraphRAG(options.root)
    if method == "auto" and rag.settings.llm.provider == "none":
        output.note(NO_MODEL)
    if dry_run:
        with output.progress(options.verbose) as progress:
            estimate = rag.estimate(method, progress=progress, resolve=resolve)
        forecast(estimate, options.as_json)
        return
    with output.progress(options.verbose) as progress:
        summary = rag.index(method, progress=progress, resolve=resolve, purge=purge, **limits)
    report(summary, options.as_json)


update = click.Command(
    "update",
    callback=index.callback,
    params=index.params,
    help=index.help,
    short_help="The same as index.",
    epilog="update and index are the same command.",
)


@click.command(short_help="Take documents out of the index.")
@common
@click.argument("documents", nargs=-1, required=True, metavar="DOCUMENT...")
@click.option("--purge", is_flag=True, help="Leave nothing of them in old versions and remembered replies either.")
def remove(options: Common, documents: tuple[str, ...], purge: bool) -> None:
    """Take documents out of the index, and all that only they supported.

    DOCUMENT is a path in the input folder, an id or a title. Its file stays where it is, and is left out
    from now on as long as its text is the same. What else changed in the input folder is indexed as well.
    """
    from graphrag.engine import GraphRAG

    with output.progress(options.verbose) as progress:
        summary = GraphRAG(options.root).remove(*documents, purge=purge, progress=progress)
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
        _changes(summary.changes)
        output.print_table("Index", _rows(summary))
        if summary.usage:
            _usage(summary)


def _changes(changes: "Changes | None") -> None:
    """What happened to the documents, the first few of each kind by name."""
    for kind, places in asdict(changes).items() if changes else ():
        if places:
            more = f" and {len(places) - SHOWN:,} more" if len(places) > SHOWN else ""
            click.echo(output.visible(f"{kind.capitalize()}: {', '.join(places[:SHOWN])}{more}"))


def forecast(estimate: "Estimate", as_json: bool) -> None:
    """Print what a build would ask of the model."""
    if as_json:
        output.print_json(asdict(estimate))
        return
    if not estimate.stages:
        click.echo("Nothing: the method is fast, which asks no model.")
        return
    columns = ("stage", "calls", "known", "prompt", "completion", "cost")
    rows = [
        (
            stage.stage if stage.exact else f"{stage.stage} (about)",
            f"{stage.calls:,}",
            f"{stage.remembered:,}",
            f"{stage.prompt_tokens:,}",
            f"~{stage.completion_tokens:,}",
            f"{stage.cost:.2f}",
        )
        for stage in (*estimate.stages, _total(estimate))
    ]
    output.print_columns("What the model would be asked (tokens; known: the memo has the reply)", columns, rows)
    click.echo(f"About {estimate.cost:.2f} by the prices in settings.yaml." if estimate.cost else NO_PRICES)


def _total(estimate: "Estimate") -> "StageEstimate":
    from graphrag.records import StageEstimate

    stages = estimate.stages
    return StageEstimate(
        stage="all",
        calls=sum(stage.calls for stage in stages),
        remembered=sum(stage.remembered for stage in stages),
        prompt_tokens=sum(stage.prompt_tokens for stage in stages),
        completion_tokens=sum(stage.completion_tokens for stage in stages),
        exact=all(stage.exact for stage in stages),
        cost=estimate.cost,
    )


def _sum(usage: "Sequence[StageUsage]") -> "StageUsage":
    from graphrag.records import StageUsage

    return StageUsage(
        stage="all",
        calls=sum(used.calls for used in usage),
        remembered=sum(used.remembered for used in usage),
        prompt_tokens=sum(used.prompt_tokens for used in usage),
        completion_tokens=sum(used.completion_tokens for used in usage),
        cached_tokens=sum(used.cached_tokens for used in usage),
    )


def _usage(summary: "IndexSummary") -> None:
    columns = ("stage", "calls", "known", "prompt", "cached", "completion")
    rows = [
        (
            used.stage,
            f"{used.calls:,}",
            f"{used.remembered:,}",
            f"{used.prompt_tokens:,}",
            f"{used.cached_tokens:,}",
            f"{used.completion_tokens:,}",
        )
        for used in (*summary.usage, _sum(summary.usage))
    ]
    output.print_columns("What the model was asked (tokens; known: the memo had the reply)", columns, rows)


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
