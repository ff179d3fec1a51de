"""Prompts: one text file each, which a folder of the user's own may replace.

A file is what the system says, a line `--- user ---`, and what the user says. Placeholders are
`{{name}}`. Instructions come first and what differs between calls last, so that a server's prefix
cache serves all that calls share.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

from graphrag.errors import PromptError
from graphrag.messages import Message
from graphrag.records import content_id

PLACEHOLDERS: Mapping[str, frozenset[str]] = {
    "extract": frozenset({"types", "claims", "passages"}),
    "extract_more": frozenset(),
    "contextual": frozenset({"passages"}),
    "summarize": frozenset({"entities"}),
    "resolve": frozenset({"pairs"}),
    "tune_profile": frozenset({"known", "passages"}),
    "report": frozenset({"max_findings", "communities"}),
    "answer": frozenset({"sources", "question", "form"}),
    "explore": frozenset({"main", "known", "sources", "question", "most"}),
    "hypothesis": frozenset({"report", "question"}),
    "judge": frozenset({"sentences", "question"}),
    "map": frozenset({"sources", "question", "most"}),
    "rate": frozenset({"reports", "question"}),
    "reduce": frozenset({"sources", "question", "form"}),
    "rewrite": frozenset({"history", "question"}),
    "route": frozenset({"guess", "question"}),
}
"""Every prompt, and the placeholders that it must have."""
OF_INDEX = frozenset({"extract", "extract_more", "contextual", "summarize", "resolve", "report"})
"""Prompts that the content of an index depends on."""
SUFFIX = ".txt"

_DIVIDER = re.compile(r"^---[ \t]*user[ \t]*---[ \t]*$", re.MULTILINE)
_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")


class Prompts:
    """All prompts, read and checked."""

    def __init__(self, folder: Path | None = None) -> None:
        """Files of `folder` replace those of the package. Raises PromptError for one that is none of
        them, lacks something or misspells it."""
        if folder:
            _check_names(folder)
        self._texts = {name: _read(name, folder) for name in PLACEHOLDERS}

    @property
    def fingerprint(self) -> str:
        """A hash of `OF_INDEX`."""
        return content_id(*(f"{name}\n{text}" for name, text in self._texts.items() if name in OF_INDEX))

    def render(self, name: str, **values: str) -> tuple[Message, ...]:
        """The messages of a prompt with its placeholders filled in; values are not searched for more."""
        return tuple(
            Message(role, _PLACEHOLDER.sub(lambda match: values[match[1]], text).strip())
            for role, text in zip(("system", "user"), _DIVIDER.split(self._texts[name]), strict=False)
            if text.strip()
        )


def copy(folder: Path) -> list[Path]:
    """Write the shipped prompts into a folder, to be edited; files that are there stay."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [name for name in PLACEHOLDERS if not (folder / f"{name}{SUFFIX}").exists()]
    for name in missing:
        (folder / f"{name}{SUFFIX}").write_text(_shipped(name), "utf-8")
    return [folder / f"{name}{SUFFIX}" for name in missing]


def _check_names(folder: Path) -> None:
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        if path.stem not in PLACEHOLDERS:
            nearest = difflib.get_close_matches(path.stem, PLACEHOLDERS, n=1, cutoff=0.0)[0]
            raise PromptError(f"{path} is no prompt; did you mean {nearest}{SUFFIX}?")


def _read(name: str, folder: Path | None) -> str:
    path = folder / f"{name}{SUFFIX}" if folder else None
    if path is None or not path.exists():
        return _shipped(name)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PromptError(f"cannot read {path}: {error}") from None
    problem = next(_problems(text, PLACEHOLDERS[name]), None)
    if problem:
        raise PromptError(f"{path}: {problem}")
    return text


def _problems(text: str, wanted: frozenset[str]) -> Iterator[str]:
    """What is wrong with a prompt's text, the first thing first."""
    found = set(_PLACEHOLDER.findall(text))
    for name in sorted(found - wanted):
        yield f"unknown placeholder {{{{{name}}}}}; it may hold {_list(wanted) or 'none'}"
    for name in sorted(wanted - found):
        yield f"the placeholder {{{{{name}}}}} is missing"
    parts = len(_DIVIDER.split(text))
    if parts != 2:
        yield f"it holds {'more than one' if parts > 2 else 'no'} line '--- user ---'"
    if not _DIVIDER.split(text)[-1].strip():
        yield "nothing follows the line '--- user ---'"


def _list(names: frozenset[str]) -> str:
    return ", ".join(f"{{{{{name}}}}}" for name in sorted(names))


def _shipped(name: str) -> str:
    return files("graphrag.prompts").joinpath(f"{name}{SUFFIX}").read_text("utf-8")
