"""One call of a model: within a budget, its reply without reasoning and loops, and what it took."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from graphrag.errors import ConnectionLostError, OverloadedError
from graphrag.messages import Reply, Request
from graphrag.models import reasoning, tracing
from graphrag.models.background import Background
from graphrag.models.base import ChatModel
from graphrag.models.budget import Purse, StageUsage, Usage, heard_usage, spent
from graphrag.models.calling import Caller
from graphrag.models.completions import sendable
from graphrag.models.limits import Limiter, Place
from graphrag.models.loops import LoopWatch, trim
from graphrag.models.memo import Memo, Origin
from graphrag.models.voice import Voice
from graphrag.settings import LLMSettings

LONGEST_TOKEN = 16
"""Characters of a reply for each token that it may have; a server that sends more keeps no limit."""
SHORTEST_LIMIT = 1 << 16
"""Characters that any reply may have."""


class Line:
    """The way to a model, which all who ask it share: its memo, its limits and its event loop."""

    def __init__(
        self,
        model: ChatModel,
        memo: Memo,
        settings: LLMSettings,
        background: Background | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """`draw`: numbers from [0, 1), for the back-off."""
        self.model = model
        self.memo = memo
        self.settings = settings
        self.origin = Origin.of(model.name, model.parameters)
        self.caller = Caller(Limiter(settings.concurrency), settings.patience, draw)
        self.background = background or Background()
        self.works = False
        """Whether the model has answered anything: then a request it refuses is alone to blame."""
        self.unopened = False
        """Whether its replies begin with reasoning that no tag opens, as far as was seen."""

    def close(self) -> None:
        """Cancel what runs, and let go of the model and of the memo.

        A process that ends without having closed this lets go of the model by ending.
        """
        if self.background.usable:
            self.background.start(self.model.close()).result()
        self.background.close()
        self.memo.close()


@dataclass(frozen=True, slots=True)
class Attempt:
    """Makes one call whenever it is given a place; the voice, if any, says the reply as it comes.

    It leaves `spare` of the calls that the budget allows.
    """

    line: Line
    request: Request
    usage: Usage
    purse: Purse
    voice: Voice | None = None
    spare: int = 0

    async def __call__(self, place: Place) -> Reply:
        """The reply. Raises what the model raises, and BudgetExceededError."""
        ear = _Ear(self.request, place, self.voice)
        if self.voice:
            self.voice.begin(self.line.unopened)
        reply = await self._paid(ear)
        self.line.works = True
        seconds = asyncio.get_running_loop().time() - place.started
        place.answered(reply.usage.completion)
        self.usage.add(self.request.stage, StageUsage(calls=1, tokens=reply.usage, seconds=seconds))
        # Half a surrogate pair, which JSON can spell, has no UTF-8: no file and no server would take it.
        whole = sendable(reply.text[: ear.limit])
        unopened = reasoning.unopened(whole)
        self.line.unopened = self.line.unopened if unopened is None else unopened
        text = reasoning.strip(whole)
        if ear.length > ear.limit:
            reply = replace(reply, text=text, finish="length")
        else:
            reply = replace(reply, text=trim(text) if reply.finish == "loop" else text)
        if self.voice:
            self.voice.end(reply.text)
        return reply

    async def _paid(self, ear: "_Ear") -> Reply:
        """One call within the budget; what it took is known even if the server does not say, or fails."""
        stage = self.request.stage
        reserved = await self.purse.reserve(self.request, self.spare)
        usage = None
        try:
            with tracing.call("chat", self.line.model.name, stage) as ended:
                reply = await self.line.model.chat(self.request, ear)
                usage = spent(self.request, reply)
                ended(usage)
                return replace(reply, usage=usage)
        except (OverloadedError, ConnectionLostError):
            self.usage.add(stage, StageUsage(failed=1))
            raise
        finally:
            if usage is None and ear.pieces:
                usage = heard_usage(self.request, ear.pieces)
                self.usage.add(stage, StageUsage(tokens=usage))
            self.purse.settle(stage, reserved, usage)


class _Ear:
    """A `Watch`: lets others start, notices loops, and a reply longer than its limit allows."""

    def __init__(self, request: Request, place: Place, voice: Voice | None) -> None:
        self.limit = max(SHORTEST_LIMIT, LONGEST_TOKEN * request.max_tokens)
        self.pieces: list[str] = []
        self.length = 0
        self._place = place
        self._voice = voice
        self._loops = LoopWatch()

    def __call__(self, piece: str) -> bool:
        self._place.heard()
        self.pieces.append(piece)
        # A sign of life counts too: a server may go on with them for ever.
        self.length += len(piece) or 1
        cut = self.length > self.limit or self._loops(piece)
        if self._voice and not cut:
            self._voice.hear(piece)
        return cut
