"""The one way to a chat model: its owner, whom builds ask, and who opens sessions for questions."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from graphrag.errors import BudgetExceededError
from graphrag.messages import Reply, Request, Unanswered
from graphrag.models.attempts import Line
from graphrag.models.background import Background
from graphrag.models.base import ChatModel
from graphrag.models.budget import Budget, StageUsage
from graphrag.models.memo import Memo
from graphrag.models.session import ModelSession
from graphrag.progress import Progress
from graphrag.settings import LLMSettings

T = TypeVar("T")


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
        self._line = Line(model, memo, settings, background, draw)
        self._own = ModelSession(self._line, budget or Budget())

    @property
    def model(self) -> str:
        """A hash of the model and all that its replies depend on beside the request."""
        return self._own.model

    @property
    def usage(self) -> Mapping[str, StageUsage]:
        """What was asked until now, by stage; not what its sessions were."""
        return self._own.usage

    def session(self, budget: Budget | None = None, clock: Callable[[], float] = time.monotonic) -> ModelSession:
        """One for a question, with a budget and usage of its own; its time begins now, by `clock`.

        Closing it closes nothing that it shares with others: model, memo and limits are this service's.
        """
        return ModelSession(self._line, budget or Budget(), clock)

    def ask(
        self, requests: Sequence[Request], parse: Callable[[Reply], T], progress: Progress, label: str
    ) -> list[T | Unanswered]:
        """What `parse` makes of the reply to each request; see `ChatService`.

        A reply is remembered as soon as `parse` accepts it. `parse` and `progress` may be called
        from another thread. A request whose form the model refuses is unanswered if the model takes
        others, and ends it all (ModelRefusedError) if it takes none.
        """
        answers = self._own.ask(requests, parse, progress, label)
        for answer in answers:
            if isinstance(answer, Unanswered) and answer.spent:
                more = f"run again with a larger {self._own.lacking or 'budget'} to go on"
                raise BudgetExceededError(f"{answer.reason}; what was paid for is kept: {more}")
        return answers

    def recall(self, requests: Sequence[Request], parse: Callable[[Reply], T]) -> list[T | None]:
        """What `parse` makes of remembered replies; see `KeepingService`."""
        return self._own.recall(requests, parse)

    def remember(self, replies: Sequence[tuple[Request, str]]) -> None:
        """Keep texts as replies; see `KeepingService`."""
        self._own.remember(replies)

    def forget_unused(self) -> int:
        """Forget all replies that were neither given nor asked for here; see `Memo`."""
        return self._line.memo.forget_unused()

    def close(self) -> None:
        """Cancel what runs, and let go of the model and of the memo."""
        self._line.close()
