"""What one question asks of a model: the memo, then the model, then what the step makes of its reply.

Steps plan requests and parse replies; what lies between is here, so that no step knows of
failures, budgets or servers.
"""

import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from queue import SimpleQueue
from typing import Generic, TypeVar

from graphrag.errors import BudgetExceededError, ContextOverflowError, UnusableReplyError
from graphrag.messages import Reply, Request, Restart, Unanswered
from graphrag.models import calling
from graphrag.models.attempts import Attempt, Line
from graphrag.models.base import Left
from graphrag.models.budget import Budget, Prices, Purse, StageUsage, Usage
from graphrag.models.calling import GivenUpError
from graphrag.models.deadline import Deadline
from graphrag.models.memo import recall
from graphrag.models.refusals import MalformedRequestError
from graphrag.models.voice import Voice
from graphrag.progress import Progress
from graphrag.streams import interruptible

T = TypeVar("T")

REFUSED = 8
"""Requests that a server may refuse before it has taken one: then it is not the request that is wrong."""


class ModelSession:
    """A `ChatSession` on a line to a model. For any threads, inside a running event loop or not.

    Model, memo and limits are the line's; budget, time and usage are its own.
    """

    def __init__(self, line: Line, budget: Budget, clock: Callable[[], float] = time.monotonic) -> None:
        """Its time begins now, by `clock`, in seconds."""
        self._line = line
        self._usage = Usage()
        prices = Prices(line.settings.prompt_price, line.settings.completion_price)
        self._purse = Purse(budget, prices)
        self._deadline = Deadline(budget.seconds, clock)

    @property
    def model(self) -> str:
        """A hash of the model and all that its replies depend on beside the request."""
        return self._line.origin.digest

    @property
    def usage(self) -> Mapping[str, StageUsage]:
        """What was asked until now, by stage."""
        return self._usage.by_stage()

    @property
    def left(self) -> Left:
        """What may still be spent, never below 0; what calls in flight have set aside is not in it."""
        return Left(self._purse.calls_left, self._purse.tokens_left, self._deadline.left)

    @property
    def lacking(self) -> str:
        """The option whose limit kept a call from being made; empty if none did."""
        return self._purse.lacking

    def ask(
        self,
        requests: Sequence[Request],
        parse: Callable[[Reply], T],
        progress: Progress,
        label: str,
        *,
        spare: int = 0,
    ) -> list[T | Unanswered]:
        """What `parse` makes of the reply to each request; see `ChatSession`.

        A reply is remembered as soon as `parse` accepts it. `parse` and `progress` may be called
        from another thread. A request whose form the model refuses is unanswered if the model takes
        others, and ends it all (ModelRefusedError) if it takes none.
        """
        planned = [self._whole(request) for request in requests]
        keys = [request.key() for request in planned]
        asked = dict(zip(keys, planned, strict=True))
        answers = _Answers[T](keys, progress, label)
        for key, value in self._recall(asked, parse).items():
            answers.add(key, value)
        refused: list[MalformedRequestError] = []

        async def answer(key: str) -> None:
            try:
                answers.add(key, await self._answer(asked[key], parse, spare=spare))
            except MalformedRequestError as error:
                self._usage.add(asked[key].stage, StageUsage(failed=1))
                refused.append(error)
                if not self._line.works and len(refused) >= REFUSED:
                    raise
                answers.add(key, Unanswered(str(error)))

        missing = [key for key in asked if key not in answers.values]
        if missing:
            self._line.background.run(calling.together(map(answer, missing)))
        if refused and not self._line.works:
            raise refused[0]
        return [answers.values[key] for key in keys]

    def stream(self, request: Request) -> Generator[str | Restart, None, Reply | Unanswered]:
        """A reply as it comes; see `ChatSession`. It is remembered as by `ask`, whichever way it ended,
        unless it is empty.

        Of an Unanswered whose text was partly out already, `partial` is that as a Reply that ended
        for "length". Pieces wait for a slow consumer; nothing waits for it.
        """
        asked = self._whole(request)
        for reply in self._recall({asked.key(): asked}, _accept).values():
            yield reply.text
            return reply
        said: SimpleQueue[str | Restart | None] = SimpleQueue()
        call = self._line.background.start(self._spoken(asked, Voice(said.put)))
        try:
            call.then(lambda: said.put(None))
            while (piece := _heard(said, call.cancel)) is not None:
                yield piece
            with interruptible(call.cancel):
                return call.result()
        finally:
            call.cancel()

    def recall(self, requests: Sequence[Request], parse: Callable[[Reply], T]) -> list[T | None]:
        """What `parse` makes of remembered replies; see `KeepingService`."""
        planned = [self._whole(request) for request in requests]
        keys = [request.key() for request in planned]
        known = self._recall(dict(zip(keys, planned, strict=True)), parse)
        return [known.get(key) for key in keys]

    def remember(self, replies: Sequence[tuple[Request, str]]) -> None:
        """Keep texts as replies; see `KeepingService`."""
        whole = [(self._whole(request), Reply(text)) for request, text in replies]
        self._line.memo.put_all(self._line.origin, whole)

    def close(self) -> None:
        """Cancel the calls in flight, which are Unanswered then, as is all that is asked later."""
        self._deadline.close()
        if self._line.background.running:
            self._line.background.start(self._deadline.cut()).result()

    def __enter__(self) -> "ModelSession":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _whole(self, request: Request) -> Request:
        return replace(request, max_tokens=request.max_tokens or self._line.settings.max_tokens)

    def _recall(self, asked: Mapping[str, Request], parse: Callable[[Reply], T]) -> dict[str, T]:
        found = recall(self._line.memo, self._line.origin, asked, parse)
        for key in found:
            self._usage.add(asked[key].stage, StageUsage(hits=1))
            self._line.works = True
        return found

    async def _spoken(self, request: Request, voice: Voice) -> Reply | Unanswered:
        try:
            answer = await self._answer(request, _accept, voice)
        except MalformedRequestError as error:
            self._usage.add(request.stage, StageUsage(failed=1))
            if not self._line.works:
                raise
            answer = Unanswered(str(error))
        text = voice.text
        if isinstance(answer, Reply) or not text.strip():
            return answer
        return replace(answer, reason=f"the model broke off: {answer.reason}", partial=Reply(text, "length"))

    async def _answer(
        self, request: Request, parse: Callable[[Reply], T], voice: Voice | None = None, spare: int = 0
    ) -> T | Unanswered:
        """Call until `parse` accepts a reply, and remember that one."""
        attempt = Attempt(self._line, request, self._usage, self._purse, voice, spare)
        problem, understood = "", None
        try:
            async with self._deadline.kept():
                for number in range(self._line.settings.attempts):
                    reply = None
                    try:
                        reply = await self._line.caller.call(attempt, again=number > 0)
                        value = parse(replace(reply, request=request))
                    except UnusableReplyError as error:
                        self._usage.add(request.stage, StageUsage(failed=1))
                        problem, understood = str(error), error.partial or understood
                        if reply and reply.finish == "length":
                            break  # the next would be cut as well
                    except BudgetExceededError:
                        if not (problem and spare):
                            raise
                        return Unanswered(problem, partial=understood, spent=True)
                    else:
                        self._line.memo.put(self._line.origin, request, reply)
                        return value
        except BudgetExceededError as error:
            return Unanswered(str(error), partial=understood, spent=True)
        except (ContextOverflowError, GivenUpError) as error:
            return Unanswered(str(error), overflow=isinstance(error, ContextOverflowError))
        return Unanswered(problem, partial=understood)


class _Answers(Generic[T]):
    """Answers by request, as they come."""

    def __init__(self, keys: Sequence[str], progress: Progress, label: str) -> None:
        self.values: dict[str, T | Unanswered] = {}
        self._times = Counter(keys)
        self._done = 0
        self._report = partial(progress, label)
        self._total = len(keys)
        self._report(0, self._total)

    def add(self, key: str, value: T | Unanswered) -> None:
        self.values[key] = value
        if isinstance(value, Unanswered) and value.spent:
            return  # it was not done
        self._done += self._times[key]
        self._report(self._done, self._total)


def _heard(said: SimpleQueue[T], cancel: Callable[[], None]) -> T:
    """What is said next."""
    with interruptible(cancel):
        return said.get()


def _accept(reply: Reply) -> Reply:
    if not reply.text.strip():
        raise UnusableReplyError("its reply is empty")
    return reply
