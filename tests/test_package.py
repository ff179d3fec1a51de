"""The package as a whole: what it shows, what it imports, and what importing it costs."""

import ast
import json
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import graphrag

ROOT = Path(graphrag.__file__).parent
HEAVY = (
    "numpy pyarrow lancedb pydantic pydantic_settings networkx scipy onnxruntime tiktoken pandas rich httpx2 sqlite3"
).split()


# --- Names -------------------------------------------------------------------------------


def test_public_names():
    assert graphrag.__all__ == [
        "Answer",
        "Citation",
        "ContextItem",
        "Conversation",
        "Event",
        "Finished",
        "GraphRAG",
        "GraphRAGError",
        "IndexSummary",
        "QueryOptions",
        "QuestionAnswered",
        "QuestionAsked",
        "Restarted",
        "Retrieved",
        "RetrievedUnit",
        "Routed",
        "Sentence",
        "Settings",
        "Step",
        "Token",
        "Usage",
    ]
    classes = [name for name in graphrag.__all__ if name != "Event"]
    assert [getattr(graphrag, name).__name__ for name in classes] == classes


def test_other_names_do_not_exist():
    with pytest.raises(AttributeError, match="no attribute 'Store'"):
        _ = graphrag.Store


def test_the_version_is_that_of_the_distribution():
    pyproject = tomllib.loads((ROOT.parent / "pyproject.toml").read_text("utf-8"))

    assert graphrag.__version__ == pyproject["project"]["version"]


# --- Who imports what --------------------------------------------------------------------

CONFINED = {
    "lancedb": ("storage/lance.py", "storage/lance_tables.py", "storage/lance_writing.py"),
    "filelock": "storage/places.py",
    "onnxruntime": "models/embedded.py",
    "graspologic_native": "indexer/clustering.py",
    "networkx": "storage/interchange.py",
    "tiktoken": "tokens.py",
    "sentencex": "language.py",
    "pydantic_settings": "settings.py",
    "httpx2": "models/connection.py",
    "xllamacpp": "models/llamacpp.py",
    "torch": ("models/transformers.py", "models/cross_encoder.py"),
    "transformers": ("models/transformers.py", "models/cross_encoder.py"),
    "json_repair": "models/mending.py",
    "huggingface_hub": "models/llamacpp.py",
    "opentelemetry": "models/tracing.py",
    "click": "cli/",
    "rich": "cli/",
}


def imported(tree: ast.AST) -> Iterator[str]:
    """The top-level packages that a module imports anywhere in it, but for type checking only."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "_import")):
            yield from (name.value.split(".")[0] for name in node.args[:1] if isinstance(name, ast.Constant))
        yield from imported(node)


@cache
def importers() -> dict[str, set[str]]:
    """The modules of the package that import each third-party package."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in ROOT.rglob("*.py"):
        for name in imported(ast.parse(path.read_text("utf-8"))):
            found[name].add(path.relative_to(ROOT).as_posix())
    return {name: paths for name, paths in found.items() if name not in {*sys.stdlib_module_names, "graphrag"}}


@pytest.mark.parametrize(("package", "home"), CONFINED.items())
def test_a_third_party_package_is_imported_in_its_home_only(package: str, home: str | tuple[str, ...]):
    assert importers()[package]
    assert {path for path in importers()[package] if not path.startswith(home)} == set()


def test_only_declared_packages_are_imported():
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text("utf-8"))["project"]
    extras = [line for name, lines in project["optional-dependencies"].items() if name != "dev" for line in lines]
    declared = {line.split(">")[0].split("[")[0].lower() for line in [*project["dependencies"], *extras]}
    declared |= {"defusedxml", "pdfminer"}  # by markitdown
    declared |= {"pydantic"}  # by pydantic-settings
    declared |= {"opentelemetry"}  # used where somebody else has installed it
    providers = packages_distributions()

    unknown = {
        name
        for name in importers()
        if not declared & {dist.lower().replace("_", "-") for dist in [*providers.get(name, []), name]}
    }

    assert unknown == set()


# --- What importing costs ----------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "import graphrag",
        "from graphrag import Answer",
        "import graphrag.cli.main",
        "import sys; sys.argv = ['graphrag', '--help']; from graphrag.cli.main import main; main()",
        "import sys; sys.argv = ['graphrag', 'query', '--help']; from graphrag.cli.main import main; main()",
    ],
)
def test_nothing_heavy_is_imported_before_it_is_used(code: str):
    check = f"import sys, json; print(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    program = f"try:\n    {code}\nexcept SystemExit:\n    pass\n{check}"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert json.loads(done.stdout.splitlines()[-1]) == []
