"""The model that a question may ask: its session and the prompts."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from graphrag.messages import Message, Reply, Request, Restart, Unanswered
from graphrag.models.base import ChatSession
from graphrag.progress import silent
from graphrag.prompts import Prompts

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Chat:
    """A session with the model, and what is said to it."""

    session: ChatSession
    prompts: Prompts

    def ask(self, requests: Sequence[Request], parse: Callable[[Reply], T], *, spare: int = 1) -> list[T | Unanswered]:
        """`ChatSession.ask`; nothing is asked of nobody, and a call is left for the answer."""
        return self.session.ask(requests, parse, silent, "", spare=spare) if requests else []

    def stream(self, request: Request) -> Generator[str | Restart, None, Reply | Unanswered]:
        """`ChatSession.stream`."""
        return self.session.stream(request)

    def render(self, name: str, **values: str) -> tuple[Message, ...]:
        """`Prompts.render`."""
        return self.prompts.render(name, **values)
