"""Generators that wait, for those who must not: in threads beside an event loop, and ended with their consumer."""

import asyncio
import contextvars
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from threading import Lock
from typing import TypeVar

T = TypeVar("T")


class Interrupted(BaseException):
    """Whoever waited for this work is gone. Not an `Exception`: nothing is to be made of it."""


@contextmanager
def interruptible(cancel: Callable[[], object]) -> Generator[None]:
    """For a wait that `cancel`, called by another thread, ends when nobody wants its outcome any more.

    Raises Interrupted if that was so before, and where the wait raises an error because of it.
    """
    interruption = _interruption.get()
    if interruption is None:
        yield
        return
    interruption.enter(cancel)
    try:
        yield
    except Exception:
        if interruption.over:
            raise Interrupted from None
        raise
    finally:
        interruption.leave(cancel)


async def alternate(generator: Generator[T, None, object]) -> AsyncGenerator[T]:
    """The items of a generator, each step of which runs in a thread, so that the event loop goes on.

    When the consumer stops (closes this, is cancelled, or an error ends it) a step under way is
    interrupted where it is `interruptible`, and the generator is closed. What the generator returns
    is dropped.
    """
    interruption, context = _Interruption(), contextvars.copy_context()
    context.run(_interruption.set, interruption)

    def proceed() -> list[T]:
        return list(islice(generator, 1))

    loop = asyncio.get_running_loop()
    # Threads of its own: those of the loop may all be waiting for steps of others.
    threads = ThreadPoolExecutor(2, "graphrag stream")
    step: asyncio.Future[list[T]] | None = None

    async def end() -> None:
        try:
            if step and not step.done():
                await loop.run_in_executor(threads, interruption)
                with suppress(Exception, Interrupted):  # nobody is left to be told
                    await step
            await loop.run_in_executor(threads, generator.close)
        finally:
            threads.shutdown(wait=False)

    try:
        while True:
            step = loop.run_in_executor(threads, context.run, proceed)
            items = await asyncio.shield(step)
            if not items:
                return
            yield items[0]
    finally:
        await asyncio.shield(loop.create_task(end()))


class _Interruption:
    """Ends the waits of one piece of work."""

    def __init__(self) -> None:
        self.over = False
        self._lock = Lock()
        self._cancels: list[Callable[[], object]] = []

    def __call__(self) -> None:
        """End the waits under way; none begins any more."""
        with self._lock:
            self.over = True
            cancels = tuple(self._cancels)
        for cancel in cancels:
            cancel()

    def enter(self, cancel: Callable[[], object]) -> None:
        with self._lock:
            if self.over:
                raise Interrupted
            self._cancels.append(cancel)

    def leave(self, cancel: Callable[[], object]) -> None:
        with self._lock:
            self._cancels.remove(cancel)


_interruption: contextvars.ContextVar[_Interruption | None] = contextvars.ContextVar("interruption", default=None)
