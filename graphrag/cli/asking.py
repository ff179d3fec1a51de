"""The options of the commands that ask questions, and what they open."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, cast, get_args

import click

from graphrag.answers import Method, QueryOptions
from graphrag.cli.options import Common, filters
from graphrag.errors import QueryError

if TYPE_CHECKING:
    from graphrag.engine import GraphRAG, QueryMethod

P = ParamSpec("P")

METHODS: Sequence[str] = ("auto", *get_args(Method))
LIMIT = click.IntRange(min=0)


@dataclass(frozen=True, slots=True)
class Wanted:
    """How the user wants questions answered."""

    method: "QueryMethod | None"
    """None: as the settings say."""
    options: QueryOptions
    data: Path | None
    """The folder of the index, if it is not where the settings say."""
    history: Path | None
    """The file of the conversation that a question is part of."""


def asking(command: Callable[Concatenate[Common, Wanted, P], None]) -> Callable[Concatenate[Common, P], None]:
    """Give a command the options on how questions are answered, as its second argument."""

    @wraps(command)
    def gathered(common: Common, *args: P.args, **kwargs: P.kwargs) -> None:
        given = {name: kwargs.pop(name) for name in _NAMES}
        options = QueryOptions(**{field: given[name] for name, field in _FIELDS.items()})  # pyright: ignore[reportArgumentType]
        data, history = cast("Path | None", given["data"]), cast("Path | None", given["history"])
        command(common, Wanted(cast("QueryMethod | None", given["method"]), options, data, history), *args, **kwargs)

    for option in _OPTIONS:
        gathered = option(gathered)
    return gathered


def opened(common: Common, wanted: Wanted) -> "GraphRAG":
    """The index that questions are put to. Raises QueryError for a folder of foreign tables."""
    from graphrag import settings
    from graphrag.engine import GraphRAG

    if wanted.data is None:
        return GraphRAG(common.root)
    folder = wanted.data.resolve()
    if (folder / "entities.parquet").exists() and not (folder / "manifest.json").exists():
        raise QueryError(
            f"{folder} holds tables of Microsoft GraphRAG, not an index: run `graphrag import {folder}` first, then "
            "ask without --data"
        )
    loaded = settings.load(common.root)
    storage = loaded.storage.model_copy(update={"uri": str(folder)})
    return GraphRAG(common.root, loaded.model_copy(update={"storage": storage}))


_FIELDS = {
    "strict": "strict",
    "response_type": "response_type",
    "community_level": "community_level",
    "dynamic_selection": "dynamic_selection",
    "filters": "filters",
    "max_calls": "max_calls",
    "budget_tokens": "max_tokens",
    "timeout": "timeout",
}
_NAMES = ("method", "data", "history", *_FIELDS)
# The last is the first in --help.
_OPTIONS = (
    click.option(
        "-d",
        "--data",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        help="The folder of the index, if it is not where the settings (storage.uri) say.",
    ),
    click.option("--timeout", type=click.FloatRange(min=0), help="Seconds after which no call is waited for."),
    click.option("--max-calls", type=LIMIT, help="Calls of the model that one question may take."),
    click.option("--budget-tokens", type=LIMIT, help="Tokens, prompt and completion, that one question may take."),
    click.option(
        "--history",
        type=click.Path(path_type=Path, dir_okay=False),
        help="A file with the conversation so far, which the question may refer to; its answer is added.",
    ),
    filters,
    click.option(
        "--dynamic-community-selection/--no-dynamic-selection",
        "dynamic_selection",
        default=None,
        help="Let the model choose the reports that global search reads, or not. [default: as the settings say]",
    ),
    click.option("--community-level", type=LIMIT, help="Read reports of this level and coarser ones only."),
    click.option("--response-type", default="", help='The form of the answer, such as "a list of three points".'),
    click.option("--strict", is_flag=True, help="Leave out what the sources do not support, instead of marking it."),
    click.option(
        "-m",
        "--method",
        type=click.Choice(METHODS),
        default=None,
        help="How to search. [default: query.method of the settings: auto]",
    ),
)
