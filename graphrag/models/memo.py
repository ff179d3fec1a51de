"""What models said, remembered for good: nothing that was paid for once is paid for again.

One SQLite file in WAL mode, which several processes may use at once. A reply is written in a
transaction of its own as soon as it is there, so that a process killed at any time loses none.
Addresses are hashes of all that a reply depends on.
"""

import hashlib
import json
import os
import sqlite3
import time
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar

from graphrag.errors import StorageError, UnusableReplyError
from graphrag.messages import Finish, Reply, Request, TokenUsage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")

FORMAT = 1
"""Of the addresses: another number forgets everything."""
DAY = 86_400.0
_COMPRESS_ABOVE = 1000
_BUSY = 60.0
_MOST_KEYS = 500
_SCHEMA = """
CREATE TABLE IF NOT EXISTS replies (
    key BLOB PRIMARY KEY, model TEXT NOT NULL, parameters TEXT NOT NULL, request TEXT NOT NULL, stage TEXT NOT NULL,
    text BLOB NOT NULL, compressed INTEGER NOT NULL, finish TEXT NOT NULL,
    prompt INTEGER NOT NULL, completion INTEGER NOT NULL, cached INTEGER NOT NULL,
    created REAL NOT NULL, last_used REAL NOT NULL);
CREATE TABLE IF NOT EXISTS vectors (
    key BLOB PRIMARY KEY, model TEXT NOT NULL, vector BLOB NOT NULL, created REAL NOT NULL, last_used REAL NOT NULL);
CREATE TABLE IF NOT EXISTS servers (key TEXT PRIMARY KEY, level TEXT NOT NULL, found REAL NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose replies: a model and all that its replies depend on beside the request."""

    model: str
    parameters: str
    """JSON with sorted keys."""

    @classmethod
    def of(cls, model: str, parameters: Mapping[str, object]) -> "Origin":
        """The same for parameters in any order."""
        return cls(model, json.dumps(parameters, ensure_ascii=False, sort_keys=True, separators=(",", ":")))

    @property
    def digest(self) -> str:
        """A hash of it."""
        return _hash(FORMAT, self.model, self.parameters).hex()

    def address(self, request: str) -> bytes:
        """Where the reply to a request, given by its key, is kept."""
        return _hash(FORMAT, self.model, self.parameters, request)


@dataclass(frozen=True, slots=True)
class Remembered:
    """A reply in the memo, and what it is the reply to."""

    request: str
    """The request's key."""
    stage: str
    reply: Reply


@dataclass(frozen=True, slots=True)
class MemoStats:
    """What a memo holds."""

    replies: Mapping[Origin, int]
    """Most recently used first."""
    stages: Mapping[str, int]
    tokens: TokenUsage
    """What the replies cost when they were had."""
    vectors: Mapping[str, int]
    """By embedding model."""
    bytes: int


