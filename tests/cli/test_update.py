"""Changes of the input folder as a user makes and sees them."""

import json
from pathlib import Path

import pytest
from commands import Command
from samples import MILLS, write_rows

from graphrag.cli.index import SHOWN
from graphrag.cli.main import cli

NOTE = "# Hollow Mill\n\nHollow Mill burned down."


def changes(done: str) -> dict[str, list[str]]:
    """Kinds of changes of which there were some."""
    return {kind: places for kind, places in json.loads(done)["changes"].items() if places}


def ids(root: Path, graphrag: Command) -> set[str]:
    done = graphrag("retrieve", "mill", "-k", "50", "--json", "--root", root)
    return {result["text_unit_id"] for result in json.loads(done.out)["results"]}


def test_what_happened_to_documents_is_told_by_content(root: Path, graphrag: Command):
    note, moved = root / "input" / "note.md", root / "input" / "moved.md"
    before = ids(root, graphrag)

    note.write_text(NOTE)
    assert changes(graphrag("index", "--root", root, "--json").out) == {"added": ["note.md"]}
    note.rename(moved)
    assert changes(graphrag("index", "--root", root, "--json").out) == {"renamed": ["note.md -> moved.md"]}
    moved.write_text(f"{NOTE} Nobody was hurt.")
    assert changes(graphrag("index", "--root", root, "--json").out) == {"edited": ["moved.md"]}
    moved.unlink()
    assert changes(graphrag("index", "--root", root, "--json").out) == {"removed": ["moved.md"]}
    assert ids(root, graphrag) == before


def test_changes_are_told_to_people(root: Path, graphrag: Command):
    for number in range(SHOWN + 2):
        (root / "input" / f"note-{number}.txt").write_text(f"Mill number {number} burned down.")

    done = graphrag("index", "--root", root)

    assert done.out.splitlines()[0].startswith("Added: note-0.txt, note-1.txt, ")
    assert done.out.splitlines()[0].endswith(" and 2 more")
    assert "Added" not in graphrag("index", "--root", root).out


def test_names_of_files_do_nothing_to_a_terminal(root: Path, graphrag: Command):
    (root / "input" / "\x1b[2Jnote.txt").write_text("Hollow Mill burned down.")

    done = graphrag("index", "--root", root)

    assert done.code == 0
    assert "note.txt" in done.out.splitlines()[0]
    assert "\x1b" not in done.out + done.err


def test_a_first_build_has_no_changes(tmp_path: Path, graphrag: Command):
    write_rows(tmp_path, MILLS[:3])

    first, again = (json.loads(graphrag("index", "--root", tmp_path, "--json").out) for _ in range(2))

    assert (first["changed"], first["changes"]) == (True, None)
    assert (again["changed"], again["changes"]) == (False, None)


def test_update_is_index(root: Path, graphrag: Command):
    (root / "input" / "note.md").write_text(NOTE)

    assert changes(graphrag("update", "--root", root, "--json").out) == {"added": ["note.md"]}
    assert graphrag("index", "--root", root).out.startswith("Nothing changed")
    assert cli.commands["update"].params == cli.commands["index"].params
    assert graphrag("update", "--help").out.splitlines()[2:-2] == graphrag("index", "--help").out.splitlines()[2:]


@pytest.mark.parametrize("command", ["index", "update"])
def test_a_purge_builds_although_nothing_changed_and_keeps_no_version(root: Path, graphrag: Command, command: str):
    (root / "input" / "note.md").write_text(NOTE)
    assert graphrag("index", "--root", root).code == 0
    (root / "input" / "note.md").unlink()
    assert graphrag("index", "--root", root).code == 0

    done = json.loads(graphrag(command, "--purge", "--root", root, "--json").out)

    assert done["changed"]
    assert [each["published"] for each in json.loads(graphrag("versions", "--root", root, "--json").out)] == [True]
    assert holding(root / "output", b"Hollow") == []


def holding(folder: Path, text: bytes) -> list[Path]:
    """Files with these bytes in them, or in their names."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [path for path in files if text in path.read_bytes() or text.decode() in path.name]
