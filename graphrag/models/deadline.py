"""Until when the calls of a session may run: its time, or its being closed."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress

from graphrag.errors import BudgetExceededError
from graphrag.models.background import GRACE


class Deadline:
    """Cancels what runs under it when the time is up, or when it is brought forward to now.

    `left` may be read from any thread; the rest is for use inside one event loop.
    """

    def __init__(self, seconds: float | None, clock: Callable[[], float]) -> None:
        """So many seconds from now by `clock`; None: no limit."""
        self._seconds = seconds
        self._clock = clock
        self._start = clock()
        self._closed = False
        self._running: dict[asyncio.Timeout, asyncio.Task[object]] = {}

    @property
    def left(self) -> float | None:
        """Seconds until then, not below 0; None without a limit."""
        if self._closed:
            return 0.0
        return None if self._seconds is None else max(0.0, self._start + self._seconds - self._clock())

    @asynccontextmanager
    async def kept(self) -> AsyncGenerator[None]:
        """For what must end by then. Raises BudgetExceededError when it has not, or could not begin."""
        left, task = self.left, asyncio.current_task()
        if left == 0 or task is None:
            raise self._up()
        timeout = asyncio.timeout(left)
        try:
            async with timeout:
                self._running[timeout] = task
                yield
        except TimeoutError:
            if not timeout.expired():
                raise
            raise self._up() from None
        finally:
            self._running.pop(timeout, None)

    def close(self) -> None:
        """Nothing may begin any more."""
        self._closed = True

    async def cut(self) -> None:
        """Cancel what runs, and wait for it to hang up."""
        loop = asyncio.get_running_loop()
        # Calls of a process that was forked are not this one's.
        running = {timeout: task for timeout, task in self._running.items() if task.get_loop() is loop}
        for timeout in running:
            with suppress(RuntimeError):  # it is ending already
                timeout.reschedule(loop.time())
        if running:
            await asyncio.wait(set(running.values()), timeout=GRACE)

    def _up(self) -> BudgetExceededError:
        if self._closed:
            return BudgetExceededError("the session was closed")
        return BudgetExceededError(f"the time of {self._seconds:g} s is up")