class Memo:
    """Replies and vectors by content. Safe for several threads and processes.

    Every method raises StorageError if the file cannot be used.
    """

    def __init__(self, path: Path | None = None) -> None:
        """A file, made when it is first needed, folders included; None: in memory, until `close`."""
        self._path = path
        self._lock = RLock()
        self._connection: sqlite3.Connection | None = None
        self._process = os.getpid()
        self._inherited: list[sqlite3.Connection] = []
        self._used: set[bytes] = set()
        """Addresses of replies that were recalled or put by this object."""

    def get(self, origin: Origin, requests: Sequence[str]) -> dict[str, Reply]:
        """The replies to those requests, given by their keys, that are remembered; by key."""
        keys = {origin.address(request): request for request in requests}
        columns = "text, compressed, finish, prompt, completion, cached"
        rows = self._rows("replies", columns, list(keys))
        self._used.update(key for key, *_ in rows)
        return {keys[key]: _reply(row) for key, *row in rows}

    def put(self, origin: Origin, request: Request, reply: Reply) -> None:
        """Remember a reply, in place of an older one."""
        self.put_all(origin, [(request, reply)])

    def put_all(self, origin: Origin, replies: Iterable[tuple[Request, Reply]]) -> None:
        """Remember the replies to some requests, in one transaction."""
        rows = [_row(origin, request, reply, time.time()) for request, reply in replies]
        self._used.update(row[0] for row in rows)
        with self._transaction() as connection:
            for row in rows:
                connection.execute(f"INSERT OR REPLACE INTO replies VALUES ({_marks(row)})", row)  # noqa: S608  (marks)

    def vectors(self, model: str, dimensions: int, texts: Sequence[str]) -> "dict[str, NDArray[np.float32]]":
        """The vectors of those texts that are remembered, by text."""
        import numpy as np

        keys = {_hash(FORMAT, model, dimensions, text): text for text in texts}
        rows = self._rows("vectors", "vector", list(keys))
        return {keys[key]: np.frombuffer(vector, dtype=np.float32) for key, vector in rows}

    def put_vectors(self, model: str, dimensions: int, vectors: "Mapping[str, NDArray[np.float32]]") -> None:
        """Remember the vectors of some texts, in one transaction."""
        now = time.time()
        rows = [
            (_hash(FORMAT, model, dimensions, text), model, vector.tobytes(), now, now)
            for text, vector in vectors.items()
        ]
        with self._transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?, ?)", rows)

    def level(self, server: str, longest: float) -> str | None:
        """How a server, given by a hash, holds replies to their form, if that was found out in so many seconds."""
        if self._path and not self._path.exists():
            return None
        query = "SELECT level FROM servers WHERE key = ? AND found > ?"
        with self._errors() as connection:
            row = connection.execute(query, (server, time.time() - longest)).fetchone()
        return row and row[0]

    def put_level(self, server: str, level: str) -> None:
        """Remember that of a server, in place of an older one."""
        with self._transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO servers VALUES (?, ?, ?)", (server, level, time.time()))

    def replies(self, origin: Origin) -> Iterator[Remembered]:
        """All replies of one origin, oldest first."""
        query = (
            "SELECT request, stage, text, compressed, finish, prompt, completion, cached FROM replies "
            "WHERE model = ? AND parameters = ? ORDER BY created, request"
        )
        with self._errors() as connection:
            for request, stage, *row in connection.execute(query, (origin.model, origin.parameters)):
                yield Remembered(request, stage, _reply(row))

    def stats(self) -> MemoStats:
        """What is in it."""
        with self._errors() as connection:
            origins = "SELECT model, parameters, count(*) FROM replies GROUP BY 1, 2 ORDER BY max(last_used) DESC, 1, 2"
            tokens = "SELECT total(prompt), total(completion), total(cached) FROM replies"
            size = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
            return MemoStats(
                replies={Origin(model, parameters): n for model, parameters, n in connection.execute(origins)},
                stages=dict(connection.execute("SELECT stage, count(*) FROM replies GROUP BY 1 ORDER BY 1")),
                tokens=TokenUsage(*map(int, connection.execute(tokens).fetchone())),
                vectors=dict(connection.execute("SELECT model, count(*) FROM vectors GROUP BY 1 ORDER BY 1")),
                bytes=connection.execute(size).fetchone()[0],
            )

    def prune(self, older_than: float) -> int:
        """Forget what was not used for so many seconds (to the day); how many things that were."""
        before = time.time() - older_than
        with self._transaction() as connection:
            gone = sum(
                connection.execute(f"DELETE FROM {table} WHERE last_used <= ?", (before,)).rowcount  # noqa: S608
                for table in ("replies", "vectors")
            )
        with self._errors() as connection:
            connection.execute("VACUUM")
        return gone

    def forget_unused(self) -> int:
        """Forget, and remove from the file, all replies but those that this object was asked for or given
        since it was made, and all vectors; how many things that were."""
        if self._path and not self._path.exists():
            return 0
        with self._transaction() as connection:
            connection.execute("CREATE TEMP TABLE used (key BLOB PRIMARY KEY)")
            connection.executemany("INSERT INTO used VALUES (?)", [(key,) for key in self._used])
            gone = connection.execute("DELETE FROM replies WHERE key NOT IN (SELECT key FROM used)").rowcount
            gone += connection.execute("DELETE FROM vectors").rowcount
            connection.execute("DROP TABLE used")
        with self._errors() as connection:
            connection.execute("VACUUM")
            # What was forgotten stands in the log until then.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone

    def close(self) -> None:
        """Let go of the file; the next call takes it up again."""
        self._after_fork()
        with self._lock:
            if self._connection:
                self._connection.close()
            self._connection = None

    def _rows(self, table: str, columns: str, keys: Sequence[bytes]) -> list[Any]:
        """Rows (key, *columns). That they were used is written once a day, not once a hit."""
        rows: list[Any] = []
        if self._path and not self._path.exists():
            return rows
        stale: list[tuple[float, bytes]] = []
        now = time.time()
        with self._errors() as connection:
            for start in range(0, len(keys), _MOST_KEYS):
                part = keys[start : start + _MOST_KEYS]
                query = f"SELECT key, last_used, {columns} FROM {table} WHERE key IN ({_marks(part)})"  # noqa: S608
                for key, used, *row in connection.execute(query, part):
                    rows.append((key, *row))
                    if used < now - DAY:
                        stale.append((now, key))
        if stale:
            with self._transaction() as connection:
                connection.executemany(f"UPDATE {table} SET last_used = ? WHERE key = ?", stale)  # noqa: S608
        return rows

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        with self._errors() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def _errors(self) -> Generator[sqlite3.Connection]:
        """The connection, for one thread at a time; what SQLite raises becomes a StorageError."""
        self._after_fork()
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = _open(self._path)
                yield self._connection
            except (sqlite3.Error, zlib.error) as error:
                raise StorageError(self._explain(error)) from None
            except OSError as error:
                raise StorageError(f"cannot use the memo {self._path}: {error.strerror}") from None

    def _after_fork(self) -> None:
        """A connection to a file stays behind in the process that was forked: SQLite forbids both its use
        and its being closed here."""
        if self._process != os.getpid():
            self._process, self._lock = os.getpid(), RLock()
            if self._connection and self._path:
                self._inherited.append(self._connection)
                self._connection = None

    def _explain(self, error: Exception) -> str:
        usable = isinstance(error, sqlite3.OperationalError) and "malformed" not in str(error)
        if usable:
            return f"cannot use the memo {self._path}: {error}"
        return f"the memo {self._path} is damaged ({error}): delete it; replies will be paid for again"


