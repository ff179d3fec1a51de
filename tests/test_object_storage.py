"""One index in object storage, for several machines: built, asked and changed from each."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from comparing import comparable
from extractor import configured, model, town
from fakes import WordEmbedder
from integrity import assert_whole
from object_storage import SECRET, ObjectStorage, serving
from samples import write_rows

from graphrag import GraphRAG
from graphrag.errors import BuildInProgressError
from graphrag.storage.schema import TABLES

pytestmark = pytest.mark.enable_socket


@pytest.fixture(scope="module")
def storage() -> Iterator[ObjectStorage]:
    with serving() as server:
        yield server


class Machine:
    """A root folder that has nothing but its input, and a model of its own."""

    def __init__(self, root: Path, uri: str) -> None:
        self.root = root
        self.chat = model()
        self.rag = GraphRAG(root, configured(storage={"uri": uri}), chat=self.chat, embedder=WordEmbedder())

    def tables(self) -> dict[str, list[dict[str, object]]]:
        return comparable({name: self.rag.table(name).to_pylist() for name in TABLES})


def test_what_one_machine_has_built_and_paid_for_another_goes_on_with(storage: ObjectStorage, tmp_path: Path):
    uri = storage.new_uri()
    first, second = (Machine(tmp_path / name, uri) for name in "ab")
    write_rows(first.root, town(4))
    assert first.rag.index("standard").changed
    write_rows(second.root, town(4))

    assert not second.rag.index("standard").changed
    found = [unit.text_unit_id for unit in second.rag.retrieve("Who lives at Harlow Hall?")]
    assert found == [unit.text_unit_id for unit in first.rag.retrieve("Who lives at Harlow Hall?")]
    write_rows(second.root, town(5))
    changed = second.rag.index("standard")
    assert changed.changes and len(changed.changes.added) == 1
    assert len(second.chat.requests) < len(first.chat.requests)
    assert first.tables() == second.tables()
    assert_whole(first.rag)

    assert [version.number for version in first.rag.versions()] == [1, 2]
    first.rag.rollback(1)
    assert second.rag.table("documents").num_rows == 4
    assert not any((machine.root / "output").exists() for machine in (first, second))


def test_one_writer_at_a_time(storage: ObjectStorage, tmp_path: Path):
    uri = storage.new_uri()
    first, second = (Machine(tmp_path / name, uri) for name in "ab")
    write_rows(first.root, town(1))
    write_rows(second.root, town(1))

    with first.rag._store.lock(), pytest.raises(BuildInProgressError):  # pyright: ignore[reportPrivateUsage]
        second.rag.index("fast")
    assert second.rag.index("fast").changed


def test_the_command_line_takes_its_keys_from_the_environment(storage: ObjectStorage, tmp_path: Path):
    write_rows(tmp_path, town(1))
    (tmp_path / "settings.yaml").write_text(f"storage: {{uri: {storage.new_uri()}}}\n")

    def run(*command: str) -> "subprocess.CompletedProcess[str]":
        arguments = [sys.executable, "-m", "graphrag", *command, "--root", str(tmp_path)]
        return subprocess.run(arguments, capture_output=True, text=True, check=False)

    assert run("index").returncode == 0
    asked = run("query", "Who lives at Harlow Hall?")
    assert (asked.returncode, "Harlow" in asked.stdout) == (0, True), asked.stderr
    storage.denied = True
    try:
        refused = run("index")
    finally:
        storage.denied = False
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].endswith(
        "access is refused (AccessDenied); check the credentials and their rights"
    )
    assert SECRET not in refused.stderr
