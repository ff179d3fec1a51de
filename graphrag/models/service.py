"""The one way to a chat model: memo, then limits, then the model, then what the step makes of it.

Steps plan requests and parse replies; what lies between is here, so that no step knows of
failures, budgets or servers.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Generic, TypeVar

from graphrag.errors import ConnectionLostError, ContextOverflowError, OverloadedError, UnusableReplyError
from graphrag.messages import Reply, Request, Unanswered
from graphrag.models import calling, reasoning, tracing
from graphrag.models.background import Background
from graphrag.models.base import ChatModel
from graphrag.models.budget import Budget, Prices, Purse, StageUsage, Usage, heard_usage, spent
from graphrag.models.calling import Caller, GivenUpError
from graphrag.models.limits import Limiter, Place
from graphrag.models.loops import LoopWatch, trim
from graphrag.models.memo import Memo, Origin, recall
from graphrag.models.refusals import MalformedRequestError
from graphrag.progress import Progress
from graphrag.settings import LLMSettings

T = TypeVar("T")

LONGEST_TOKEN = 16
"""Characters of a reply for each token that it may have; a server that sends more keeps no limit."""
SHORTEST_LIMIT = 1 << 16
"""Characters that any reply may have."""
REFUSED = 8
"""Requests that a server may refuse before it has taken one: then it is not the request that is wrong."""


class ModelService:
    """A `ChatService` in front of a model. For any thread, inside a running event loop or not."""

    def __init__(
        self,
        model: ChatModel,
        memo: Memo,
        settings: LLMSettings,
        budget: Budget | None = None,
        background: Background | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """`close` closes the model and the memo. `draw`: numbers from [0, 1), for the back-off."""
        self._model = model
        self._memo = memo
        self._settings = settings
        self._usage = Usage()
        self._works = False
        """Whether the model has answered anything: then a request it refuses is alone to blame."""
        self._origin = Origin.of(model.name, model.parameters)
        self._purse = Purse(budget or Budget(), Prices(settings.prompt_price, settings.completion_price))
        self._caller = Caller(Limiter(settings.concurrency), settings.patience, draw)
        self._background = background or Background()

    @property
    def model(self) -> str:
        """A hash of the model and all that its replies depend on beside the request."""
        return self._origin.digest

    @property
    def usage(self) -> Mapping[str, StageUsage]:
        """What was asked until now, by stage."""
        return self._usage.by_stage()

    def ask(
        self, requests: Sequence[Request], parse: Callable[[Reply], T], progress: Progress, label: str
    ) -> list[T | Unanswered]:
        """What `parse` makes of the reply to each request; see `ChatService`.

        A reply is remembered as soon as `parse` accepts it. `parse` and `progress` may be called
        from another thread. A request whose form the model refuses is unanswered if the model takes
        others, and ends it all (ModelRefusedError) if it takes none.
        """
        planned = [replace(r, max_tokens=r.max_tokens or self._settings.max_tokens) for r in requests]
        keys = [request.key() for request in planned]
        asked = dict(zip(keys, planned, strict=True))
        answers = _Answers[T](keys, progress, label)
        for key, value in recall(self._memo, self._origin, asked, parse).items():
            self._usage.add(asked[key].stage, StageUsage(hits=1))
            self._works = True
            answers.add(key, value)
        refused: list[MalformedRequestError] = []

        async def answer(key: str) -> None:
            try:
                answers.add(key, await self._answer(asked[key], parse))
            except MalformedRequestError as error:
                self._usage.add(asked[key].stage, StageUsage(failed=1))
                refused.append(error)
                if not self._works and len(refused) >= REFUSED:
                    raise
                answers.add(key, Unanswered(str(error)))

        missing = [key for key in asked if key not in answers.values]
        if missing:
            self._background.run(calling.together(map(answer, missing)))
        if refused and not self._works:
            raise refused[0]
        return [answers.values[key] for key in keys]

    def close(self) -> None:
        """Cancel what runs, and let go of the model and of the memo."""
        self._background.run(self._model.close())
        self._background.close()
        self._memo.close()

    async def _answer(self, request: Request, parse: Callable[[Reply], T]) -> T | Unanswered:
        """Call until `parse` accepts a reply, and remember that one."""
        problem, understood = "", None
        for number in range(self._settings.attempts):
            try:
                reply = await self._caller.call(partial(self._attempt, request), again=number > 0)
                value = parse(replace(reply, request=request))
            except UnusableReplyError as error:
                self._usage.add(request.stage, StageUsage(failed=1))
                problem, understood = str(error), error.partial or understood
            except (ContextOverflowError, GivenUpError) as error:
                return Unanswered(str(error), overflow=isinstance(error, ContextOverflowError))
            else:
                self._memo.put(self._origin, request, reply)
                return value
        return Unanswered(problem, partial=understood)

    async def _attempt(self, request: Request, place: Place) -> Reply:
        """One call: its reply without reasoning or loops, with what it took."""
        ear = _Ear(request, place)
        reply = await self._paid(request, ear)
        self._works = True
        seconds = asyncio.get_running_loop().time() - place.started
        place.answered(reply.usage.completion)
        self._usage.add(request.stage, StageUsage(calls=1, tokens=reply.usage, seconds=seconds))
        # Half a surrogate pair, which JSON can spell, has no UTF-8: no file and no server would take it.
        text = reasoning.strip(reply.text[: ear.limit].encode("utf-8", "ignore").decode("utf-8"))
        if ear.length > ear.limit:
            return replace(reply, text=text, finish="length")
        return replace(reply, text=trim(text) if reply.finish == "loop" else text)

    async def _paid(self, request: Request, ear: "_Ear") -> Reply:
        """One call within the budget; what it took is known even if the server does not say, or fails."""
        reserved = await self._purse.reserve(request)
        usage = None
        try:
            with tracing.call("chat", self._model.name, request.stage) as ended:
                reply = await self._model.chat(request, ear)
                usage = spent(request, reply)
                ended(usage)
                return replace(reply, usage=usage)
        except (OverloadedError, ConnectionLostError):
            self._usage.add(request.stage, StageUsage(failed=1))
            raise
        finally:
            if usage is None and ear.pieces:
                usage = heard_usage(request, ear.pieces)
                self._usage.add(request.stage, StageUsage(tokens=usage))
            self._purse.settle(request.stage, reserved, usage)


class _Ear:
    """A `Watch`: lets others start, notices loops, and a reply longer than its limit allows."""

    def __init__(self, request: Request, place: Place) -> None:
        self.limit = max(SHORTEST_LIMIT, LONGEST_TOKEN * request.max_tokens)
        self.pieces: list[str] = []
        self.length = 0
        self._place = place
        self._loops = LoopWatch()

    def __call__(self, piece: str) -> bool:
        self._place.heard()
        self.pieces.append(piece)
        # A sign of life counts too: a server may go on with them for ever.
        self.length += len(piece) or 1
        return self.length > self.limit or self._loops(piece)


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
        self._done += self._times[key]
        self._report(self._done, self._total)
