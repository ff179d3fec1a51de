"""The memo in object storage: a file here, and everything in it also there, for other machines.

SQLite cannot live in object storage. So the memo is a file on this machine, as ever, and a thread
writes out what is new in it as segments (see `segments`). Who opens the memo on another machine fetches
those that are not in the file there yet. Of two replies to the same request the later one counts.

A reply is in the file as soon as it is there, so that a process killed at any time loses none: what
it had not yet written out, the next run on this machine does. Lost is only, with the machine or its
disk, what was not sent yet (see `sending`: some seconds, or 64 replies). What one machine writes,
another sees when it next opens the memo.

Segments are removed under a lock: by `close`, which joins small ones, and by `rewrite`, when something
is to be forgotten. That changes the epoch, and a file of another epoch is emptied when it is opened.
"""

import os
import re
import sqlite3
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from secrets import token_hex
from threading import Lock
from typing import TYPE_CHECKING

from graphrag.errors import BuildInProgressError, StorageError
from graphrag.messages import Reply, Request
from graphrag.models.memo import Memo, MemoStats, Origin, Remembered
from graphrag.models.segments import (
    COLUMNS,
    FOLDER,
    TABLES,
    USED,
    Row,
    Segments,
    decode,
    encode,
    name_of,
    parts,
    size_of,
)
from graphrag.models.sending import Sender

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SEGMENT_ROWS = 1024
SMALL = 1 << 20
"""Bytes under which a segment is worth joining with others."""
MOST_SMALL = 64
"""More small segments than these are joined: each is a request of every new machine."""
CONNECTIONS = 16
_LISTINGS = 5

