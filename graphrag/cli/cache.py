"""`graphrag cache`: what models said, and was paid for."""

import json
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from graphrag.cli import output
from graphrag.cli.options import Common, common
from graphrag.errors import StorageError

if TYPE_CHECKING:
    from graphrag.models.memo import Memo, Origin

DAYS = 90


@click.group(short_help="Replies of models that are kept: show, prune, export.")
def cache() -> None:
    """Show, prune or export the replies and vectors that were paid for."""


@cache.command(short_help="Show what is kept.")
@common
def stats(options: Common) -> None:
    """Show what is kept, by model and by stage."""
    with _opened(options.root) as (memo, where):
        found = memo.stats()
    if options.as_json:
        replies = [
            {"model": o.model, "parameters": json.loads(o.parameters), "replies": n} for o, n in found.replies.items()
        ]
        sizes = {"tokens": asdict(found.tokens), "vectors": dict(found.vectors), "bytes": found.bytes}
        output.print_json({"memo": where, "models": replies, "stages": dict(found.stages)} | sizes)
        return
    rows: dict[str, object] = {
        f"replies of {origin.model} {origin.parameters}": n for origin, n in found.replies.items()
    }
    rows |= {f"replies for {stage}": number for stage, number in found.stages.items()}
    rows |= {"prompt tokens": found.tokens.prompt, "completion tokens": found.tokens.completion}
    rows |= {f"vectors of {model}": number for model, number in found.vectors.items()}
    output.print_table(where, rows | {"bytes": found.bytes})


@cache.command(short_help="Forget what was not used for long.")
@common
@click.option("--older-than", type=click.FloatRange(min=0), default=DAYS, show_default=True, help="Days without use.")
def prune(options: Common, older_than: float) -> None:
    """Forget the replies and vectors that no run has used for some days."""
    from graphrag.models.memo import DAY

    with _opened(options.root) as (memo, _):
        gone = memo.prune(older_than * DAY)
    if options.as_json:
        output.print_json({"forgotten": gone})
    else:
        click.echo(f"Forgot {gone:,}")


@cache.command(short_help="Write the replies as a recording.")
@common
@click.option("--model", help="Whose replies. [default: the model of the settings]")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def export(options: Common, model: str | None, file: Path) -> None:
    """Write the replies of a model to FILE, JSON lines that the provider `replay` reads."""
    from graphrag.settings import load
    from graphrag.storage.files import replacing

    with _opened(options.root) as (memo, _):
        replies = memo.stats().replies
        origin = _chosen(replies, model or load(options.root).llm.model)
        with replacing(file) as temporary, temporary.open("w", encoding="ascii", newline="\n") as stream:
            stream.writelines(_recording(memo, origin))
    if options.as_json:
        output.print_json({"file": str(file), "model": origin.model, "replies": replies[origin]})
    else:
        click.echo(f"Wrote {replies[origin]:,} replies of {origin.model} to {file}")


@contextmanager
def _opened(root: Path) -> "Generator[tuple[Memo, str]]":
    """The memo, and where it is."""
    from graphrag.backends import Backends
    from graphrag.settings import load

    settings = load(root)
    path = root / settings.storage.memo
    if not settings.storage.shared_memo and not path.exists():
        raise StorageError(f"there is no memo at {path}: graphrag index writes one when it asks a model")
    with closing(Backends(root, settings).memo()) as memo:
        yield memo, settings.storage.shared_memo or str(path)


def _chosen(origins: "Mapping[Origin, int]", model: str) -> "Origin":
    """The origin used last among those of a model; a file's or hub's path may stand before its name."""
    if not origins:
        raise StorageError("the memo holds no replies: there is nothing to export")
    matching = [origin for origin in origins if origin.model == model]
    matching += [origin for origin in origins if Path(origin.model).name == Path(model).name]
    names = sorted({origin.model for origin in origins})
    if matching or len(names) == 1:
        return next(iter(matching or origins))
    raise StorageError(f"the memo holds replies of {', '.join(names)}, not of {model!r}: choose one with --model")


def _recording(memo: "Memo", origin: "Origin") -> Iterator[str]:
    from graphrag.models import replay

    yield replay.header(origin.model, json.loads(origin.parameters))
    for kept in memo.replies(origin):
        yield replay.line_of(kept.request, kept.stage, kept.reply)
