"""`graphrag remove` as a user sees it."""

import json
import shutil
from pathlib import Path

import pytest
from commands import Command
from samples import MILLS, write_rows

from graphrag import GraphRAG
from graphrag.query.answering import NOTHING_FOUND

QUESTION = ("query", "Who is Otto Veit?", "--method", "basic", "--json")
NOTE = "# Otto Veit\n\nOtto Veit lost a sentinel in Dresden."


def answer(root: Path, graphrag: Command) -> str:
    return json.loads(graphrag(*QUESTION, "--root", root).out)["text"]


@pytest.fixture
def noted(root: Path, graphrag: Command) -> Path:
    """The collection with a file more."""
    (root / "input" / "note.md").write_text(NOTE)
    assert graphrag("index", "--root", root).code == 0
    return root


def test_a_document_is_taken_out_and_left_out(noted: Path, graphrag: Command):
    assert "sentinel" in answer(noted, graphrag)

    done = graphrag("remove", "note.md", "--root", noted)

    assert (done.code, done.out.splitlines()[0]) == (0, "Removed: note.md")
    assert "skipped 1 document that was removed by hand: note.md" in done.err
    assert "sentinel" not in answer(noted, graphrag)
    assert (noted / "input" / "note.md").read_text() == NOTE
    again = graphrag("index", "--root", noted)
    assert again.out.startswith("Nothing changed")
    assert "removed by hand: note.md" in again.err


def test_it_stays_out_when_something_else_changes_and_comes_back_with_another_text(noted: Path, graphrag: Command):
    assert graphrag("remove", "note.md", "--root", noted).code == 0

    (noted / "input" / "other.txt").write_text("Hollow Mill burned down.")
    (noted / "input" / "note.md").rename(noted / "input" / "renamed.md")
    assert json.loads(graphrag("index", "--root", noted, "--json").out)["changes"]["added"] == ["other.txt"]
    assert "sentinel" not in answer(noted, graphrag)

    (noted / "input" / "renamed.md").write_text(f"{NOTE} He never found it.")
    assert graphrag("index", "--root", noted).code == 0
    assert "sentinel" in answer(noted, graphrag)


@pytest.mark.parametrize("name", ["Otto Veit", "row-6", "rows.jsonl#6"])
def test_a_document_may_be_named_in_several_ways(root: Path, graphrag: Command, name: str):
    done = json.loads(graphrag("remove", name, "--root", root, "--json").out)

    assert done["changes"]["removed"] == ["rows.jsonl#6"]
    assert done["documents"] == len(MILLS) - 1
    assert answer(root, graphrag) == NOTHING_FOUND


def test_several_at_once_are_one_build(noted: Path, graphrag: Command):
    before = len(GraphRAG(noted).versions())

    done = json.loads(graphrag("remove", "note.md", "Aune", "--root", noted, "--json").out)

    assert set(done["changes"]["removed"]) == {"note.md", "rows.jsonl#7"}
    assert len(GraphRAG(noted).versions()) == before + 1


def test_nothing_of_it_is_left_after_a_purge(noted: Path, graphrag: Command):
    assert "sentinel" in answer(noted, graphrag)

    assert graphrag("remove", "note.md", "--purge", "--root", noted).code == 0
    (noted / "input" / "note.md").unlink()

    kept = [path for path in noted.rglob("*") if path.is_file() and b"sentinel" in path.read_bytes()]
    assert kept == []
    assert graphrag("check", "--root", noted).code == 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("note.txt", "the index has no document 'note.txt'; did you mean 'note.md'?"),
        ("\x1b[2Jxyz", "the index has no document '[2Jxyz'"),
        ("Otto Veit", "several documents are called 'Otto Veit': name one by "),
    ],
)
def test_a_document_that_is_not_there(noted: Path, graphrag: Command, name: str, message: str):
    before = (noted / "output" / "manifest.json").read_bytes()

    done = graphrag("remove", name, "Aune", "--root", noted)

    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines()[-1].startswith(f"Error: {message}")
    assert (noted / "output" / "manifest.json").read_bytes() == before


def test_the_last_document_stays(tmp_path: Path, graphrag: Command):
    write_rows(tmp_path, MILLS[:1])
    assert graphrag("index", "--root", tmp_path).code == 0

    done = graphrag("remove", "rows.jsonl", "--root", tmp_path)

    assert done.code == 1
    assert "no document would be left" in done.err
    assert GraphRAG(tmp_path).table("documents").num_rows == 1


def test_without_an_index_or_a_document(tmp_path: Path, graphrag: Command):
    assert "make one with `graphrag index`" in graphrag("remove", "a", "--root", tmp_path).err
    done = graphrag("remove", "--root", tmp_path)
    assert done.code == 2
    assert "Missing argument 'DOCUMENT...'" in done.err


def test_an_imported_index_is_not_edited(imported: Path, tmp_path: Path, graphrag: Command):
    root = shutil.copytree(imported, tmp_path / "imported")

    done = graphrag("remove", "stave-1.md", "--root", root)

    assert done.code == 1
    assert "the index was imported" in done.err
