"""Work that is done soon after it came up, by a thread that does what has gathered in one go."""

import os
from collections.abc import Callable
from threading import Condition, Event, Thread

from graphrag.errors import StorageError

DELAY = 2.0
"""Seconds after the first thing that was added, after which all are sent."""
BATCH = 64
"""Things that are sent at once."""


class Sender:
    """A thread that calls `send` soon after something was added, for as long as that fails."""

    def __init__(self, send: Callable[[], None]) -> None:
        self._send = send
        self._process = os.getpid()
        self._changed = Condition()
        self._added = 0
        self._stop = Event()
        self._thread: Thread | None = None

    def add(self, number: int) -> None:
        """So many things are to be sent."""
        self._after_fork()
        with self._changed:
            self._added += number
            if self._thread is None:
                self._stop = Event()
                self._thread = Thread(target=self._run, args=(self._stop,), name="memo", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def stop(self) -> None:
        """End the thread; what is not sent stays so."""
        self._after_fork()
        with self._changed:
            self._stop.set()
            thread, self._thread = self._thread, None
            self._changed.notify_all()
        if thread:
            thread.join()

    def _run(self, stop: Event) -> None:
        while self._due(stop):
            try:
                self._send()
            except StorageError:
                with self._changed:
                    self._added += 1

    def _due(self, stop: Event) -> bool:
        """Wait until something is to be sent; False: no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._added or stop.is_set())
            self._changed.wait_for(lambda: self._added >= BATCH or stop.is_set(), DELAY)
            self._added = 0
            return not stop.is_set()

    def _after_fork(self) -> None:
        """A thread stays behind in the process that was forked, and so may a lock that is held."""
        if self._process != os.getpid():
            self.__init__(self._send)
