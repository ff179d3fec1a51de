"""Try a chat model out: what it says, and how long it takes, with nothing retried or remembered."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from graphrag.errors import ConnectionLostError, ModelError
from graphrag.messages import Message, Reply, Request
from graphrag.models.base import ChatModel
from graphrag.models.discovery import ServedModel
from graphrag.models.structured import Level

STAGE = "doctor"
GREETING = Request(STAGE, (Message("user", "Answer with one word: ready"),), max_tokens=256)


@runtime_checkable
class Informative(Protocol):
    """A chat model that can say more of itself than `ChatModel` asks for."""

    @property
    def structured(self) -> Level:
        """How replies are held to their form, as far as that is known by now."""
        ...

    async def context(self) -> int | None:
        """Tokens that one call may take, prompt and reply together; None if that is not known."""
        ...


@runtime_checkable
class Listing(Protocol):
    """A chat model behind a server that may offer others too."""

    async def models(self) -> tuple[ServedModel, ...]:
        """What the server offers; none if it does not say. Raises ModelError."""
        ...


@dataclass(frozen=True, slots=True)
class Heard:
    """A reply and its time, in seconds."""

    reply: Reply
    first: float
    """Until its first piece."""
    whole: float

    @property
    def speed(self) -> float:
        """Completion tokens a second, once they come; 0 if the reply is too short to tell."""
        taken = self.whole - self.first
        return self.reply.usage.completion / taken if taken > 0 and self.reply.usage.completion > 1 else 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What a trial of a chat model came to."""

    model: str
    greeting: Heard | ModelError
    offered: tuple[str, ...] | ModelError | None = None
    """Names of the server's models; None where there is no server to ask."""
    latency: float = 0.0
    """Seconds until the server had named them."""
    context: int | None = None
    structured: Level | None = None
    trials: tuple[Heard | ModelError, ...] = ()


async def measure(model: ChatModel, trials: Sequence[Request]) -> Measured:
    """Greet the model, then put the trials to it, one after the other, unless the greeting failed or nobody listens.

    Raises nothing that a model raises.
    """
    informative = model if isinstance(model, Informative) else None
    offered = await _offered(model) if isinstance(model, Listing) else None
    started = time.monotonic()
    if isinstance(model, Listing) and not isinstance(offered, ModelError):
        offered = await _offered(model)  # the first call took a client and a connection to make
    latency = time.monotonic() - started
    lost = isinstance(offered, ConnectionLostError)
    greeting = offered if lost else await _hear(model, GREETING)
    if isinstance(greeting, ModelError):
        return Measured(model.name, greeting, offered, latency)
    heard = [await _hear(model, request) for request in trials]
    context = await _context(informative) if informative else None
    structured = informative.structured if informative else None
    return Measured(model.name, greeting, offered, latency, context, structured, tuple(heard))


async def _offered(model: Listing) -> tuple[str, ...] | ModelError:
    try:
        return tuple(offered.name for offered in await model.models())
    except ModelError as error:
        return error


async def _context(model: Informative) -> int | None:
    try:
        return await model.context()
    except ModelError:
        return None


async def _hear(model: ChatModel, request: Request) -> Heard | ModelError:
    started = time.monotonic()
    first: list[float] = []

    def watch(_: str) -> bool:
        first[:] = first or [time.monotonic() - started]
        return False

    try:
        reply = await model.chat(request, watch)
    except ModelError as error:
        return error
    whole = time.monotonic() - started
    return Heard(reply, first[0] if first else whole, whole)
