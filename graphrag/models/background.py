"""An event loop in a thread of its own, for callers that know of none or are inside one."""

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from typing import TypeVar

from graphrag.errors import ConnectionLostError

T = TypeVar("T")

_GRACE = 5.0
"""Seconds that an interrupted call gets to hang up."""


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
        return self._loop is not None

    def run(self, coroutine: Coroutine[object, object, T]) -> T:
        """What the coroutine returns or raises. If the wait is interrupted, it is cancelled.

        Raises ConnectionLostError if another thread closes this meanwhile.
        """
        ended = threading.Event()

        async def noted() -> T:
            try:
                return await coroutine
            finally:
                ended.set()

        self._after_fork()
        # Handed over under the lock: `close` stops no loop between its being found and being used.
        with self._lock:
            future = asyncio.run_coroutine_threadsafe(noted(), self._started())
        try:
            return future.result()
        except CancelledError:
            raise ConnectionLostError("the model service was closed") from None
        except BaseException:
            if future.cancel():
                ended.wait(_GRACE)
            raise

    def close(self) -> None:
        """Cancel what runs and end the thread; the next `run` starts another."""
        self._after_fork()
        with self._lock:
            end, self._loop, self._end = self._end, None, None
        if end:
            end()

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
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
            thread.join(_GRACE)
