"""An event loop in a thread of its own, for callers that know of none or are inside one."""

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from typing import Generic, TypeVar

from graphrag.errors import ConnectionLostError
from graphrag.streams import interruptible

T = TypeVar("T")

GRACE = 5.0
"""Seconds that an interrupted call gets to hang up."""


class Running(Generic[T]):
    """A coroutine on its way."""

    def __init__(self, future: "Future[T]", ended: threading.Event, loop: asyncio.AbstractEventLoop) -> None:
        """`ended` is set when it has come to its end, also after it was cancelled."""
        self._future = future
        self._ended = ended
        self._loop = loop

    def result(self) -> T:
        """What it returns or raises. If the wait breaks off, it is cancelled.

        Raises ConnectionLostError if another thread closes its background meanwhile.
        """
        try:
            return self._future.result()
        except CancelledError:
            raise ConnectionLostError("the model service was closed") from None
        except BaseException:
            self.cancel()
            raise

    def cancel(self) -> None:
        """Cancel it unless it has ended, and wait for it to hang up."""
        # Garbage is collected by any thread, the loop's own among them: it cannot wait for itself.
        if self._future.cancel() and not _inside(self._loop):
            self._ended.wait(GRACE)

    def then(self, call: Callable[[], object]) -> None:
        """Call this from some thread when there is a result."""
        self._future.add_done_callback(lambda _: call())


class Background:
    """Runs coroutines for any thread; its own thread starts with the first of them.

    The thread is a daemon's and ends with `close`, with this object, or with the process.
    """

    def __init__(self, new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop) -> None:
        self._new_loop = new_loop
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: weakref.finalize[..., Background] | None = None

    @property
    def running(self) -> bool:
        """Whether there is a thread."""
        return self._end is not None and self._end.alive

    @property
    def usable(self) -> bool:
        """Whether a coroutine would come to its end: a process that ends starts no thread any more."""
        return self.running or threading.main_thread().is_alive()

    def run(self, coroutine: Coroutine[object, object, T]) -> T:
        """What the coroutine returns or raises. If the wait is interrupted, it is cancelled.

        Raises ConnectionLostError if another thread closes this meanwhile.
        """
        running = self.start(coroutine)
        try:
            with interruptible(running.cancel):
                return running.result()
        finally:
            running.cancel()

    def start(self, coroutine: Coroutine[object, object, T]) -> Running[T]:
        """Run a coroutine, and do not wait for it."""
        ended = threading.Event()

        async def noted() -> T:
            try:
                return await coroutine
            finally:
                ended.set()

        self._after_fork()
        # Handed over under the lock: `close` stops no loop between its being found and being used.
        with self._lock:
            loop = self._started()
            return Running(asyncio.run_coroutine_threadsafe(noted(), loop), ended, loop)

    def close(self) -> None:
        """Cancel what runs and end the thread; the next `run` starts another."""
        self._after_fork()
        with self._lock:
            end, self._loop, self._end = self._end, None, None
        if end:
            end()

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None or not self.running:
            loop = self._loop = self._new_loop()
            thread = threading.Thread(target=_serve, args=(loop,), name="graphrag models", daemon=True)
            thread.start()
            self._end = weakref.finalize(self, _stop, loop, thread)
        return self._loop

    def _after_fork(self) -> None:
        """Threads stay behind in the process that was forked, with whatever they had locked."""
        if self._process != os.getpid():
            self._process, self._lock = os.getpid(), threading.Lock()
            self._loop = self._end = None


def _inside(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether this is the loop's own thread."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        loop.run_until_complete(_wind_up())
    finally:
        loop.close()


async def _wind_up() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()


def _stop(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    if thread.is_alive():
        loop.call_soon_threadsafe(loop.stop)
        if thread is not threading.current_thread():
            thread.join(GRACE)
