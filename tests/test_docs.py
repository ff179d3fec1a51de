"""The documentation is true: its snippets run, its links lead somewhere, its references are whole.

Blocks of a page run in order, in one temporary folder, Python in one namespace:

- ```python``` is executed; ```yaml``` is loaded as settings;
- in ```console``` the lines after `$`, and in ```sh``` every line, are run: `graphrag` in this
  process, a few tools by the shell.

A comment on the line before a block says more: `<!-- skip: reason -->` where it cannot be run,
`<!-- file: path -->` to write it to a file. `<!-- given: an index in ragtest -->` anywhere gives the
page an index to start from. The book is there as in the repository, abridged.
"""

import dataclasses
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from pydantic import BaseModel

import graphrag
from graphrag import GraphRAG, Settings, settings
from graphrag.cli.main import cli
from graphrag.models.embedded import EmbeddedEmbedder
from graphrag.storage import schema

REPOSITORY = Path(__file__).parents[1]
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CHANGELOG.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
REFERENCE = REPOSITORY / "docs" / "reference"
BOOK = Path("examples", "christmas_carol", "input")
GIVEN = "<!-- given: an index in ragtest -->"
TOOLS = {"cp", "echo", "mkdir"}
KEPT = re.compile(r"^# |Fezziwig|Tiny Tim|Bob Cratchit|Marley")
MOST_PARAGRAPHS = 12

_FENCE = re.compile(r"^```(\w*)$")
_DIRECTIVE = re.compile(r"^<!-- (skip|file): (.+) -->$")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str
    line: int
    """Of the fence, counted from 1."""
    directive: str
    argument: str


def blocks(page: Path) -> Iterator[Block]:
    lines = page.read_text("utf-8").splitlines()
    start: int | None = None
    for number, line in enumerate(lines):
        fence = _FENCE.match(line)
        if fence and start is None:
            start = number
        elif fence and start is not None:
            said = _DIRECTIVE.match(lines[start - 1])
            kind, argument = said.groups() if said else ("", "")
            text = "\n".join(lines[start + 1 : number])
            yield Block(lines[start].strip("`"), text + "\n", start + 1, kind, argument)
            start = None
    assert start is None, f"{page}: the block at line {(start or 0) + 1} is not closed"


class Remembering:
    """The shipped model, which loads once and embeds a text once: a vector depends on its text alone."""

    name = EmbeddedEmbedder.name
    dimensions = EmbeddedEmbedder.dimensions
    model = EmbeddedEmbedder()
    known: dict[str, NDArray[np.float32]] = {}  # noqa: RUF012

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        self.known.update(zip(new, self.model.embed(new), strict=True))
        return np.stack([self.known[text] for text in texts]) if texts else self.model.embed([])


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the abridged book, an index of it, and its tables as the incumbent writes them."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / BOOK).mkdir(parents=True)
    for stave in sorted((REPOSITORY / BOOK).glob("*.md")):
        paragraphs = [part for part in stave.read_text("utf-8").split("\n\n") if KEPT.search(part)]
        (folder / BOOK / stave.name).write_text("\n\n".join(paragraphs[:MOST_PARAGRAPHS]), "utf-8")
    shutil.copytree(folder / BOOK, folder / "ragtest" / "input")
    rag = GraphRAG(folder / "ragtest", embedder=Remembering())
    rag.index()
    rag.export_parquet(folder / "msgraphrag" / "output")
    return folder


