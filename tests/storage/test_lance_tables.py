import asyncio
import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from graphrag.storage import lance_tables
from graphrag.storage.lance import LanceStore
from graphrag.storage.lance_tables import CompiledTable, PublicTable, TableReader, open_tables

from .samples import make_build, make_tables

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    LanceStore(folder).publish(make_tables(), make_build("first"))
    return folder / "lancedb"


def text_units(folder: Path) -> TableReader:
    return open_tables(folder, published(folder))["text_units"]


def published(folder: Path) -> dict[str, int]:
    return json.loads((folder.parent / "manifest.json").read_bytes())["versions"]


def run(program: str, folder: Path) -> str:
    first = (
        "import sys; from pathlib import Path; from graphrag.storage.lance_tables import open_tables\n"
        f"folder, versions = Path({str(folder)!r}), {published(folder)}\n"
        "def read(): return open_tables(folder, versions)['text_units'].matching('hound', 5)['id'].to_pylist()\n"
    )
    command = [sys.executable, "-W", "error", "-c", first + program]
    done = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_installed_release_is_known() -> None:
    """If this fails for a new release: let KNOWN name it, and see whether the contract holds."""
    assert metadata.version("lancedb").startswith(lance_tables.KNOWN)


def test_a_known_release_is_read_by_its_compiled_module(folder: Path) -> None:
    assert isinstance(text_units(folder), CompiledTable)


def missing(name: str) -> str:
    raise metadata.PackageNotFoundError(name)


@pytest.mark.parametrize("version", [lambda _: "0.39.9", lambda _: "0.400.0", lambda _: "1.0.0", missing])
def test_any_other_is_read_by_the_public_interface(
    folder: Path, monkeypatch: pytest.MonkeyPatch, version: object
) -> None:
    monkeypatch.setattr(metadata, "version", version)

    table = text_units(folder)

    assert isinstance(table, PublicTable)
    assert table.count() == 3


def test_without_a_compiled_module_the_public_interface_is_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lance_tables, "_MODULE", "lancedb._elsewhere")

    assert isinstance(text_units(folder), PublicTable)


def test_both_ways_find_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = text_units(folder)
    monkeypatch.setattr(lance_tables, "KNOWN", "0.0.")
    public = text_units(folder)
    vector = np.array([3, 4, 0, 1], np.float32)

    assert compiled.count() == public.count()
    assert compiled.rows(None).equals(public.rows(None))
    assert compiled.rows(["text", "id"], ["u2", "it's", "u0"]).equals(public.rows(["text", "id"], ["u2", "it's", "u0"]))
    assert compiled.rows(["id"], []).equals(public.rows(["id"], []))
    assert compiled.at([0, 2], ["id"]).equals(public.at([0, 2], ["id"]))
    assert compiled.at([], ["id"]).equals(public.at([], ["id"]))
    assert compiled.nearest(vector, 2).equals(public.nearest(vector, 2))
    assert compiled.matching("hound snow", 5).equals(public.matching("hound snow", 5))


@pytest.mark.parametrize("known", [lance_tables.KNOWN, "0.0."])
def test_places_count_the_rows_that_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: str) -> None:
    monkeypatch.setattr(lance_tables, "KNOWN", known)
    store, texts = LanceStore(tmp_path), [f"text {number}" for number in range(40)]
    store.publish(make_tables(texts), make_build("first"))
    tables = make_tables([*texts[:20], "another", *texts[21:]])
    store.publish({**tables, "text_units": tables["text_units"].filter(np.arange(40) != 7)}, make_build("second"))
    table = text_units(tmp_path / "lancedb")
    left = table.rows(["id", "text"])
    assert left["id"].to_pylist() != tables["text_units"].filter(np.arange(40) != 7)["id"].to_pylist()

    found = table.at([38, 6, 7, 20], ["id", "text"])

    assert sorted(found.to_pylist(), key=str) == sorted(left.take([38, 6, 7, 20]).to_pylist(), key=str)


# --- Beside LanceDB itself ---------------------------------------------------------------


def test_reading_imports_neither_the_package_nor_its_rest_client(folder: Path) -> None:
    heavy = "{'lancedb', 'lance_namespace', 'pandas', 'pyarrow.compute', 'pyarrow.dataset'}"

    assert run(f"print(read(), {heavy} & set(sys.modules))", folder) == "['u1', 'u0'] set()\n"


def test_the_package_can_be_imported_before_and_after(folder: Path) -> None:
    use = "import lancedb; print(lancedb.connect(folder).open_table('text_units').count_rows())\n"

    assert run(f"print(read())\n{use}print(read())", folder) == "['u1', 'u0']\n3\n['u1', 'u0']\n"
    assert run(f"{use}print(read())", folder) == "3\n['u1', 'u0']\n"


def test_threads_may_import_and_read_at_once(folder: Path) -> None:
    program = (
        "from concurrent.futures import ThreadPoolExecutor; from threading import Barrier\n"
        "start = Barrier(4)\n"
        "def use(n):\n"
        "    start.wait()\n"
        "    if n: return read()\n"
        "    import lancedb; return lancedb.connect(folder).open_table('text_units').count_rows()\n"
        "with ThreadPoolExecutor(4) as pool: print(list(pool.map(use, range(4))))"
    )

    assert run(program, folder) == "[3, ['u1', 'u0'], ['u1', 'u0'], ['u1', 'u0']]\n"


# --- Event loops -------------------------------------------------------------------------


def test_reading_inside_a_running_event_loop(folder: Path) -> None:
    async def read() -> int:
        return text_units(folder).count()

    assert asyncio.run(read()) == 3


def test_reading_leaves_the_event_loop_of_its_thread_alone(folder: Path) -> None:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        assert text_units(folder).count() == 3
        assert asyncio.get_event_loop() is loop
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def test_a_version_that_is_gone_is_an_error_of_lancedb(folder: Path) -> None:
    with pytest.raises((OSError, RuntimeError, ValueError)):
        open_tables(folder, {"text_units": 99})
