"""What the package asks of a model."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from graphrag.messages import Reply, Request, Restart, Unanswered
from graphrag.progress import Progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from graphrag.models.budget import StageUsage

T = TypeVar("T")

Watch = Callable[[str], bool]
"""Hears a reply as it arrives, piece by piece (the new piece, not the whole); true cuts it short."""


class Embedder(Protocol):
    """Turns texts into vectors whose inner product says how alike they are."""

    @property
    def name(self) -> str:
        """Which model, exactly: two embedders of one name give comparable vectors."""
        ...

    @property
    def dimensions(self) -> int:
        """The length of every vector."""
        ...

    def embed(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Unit vectors, shape (len(texts), dimensions), in the order of the texts.

        A text of any length counts whole; an empty one has some vector too.
        """
        ...


class Reranker(Protocol):
    """Says how well texts answer a question, reading each together with it."""

    @property
    def name(self) -> str:
        """Which model, as its maker calls it."""
        ...

    def scores(self, question: str, texts: Sequence[str]) -> "NDArray[np.float32]":
        """A number for each text, shape (len(texts),), in their order; higher is better.

        Logits of one model, probabilities of another: they compare the texts of one call and
        nothing else. No text is left out: where the model is given less than a whole text, it is
        the beginning. Raises ModelError, of which ModelRefusedError means that no call will do.
        """
        ...


class ChatModel(Protocol):
    """Answers conversations: a server, or a model in this process.

    One call, one attempt: what to do when it fails is up to the model service, which every call
    goes through. Used from one event loop at a time.
    """

    @property
    def name(self) -> str:
        """Which model, as its maker calls it."""
        ...

    @property
    def parameters(self) -> Mapping[str, object]:
        """Everything beside the request that a reply depends on (temperature, seed, adapter …),
        as JSON can hold it: part of a reply's address in the memo. No secrets, no addresses."""
        ...

    async def chat(self, request: Request, watch: Watch) -> Reply:
        """The model's reply to a request; `watch` hears it as it comes and may end it.

        Raises ModelError: OverloadedError or ConnectionLostError where the same call may succeed
        later, ContextOverflowError where it cannot as it is, any other where no call will.
        """
        ...

    async def close(self) -> None:
        """Let go of connections or of the loaded model."""
        ...


class ChatService(Protocol):
    """What the steps of the indexer and of queries ask: the one way to a chat model.

    Replies that were paid for once come from the memo; failures are retried; usage is counted.
    """

    @property
    def model(self) -> str:
        """A hash of the model and all that its replies depend on beside the request."""
        ...

    def ask(
        self, requests: Sequence[Request], parse: Callable[[Reply], T], progress: Progress, label: str
    ) -> list[T | Unanswered]:
        """What `parse` makes of the reply to each request, in their order; calls run at once.

        `parse` is pure, finds what it parses the reply to in `reply.request`, and raises
        UnusableReplyError for a reply that should be asked for again. A request whose form the
        model refuses is unanswered if the model takes others.
        A request without a usable reply is an Unanswered, with the `partial` of the last such
        error that has one; nothing is raised for it. `label` is what `progress` calls the work.

        Raises ModelRefusedError, ConnectionLostError or OverloadedError where no call can
        succeed, and BudgetExceededError; replies had until then are kept in the memo.
        """
        ...


class KeepingService(ChatService, Protocol):
    """A `ChatService` whose memory can be used apart from asking: what the steps of the indexer have."""

    def recall(self, requests: Sequence[Request], parse: Callable[[Reply], T]) -> list[T | None]:
        """What `parse` makes of the remembered reply to each request, in their order; None where
        there is none that it accepts. The model is asked nothing."""
        ...

    def remember(self, replies: Sequence[tuple[Request, str]]) -> None:
        """Keep texts as replies to requests, all of them or, in a process that dies, none."""
        ...


@dataclass(frozen=True, slots=True)
class Left:
    """What a session may still spend; None: no limit."""

    calls: int | None = None
    tokens: int | None = None
    """Prompt and completion together."""
    seconds: float | None = None


class ChatSession(ChatService, Protocol):
    """What one question asks: a `ChatService` with a budget and usage of its own.

    `ask` raises no BudgetExceededError: what the budget does not allow is an Unanswered with
    `spent`; calls in flight when the time is up are cancelled, and are that too.
    """

    def ask(
        self,
        requests: Sequence[Request],
        parse: Callable[[Reply], T],
        progress: Progress,
        label: str,
        *,
        spare: int = 0,
    ) -> list[T | Unanswered]:
        """See `ChatService`. No call starts, repeated ones neither, that would leave fewer than
        `spare` of the calls that the budget allows: they are kept for what is asked later."""
        ...

    def stream(self, request: Request) -> Generator[str | Restart, None, Reply | Unanswered]:
        """A reply as it comes, without the model's reasoning; returns it whole.

        A remembered reply comes in one piece. A call that fails is made again as `ask` does; if
        some of it was out already, a Restart says so. A reply that is empty cannot be used.
        Closing the generator cancels the call.
        Raises as `ask` does.
        """
        ...

    @property
    def usage(self) -> "Mapping[str, StageUsage]":
        """What was asked until now, by stage."""
        ...

    @property
    def left(self) -> Left:
        """What may still be spent."""
        ...
