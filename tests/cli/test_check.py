"""`graphrag check` as a user sees it."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
from commands import Command

from graphrag.storage.lance import LanceStore
from graphrag.storage.schema import TABLES


def spoil(root: Path, name: str, column: str, value: Any) -> None:
    """Publish the index again with one value in all rows of a column."""
    store = LanceStore(root / "output")
    tables = {table: store.open().table(table) for table in TABLES}
    table = tables[name]
    field = table.schema.field(column)
    spoilt = table.set_column(table.column_names.index(column), field, pa.array([value] * len(table), field.type))
    store.publish({**tables, name: spoilt}, store.open().build)


def test_an_index_that_is_whole(root: Path, graphrag: Command):
    done = graphrag("check", "--root", root)

    assert (done.code, done.err) == (0, "")
    assert "The index is whole" in done.out
    assert "text_units" in done.out


def test_faults_are_named_and_repaired(root: Path, graphrag: Command):
    spoil(root, "entities", "degree", 99)

    found = graphrag("check", "--root", root)
    repaired = graphrag("check", "--root", root, "--repair")
    again = graphrag("check", "--root", root, "--json")

    assert found.code == 1
    assert "degree is 99, not" in found.out
    assert "--repair mends it" in found.out
    assert repaired.code == again.code == 0
    assert "Repaired: " in repaired.out
    assert json.loads(again.out)["whole"]


def test_what_cannot_be_repaired_stays_an_error(root: Path, graphrag: Command):
    spoil(root, "text_units", "text", "\x1b[2JNothing that its document holds.")

    done = graphrag("check", "--root", root, "--repair", "--json")
    plain = graphrag("check", "--root", root)

    assert (done.code, plain.code) == (1, 1)
    assert {fault["table"] for fault in json.loads(done.out)["faults"]} == {"text_units"}
    assert not any(fault["repairable"] for fault in json.loads(done.out)["faults"])
    assert "\x1b" not in plain.out
    assert "delete the folder lancedb" in plain.err


def test_nothing_is_published_where_nothing_is_wrong(root: Path, graphrag: Command):
    manifest = (root / "output" / "manifest.json").read_bytes()

    assert graphrag("check", "--root", root, "--repair").code == 0
    assert (root / "output" / "manifest.json").read_bytes() == manifest


def test_without_an_index(tmp_path: Path, graphrag: Command):
    done = graphrag("check", "--root", tmp_path)

    assert done.code == 1
    assert "there is no index" in done.err
