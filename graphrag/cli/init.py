"""`graphrag init`: make a folder ready for its first index."""

import click

from graphrag.cli.options import Common, common
from graphrag.cli.output import print_json


@click.command(short_help="Write settings.yaml and input/.")
@common
@click.option("-f", "--force", is_flag=True, help="Overwrite an existing settings.yaml.")
@click.option("--prompts", is_flag=True, help="Copy the prompts for editing, into a folder that has settings or not.")
def init(options: Common, force: bool, prompts: bool) -> None:
    """Write a commented settings.yaml and an input folder. Asks nothing."""
    from graphrag import settings

    if prompts:
        _copy_prompts(options)
        return
    path = settings.create(options.root, force)
    folder = options.root / settings.InputSettings().dir
    if options.as_json:
        print_json({"settings": str(path), "input": str(folder)})
        return
    click.echo(f"Wrote {path}. Put documents into {folder} and run: graphrag index --root {options.root}")
    if options.verbose:
        click.echo(path.read_text("utf-8"))


def _copy_prompts(options: Common) -> None:
    from graphrag import prompts, settings

    folder = options.root / settings.load(options.root).prompts.dir
    written = [str(path) for path in prompts.copy(folder)]
    if options.as_json:
        print_json({"prompts": str(folder), "written": written})
        return
    kept = "" if written else " (all were there already, and stay as they are)"
    click.echo(f"Wrote {len(written)} prompts into {folder}{kept}. They are used instead of the shipped ones.")
    if options.verbose:
        click.echo("\n".join(written))
