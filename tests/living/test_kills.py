"""A build or an update that is killed leaves the index of before whole, and the next one ends as if nothing was."""

import os
import shutil
from collections import Counter
from pathlib import Path
from signal import SIGKILL

import pytest
from commands import run
from extractor import Table, tables
from integrity import assert_whole
from living.changing import Changing
from living.killed_runs import SETTINGS, watched

from graphrag.errors import IndexNotFoundError

CALLS = (
    ("LanceDBConnection", "create_table"),
    ("LanceTable", "add"),
    ("LanceTable", "delete"),
    ("LanceTable", "optimize"),
    ("LanceTable", "create_index"),
    ("LanceStore", "publish"),
    ("Memo", "put_all"),
    ("Path", "replace"),
)
EVERYWHERE = "GRAPHRAG_KILLS" in os.environ
"""Set it to kill at the first and the last call of everything."""
STAGE = ("progress", "Detecting communities")
FILES = {
    "a.md": "Anna Harlow lives at Harlow Hall and mends clocks there. Anna Harlow was taught by Bruno Harlow.",
    "b.md": "# Aston\n\nBruno Harlow once sailed to Aston with Clara Pember. Clara Pember stole a clock there.",
    "c.md": "Clara Pember met Thorn in Aston.",
    # Most stays as it is, or tables are written whole.
    **{f"d{n}.md": f"Dora Vane{n} met Elias Thorn in Norton. Elias Thorn paid Dora Vane{n}." for n in range(9)},
}


def published(root: Path) -> dict[str, Table] | None:
    try:
        return tables(root)
    except IndexNotFoundError:
        return None


@pytest.fixture
def disturbed(tmp_path: Path, request: pytest.FixtureRequest) -> Changing:
    """A collection that is to be indexed: for the first time, or after changes of all kinds."""
    method, kind = request.param
    living = Changing(tmp_path / "root", method, SETTINGS, dict(FILES))
    if kind == "update":
        living.index()
        living.write("a.md", FILES["a.md"].replace("mends", "breaks"))
        living.write("e.md", "Fay Winter met Thorn in Norton. Fay Winter stole a boat.")
        living.apply(("rename", 2, (), ""))
        living.unlink("b.md")
    return living


@pytest.mark.parametrize(
    "disturbed",
    [("standard", "build"), ("standard", "update"), ("fast", "update")],
    indirect=True,
    ids=lambda case: " ".join(case),
)
def test_wherever_it_is_killed(disturbed: Changing, tmp_path: Path):
    before = published(disturbed.root)
    count: Counter[tuple[str, str]] = Counter()
    whole = shutil.copytree(disturbed.root, tmp_path / "whole")
    watched(whole, disturbed.method, lambda owner, name: count.update([(owner, name)]), CALLS)
    expected = tables(whole)
    points = sorted({(*what, call) for what, calls in count.items() for call in {1, calls}})
    if not EVERYWHERE:
        points = [point for point in points if count[point[:2]] == point[2] and point[:2] in {STAGE, *CALLS}]
    roots = {point: shutil.copytree(disturbed.root, tmp_path / f"at-{n}") for n, point in enumerate(points)}

    lines = "".join(f"{root}\t{owner}\t{name}\t{call}\n" for (owner, name, call), root in roots.items())
    done = run(disturbed.method, module="living.killed_runs", stdin=lines)

    assert done.out.split() == [str(-SIGKILL)] * len(points), done.err
    assert {owner for owner, _, _ in points} >= {"progress", "LanceDBConnection", "LanceStore", "Path"}
    for (owner, name, call), root in roots.items():
        living = Changing(root, disturbed.method, SETTINGS)
        found = published(root)
        assert found == (expected if (owner, name) == ("LanceStore", "publish") else before), (owner, name, call)
        if found:
            assert_whole(living.rag)
        living.index()
        assert published(root) == expected, (owner, name, call)
        assert_whole(living.rag)
