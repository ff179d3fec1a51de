"""How many calls may be in flight: as many as the server answers without falling behind.

Additive increase, multiplicative decrease (Chiu and Jain 1989), begun by a slow start as TCP's:
each newcomer that is heard brings two more. A failed call takes half a place away, so that a
round in which all fail halves the limit and a stray failure costs little.

For use inside one event loop, whose clock is the one that counts.
"""

import asyncio
from collections import deque

START = 8
PROBES = 3
"""Calls in flight while the server seems down."""

_RISE = 0.1
"""What a reply adds once the server's limit has been met."""
_FALL = 0.5
_SHORT = 16
"""Tokens of a reply too short to tell the pace by."""
_SLOWDOWN = 2.0
_MEMORY = 0.2
_FORGETTING = 1.01
_FASTEST = 0.00001
"""Seconds a token below which differences are noise."""


class Place:
    """The right to have one call in flight."""

    def __init__(self, limiter: "Limiter", now: float) -> None:
        self._limiter = limiter
        self.started = now
        self._heard: float | None = None

    def heard(self) -> None:
        """A piece of the reply is there."""
        if self._heard is None:
            self._heard = asyncio.get_running_loop().time()
            self._limiter.streams += 1
            self._limiter.grow(2)

    def answered(self, tokens: int) -> None:
        """The reply is complete, and so long."""
        end = asyncio.get_running_loop().time()
        # A reply that came in one piece says nothing about the time a token takes once it flows.
        begin = self.started
        if self._heard is not None and self._heard < (self.started + end) / 2:
            begin = self._heard
        self._limiter.pace.add(end - begin, tokens)
        if self._heard is None:
            self._limiter.grow(1)

    async def __aenter__(self) -> "Place":
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._heard is not None:
            self._limiter.streams -= 1
        self._limiter.give_back()


class Pace:
    """Whether replies come as fast as they did: a moving mean against the best one."""

    def __init__(self) -> None:
        self._mean = 0.0
        self._best = 0.0

    def add(self, seconds: float, tokens: int) -> None:
        """Take a reply into account, unless it is too short to tell."""
        if tokens < _SHORT:
            return
        each = max(seconds / tokens, _FASTEST)
        self._mean += (each - self._mean) * (_MEMORY if self._mean else 1)
        self._best = min(self._mean, (self._best or self._mean) * _FORGETTING)

    @property
    def holds(self) -> bool:
        """Whether a token takes less than twice its best time."""
        return self._mean <= _SLOWDOWN * self._best


class Limiter:
    """Hands out places to calls, in the order in which they ask; those tried again come first."""

    def __init__(self, most: int) -> None:
        self.pace = Pace()
        self.streams = 0
        """Calls in flight whose reply has begun."""
        self._most = most
        self._limit = float(min(START, most))
        self._slow_start = True
        self._probing = False
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._not_before = 0.0
        self._next_probe = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def limit(self) -> int:
        """The most calls in flight at present."""
        return max(1, int(min(self._limit, PROBES) if self._probing else self._limit))

    @property
    def pending(self) -> int:
        """Calls in flight and calls that wait for a place."""
        return self._taken + len(self._waiting)

    async def place(self, again: bool = False) -> Place:
        """Wait for a place, before all others if `again`: `async with await limiter.place() as place`."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        (self._waiting.appendleft if again else self._waiting.append)(turn)
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back()
            raise
        return Place(self, loop.time())

    def give_back(self) -> None:
        """A call has ended."""
        self._taken -= 1
        self._admit()

    def grow(self, by: int) -> None:
        """A call goes well: allow more, if so many are wanted and the server keeps its pace."""
        if not self._probing and self._taken * 2 >= self._limit and self.pace.holds:
            self._limit = min(self._most, self._limit + (by if self._slow_start else _RISE))
            self._admit()

    def fall(self) -> None:
        """A call failed because the server has too much to do, or lost it."""
        self._slow_start = False
        self._limit = max(1.0, self._limit - _FALL)

    @property
    def probing(self) -> bool:
        """Whether the server seems down."""
        return self._probing

    def probe(self, next_probe: float) -> None:
        """The server seems down: a few calls at a time, none before then; once it is back, begin as at first."""
        self._probing, self._slow_start = True, True
        self._limit = float(min(START, self._most))
        self._next_probe = max(self._next_probe, next_probe)

    def recover(self) -> None:
        """The server is back."""
        self._probing, self._next_probe = False, 0.0
        self._admit()

    def hold(self, until: float) -> None:
        """Start no call before then, by the event loop's clock."""
        self._not_before = max(self._not_before, until)

    def _admit(self) -> None:
        loop = asyncio.get_running_loop()
        start = max(self._not_before, self._next_probe)
        if loop.time() < start:
            self._wait(loop, start)
            return
        while self._waiting and self._taken < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self._taken += 1
                turn.set_result(None)

    def _wait(self, loop: asyncio.AbstractEventLoop, until: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = loop.call_at(until, self._admit)
