import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from lancedb.db import LanceDBConnection
from lancedb.table import LanceTable

from graphrag.errors import StorageError
from graphrag.storage import lance_writing
from graphrag.storage import manifest as manifests
from graphrag.storage.lance import LanceStore
from graphrag.storage.lance_writing import Writer
from graphrag.storage.schema import TABLES, Searchable, to_records, to_table

from .samples import empty_tables, make_build, make_tables

TESTS = Path(__file__).parents[1]


@pytest.fixture
def store(tmp_path: Path) -> LanceStore:
    store = LanceStore(tmp_path / "output")
    store.publish(make_tables(), make_build("first"))
    return store


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, *arguments], cwd=TESTS, capture_output=True, text=True, check=False)


# --- Crashes -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("owner", "method", "call"),
    [
        ("LanceDBConnection", "create_table", 1),
        ("LanceTable", "create_index", 2),
        ("LanceDBConnection", "create_table", len(TABLES)),
        ("Path", "write_bytes", 1),
        ("Path", "replace", 1),
    ],
    ids=[
        "after the first table",
        "after the second index",
        "after the last table",
        "in the manifest",
        "before the end",
    ],
)
def test_a_killed_publish_leaves_the_build_before(store: LanceStore, owner: str, method: str, call: int) -> None:
    before = store.open()

    done = run("-m", "storage.killed_publish", str(store.place.path), owner, method, str(call))

    assert done.returncode == -signal.SIGKILL, done.stderr
    for reader in (before, store.open()):
        assert reader.build == make_build("first")
        assert {name: reader.table(name) for name in make_tables()} == make_tables()
        assert [hit.id for hit in reader.matching("text_units", "hounds", 5)] == ["u1", "u0"]
    with store.lock():
        store.publish(make_tables(["A fox."], prefix="v"), make_build("second"))
    assert store.open().table("text_units")["id"].to_pylist() == ["v0"]


# --- Damage ------------------------------------------------------------------------------


def edit(store: LanceStore, **changes: object) -> None:
    (store.place.path / "manifest.json").write_text(json.dumps({**manifest(store), **changes}))


@pytest.mark.parametrize(
    "damage",
    [
        lambda store: (store.place.path / "manifest.json").write_bytes(b""),
        lambda store: (store.place.path / "manifest.json").write_bytes(b"\xff\x00"),
        lambda store: (store.place.path / "manifest.json").write_text("[1]"),
        lambda store: edit(store, format="one"),
        lambda store: edit(store, build={}),
        lambda store: edit(store, versions={"entities": "latest"}),
        lambda store: shutil.rmtree(store.place.path / "lancedb" / "entities.lance"),
        lambda store: shutil.rmtree(store.place.path / "lancedb"),
    ],
    ids=["empty", "binary", "list", "format", "build", "versions", "no table", "no tables"],
)
def test_a_damaged_index_says_how_to_rebuild_and_can_be(
    store: LanceStore, damage: Callable[[LanceStore], object]
) -> None:
    damage(store)

    assert store.current() is None
    with pytest.raises(StorageError, match=r"is damaged; delete .*lancedb and rebuild with `graphrag index`"):
        store.open()
    store.publish(make_tables(), make_build("rebuilt"))
    assert store.open().build == make_build("rebuilt")


@pytest.mark.parametrize("part", ["_versions", "data"])
def test_damaged_table_files_are_one_line(store: LanceStore, part: str) -> None:
    for path in (store.place.path / "lancedb" / "entities.lance" / part).iterdir():
        path.write_bytes(b"xx")

    with pytest.raises(StorageError, match="graphrag index") as error:
        store.open().table("entities")

    assert "\n" not in str(error.value)
    assert ".rs" not in str(error.value)


def test_versions_that_are_gone(store: LanceStore) -> None:
    edit(store, versions=dict.fromkeys(make_tables(), 99))

    with pytest.raises(StorageError, match="is damaged; delete"):
        store.open()


def test_a_newer_format_asks_for_an_upgrade(store: LanceStore) -> None:
    edit(store, format=manifests.FORMAT + 1, build="unknown")
    for use in (store.current, store.open, lambda: store.publish(empty_tables(), make_build("older"))):
        with pytest.raises(StorageError, match="newer version: upgrade"):
            use()


# --- Disks -------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = LanceStore(tmp_path / "file" / "output")

    with pytest.raises(StorageError, match=r"cannot write in .*Not a directory"), store.lock():
        pass


