"""Put a question to one query method, with a scripted model or without."""

from collections.abc import Callable, Generator, Sequence

from models.scripted import LeapingLoop

from graphrag.answers import Answer, Event, QueryOptions, Token
from graphrag.models.background import Background
from graphrag.models.base import ChatModel
from graphrag.models.budget import Budget
from graphrag.models.memo import Memo
from graphrag.models.service import ModelService
from graphrag.prompts import Prompts
from graphrag.query.chat import Chat
from graphrag.query.context import Inquiry, Tools
from graphrag.settings import LLMSettings

Search = Callable[[Inquiry], Generator[Event, None, Answer]]


def ask(search: Search, tools: Tools, question: str, model: ChatModel | None = None, **options: object) -> Answer:
    """The answer. `options`: those of `QueryOptions`."""
    return follow(search, tools, question, model, **options)[0]


def follow(
    search: Search, tools: Tools, question: str, model: ChatModel | None = None, **options: object
) -> tuple[Answer, list[Event]]:
    """The answer, and the events on the way to it."""
    if model is None:
        return _consume(search(Inquiry(question, tools, None, QueryOptions(**options))))  # pyright: ignore[reportArgumentType]
    service = ModelService(model, Memo(), LLMSettings(provider="fake"), background=Background(LeapingLoop))
    try:
        with service.session(_budget(options)) as session:
            return _consume(search(Inquiry(question, tools, Chat(session, Prompts()), QueryOptions(**options))))  # pyright: ignore[reportArgumentType]
    finally:
        service.close()


def streamed(events: Sequence[Event]) -> str:
    """The text that went out, piece by piece."""
    return "".join(event.text for event in events if isinstance(event, Token))


def _budget(options: dict[str, object]) -> Budget:
    known = QueryOptions(**options)  # pyright: ignore[reportArgumentType]
    return Budget(max_tokens=known.max_tokens, max_calls=known.max_calls, seconds=known.timeout)


def _consume(events: Generator[Event, None, Answer]) -> tuple[Answer, list[Event]]:
    seen: list[Event] = []
    while True:
        try:
            seen.append(next(events))
        except StopIteration as end:
            return end.value, seen
