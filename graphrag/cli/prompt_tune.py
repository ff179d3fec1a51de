"""`graphrag prompt-tune`: adapt the prompts to the collection."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from graphrag.cli import output
from graphrag.cli.options import Common, common

if TYPE_CHECKING:
    from graphrag.indexer.prompt_tuning import Tuned


@click.command("prompt-tune", short_help="Adapt the prompts to the collection.")
@common
@click.option("--domain", default="", help="What the documents are about; found out if not given.")
@click.option("--language", default="", help="The language of the documents; found out if not given.")
@click.option("--limit", type=click.IntRange(min=1), default=15, show_default=True, help="Text units that are read.")
@click.option(
    "--selection-method",
    type=click.Choice(["random", "top"]),
    default="random",
    show_default=True,
    help="From anywhere in the documents, or from their beginnings.",
)
@click.option(
    "--discover-entity-types/--no-discover-entity-types", default=True, help="Name the usual kinds of entities."
)
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to write to. [default: prompts.dir of the settings]",
)
@click.option("-f", "--force", is_flag=True, help="Overwrite prompts that were edited.")
def prompt_tune(  # noqa: PLR0913  (one for each option)
    options: Common,
    domain: str,
    language: str,
    limit: int,
    selection_method: Literal["random", "top"],
    discover_entity_types: bool,
    folder: Path | None,
    force: bool,
) -> None:
    """Read a sample of the input with the language model and write prompts made for it.

    Persona, usual kinds of entities, language and worked examples are adapted; everything in an
    example stands in your documents. Read the prompts before you index: they quote documents.
    """
    from graphrag.engine import GraphRAG
    from graphrag.indexer.profiling import Options

    wanted = Options(domain, language, limit, selection_method, discover_entity_types)
    with output.progress(options.verbose) as progress:
        tuned, paths = GraphRAG(options.root).tune_prompts(wanted, folder, force=force, progress=progress)
    output.print_some([f"Note: {notice}" for notice in tuned.notices])
    if options.as_json:
        said = {"examples": [asdict(example) for example in tuned.examples], "notices": tuned.notices}
        output.print_json(asdict(tuned.profile) | said | {"files": [str(path) for path in paths]})
    else:
        _report(tuned, paths)


def _report(tuned: "Tuned", paths: list[Path]) -> None:
    profile = tuned.profile
    rows: dict[str, object] = {"domain": profile.domain, "language": profile.language}
    rows |= {"persona": profile.persona, "entity types": ", ".join(profile.entity_types)}
    output.print_table("Collection", {name: output.visible(str(value)) for name, value in rows.items()})
    for path in paths:
        click.echo(f"Wrote {path}")
    if profile.entity_types:
        types = output.visible(", ".join(profile.entity_types))
        click.echo(f"To extract these kinds only, put into settings.yaml:\n\nextraction:\n  entity_types: [{types}]")
