"""What many tests share. Its folder is on the import path: `import samples`, `import fakes`."""

import shutil
import sys
from pathlib import Path

import pytest
from commands import Command, Outcome, run
from fakes import WordEmbedder
from filelock import FileLock
from hypothesis import HealthCheck, settings
from samples import MILLS, indexed

from graphrag import GraphRAG
from graphrag.cli.main import main

# How fast a machine is decides no test.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

BOOK = Path(__file__).parents[1] / "examples" / "christmas_carol" / "input"


@pytest.fixture
def graphrag(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run the command line in this process; for all that a process of its own adds nothing to."""

    def call(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["graphrag", *map(str, arguments)])
        capfd.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        return Outcome(code, *capfd.readouterr())

    return call


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this run have in common."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if folder.name.startswith("popen-") else folder


@pytest.fixture(scope="session")
def book(shared: Path) -> Path:
    """A Christmas Carol, indexed once by `graphrag index` as a user would. For reading only.

    What the command printed is in `stdout` and `stderr` beside the index.
    """
    root = shared / "book"
    with FileLock(shared / "book.lock"):
        if not (root / "stdout").exists():
            shutil.copytree(BOOK, root / "input")
            done = run("index", "--root", root, "--json")
            assert done.code == 0, done.err
            (root / "stderr").write_text(done.err, "utf-8")
            (root / "stdout").write_text(done.out, "utf-8")
    return root


@pytest.fixture(scope="session")
def mills(tmp_path_factory: pytest.TempPathFactory) -> GraphRAG:
    """The collection MILLS by shared words. For reading only."""
    return indexed(tmp_path_factory.mktemp("mills"), MILLS, WordEmbedder())
