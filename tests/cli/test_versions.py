"""`graphrag versions` and `graphrag rollback` as a user sees them."""

import json
from pathlib import Path
from typing import Any

import pytest
from commands import Command
from samples import MILLS

from graphrag.cli.versions import NEXT


def listed(root: Path, graphrag: Command) -> list[dict[str, Any]]:
    return json.loads(graphrag("versions", "--root", root, "--json").out)


def numbers(root: Path, graphrag: Command) -> list[int]:
    return [version["number"] for version in listed(root, graphrag)]


@pytest.fixture
def built(root: Path, graphrag: Command) -> Path:
    """The collection in two versions: without a note, and with it."""
    (root / "input" / "note.md").write_text("# Hollow Mill\n\nHollow Mill burned down.")
    assert graphrag("index", "--root", root).code == 0
    return root


def test_versions_are_listed_oldest_first(built: Path, graphrag: Command):
    done = graphrag("versions", "--root", built)

    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.out.splitlines() if "│" in line]
    assert [(row[0], row[2], row[3], row[5]) for row in rows] == [
        ("1", "fast", str(len(MILLS)), ""),
        ("2", "fast", str(len(MILLS) + 1), "published"),
    ]
    for_programs = listed(built, graphrag)
    assert [(each["number"], each["published"]) for each in for_programs] == [(1, False), (2, True)]
    assert for_programs[1]["build"]["summary"]["documents"] == len(MILLS) + 1
    assert rows[0][1] == for_programs[0]["build"]["created"][:19].replace("T", " ")


def test_a_version_is_gone_back_to_until_the_next_build(built: Path, graphrag: Command):
    asked = ("query", "What burned down?", "--method", "basic", "--root", built)

    done = graphrag("rollback", "1", "--root", built)

    assert done.code == 0
    assert done.out.startswith("Version 1, made 20")
    assert done.err.splitlines() == [NEXT]
    assert "Hollow Mill burned down." not in graphrag(*asked).out
    assert numbers(built, graphrag) == [2, 1]
    assert graphrag("check", "--root", built).code == 0

    assert json.loads(graphrag("index", "--root", built, "--json").out)["changes"]["added"] == ["note.md"]
    assert "Hollow Mill burned down." in graphrag(*asked).out
    assert numbers(built, graphrag) == [2, 1, 3]


def test_a_rollback_undoes_what_was_removed_by_hand(built: Path, graphrag: Command):
    assert graphrag("remove", "note.md", "--root", built).code == 0

    published = json.loads(graphrag("rollback", "2", "--root", built, "--json").out)

    assert (published["number"], published["published"], published["build"]["excluded"]) == (2, True, [])
    assert graphrag("index", "--root", built).out.startswith("Nothing changed")
    assert "burned" in graphrag("query", "What burned down?", "--method", "basic", "--root", built).out


def test_cleaning_leaves_the_published_version(built: Path, graphrag: Command):
    assert graphrag("rollback", "1", "--root", built).code == 0

    assert graphrag("versions", "--clean", "--root", built).code == 0

    assert numbers(built, graphrag) == [1]
    files = [path for path in (built / "output").rglob("*") if path.is_file()]
    assert [path for path in files if b"Hollow" in path.read_bytes()] == []
    assert graphrag("check", "--root", built).code == 0


@pytest.mark.parametrize("number", ["7", "0"])
def test_a_version_that_is_not_kept(built: Path, graphrag: Command, number: str):
    before = (built / "output" / "manifest.json").read_bytes()

    done = graphrag("rollback", number, "--root", built)

    assert (done.code, done.out) == (1, "")
    assert f"no version {number} of the index in {built / 'output'} is kept; there is 1" in done.err
    assert (built / "output" / "manifest.json").read_bytes() == before


def test_versions_are_kept_no_longer_than_the_settings_say(
    root: Path, graphrag: Command, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("GRAPHRAG_STORAGE__RETENTION", "0")
    (root / "input" / "note.md").write_text("# Hollow Mill\n\nHollow Mill burned down.")

    assert graphrag("index", "--root", root).code == 0

    assert numbers(root, graphrag) == [2]


def test_before_there_is_an_index(tmp_path: Path, graphrag: Command):
    done = graphrag("versions", "--root", tmp_path)

    assert (done.code, done.out) == (0, "There is no index yet; make one with `graphrag index`.\n")
    assert listed(tmp_path, graphrag) == []
    assert "there is no index" in graphrag("rollback", "1", "--root", tmp_path).err