@pytest.fixture
def workplace(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `prepared` to work in, which is the current folder."""
    folder = tmp_path / "workplace"
    shutil.copytree(prepared, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setattr("graphrag.backends.EmbeddedEmbedder", Remembering)
    return folder


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_snippets_run(page: Path, workplace: Path) -> None:
    if GIVEN not in page.read_text("utf-8"):
        shutil.rmtree(workplace / "ragtest")
    namespace: dict[str, object] = {"__name__": "snippets"}
    for block in blocks(page):
        if block.directive == "skip":
            continue
        place = f"{page.relative_to(REPOSITORY)}, line {block.line}"
        if block.directive == "file":
            path = workplace / block.argument
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, "utf-8")
        if block.language == "python":
            # The line numbers of a traceback are then those of the page.
            code = compile("\n" * block.line + block.text, str(page), "exec")
            exec(code, namespace)  # noqa: S102
        elif block.language == "yaml":
            load_settings(block.text, workplace / "checked")
        elif block.language in ("console", "sh"):
            for command in commands(block):
                run(command, place)
        else:
            assert block.language in ("csv", "text"), f"{place}: nobody knows how to run '{block.language}'"


def load_settings(text: str, root: Path) -> None:
    root.mkdir(exist_ok=True)
    (root / settings.SETTINGS_FILE).write_text(text, "utf-8")
    settings.load(root)


def commands(block: Block) -> list[str]:
    if block.language == "console":
        return [line[2:] for line in block.text.splitlines() if line.startswith("$ ")]
    return [line for line in block.text.splitlines() if line and not line.startswith("#")]


def run(command: str, place: str) -> None:
    words = shlex.split(command, comments=True)
    variables = dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
    program, *arguments = [word for word in words if not re.match(r"[A-Z_]+=", word)]
    if program != "graphrag":
        assert program in TOOLS, f"{place}: '{program}' is not run here; skip the block, with a reason"
        subprocess.run(command, shell=True, check=True)  # noqa: S602
        return
    result = CliRunner().invoke(cli, arguments, env=variables)
    assert result.exit_code == 0, f"{place}: {command}: {result.output}{result.exception!r}"
    assert result.output, f"{place}: {command}: says nothing"


def test_pages_have_snippets_and_reasons() -> None:
    found = [block for page in PAGES for block in blocks(page)]
    assert {"python", "console", "yaml"} <= {block.language for block in found}
    assert sum(block.directive == "skip" for block in found) <= 3


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    broken = [link for link in _LINK.findall(text) if not link.startswith("https://") and not leads(page, link)]
    assert broken == []


def leads(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    if not target.is_file() or not anchor:
        return target.is_file()
    titles = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE)
    return anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


# --- Settings ----------------------------------------------------------------------------


def keys(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Every key of the settings with its default."""
    for name, field in model.model_fields.items():
        here = (*path, field.alias or name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from keys(field.annotation, here)
        else:
            yield here, field.default


def listed_settings() -> list[tuple[str, str, str]]:
    """Key, environment variable and default, as the reference has them."""
    text = (REFERENCE / "settings.md").read_text("utf-8")
    return re.findall(r"^\| `([\w.]+)` \| `(\w+)` \| (.+?) \| .+ \|$", text, re.MULTILINE)


def shown(default: object) -> str:
    """A default as the reference has it: as the environment would say it."""
    if default is None or default == "":
        return "not set" if default is None else "empty"
    return f"`{list(default) if isinstance(default, tuple) else default}`"


def test_every_setting_is_listed_with_its_default() -> None:
    expected = [
        (".".join(path), "GRAPHRAG_" + "__".join(path).upper(), shown(default)) for path, default in keys(Settings)
    ]
    assert listed_settings() == expected


def test_listed_variables_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = settings.load(tmp_path)
    for _, variable, default in listed_settings():
        if default.startswith("`"):
            monkeypatch.setenv(variable, default.strip("`"))
    assert settings.load(tmp_path) == before
    for variable, value in (("GRAPHRAG_CHUNKING__SIZE", "77"), ("GRAPHRAG_QUERY__GLOBAL__K", "7")):
        monkeypatch.setenv(variable, value)
    changed = settings.load(tmp_path)
    assert (changed.chunking.size, changed.query.global_.k) == (77, 7)


# --- Tables ------------------------------------------------------------------------------


def sections(page: Path) -> dict[str, str]:
    """The parts of a page by their headings of level 2; what comes before the first is under ""."""
    first, *others = re.split(r"^## ", page.read_text("utf-8"), flags=re.MULTILINE)
    titled = (part.partition("\n") for part in others)
    return {"": first, **{title: text for title, _, text in titled}}


def test_every_column_is_listed_with_its_type() -> None:
    row = re.compile(r"^\| `(\w+)` \| `([^`]+)` \| (yes|no) \| .+ \|$", re.MULTILINE)
    listed = {title: row.findall(text) for title, text in sections(REFERENCE / "tables.md").items() if title}
    expected = {
        name: [
            (field.name, str(field.type).replace("item: ", ""), "yes" if field.name in theirs else "no")
            for field in schema.schema(name, EmbeddedEmbedder.dimensions)
        ]
        for name in schema.TABLES
        for theirs in [schema.MS_COLUMNS.get(name, ())]
    }
    assert listed == expected


# --- Commands and Python -----------------------------------------------------------------


def test_every_command_and_option_is_listed() -> None:
    listed = sections(REFERENCE / "commands.md")
    assert {title for title in listed if title} == {f"graphrag {name}" for name in cli.commands}
    for name, command in cli.commands.items():
        options = [opt for item in command.params if isinstance(item, click.Option) for opt in item.opts]
        text = listed[""] + listed[f"graphrag {name}"]
        assert [option for option in options if f"`{option}" not in text] == []


def test_every_public_name_is_listed() -> None:
    text = (REFERENCE / "python.md").read_text("utf-8")
    names = set(graphrag.__all__) | {name for name in vars(GraphRAG) if not name.startswith("_")}
    for name in graphrag.__all__:
        exported = getattr(graphrag, name)
        if dataclasses.is_dataclass(exported):
            names |= {field.name for field in dataclasses.fields(exported)}
    assert {name for name in names if not re.search(rf"\b{name}\b", text)} == set()
