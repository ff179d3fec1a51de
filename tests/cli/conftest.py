import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import Command, run
from filelock import FileLock
from samples import INCUMBENT, MILLS, indexed

from graphrag.models.embedded import EmbeddedEmbedder


@pytest.fixture(scope="session")
def mills_by_meaning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return indexed(tmp_path_factory.mktemp("by_meaning"), MILLS, EmbeddedEmbedder()).root


@pytest.fixture
def root(mills_by_meaning: Path, tmp_path: Path) -> Path:
    """A folder with the collection MILLS as the commands index it, to be spoilt."""
    return shutil.copytree(mills_by_meaning, tmp_path / "root")


@pytest.fixture(scope="session")
def imported(shared: Path) -> Path:
    """The incumbent's own index of A Christmas Carol, imported once. For reading only."""
    if not INCUMBENT.exists():
        pytest.skip(f"{INCUMBENT} is not here")
    root = shared / "imported"
    with FileLock(shared / "imported.lock"):
        if not (root / "stdout").exists():
            root.mkdir()
            done = run("import", INCUMBENT, "--root", root, "--json")
            assert done.code == 0, done.err
            (root / "stdout").write_text(done.out, "utf-8")
    return root


@pytest.fixture
def still_answers(root: Path, graphrag: Command) -> Callable[[], bool]:
    """Whether the index that was there before the test still answers."""

    def check() -> bool:
        outcome = graphrag("query", "Who taught chemistry in Dresden?", "--method", "basic", "--root", root)
        return outcome.code == 0 and "Otto Veit taught chemistry in Dresden." in outcome.out

    return check
