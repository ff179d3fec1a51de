"""What every place must do, and what object storage does beyond: on a real server of its protocol."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from object_storage import SECRET, ObjectStorage, serving

from graphrag.errors import BuildInProgressError, MissingDependencyError, SettingsError, StorageError
from graphrag.storage import lance_tables
from graphrag.storage.buckets import Bucket
from graphrag.storage.files import replacing
from graphrag.storage.lance_tables import open_tables
from graphrag.storage.places import Folder, Place, is_remote, place

from .samples import make_tables

pytestmark = pytest.mark.enable_socket


@pytest.fixture(scope="module")
def server() -> Iterator[ObjectStorage]:
    with serving() as server:
        yield server


@pytest.fixture
def bucket(server: ObjectStorage) -> Iterator[Bucket]:
    yield Bucket(server.new_uri())
    server.denied = server.unconditional = False


@pytest.fixture(params=["folder", "bucket"])
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Folder(tmp_path / "output") if request.param == "folder" else request.getfixturevalue("bucket")


def test_nothing_is_there_at_first(there: Place) -> None:
    assert there.read("a") is None
    assert there.names("memo") == []
    assert there.folders("lancedb") == set()
    there.delete("a")


def test_what_was_written_is_read(there: Place) -> None:
    there.write("a", b"old")
    there.write("a", b"new \x00\xff")

    assert there.read("a") == b"new \x00\xff"
    there.delete("a")
    assert there.read("a") is None


def test_names_and_folders_are_those_under_a_prefix(there: Place) -> None:
    for name in ("memo/2", "memo/1", "memo.epoch", "lancedb/a.lance/data/x", "lancedb/b.lance/y", "lancedb/z"):
        there.write(name, b"x")

    assert there.names("memo") == ["memo/1", "memo/2"]
    assert there.folders("lancedb") == {"a.lance", "b.lance"}


def test_what_a_killed_write_left_is_not_listed(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write("memo/a", b"")
    with replacing(tmp_path / "memo" / "b") as temporary:
        temporary.write_bytes(b"half")
        assert folder.names("memo") == ["memo/a"]


def test_one_holder_of_a_lock_at_a_time(there: Place) -> None:
    with there.lock("lock"), pytest.raises(BuildInProgressError), there.lock("lock"):
        pass
    with there.lock("lock"), there.lock("another lock"):
        pass


def test_the_holder_writes_what_the_lock_guards(there: Place) -> None:
    for content in (b"1", b"2"):
        with there.lock("lock", "manifest.json") as hold:
            hold.check()
            hold.write(content)
            hold.write(content + b"!")
            assert there.read("manifest.json") == content + b"!"


HOLD = "import sys; from pathlib import Path; from graphrag.storage.places import place\n" + (
    "with place(sys.argv[1], Path()).lock('lock'):\n    print('held', flush=True); sys.stdin.read()"
)


def killed_holder(uri: str) -> None:
    """Somebody takes the lock and is killed."""
    command = [sys.executable, "-c", HOLD, uri]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(BuildInProgressError), place(uri, Path()).lock("lock"):
            pass
        process.kill()


def test_a_killed_holder_of_a_folder_is_succeeded_at_once(tmp_path: Path) -> None:
    killed_holder(str(tmp_path))

    with Folder(tmp_path).lock("lock"):
        pass


def test_a_killed_holder_of_a_bucket_is_succeeded_after_a_term(bucket: Bucket) -> None:
    killed_holder(str(bucket))

    with pytest.raises(BuildInProgressError, match=r"or for \d+ seconds"), bucket.lock("lock"):
        pass
    with in_two_minutes(bucket).lock("lock"):
        pass


def in_two_minutes(bucket: Bucket) -> Bucket:
    return Bucket(str(bucket), now=lambda: datetime.now(UTC) + timedelta(minutes=2))


def test_who_lost_the_lock_writes_nothing(bucket: Bucket) -> None:
    with bucket.lock("lock", "manifest.json") as frozen:
        frozen.write(b"before")
        with in_two_minutes(bucket).lock("lock", "manifest.json") as hold:
            with pytest.raises(BuildInProgressError, match="took this index over"):
                frozen.check()
            with pytest.raises(BuildInProgressError, match="took this index over"):
                frozen.write(b"frozen")
            hold.write(b"after")
        with pytest.raises(BuildInProgressError):
            frozen.write(b"frozen")

    assert bucket.read("manifest.json") == b"after"


def test_what_another_wrote_meanwhile_is_not_written_over(bucket: Bucket) -> None:
    """Between the last sign of life and the write, say."""
    with bucket.lock("lock", "manifest.json") as hold:
        bucket.write("manifest.json", b"another's")
        with pytest.raises(BuildInProgressError, match="published this index meanwhile"):
            hold.write(b"mine")

    assert bucket.read("manifest.json") == b"another's"


def test_a_write_that_was_refused_because_of_itself_counts(bucket: Bucket) -> None:
    """The answer to it was lost, and it was tried again."""
    first = bucket.swap("a", b"mine", None)

    assert first
    assert bucket.swap("a", b"mine", None) is not None
    assert bucket.swap("a", b"other", None) is None


def test_a_server_that_ignores_conditions_is_told(bucket: Bucket, server: ObjectStorage) -> None:
    server.unconditional = True

    with pytest.raises(StorageError, match="ignores conditions"), bucket.lock("lock"):
        pass


# --- What goes wrong ----------------------------------------------------------------------


def test_a_bucket_that_there_is_not(server: ObjectStorage) -> None:
    nowhere = Bucket("s3://no-such-bucket/path")

    for use in (lambda: nowhere.read("a"), lambda: nowhere.write("a", b""), lambda: nowhere.names("memo")):
        with pytest.raises(StorageError, match=r"^cannot use s3://no-such-bucket/path: there is no such bucket"):
            use()


def test_refused_access_is_told_in_words_of_our_own(bucket: Bucket, server: ObjectStorage) -> None:
    server.denied = True

    with pytest.raises(StorageError) as caught:
        bucket.write("a", b"")

    assert str(caught.value) == (
        f"cannot use {bucket}: access is refused (AccessDenied); check the credentials and their rights"
    )
    assert caught.value.__cause__ is None


def test_a_server_that_is_not_there(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("graphrag.storage.buckets.PATIENCE", timedelta(0))

    with pytest.raises(StorageError, match="cannot be reached"):
        Bucket(str(bucket)).read("a")


def test_a_forked_process_is_told_instead_of_waiting_for_ever(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.read("a")
    monkeypatch.setattr(os, "getpid", lambda: -1)

    with pytest.raises(StorageError, match="forked"):
        bucket.read("a")


def test_the_endpoint_of_the_service_wins(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", os.environ["AWS_ENDPOINT_URL"])
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    again = Bucket(str(bucket))
    again.write("a", b"here")

    assert bucket.read("a") == b"here"
    assert again.storage_options["aws_endpoint"] == os.environ["AWS_ENDPOINT_URL_S3"]


def test_secrets_are_not_shown(bucket: Bucket) -> None:
    shown = [repr(bucket), str(bucket), str(vars(bucket)), str(bucket.storage_options), bucket.uri("lancedb")]

    assert os.environ["AWS_SECRET_ACCESS_KEY"] == SECRET
    assert SECRET not in " ".join(shown)


@pytest.mark.parametrize("uri", ["s3://key:hush@bucket/path", "s3://bucket/path?secret=hush", "s3://bucket/p#hush"])
def test_secrets_in_a_uri_are_refused_and_not_repeated(uri: str) -> None:
    with pytest.raises(SettingsError, match="environment only") as caught:
        place(uri, Path())

    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("uri", ["ftp://bucket/path", "s3://", "s3:///path", "file:///tmp"])
def test_other_uris_are_refused(uri: str) -> None:
    with pytest.raises(SettingsError, match="use a path, or s3://bucket/path"):
        place(uri, Path())


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)

    with pytest.raises(MissingDependencyError, match=r"graphrag-drift\[object-storage\]"):
        place("s3://bucket/path", Path())


def test_a_path_is_a_folder_of_the_root(tmp_path: Path) -> None:
    assert str(place("output", tmp_path)) == str(tmp_path / "output")
    assert is_remote("s3://bucket/path")
    assert not is_remote("C:\\index")


# --- Tables -------------------------------------------------------------------------------


@pytest.mark.parametrize("release", [lance_tables.KNOWN, "none"])
def test_tables_are_read_there_at_their_versions(there: Place, monkeypatch: pytest.MonkeyPatch, release: str) -> None:
    import lancedb
    from lancedb.index import FTS

    monkeypatch.setattr(lance_tables, "KNOWN", release)
    uri, options = there.uri("lancedb"), dict(there.storage_options)
    units = make_tables()["text_units"]
    table = lancedb.connect(uri, storage_options=options).create_table("text_units", units)
    table.create_index("search_text", config=FTS(base_tokenizer="whitespace", lower_case=False))
    first = table.version
    table.delete("id = 'u0'")
    table.merge_insert("id").when_not_matched_insert_all().execute(make_tables(["A hound barks."], "v")["text_units"])
    table.optimize()

    def found(version: int) -> list[set[str]]:
        read = open_tables(uri, {"text_units": version}, options)["text_units"]
        nearest = read.nearest(np.array([1, 0, 0, 0], np.float32), 1)
        rows = read.rows(["id"], ["u0", "v0"])
        return [set(result["id"].to_pylist()) for result in (read.matching("hound", 5), nearest, rows)]

    assert found(first) == [{"u1", "u0"}, {"u0"}, {"u0"}]
    assert found(table.version) == [{"u1", "v0"}, {"v0"}, {"v0"}]
    assert there.folders("lancedb") == {"text_units.lance"}


def test_writers_of_one_table_do_not_undo_each_other(bucket: Bucket) -> None:
    """LanceDB's own writes are conditional too."""
    from concurrent.futures import ThreadPoolExecutor

    import lancedb
    import pyarrow as pa

    def connect() -> lancedb.DBConnection:
        return lancedb.connect(bucket.uri("lancedb"), storage_options=dict(bucket.storage_options))

    connect().create_table("t", pa.table({"id": ["0"]}))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: connect().open_table("t").add(pa.table({"id": [n]})), "1234"))

    assert sorted(connect().open_table("t").to_arrow()["id"].to_pylist()) == list("01234")
