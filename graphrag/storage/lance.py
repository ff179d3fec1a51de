"""The store on LanceDB: with `lance_tables`, the only place in the package that knows it.

A build writes a new version of every table, then a manifest that names the versions. Readers go by
the manifest, so a build that is under way, was killed, or came later is never seen.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import json
import re
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from graphrag.errors import BuildInProgressError, IndexMismatchError, IndexNotFoundError, StorageError
from graphrag.language import search_terms
from graphrag.storage.arrays import matrix, take
from graphrag.storage.base import Build, Hit
from graphrag.storage.files import replacing
from graphrag.storage.lance_tables import TableReader, open_tables

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from lancedb import DBConnection
    from lancedb.table import Table
    from numpy.typing import NDArray

FORMAT = 1
"""Of the manifest and the tables; a reader refuses a higher one."""
RETENTION = timedelta(days=1)
"""How long a reader may go on reading a build that another has replaced."""
CLOCK_SLACK = timedelta(minutes=1)
"""LanceDB takes the age of what to remove and reads the clock later than we do."""
FLAT_ROWS = 20_000
"""Below this many rows every vector is compared: exact, and as fast as an index. Readers keep the
vectors of such tables, 30 MB each at most."""
SCANNED_ROWS = 100_000
"""Below this many rows ids are looked up by a scan of their column, in less than 10 ms. At 300,000, a
lookup of ten takes 17 ms by a scan and 3 by an index, which is built in .14 s."""


@dataclass(frozen=True, slots=True)
class _Superseded:
    versions: Mapping[str, int]
    since: datetime


@dataclass(frozen=True, slots=True)
class _Manifest:
    format: int
    build: Build
    versions: Mapping[str, int]
    superseded: tuple[_Superseded, ...] = ()
    """Builds that were replaced within the retention: readers may still be on them."""


class LanceStore:
    """An index in a folder: `manifest.json`, `lock`, and the tables under `lancedb`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def current(self) -> Build | None:
        """The published build; None if there is none, or none that can be read.

        Raises StorageError if a newer version of the package made it.
        """
        manifest = self._manifest()
        return manifest.build if manifest else None

    def open(self) -> "LanceReader":
        """A reader of the published build, whatever is published later (for `RETENTION`).

        Raises IndexNotFoundError if nothing has been published, StorageError if it is damaged.
        """
        manifest = self._manifest()
        if manifest is None:
            if self._manifest_path.exists():
                raise StorageError(f"the index in {self.folder} is damaged; {self._remedy}")
            raise IndexNotFoundError(f"there is no index in {self.folder}; make one with `graphrag index`")
        with _storage_errors(f"the index in {self.folder} is damaged; {self._remedy}"):
            tables = open_tables(self.folder / "lancedb", manifest.versions)
        return LanceReader(self.folder, manifest.build, tables)

    @contextmanager
    def lock(self) -> Generator[None]:
        """Hold the right to publish; freed when the holder dies.

        Raises BuildInProgressError at once if another process or thread holds it.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder / "lock")
        with _storage_errors(f"cannot write in {self.folder}"):
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise BuildInProgressError(
                    "another `graphrag index` is building this index; wait for it to finish"
                ) from None
        try:
            yield
        finally:
            lock.release()

    def publish(self, tables: "Mapping[str, pa.Table]", build: Build) -> None:
        """Replace the index by these tables, all at once; readers opened before keep theirs.

        On StorageError the build published before stays.
        """
        import lancedb

        previous = self._manifest()
        with _storage_errors(f"cannot write the index in {self.folder}"):
            self.folder.mkdir(parents=True, exist_ok=True)
            database = lancedb.connect(self.folder / "lancedb")
            written = {name: self._write(database, name, data, build.dimensions) for name, data in tables.items()}
            versions = {name: table.version for name, table in written.items()}
            manifest = _Manifest(FORMAT, build, versions, _superseded_by(previous))
            with replacing(self._manifest_path) as path:
                path.write_bytes(TypeAdapter(_Manifest).dump_json(manifest, indent=1))
        in_use = [versions, *(old.versions for old in manifest.superseded)]
        for name, table in written.items():
            # The build is out: what cannot be cleaned up now is cleaned up by the next one.
            with suppress(RuntimeError, OSError, ValueError):
                _discard(table, {build_versions[name] for build_versions in in_use if name in build_versions})

    @property
    def _manifest_path(self) -> Path:
        return self.folder / "manifest.json"

    @property
    def _remedy(self) -> str:
        return f"delete {self.folder / 'lancedb'} and rebuild with `graphrag index`"

    def _directory(self, table: str) -> Path:
        return self.folder / "lancedb" / f"{table}.lance"

    def _manifest(self) -> _Manifest | None:
        try:
            data: Any = json.loads(self._manifest_path.read_bytes())
            if isinstance(data, dict) and isinstance(data.get("format"), int) and data["format"] > FORMAT:
                raise StorageError(f"the index in {self.folder} was made by a newer version: upgrade graphrag-drift")
            manifest = TypeAdapter(_Manifest).validate_python(data)
        except (FileNotFoundError, ValidationError, ValueError):
            return None
        except OSError as error:
            raise StorageError(f"cannot read the index in {self.folder}: {_line(error)}") from error
        # Tables that somebody deleted must not pass for a finished build: there is work to do.
        return manifest if all(self._directory(name).is_dir() for name in manifest.versions) else None

    def _write(self, database: "DBConnection", name: str, data: "pa.Table", dimensions: int) -> "Table":
        from lancedb.index import FTS, BTree, IvfRq

        # Overwriting what does not exist works too, but puts a warning on the terminal.
        mode = "overwrite" if self._directory(name).is_dir() else "create"
        table = database.create_table(name, data, mode=mode)
        if "search_text" in data.column_names:
            # The text is analysed by `language.search_terms`: only stems and accents are left to do.
            config = FTS(base_tokenizer="whitespace", lower_case=False, remove_stop_words=False)
            table.create_index("search_text", config=config)
        # RabitQ packs eight dimensions into a byte and takes no others.
        if "vector" in data.column_names and data.num_rows >= FLAT_ROWS and dimensions % 8 == 0:
            table.create_index("vector", config=IvfRq(distance_type="cosine"))
        if data.num_rows >= SCANNED_ROWS:
            table.create_index("id", config=BTree())
        return table


class LanceReader:
    """The build that was published when the reader was opened. Safe to use from several threads."""

    def __init__(self, folder: Path, build: Build, tables: Mapping[str, TableReader]) -> None:
        self._folder = folder
        self._build = build
        self._tables = tables
        self._vectors: dict[str, tuple[list[str], NDArray[np.float32]] | None] = {}

    @property
    def build(self) -> Build:
        """What the build says of itself."""
        return self._build

    def table(self, name: str, columns: Sequence[str] | None = None) -> "pa.Table":
        """A whole table in the order it was published in, or some columns of it, in their order."""
        with self._reading():
            return self._tables[name].rows(columns)

    def rows(self, name: str, ids: Sequence[str], columns: Sequence[str] | None = None) -> "pa.Table":
        """The rows with these ids, in the order of `ids`; unknown ids are left out."""
        wanted = None if columns is None else [*dict.fromkeys(["id", *columns])]
        with self._reading():
            found = self._tables[name].rows(wanted, ids)
        position = {found_id: row for row, found_id in enumerate(found["id"].to_pylist())}
        ordered = take(found, [position[row_id] for row_id in ids if row_id in position])
        return ordered if columns is None else ordered.select(list(columns))

    def nearest(self, name: str, vector: "NDArray[np.float32]", k: int) -> list[Hit]:
        """The k rows whose vectors are nearest, best first; score is the cosine similarity.

        A vector of zeros has no direction: it finds nothing and is never found. Raises
        IndexMismatchError if `vector` has another length than those of the index.
        """
        if vector.shape != (self._build.dimensions,):
            raise IndexMismatchError(
                f"the index has vectors of length {self._build.dimensions} ({self._build.embedding_model}), "
                f"the question one of {vector.size}: use the same embedding model, or rebuild with `graphrag index`"
            )
        if k < 1:
            return []
        kept = self._kept_vectors(name)
        if kept:
            return _nearest(*kept, vector, k)
        with self._reading():
            found: Any = self._tables[name].nearest(vector, k)
        return _hits(found["id"].to_pylist(), [1 - distance for distance in found["_distance"].to_pylist()])

    def _kept_vectors(self, name: str) -> "tuple[list[str], NDArray[np.float32]] | None":
        """The vectors of a small table at length 1, and their ids: read once. None for a large one."""
        if name not in self._vectors:
            with self._reading():
                small = self._tables[name].count() < FLAT_ROWS
            self._vectors[name] = _directed(self.table(name, ["id", "vector"])) if small else None
        return self._vectors[name]

    def matching(self, name: str, text: str, k: int) -> list[Hit]:
        """The k rows that BM25 ranks best for any of the words of `text`, best first.

        `text` is plain: it is analysed as the index was, and no character in it has a meaning.
        """
        terms = search_terms(text)
        if not terms or k < 1:
            return []
        with self._reading():
            found: Any = self._tables[name].matching(terms, k)
        return _hits(found["id"].to_pylist(), found["_score"].to_pylist())

    @contextmanager
    def _reading(self) -> Generator[None]:
        with _storage_errors(f"cannot read the index in {self._folder}; open it again, or run `graphrag index`"):
            yield


def _directed(table: "pa.Table") -> "tuple[list[str], NDArray[np.float32]]":
    """The vectors that have a direction, at length 1, and their ids."""
    import numpy as np

    ids: list[Any] = table["id"].to_pylist()
    vectors = matrix(table["vector"])
    lengths = np.linalg.norm(vectors, axis=1)
    rows: list[int] = np.flatnonzero(lengths).tolist()
    return [ids[row] for row in rows], vectors[rows] / lengths[rows, None]


def _nearest(ids: list[str], vectors: "NDArray[np.float32]", vector: "NDArray[np.float32]", k: int) -> list[Hit]:
    """By one product with all vectors: exact, and quicker than to ask for a scan."""
    import numpy as np

    length = float(np.linalg.norm(vector))
    if not length or not ids:
        return []
    scores = vectors @ (vector / length)
    best: list[int] = np.argpartition(-scores, min(k, len(ids)) - 1)[:k].tolist()
    return _hits([ids[row] for row in best], [float(scores[row]) for row in best])


def _hits(ids: Sequence[str], scores: Sequence[float]) -> list[Hit]:
    # Equal scores come in no particular order; by id, they come in the same one from every build.
    return sorted(map(Hit, ids, scores), key=lambda hit: (-hit.score, hit.id))


def _superseded_by(previous: _Manifest | None) -> tuple[_Superseded, ...]:
    """What a build that is published now supersedes, of which readers may still be open."""
    if previous is None:
        return ()
    now = datetime.now(UTC)
    recent = [old for old in previous.superseded if old.since > now - RETENTION]
    return (*recent, _Superseded(previous.versions, now))


def _discard(table: "Table", keep: set[int]) -> None:
    """Remove the versions before the oldest of `keep`."""
    times = [version["timestamp"].timestamp() for version in table.list_versions() if version["version"] in keep]
    table.optimize(cleanup_older_than=timedelta(seconds=time.time() - min(times)) + CLOCK_SLACK)


@contextmanager
def _storage_errors(what: str) -> Generator[None]:
    # These three are what LanceDB raises, its ValueErrors for tables and versions that are gone included.
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        raise StorageError(f"{what} ({_line(error)})") from error


def _line(error: Exception) -> str:
    """The first line of an error, without the places in Rust sources that LanceDB adds."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    first = next(iter(text.splitlines()), type(error).__name__)
    return re.split(r", /(?:root|rustc)/", first)[0]
