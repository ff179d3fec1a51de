"""Whatever is wrong: one line that says what to do, nothing lost, and a traceback only on demand."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import TESTS, Command, Outcome, run
from fakes import WordEmbedder
from samples import MILLS, indexed, write_rows

METHODS = ["auto", "local", "global", "drift", "basic"]
Run = Command


def check_refused(outcome: Outcome, message: str) -> None:
    """It failed, said why in one line after what it said while it worked, and printed no result."""
    assert (outcome.code, outcome.out) == (1, "")
    *before, last = outcome.err.splitlines()
    assert last.startswith("Error: ")
    assert message in last
    assert not any("Traceback" in line or "Error" in line for line in before)


def empty(folder: Path) -> Path:
    shutil.rmtree(folder)
    folder.mkdir()
    return folder


# --- Input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (shutil.rmtree, "there is no folder {}: run `graphrag init` or put documents there"),
        (empty, "{} holds no documents: put files there ("),
        (lambda folder: (empty(folder) / "a.xyz").write_text("?"), "{} holds no documents"),
        (lambda folder: (empty(folder) / "a.txt").write_bytes(b"\x7fELF\0\1"), "a.txt: looks binary"),
        (lambda folder: (empty(folder) / "a.txt").write_text(" \n"), "a.txt: is empty"),
        (lambda folder: (empty(folder) / "a.jsonl").write_text('{"body": "x"}'), "a.jsonl: has no column 'text'"),
    ],
    ids=["missing", "empty", "unknown", "binary", "blank", "no column"],
)
def test_input_that_is_no_input(
    root: Path, graphrag: Command, still_answers: Callable[[], bool], spoil: Callable[[Path], object], message: str
):
    spoil(root / "input")

    check_refused(graphrag("index", "--root", root), message.format(root / "input"))
    assert still_answers()


def test_a_file_that_may_not_be_read(root: Path, still_answers: Callable[[], bool]):
    (root / "input" / "rows.jsonl").chmod(0)

    done = run("index", "--root", root, module="cli.unprivileged")

    check_refused(done, "rows.jsonl: Permission denied")
    assert still_answers()


@pytest.mark.parametrize(
    ("content", "reason"), [(b"\0\1\2", "looks binary"), (b"", "is empty")], ids=["binary", "empty"]
)
def test_one_bad_file_is_named_and_the_others_are_indexed(root: Path, graphrag: Command, content: bytes, reason: str):
    (root / "input" / "bad.txt").write_bytes(content)

    outcome = graphrag("index", "--root", root, "--json")

    assert outcome.code == 0
    summary = json.loads(outcome.out)
    assert summary["documents"] == len(MILLS)
    assert summary["failures"] == [{"stage": "loading", "item": "bad.txt", "reason": reason, "passing": False}]
    assert f"Failed (loading): bad.txt: {reason}" in outcome.err.splitlines()


def test_a_file_that_is_not_utf8_is_read_with_a_notice(tmp_path: Path, graphrag: Command):
    (tmp_path / "input").mkdir()
    text = "Le café de Zoé Lefèvre était fermé. À la fenêtre, un garçon français rêvait déjà de l'été."
    (tmp_path / "input" / "café.txt").write_bytes(text.encode("cp1252"))

    outcome = graphrag("index", "--root", tmp_path)

    assert outcome.code == 0
    assert "Note: café.txt is not UTF-8: read as cp1252" in outcome.err.splitlines()
    assert "était fermé" in graphrag("query", "Le café de Zoé Lefèvre ?", "--root", tmp_path).out


def test_duplicated_documents_are_indexed_once_with_a_notice(root: Path, graphrag: Command):
    shutil.copy(root / "input" / "rows.jsonl", root / "input" / "again.jsonl")

    outcome = graphrag("index", "--root", root, "--json")

    assert json.loads(outcome.out)["documents"] == len(MILLS)
    assert "copy of again.jsonl#1" in outcome.err


@pytest.mark.parametrize("method", METHODS)
def test_a_document_without_an_entity_can_be_asked_about(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, graphrag: Command, method: str
):
    write_rows(tmp_path, [("", "it rained and it was cold.")])

    assert graphrag("index", "--root", tmp_path, "--json").code == 0
    outcome = graphrag("query", "was it cold?", "--method", method, "--root", tmp_path)

    assert outcome.code == 0
    assert outcome.out.startswith("it rained and it was cold. [1]")
    assert ("the index has no community reports" in outcome.err) == (method == "global")


# --- Settings ----------------------------------------------------------------------------


def test_a_typo_in_the_settings(root: Path, graphrag: Command):
    (root / "settings.yaml").write_text("chunking:\n  siez: 200\n")

    for command in (["index"], ["query", "Who?"], ["retrieve", "Who?"], ["export", "x"]):
        check_refused(graphrag(*command, "--root", root), "unknown key 'chunking.siez'; did you mean 'chunking.size'?")


def test_an_index_of_another_embedding_model(tmp_path: Path, graphrag: Command):
    indexed(tmp_path, MILLS, WordEmbedder("other", 32))

    for command in ("query", "retrieve"):
        check_refused(graphrag(command, "Who?", "--root", tmp_path), "made with the embedding model other (32 dim")
    assert graphrag("index", "--root", tmp_path).code == 0
    assert "Otto Veit" in graphrag("query", "Who is Otto Veit?", "--root", tmp_path).out


def test_a_language_model_that_cannot_be_used_yet(root: Path, graphrag: Command):
    check_refused(graphrag("index", "--method", "standard", "--root", root), "use --method fast")


# --- Builds ------------------------------------------------------------------------------


def test_a_killed_build_leaves_the_index_before(root: Path, graphrag: Command, still_answers: Callable[[], bool]):
    (root / "input" / "new.md").write_text("# Hollow Mill\n\nHollow Mill burned down.")

    done = run(root, module="cli.killed_index")

    assert done.code == -signal.SIGKILL, done.err
    assert "Publishing" in done.err
    assert still_answers()
    assert "Hollow Mill" not in graphrag("query", "What burned down?", "--root", root).out
    assert json.loads(graphrag("index", "--root", root, "--json").out)["documents"] == len(MILLS) + 1
    assert "Hollow Mill burned down." in graphrag("query", "What burned down?", "--root", root).out


def test_two_builds_at_once(root: Path, graphrag: Command, still_answers: Callable[[], bool]):
    (root / "input" / "new.md").write_text("# Hollow Mill\n\nHollow Mill burned down.")
    command = [sys.executable, "-m", "cli.locked_index", str(root / "output")]

    with subprocess.Popen(command, cwd=TESTS, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"building\n"
        check_refused(graphrag("index", "--root", root), "another `graphrag index` is building this index; wait")
        assert still_answers()

    assert graphrag("index", "--root", root).code == 0


@pytest.mark.parametrize("place", ["output", "root"])
def test_a_place_that_cannot_be_written(root: Path, still_answers: Callable[[], bool], place: str):
    folder = root if place == "root" else root / "output"
    (root / "input" / "new.txt").write_text("Something new.")
    if place == "root":
        shutil.rmtree(root / "output")
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        path.chmod(0o555)
    lock = folder / "lock"
    if lock.exists():
        lock.chmod(0o444)

    done = run("index", "--root", root, module="cli.unprivileged")

    check_refused(done, f"cannot write in {root / 'output'}: Permission denied")
    if place == "output":
        assert still_answers()


def test_an_output_that_is_a_file(tmp_path: Path, graphrag: Command):
    write_rows(tmp_path, MILLS)
    (tmp_path / "output").write_text("mine")

    check_refused(graphrag("index", "--root", tmp_path), f"{tmp_path / 'output'}")
    assert (tmp_path / "output").read_text() == "mine"


def test_export_to_where_nothing_can_be_written(root: Path, graphrag: Command):
    target = root / "settings.yaml"
    target.write_text("{}")

    check_refused(graphrag("export", target, "--root", root), f"cannot write to {target}")
    check_refused(graphrag("export", "--format", "graphml", target / "x", "--root", root), f"cannot write {target}")


# --- Questions ---------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["query", "Who?"], ["retrieve", "Who?"], ["export", "nowhere"]])
def test_before_there_is_an_index(tmp_path: Path, graphrag: Command, command: list[str]):
    message = f"there is no index in {tmp_path / 'output'}; make one with `graphrag index`"

    check_refused(graphrag(*command, "--root", tmp_path), message)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_index(root: Path, graphrag: Command):
    (root / "output" / "manifest.json").write_bytes(b"\0")

    check_refused(graphrag("query", "Who?", "--root", root), "is damaged; delete")
    assert graphrag("index", "--root", root).code == 0
    assert graphrag("query", "Who?", "--root", root).code == 0


@pytest.mark.parametrize("command", ["query", "retrieve"])
def test_an_empty_question(root: Path, graphrag: Command, command: str):
    check_refused(graphrag(command, " ", "--root", root), "the question is empty")


# --- Debugging ---------------------------------------------------------------------------


def test_a_traceback_is_shown_on_demand_only(tmp_path: Path):
    plain = run("query", "Who?", "--root", tmp_path)
    debugged = run("query", "Who?", "--root", tmp_path, "--debug")

    check_refused(plain, "there is no index in")
    assert len(plain.err.splitlines()) == 1
    assert debugged.code == 1
    assert debugged.err.startswith("Traceback (most recent call last):")
    assert "IndexNotFoundError" in debugged.err
    assert debugged.err.splitlines()[-1] == plain.err.splitlines()[-1]


def test_what_nobody_foresaw_is_one_line_too(root: Path, graphrag: Command, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr("graphrag.query.engine.QueryEngine.ask", fail)

    outcome = graphrag("query", "Who?", "--method", "basic", "--root", root)

    check_refused(outcome, "unexpected ZeroDivisionError: division by zero (--debug shows where)")
    assert "Traceback" in graphrag("query", "Who?", "--method", "basic", "--root", root, "--debug").err
