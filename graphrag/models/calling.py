"""Calls of one server that now and then fails: within its limits, tried again, with patience.

A failure is of the call or of the server. While other calls succeed it is the call's: it is tried
again after a while (exponential back-off with full jitter), and given up after some tries. When
nothing succeeds the server is down: a few probes ask for it, as long as patience lasts.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from graphrag.errors import (
    BudgetExceededError,
    ConnectionLostError,
    ContextOverflowError,
    ModelError,
    OverloadedError,
    UnusableReplyError,
)
from graphrag.models.limits import Limiter, Place

T = TypeVar("T")

TRIES = 8
"""Failures of a call, while others succeed, after which it is given up."""
REFUSED_PATIENCE = 5.0
"""Seconds to wait for a server that nobody has seen yet: the address may be wrong."""

_FIRST_DELAY = 0.5
_LONGEST_DELAY = 8.0
_DOWN_AFTER = 4
_FEW = 4
_LONELY_PATIENCE = 60.0


class GivenUpError(ModelError):
    """The server works, but not for this call."""


class Caller:
    """Makes calls of one server, for one event loop at a time."""

    def __init__(self, limiter: Limiter, patience: float, draw: Callable[[], float] = random.random) -> None:
        """`patience`: seconds to wait for a server that is down. `draw`: numbers from [0, 1)."""
        self._limiter = limiter
        self._patience = patience
        self._draw = draw
        self._successes = 0
        self._failures = 0
        """Since the last success."""
        self._down_since = 0.0

    async def call(self, attempt: Callable[[Place], Awaitable[T]], again: bool = False) -> T:
        """The first result of `attempt`, which is run whenever a call may start.

        What is tried again (here, or by the caller who then says so) does not wait for the rest:
        else a long run would end in a long tail.

        Raises GivenUpError if it keeps failing where others do not, OverloadedError or
        ConnectionLostError if the server stays down, and any other error of `attempt`.
        """
        history = _History()
        while True:
            async with await self._limiter.place(again or history.failures > 0) as place:
                try:
                    result = await attempt(place)
                except (OverloadedError, ConnectionLostError) as error:
                    self._failed(error)
                    history.failed(self._successes, asyncio.get_running_loop().time())
                    failure = error
                except (ContextOverflowError, UnusableReplyError):
                    self._succeeded()
                    raise
                else:
                    self._succeeded()
                    return result
            self._give_up(history, failure)
            if not self._limiter.probing:
                await asyncio.sleep(self._delay(_FIRST_DELAY * 2 ** min(history.failures, 30)))

    def _succeeded(self) -> None:
        self._successes += 1
        if self._failures or self._limiter.probing:
            self._failures = 0
            self._limiter.recover()

    def _failed(self, error: OverloadedError | ConnectionLostError) -> None:
        """Slow down; raise the error if patience has ended."""
        now = asyncio.get_running_loop().time()
        self._down_since = self._down_since if self._failures else now
        self._failures += 1
        unseen = isinstance(error, ConnectionLostError) and error.refused and not self._successes
        patience = min(self._patience, REFUSED_PATIENCE) if unseen else self._patience
        asked = (isinstance(error, OverloadedError) and error.retry_after) or 0.0
        if now - self._down_since >= patience or asked > patience:
            # Later calls find a server with all of its patience; the limiter goes on probing it.
            self._failures, since = 0, self._down_since
            raise _hopeless(error, now - since, asked if asked > patience else 0.0) from None
        self._limiter.fall()
        self._limiter.hold(now + asked)
        if self._seems_down():
            # Waiting in proportion to the outage's age is exponential back-off that all calls share.
            delay = self._delay(max(_FIRST_DELAY, now - self._down_since))
            self._limiter.probe(min(now + delay, self._down_since + patience))

    def _seems_down(self) -> bool:
        """Whether a whole round failed, and no reply is on its way."""
        round_ = min(max(_DOWN_AFTER, self._limiter.limit), self._limiter.pending)
        return self._failures >= round_ and not self._limiter.streams

    def _give_up(self, history: "_History", error: ModelError) -> None:
        age = asyncio.get_running_loop().time() - history.since
        lonely = self._successes > 0 and self._limiter.pending <= _FEW and age >= _LONELY_PATIENCE
        if history.blamed >= TRIES or (history.failures >= TRIES and lonely):
            raise GivenUpError(f"{error}; tried {history.failures} times") from None

    def _delay(self, longest: float) -> float:
        return self._draw() * min(_LONGEST_DELAY, longest)


class _History:
    """The failures of one call."""

    def __init__(self) -> None:
        self.since = 0.0
        """The time of the first."""
        self.failures = 0
        self.blamed = 0
        """Those between which other calls succeeded."""
        self._successes = -1

    def failed(self, successes: int, now: float) -> None:
        self.since = self.since if self.failures else now
        self.failures += 1
        self.blamed += successes > self._successes
        self._successes = successes


async def together(calls: Iterable[Awaitable[None]]) -> None:
    """Run all calls. When one fails the others are cancelled, and its error is raised.

    A BudgetExceededError lets those that run already end first: they are paid for.
    """
    tasks = [asyncio.ensure_future(call) for call in calls]
    pending = set(tasks)
    short: BudgetExceededError | None = None
    try:
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_EXCEPTION)
            for error in filter(None, [task.exception() for task in tasks if task in done]):
                if not isinstance(error, BudgetExceededError):
                    raise error
                short = error
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if short:
        raise short


def _hopeless(error: OverloadedError | ConnectionLostError, waited: float, asked: float) -> ModelError:
    """The error, with what to do."""
    spent = f"it asks to wait {asked:.0f} s" if asked else f"waited {waited:.0f} s for it"
    message = f"{error}; {spent}; what was answered is kept: run again to go on"
    if isinstance(error, OverloadedError):
        return OverloadedError(message, error.retry_after)
    return ConnectionLostError(message, error.refused)
