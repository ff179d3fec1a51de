"""Models that do as they are told, and an event loop in which waiting takes no time."""

import asyncio
import selectors
from collections.abc import Callable

from graphrag.messages import Message, Reply, Request, TokenUsage


class _Leaping(selectors.DefaultSelector):
    """Instead of waiting for a time, moves the loop's clock there."""

    elapsed = 0.0

    def select(self, timeout=None):
        if timeout is None:
            return super().select(None)
        events = super().select(0)
        if not events:
            self.elapsed += timeout
        return events


class LeapingLoop(asyncio.SelectorEventLoop):
    """Its clock stands still while it works and leaps when it would sleep."""

    def __init__(self):
        self._leaping = _Leaping()
        super().__init__(self._leaping)

    def time(self):
        return self._leaping.elapsed


def run(coroutine):
    """Run a coroutine in a loop that leaps."""
    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        return runner.run(coroutine)


class ScriptedModel:
    """Answers with what a function makes of the request; keeps what it was asked and when."""

    def __init__(self, answer: Callable[[str, int], object] = lambda text, n: text, latency: float = 0.0):
        """`answer(text, n)`: a reply or its text, or an error to raise, to the n-th call with that text."""
        self.name = "scripted"
        self.parameters: dict[str, object] = {"temperature": 0}
        self.answer = answer
        self.latency = latency
        self.asked: list[str] = []
        self.times: list[float] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.cancelled = 0
        self.closed = False

    async def chat(self, request, watch):
        text = request.messages[-1].content
        self.asked.append(text)
        self.times.append(asyncio.get_running_loop().time())
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.latency)
            answer = self.answer(text, self.asked.count(text))
            if isinstance(answer, BaseException):
                raise answer
            reply = answer if isinstance(answer, Reply) else Reply(answer, usage=TokenUsage(10, 5))
            return hear(reply, watch)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.in_flight -= 1

    async def close(self):
        self.closed = True


def hear(reply, watch):
    """The reply, or as much of it as the watch lets through."""
    for end in range(4, len(reply.text), 4):
        if watch(reply.text[end - 4 : end]):
            return Reply(reply.text[:end], "loop", reply.usage)
    watch("")
    return reply


def request(text: str, stage: str = "extract", max_tokens: int = 0) -> Request:
    return Request(stage, (Message("system", "Extract."), Message("user", text)), max_tokens=max_tokens)
