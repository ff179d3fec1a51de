"""A lock on storage that knows compare-and-set and nothing else, and frees itself when its holder dies.

The lock is a small object: free, or the sign of life of its holder, who writes it anew four times
in `TERM`. Whoever finds one that is older takes it over. Taking, renewing and freeing each replace
exactly the object that was read before (conditional writes), so that of several who try one succeeds.
Age is told by the clock of the storage alone: those of the machines may differ.

What it cannot do: stop a holder that was frozen for longer than `TERM` and wakes up. It finds out at
its next `check`, and cannot write what the lock guards; but anything else that it had begun to write
is written beside what the new holder writes. And after a crash the lock stays taken for up to `TERM`.
"""

import json
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex
from threading import Event, Lock, Thread
from typing import Protocol

from graphrag.errors import BuildInProgressError, StorageError

TERM = 60.0
"""Seconds without a sign of life after which a holder counts as dead."""
FREE = b"{}"


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which writing of an object this is."""

    e_tag: str | None
    version: str | None
    modified: datetime | None = None
    """By the clock of the storage; None right after one's own writing."""


class Cells(Protocol):
    """Storage of small objects that can be compared and set."""

    def read_stamped(self, name: str) -> tuple[bytes, Stamp] | None:
        """An object, if there is one."""
        ...

    def swap(self, name: str, data: bytes, expected: Stamp | None) -> Stamp | None:
        """Write an object in place of that writing of it, or (None) where there is none.

        None if it has been written by somebody else; what is there stays then.
        """
        ...

    def age(self, stamp: Stamp) -> float:
        """Seconds since that writing, by the clock of the storage."""
        ...


class Lease:
    """A lock that is held for a term, again and again. Safe for several threads."""

    def __init__(self, cells: Cells, name: str) -> None:
        self._cells, self._name = cells, name
        self._holder, self._signs = token_hex(8), 0
        self._stamp: Stamp | None = None
        self._mutex = Lock()
        self._over = Event()

    def acquire(self) -> None:
        """Take the lock, or raise BuildInProgressError; StorageError where the storage cannot keep one."""
        found = self._cells.read_stamped(self._name)
        if found and found[0] != FREE:
            left = TERM - self._cells.age(found[1])
            if left > 0:
                raise BuildInProgressError(
                    "another `graphrag index` is building this index, or died just now: wait for it to finish, "
                    f"or for {left:.0f} seconds"
                )
        taken = self._cells.swap(self._name, self._sign(), found and found[1])
        if taken is None:
            raise BuildInProgressError("another `graphrag index` began to build this index: wait for it to finish")
        self._stamp = taken
        self.renew()
        self._probe(taken)

    def renew(self) -> None:
        """Give a sign of life. Raises BuildInProgressError if the lock was taken over: for good then."""
        with self._mutex:
            stamp = self._stamp and self._cells.swap(self._name, self._sign(), self._stamp)
            self._stamp = stamp
        if stamp is None:
            raise BuildInProgressError(
                "another `graphrag index` took this index over, as this one gave no sign of life for "
                f"{TERM:.0f} seconds; it has published nothing: run it again"
            )

    def keep(self) -> None:
        """Renew it until `release`, in a thread of its own. A failure is made up for by the next time."""
        while not self._over.wait(TERM / 4):
            try:
                self.renew()
            except BuildInProgressError:
                return
            except StorageError:
                continue

    def release(self) -> None:
        """Free the lock, if it is still held."""
        self._over.set()
        with self._mutex, suppress(StorageError):
            if self._stamp:
                self._cells.swap(self._name, FREE, self._stamp)
            self._stamp = None

    def _sign(self) -> bytes:
        self._signs += 1
        return json.dumps({"holder": self._holder, "sign": self._signs}).encode()

    def _probe(self, stale: Stamp) -> None:
        """Some servers take conditional writes for plain ones: a lock there would be held by everybody."""
        for expected in (None, stale):
            if self._cells.swap(self._name, self._sign(), expected) is not None:
                raise StorageError(
                    "the object storage ignores conditions of writes (If-Match, If-None-Match): "
                    "two builds could destroy each other's index; use a newer version of it or another one"
                )


@contextmanager
def leased(cells: Cells, name: str) -> Generator[Lease]:
    """Hold a lock for as long as the block takes. Raises BuildInProgressError at once if it is held."""
    lease = Lease(cells, name)
    lease.acquire()
    Thread(target=lease.keep, name="lease", daemon=True).start()
    try:
        yield lease
    finally:
        lease.release()
