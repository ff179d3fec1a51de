"""Adapt the prompts to a collection: persona, kinds of entities, language and worked examples.

They are made from the shipped ones, which keep their rules and placeholders. What was found out
about the collection comes from a model and from documents: read the files before they are used.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from graphrag.asking import Asking
from graphrag.errors import InputError, PromptError
from graphrag.indexer import profiling, worked_examples
from graphrag.indexer.profiling import Options, Profile, introduction, usual_types
from graphrag.indexer.worked_examples import Example
from graphrag.prompts import SUFFIX
from graphrag.records import Document, TextUnit
from graphrag.storage.files import replacing

EXAMPLES = 2
"""In the shipped extraction prompt."""
TUNED = ("extract", "report")
"""The prompts that are adapted."""

_EXAMPLE = re.compile(r"^Example \d+$\n(.*?)(?=^Example \d+$|^--- user ---$)", re.MULTILINE | re.DOTALL)
_TYPES = "{{types}}"


@dataclass(frozen=True, slots=True)
class Tuned:
    """Prompts for a collection, and what they were made from."""

    profile: Profile
    examples: tuple[Example, ...]
    prompts: Mapping[str, str]
    """Their texts, by name."""
    notices: tuple[str, ...] = ()


def tune(text_units: Sequence[TextUnit], documents: Sequence[Document], asking: Asking, options: Options) -> Tuned:
    """Prompts adapted to the collection; nothing is written.

    Raises InputError where there is no text, UnusableReplyError where the model does not say
    what the collection is, and what `ChatService.ask` raises. For an example that cannot be
    used, one of the shipped prompt stays.
    """
    sampled = profiling.sample(text_units, options)
    if not sampled:
        raise InputError("there is no text to adapt the prompts to: put documents into the input folder")
    profile = profiling.ask(documents, sampled, asking, options)
    windows = worked_examples.passages(documents, text_units, sampled)
    examples = worked_examples.ask(windows, profile, asking, EXAMPLES)
    missing = EXAMPLES - len(examples)
    notice = f"{missing} of {EXAMPLES} examples are the shipped ones: the model found too little that is in the text"
    prompts = {
        "extract": extraction_prompt(shipped("extract"), profile, examples),
        "report": introduction(profile) + shipped("report"),
    }
    return Tuned(profile, examples, prompts, (notice,) if missing else ())


def extraction_prompt(template: str, profile: Profile, examples: Sequence[Example]) -> str:
    """The extraction prompt with persona, usual kinds of entities, and examples in place of its own.

    Its placeholders stay; where there are fewer examples than it has, the last of its own stay.
    """
    own = list(_EXAMPLE.finditer(template))
    for match, example in reversed(list(zip(own, examples, strict=False))):
        shown = f"{example.passages}\n{example.answer}\n\n"
        template = template[: match.start(1)] + shown + template[match.end(1) :]
    usual = usual_types(profile)
    return introduction(profile) + (template.replace(_TYPES, f"{_TYPES} {usual}") if usual else template)


def shipped(name: str) -> str:
    """The text of a prompt as it comes with the package."""
    return files("graphrag.prompts").joinpath(f"{name}{SUFFIX}").read_text("utf-8")


def check_target(folder: Path, force: bool = False) -> None:
    """Raise PromptError where `write` would overwrite prompts that somebody edited."""
    for name in () if force else TUNED:
        path = folder / f"{name}{SUFFIX}"
        try:
            edited = path.exists() and path.read_text("utf-8") != shipped(name)
        except (OSError, UnicodeDecodeError) as error:
            raise PromptError(f"cannot read {path}: {error}") from None
        if edited:
            raise PromptError(f"{path} is not the shipped prompt: use --force to overwrite it, or another --output")


def write(tuned: Tuned, folder: Path, force: bool = False) -> list[Path]:
    """Write the prompts into a folder; return their files.

    Raises PromptError where one is there that is not the shipped one (and writes none then), or
    cannot be written.
    """
    check_target(folder, force)
    paths = [folder / f"{name}{SUFFIX}" for name in tuned.prompts]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in zip(paths, tuned.prompts.values(), strict=True):
            with replacing(path) as temporary:
                temporary.write_text(text, "utf-8")
    except OSError as error:
        raise PromptError(f"cannot write {error.filename or folder}: {error.strerror}") from None
    return paths