_EPOCH = "memo.epoch"
_LOCK = "memo.lock"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS unsent (n INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT, used INTEGER, key BLOB);
CREATE TABLE IF NOT EXISTS segments (name TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS epoch (name TEXT);
"""
# That a row was used is for `prune` on other machines: to the week will do.
_TRIGGERS = """
CREATE TRIGGER IF NOT EXISTS new_{table} AFTER INSERT ON {table} BEGIN
    INSERT INTO unsent (kind, used, key) VALUES ('{table}', 0, NEW.key); END;
CREATE TRIGGER IF NOT EXISTS used_{table} AFTER UPDATE OF last_used ON {table}
    WHEN CAST(NEW.last_used / 604800 AS INTEGER) <> CAST(OLD.last_used / 604800 AS INTEGER) BEGIN
    INSERT INTO unsent (kind, used, key) VALUES ('{table}', 1, NEW.key); END;
"""


class SharedMemo(Memo):
    """Replies and vectors by content, shared by machines. Safe for several threads and processes.

    Every method raises StorageError if the file or the storage cannot be used; `put`, `put_all` and
    `put_vectors` need the file only. What cannot be written out is tried again, last by `close`.
    """

    def __init__(self, path: Path, segments: Segments) -> None:
        """A file of this machine for these segments and no others; it is made when it is first needed."""
        super().__init__(path)
        self._file = path
        self._segments = segments
        self._prepared: sqlite3.Connection | None = None
        self._fetched = False
        self._sending = Lock()
        self._sender = Sender(self.send)

    def get(self, origin: Origin, requests: Sequence[str]) -> dict[str, Reply]:
        """The replies to those requests, given by their keys, that any machine remembers; by key."""
        self._fetch()
        return super().get(origin, requests)

    def put_all(self, origin: Origin, replies: Iterable[tuple[Request, Reply]]) -> None:
        """Remember the replies to some requests, in one transaction; they are written out soon."""
        replies = list(replies)
        super().put_all(origin, replies)
        self._sender.add(len(replies))

    def vectors(self, model: str, dimensions: int, texts: Sequence[str]) -> "dict[str, NDArray[np.float32]]":
        """The vectors of those texts that any machine remembers, by text."""
        self._fetch()
        return super().vectors(model, dimensions, texts)

    def put_vectors(self, model: str, dimensions: int, vectors: "Mapping[str, NDArray[np.float32]]") -> None:
        """Remember the vectors of some texts, in one transaction; they are written out soon."""
        super().put_vectors(model, dimensions, vectors)
        self._sender.add(len(vectors))

    def replies(self, origin: Origin) -> Iterator[Remembered]:
        """All replies of one origin, oldest first."""
        self._fetch()
        yield from super().replies(origin)

    def stats(self) -> MemoStats:
        """What is in it; `bytes` are those of the file."""
        self._fetch()
        return super().stats()

    def prune(self, older_than: float) -> int:
        """Forget everywhere what no machine has used for so many seconds (to the week).

        Raises BuildInProgressError while another process forgets or joins.
        """
        with self.alone():
            gone = super().prune(older_than)
            self.rewrite()
        return gone

    def forget_unused(self) -> int:
        """Forget, here and in the storage, what `Memo.forget_unused` does; other machines do when they next
        open the memo. Raises BuildInProgressError while another process forgets or joins."""
        with self.alone():
            gone = super().forget_unused()
            self.rewrite()
        return gone

    @contextmanager
    def alone(self) -> Generator[None]:
        """All that any machine wrote is fetched, and no other removes anything meanwhile."""
        with self._segments.lock(_LOCK):
            self._fetched = False
            self._fetch()
            yield

    def rewrite(self) -> None:
        """Let segments hold what the file holds, and nothing else, after something was deleted in it.

        For use in `alone`. What other machines write meanwhile stays.
        """
        old = self._known()
        with self._errors() as connection:
            mark = _newest(connection)
        kept = [self._write(rows) for rows in chain(*map(self._pages, TABLES))]
        for name in old:
            self._segments.delete(name)
        epoch = token_hex(8)
        self._segments.write(_EPOCH, epoch.encode())
        with self._transaction() as connection:
            connection.execute("DELETE FROM unsent WHERE n <= ?", (mark,))
            _begin(connection, epoch)
            connection.executemany("INSERT INTO segments VALUES (?)", [(name,) for name in kept])

    def send(self) -> None:
        """Write out what is new, whoever put it in the file. Raises StorageError."""
        with self._sending:
            while queued := self._unsent():
                rows = [row for _, row in queued if row]
                name = self._write(rows) if rows else None
                with self._transaction() as connection:
                    connection.execute("DELETE FROM unsent WHERE n <= ?", (queued[-1][0],))
                    connection.executemany("INSERT INTO segments VALUES (?)", [(name,)] if name else [])

    def close(self) -> None:
        """Write out what is new, join small segments, and let go of the file; the next call takes it up again.

        Raises StorageError if that cannot be written out: it stays in the file, for the next run.
        """
        self._sender.stop()
        try:
            if self._prepared and self._file.exists():
                self._finish()
        finally:
            self._fetched, self._prepared = False, None
            super().close()

    # --- Fetching -----------------------------------------------------------------------------

    def _fetch(self) -> None:
        """Bring what the file lacks into it; once, until it is closed."""
        with self._lock:
            if self._fetched:
                return
            epoch = self._segments.read(_EPOCH) or b""
            self._enter(epoch.decode("ascii", "replace"))
            # A segment that is gone when it is read was joined with others: they are in a newer one.
            for _ in range(_LISTINGS):
                if self._take_all(self._there()):
                    break
            self._fetched = True

    def _there(self) -> list[str]:
        return [name for name in self._segments.names(FOLDER) if size_of(name) is not None]

    def _take_all(self, there: Sequence[str]) -> bool:
        """Take what is new of these segments; whether none was gone."""
        known = set(self._known())
        whole = True
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            for part in parts((name for name in there if name not in known), CONNECTIONS):
                for name, data in zip(part, pool.map(self._segments.read, part), strict=True):
                    whole &= data is not None
                    if data is not None:
                        self._take(name, data)
        with self._transaction() as connection:
            gone = [(name,) for name in known.difference(there)]
            connection.executemany("DELETE FROM segments WHERE name = ?", gone)
        return whole

    def _take(self, name: str, data: bytes) -> None:
        rows = _rows_of(name, data)
        with self._transaction() as connection:
            mark = _newest(connection)
            for kind, row in rows:
                connection.execute(*_merging(kind, row))
            connection.execute("DELETE FROM unsent WHERE n > ?", (mark,))
            connection.execute("INSERT OR IGNORE INTO segments VALUES (?)", (name,))

    def _enter(self, epoch: str) -> None:
        """Empty a file of another epoch: something in it is forgotten. What was not yet written out stays."""
        with self._transaction() as connection:
            row = connection.execute("SELECT name FROM epoch").fetchone()
            if (row[0] if row else "") == epoch:
                return
            for table in TABLES:
                unsent = "SELECT key FROM unsent WHERE kind = ? AND NOT used"
                connection.execute(f"DELETE FROM {table} WHERE key NOT IN ({unsent})", (table,))  # noqa: S608
            _begin(connection, epoch)

    # --- Sending ------------------------------------------------------------------------------

    def _finish(self) -> None:
        if self._unsent():
            try:
                self.send()
            except StorageError as error:
                raise StorageError(
                    f"{error}; the newest replies are in {self._file} alone until the next run on this machine"
                ) from None
        small = [name for name in self._known() if (size_of(name) or 0) < SMALL]
        if len(small) > MOST_SMALL:
            # Another process that does it, or storage that fails just now, is no loss.
            with suppress(BuildInProgressError, StorageError), self._segments.lock(_LOCK):
                self._join(small)

    def _join(self, names: Sequence[str]) -> None:
        """Write what small segments hold as few, then remove them. From there and not from the file, which
        may hold what another machine has forgotten since."""
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            read = zip(names, pool.map(self._segments.read, names), strict=True)
            found = {name: _rows_of(name, data) for name, data in read if data is not None}
        joined = [self._write(rows) for rows in parts(chain(*found.values()), SEGMENT_ROWS)]
        for name in found:
            self._segments.delete(name)
        with self._transaction() as connection:
            connection.executemany("DELETE FROM segments WHERE name = ?", [(name,) for name in names])
            connection.executemany("INSERT INTO segments VALUES (?)", [(name,) for name in joined])

    def _unsent(self) -> list[tuple[int, Row | None]]:
        """What is new, as it is now: its number and its row, None if that is gone again."""
        with self._errors() as connection:
            query = "SELECT n, kind, used, key FROM unsent ORDER BY n LIMIT ?"
            queue = connection.execute(query, (SEGMENT_ROWS,)).fetchall()
            return [(n, _current(connection, kind, used, key)) for n, kind, used, key in queue]

    def _pages(self, table: str) -> Iterator[list[Row]]:
        """All rows of a table, some at a time."""
        after = b""
        while True:
            query = f"SELECT {', '.join(COLUMNS[table])} FROM {table} WHERE key > ? ORDER BY key LIMIT ?"  # noqa: S608
            with self._errors() as connection:
                rows = connection.execute(query, (after, SEGMENT_ROWS)).fetchall()
            if not rows:
                return
            after = rows[-1][0]
            yield [(table, row) for row in rows]

    def _write(self, rows: Sequence[Row]) -> str:
        """The name of a new segment of these rows."""
        data = encode(rows)
        name = name_of(data)
        self._segments.write(name, data)
        return name

    def _known(self) -> list[str]:
        """The segments whose rows are in the file."""
        with self._errors() as connection:
            return [name for (name,) in connection.execute("SELECT name FROM segments ORDER BY name")]

    @contextmanager
    def _errors(self) -> Generator[sqlite3.Connection]:
        with super()._errors() as connection:
            if connection is not self._prepared:
                triggers = "".join(_TRIGGERS.format(table=table) for table in TABLES)
                connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} {triggers} COMMIT;")
                self._prepared = connection
            yield connection

    def _after_fork(self) -> None:
        if self._process != os.getpid():
            self._sending = Lock()
        super()._after_fork()

    def _explain(self, error: Exception) -> str:
        return re.sub("replies will be paid for again$", "it is fetched again", super()._explain(error))


def _rows_of(name: str, data: bytes) -> list[Row]:
    try:
        return decode(data)
    except ValueError:
        raise StorageError(
            f"the part {name} of the memo is damaged: delete it; its replies will be paid for again"
        ) from None


def _current(connection: sqlite3.Connection, kind: str, used: bool, key: bytes) -> Row | None:
    columns = ["last_used"] if used else COLUMNS[kind]
    query = f"SELECT {', '.join(columns)} FROM {kind} WHERE key = ?"  # noqa: S608
    row = connection.execute(query, (key,)).fetchone()
    return row and ((USED, (kind, key, *row)) if used else (kind, row))


def _merging(kind: str, row: Sequence[object]) -> tuple[str, Sequence[object]]:
    """The statement that brings a row of a segment into the file, and its values."""
    if kind == USED:
        table, key, used = row
        return f"UPDATE {table} SET last_used = max(last_used, ?) WHERE key = ?", (used, key)  # noqa: S608
    columns = COLUMNS[kind]
    marks, changes = ", ".join("?" * len(columns)), ", ".join(f"{name} = excluded.{name}" for name in columns)
    query = f"INSERT INTO {kind} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608
    return f"{query} ON CONFLICT (key) DO UPDATE SET {changes} WHERE excluded.created > created", row


def _newest(connection: sqlite3.Connection) -> int:
    return connection.execute("SELECT coalesce(max(n), 0) FROM unsent").fetchone()[0]


def _begin(connection: sqlite3.Connection, epoch: str) -> None:
    connection.execute("DELETE FROM segments")
    connection.execute("DELETE FROM epoch")
    connection.execute("INSERT INTO epoch VALUES (?)", (epoch,))
