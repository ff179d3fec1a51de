"""`graphrag init`: make a folder ready for its first index."""

import click

from graphrag.cli.options import Common, common
from graphrag.cli.output import print_json


@click.command(short_help="Write settings.yaml and input/.")
@common
@click.option("-f", "--force", is_flag=True, help="Overwrite an existing settings.yaml.")
def init(options: Common, force: bool) -> None:
    """Write a commented settings.yaml and an input folder. Asks nothing."""
    from graphrag import settings

    path = settings.create(options.root, force)
    folder = options.root / settings.InputSettings().dir
    if options.as_json:
        print_json({"settings": str(path), "input": str(folder)})
        return
    click.echo(f"Wrote {path}. Put documents into {folder} and run: graphrag index --root {options.root}")
    if options.verbose:
        click.echo(path.read_text("utf-8"))
