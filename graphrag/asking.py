"""What every step of the indexer that uses a model is given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from graphrag.messages import Reply, Request, Unanswered
from graphrag.models.base import KeepingService
from graphrag.progress import Progress
from graphrag.prompts import Prompts

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asking:
    """The model service, the prompts that are put to it, and who is told how far it is."""

    service: KeepingService
    prompts: Prompts
    progress: Progress

    def ask(self, requests: Sequence[Request], parse: Callable[[Reply], T], label: str) -> list[T | Unanswered]:
        """`ChatService.ask`."""
        return self.service.ask(requests, parse, self.progress, label)