@pytest.mark.parametrize(
    ("owner", "method"), [(LanceDBConnection, "create_table"), (LanceTable, "create_index"), (Path, "write_bytes")]
)
@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PermissionError(13, "Permission denied"), r"\(Permission denied\)"),
        (OSError(30, "Read-only file system"), r"\(Read-only file system\)"),
        (RuntimeError("lance error: No space left on device (os error 28), /root/x.rs:1:2\nmore"), r"os error 28\)\)"),
    ],
)
def test_a_disk_that_cannot_be_written(
    store: LanceStore, monkeypatch: pytest.MonkeyPatch, owner: type, method: str, error: Exception, line: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(owner, method, fail)
        with pytest.raises(StorageError, match=rf"^cannot write .*output.*{line[2:-2]}\)?$"):
            store.publish(empty_tables(), make_build("second"))

    assert store.open().build == make_build("first")
    assert not list(store.place.path.glob(".manifest*"))


# --- Old versions ------------------------------------------------------------------------


class VersionsOnly:
    """Stands for a table of which only the versions matter."""

    def __init__(self, ages: dict[int, timedelta]) -> None:
        self.ages = ages
        self.cleaned: list[timedelta] = []

    def list_versions(self) -> list[dict[str, Any]]:
        return [{"version": version, "timestamp": datetime.now() - age} for version, age in self.ages.items()]

    def optimize(self, *, cleanup_older_than: timedelta) -> None:
        self.cleaned.append(cleanup_older_than)


def test_nothing_that_readers_may_hold_is_removed_however_old() -> None:
    table = VersionsOnly({4: timedelta(days=90), 6: timedelta(days=30), 9: timedelta(0)})
    database = SimpleNamespace(open_table=lambda _: table)

    Writer(database, set()).discard("text_units", {6, 9})  # type: ignore[arg-type]

    assert timedelta(days=30) < table.cleaned[0] < timedelta(days=31)


def test_replaced_builds_are_kept_for_the_retention(store: LanceStore) -> None:
    store.publish(make_tables(), make_build("second"))
    store.publish(make_tables(), make_build("third"))
    assert len(manifest(store)["superseded"]) == 2

    store.retention = timedelta(0)
    store.publish(make_tables(), make_build("fourth"))
    assert manifest(store)["superseded"] == []


def test_the_clean_up_spares_what_was_replaced_within_the_retention(
    store: LanceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def versions(table: LanceTable) -> list[dict[str, Any]]:
        """Version v is 1000 - v hours old."""
        ages = {version: timedelta(hours=1000 - version) for version in range(1, table.version + 1)}
        return VersionsOnly(ages).list_versions()

    def optimize(table: LanceTable, *, cleanup_older_than: timedelta) -> None:
        cleaned[table.name] = cleanup_older_than // timedelta(hours=1)

    store.publish(make_tables(["A fox."]), make_build("second"))
    second = manifest(store)
    store.publish(make_tables(), make_build("third"))
    first, last = manifest(store)["superseded"]
    edit(store, superseded=[{**first, "since": "2020-01-01T00:00:00Z"}, last])
    cleaned: dict[str, int] = {}
    monkeypatch.setattr(LanceTable, "list_versions", versions)
    monkeypatch.setattr(LanceTable, "optimize", optimize)
    store.clean()

    assert [old["number"] for old in manifest(store)["superseded"]] == [2]
    assert cleaned == {name: 1000 - version for name, version in second["versions"].items()}


def manifest(store: LanceStore) -> dict[str, Any]:
    return json.loads((store.place.path / "manifest.json").read_bytes())


def test_old_builds_are_removed_after_the_retention(store: LanceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.retention = timedelta(0)
    monkeypatch.setattr(lance_writing, "CLOCK_SLACK", timedelta(0))
    first = store.open()
    for text in ("A fox.", "An owl.", "A hare."):
        store.publish(make_tables([text]), make_build(text))

    with pytest.raises(StorageError, match="open it again"):
        first.table("text_units")
    assert store.open().table("text_units").num_rows == 1


def test_a_clean_up_that_fails_does_not_unpublish(store: LanceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("busy")

    store.retention = timedelta(0)
    monkeypatch.setattr(LanceTable, "optimize", fail)
    store.publish(make_tables(prefix="v"), make_build("second"))

    assert store.open().build == make_build("second")


def test_only_what_differs_is_written(store: LanceStore) -> None:
    before = manifest(store)
    texts = ["The hound runs in the forest.", "Hounds were running home.", "Snow fell on the city."]
    store.publish(make_tables(texts), make_build("second"))
    after = manifest(store)

    assert {name for name in TABLES if after["versions"][name] != before["versions"][name]} == {
        "documents",
        "text_units",
    }
    table = LanceDBConnection(store.place.path / "lancedb").open_table("text_units")
    table.checkout(before["versions"]["text_units"] + 1)
    # The row that differs was taken out, and no other.
    assert table.search().select(["id"]).to_arrow()["id"].to_pylist() == ["u0", "u1"]


def test_what_was_taken_out_leaves_the_files_after_the_retention(store: LanceStore) -> None:
    texts = [f"A line about number {number}." for number in range(40)]
    store.publish(make_tables([*texts, "Zanzibarquartz is a secret."]), make_build("second"))
    assert holding(store, b"Zanzibarquartz")
    store.publish(make_tables([*texts, "Nothing."]), make_build("third"))
    assert holding(store, b"Zanzibarquartz")

    store.clean()
    assert holding(store, b"Zanzibarquartz")
    store.clean(everything=True)

    assert not holding(store, b"Zanzibarquartz")
    assert not holding(store, b"zanzibarquartz")
    assert store.open().table("text_units")["text"].to_pylist() == [*texts, "Nothing."]


def holding(store: LanceStore, word: bytes) -> list[Path]:
    return [path for path in store.place.path.rglob("*") if path.is_file() and word in path.read_bytes()]


# --- LanceDB itself ----------------------------------------------------------------------


@pytest.mark.parametrize(("dimensions", "indices"), [(16, {"FTS", "IvfRq"}), (12, {"FTS"})])
def test_many_rows_are_indexed_where_the_index_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dimensions: int, indices: set[str]
) -> None:
    monkeypatch.setattr(lance_writing, "FLAT_ROWS", 500)
    vectors = np.random.default_rng(0).normal(size=(500, dimensions)).astype(np.float32)
    tables = make_tables([""] * 500)
    units = to_records("text_units", tables["text_units"])
    tables["text_units"] = to_table("text_units", units, Searchable([""] * 500, vectors))
    store = LanceStore(tmp_path)
    store.publish(tables, replace(make_build("many"), dimensions=dimensions))

    table = LanceDBConnection(tmp_path / "lancedb").open_table("text_units")
    assert {index.index_type for index in table.list_indices()} == indices
    hits = store.open().nearest("text_units", vectors[7], 1)
    assert [hit.id for hit in hits] == ["u7"]
    assert hits[0].score == pytest.approx(1)


def test_ids_of_many_rows_are_indexed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lance_writing, "SCANNED_ROWS", 500)
    store = LanceStore(tmp_path)
    store.publish(make_tables([""] * 500), make_build("many"))

    found = {name: LanceDBConnection(tmp_path / "lancedb").open_table(name).list_indices() for name in TABLES}
    assert {name for name, indices in found.items() if any(index.index_type == "BTree" for index in indices)} == {
        "text_units"
    }
    ids = ["u7", "nobody", "u499", "u0"]
    assert store.open().rows("text_units", ids, ["id"])["id"].to_pylist() == ["u7", "u499", "u0"]


def test_importing_and_asking_for_the_build_load_neither_lancedb_nor_arrow(store: LanceStore) -> None:
    program = (
        "import sys; from pathlib import Path; from graphrag.storage.lance import LanceStore\n"
        f"print(LanceStore(Path({str(store.place.path)!r})).current().fingerprint)\n"
        "print({'lancedb', 'pyarrow', 'numpy'} & set(sys.modules))"
    )

    assert run("-c", program).stdout == "first\nset()\n"


def test_a_process_is_quiet_and_ends_cleanly(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path; from graphrag.storage.lance import LanceStore; from storage.samples import *\n"
        f"store = LanceStore(Path({str(tmp_path)!r}))\n"
        "for name in ('first', 'second'):\n"
        "    with store.lock(): store.publish(make_tables(), make_build(name))\n"
        "reader = store.open()\n"
        "print(len(reader.matching('text_units', 'hound', 5)), len(reader.nearest('entities', np.ones(4), 2)))"
    )

    done = run("-X", "dev", "-W", "error", "-c", program)

    assert (done.returncode, done.stdout, done.stderr) == (0, "2 2\n", "")
