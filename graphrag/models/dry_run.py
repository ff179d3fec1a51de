"""What a run would ask of the model, without asking it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from graphrag.messages import Reply, Request, Unanswered
from graphrag.models.base import Embedder
from graphrag.models.budget import prompt_tokens
from graphrag.models.memo import Memo, Origin, recall
from graphrag.models.remote_embedder import RemoteEmbedder
from graphrag.progress import Progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A call that a run would make."""

    stage: str
    prompt: int
    """Tokens, as counted here."""
    max_tokens: int
    """The longest reply."""


class DryRun:
    """A `ChatService` that knows what the memo knows, and writes down all else.

    What later steps would ask about replies that are not there is not part of the plan.
    """

    def __init__(self, origin: Origin, memo: Memo, max_tokens: int) -> None:
        """`origin`: the model in question; `max_tokens`: of replies to requests that set no limit."""
        self._origin = origin
        self._memo = memo
        self._max_tokens = max_tokens
        self._planned: dict[str, PlannedCall] = {}
        self._remembered: dict[str, str] = {}
        self._parts: dict[str, Reply] = {}

    @property
    def model(self) -> str:
        """A hash of the model and all that its replies depend on beside the request."""
        return self._origin.digest

    @property
    def planned(self) -> list[PlannedCall]:
        """The calls, in the order in which they were asked for; equal requests are one call."""
        return list(self._planned.values())

    @property
    def remembered(self) -> list[str]:
        """The stage of each request that the memo answers."""
        return list(self._remembered.values())

    def ask(
        self, requests: Sequence[Request], parse: Callable[[Reply], T], progress: Progress, label: str
    ) -> list[T | Unanswered]:
        """What `parse` makes of remembered replies; every other request is planned and Unanswered."""
        progress(label, 0, len(requests))
        asked, keys, known = self._look_up(requests, parse)
        for key, request in zip(keys, asked, strict=True):
            if key not in known and key not in self._planned:
                self._planned[key] = PlannedCall(request.stage, prompt_tokens(request), request.max_tokens)
        progress(label, len(requests), len(requests))
        return [known[key] if key in known else Unanswered("not asked: this is a dry run", asked=False) for key in keys]

    def recall(self, requests: Sequence[Request], parse: Callable[[Reply], T]) -> list[T | None]:
        """What `parse` makes of remembered replies, and of those that it was told to remember."""
        _, keys, known = self._look_up(requests, parse)
        return [known.get(key) for key in keys]

    def remember(self, replies: Sequence[tuple[Request, str]]) -> None:
        """Keep texts as replies, in this run: the memo stays as it is."""
        asked = [(self._whole(request), text) for request, text in replies]
        self._parts |= {request.key(): Reply(text, request=request) for request, text in asked}

    def _look_up(
        self, requests: Sequence[Request], parse: Callable[[Reply], T]
    ) -> tuple[list[Request], list[str], dict[str, T]]:
        """The requests as a run would make them, their keys, and what is known of them."""
        asked = [self._whole(request) for request in requests]
        keys = [request.key() for request in asked]
        known = recall(self._memo, self._origin, dict(zip(keys, asked, strict=True)), parse)
        self._remembered |= {key: request.stage for key, request in zip(keys, asked, strict=True) if key in known}
        return asked, keys, known | {key: parse(self._parts[key]) for key in keys if key in self._parts}

    def _whole(self, request: Request) -> Request:
        return replace(request, max_tokens=request.max_tokens or self._max_tokens)


class RememberedVectors:
    """An `Embedder` that asks nothing of a server: its vectors where the memo has them all, else those
    of a model that costs nothing."""

    def __init__(self, remote: RemoteEmbedder, stand_in: Embedder) -> None:
        self._remote = remote
        self._stand_in = stand_in
        self.name = stand_in.name
        self.dimensions = stand_in.dimensions

    def embed(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Unit vectors, shape (len(texts), whichever model's dimensions)."""
        known = self._remote.recall(texts)
        return self._stand_in.embed(texts) if known is None else known