def recall(memo: Memo, origin: Origin, requests: Mapping[str, Request], parse: Callable[[Reply], T]) -> dict[str, T]:
    """What `parse` makes of the remembered replies to requests, by their keys as these are.

    A reply that it no longer accepts counts as forgotten: the next one takes its place.
    """
    parsed: dict[str, T] = {}
    for key, reply in memo.get(origin, list(requests)).items():
        with suppress(UnusableReplyError):
            parsed[key] = parse(replace(reply, request=requests[key]))
    return parsed


def _open(path: Path | None) -> sqlite3.Connection:
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path or ":memory:", timeout=_BUSY, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    """Bring a new file into shape, whoever else is at it."""
    for left in reversed(range(100)):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            # A commit is safe from a kill without waiting for the disk; a power cut may undo the last few.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
            return
        except sqlite3.OperationalError as error:
            # Changing to WAL does not wait for another process that does the same.
            if "locked" not in str(error) or not left:
                raise
            time.sleep(0.05)


def _row(origin: Origin, request: Request, reply: Reply, now: float) -> tuple[Any, ...]:
    key, usage = request.key(), reply.usage
    text = reply.text.encode("utf-8", "surrogatepass")
    compressed = len(text) > _COMPRESS_ABOVE
    row = (origin.address(key), origin.model, origin.parameters, key, request.stage)
    row += (zlib.compress(text) if compressed else text, compressed, reply.finish)
    return (*row, usage.prompt, usage.completion, usage.cached, now, now)


def _reply(row: Sequence[Any]) -> Reply:
    text, compressed, finish, *usage = row
    raw: bytes = zlib.decompress(text) if compressed else text
    ending: Finish = finish
    return Reply(raw.decode("utf-8", "surrogatepass"), ending, TokenUsage(*usage))


def _hash(*parts: object) -> bytes:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode("utf-8", "surrogatepass")).digest()


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
