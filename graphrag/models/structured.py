"""How replies are held to their form, found out once per server and remembered.

A ladder: a JSON schema that the server decodes by, JSON without one, plain text. The prompts say
the form in words, so that nothing is added to a request on the lower steps.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

from graphrag.messages import Reply, ReplySchema
from graphrag.models.refusals import MalformedRequestError

T = TypeVar("T")
Level = Literal["schema", "json", "text"]
LEVELS: tuple[Level, ...] = ("schema", "json", "text")
PROSE = 3
"""Replies in a row without any JSON after which a server's word for it is not believed."""


class Ladder:
    """Which level a server can do. The first calls wait for one of them to find out."""

    def __init__(self, setting: Literal["auto", "schema", "json", "text"] = "auto") -> None:
        """`auto` starts at the top; any other level is kept, whatever comes."""
        self.level: Level = "schema" if setting == "auto" else setting
        self.known = setting != "auto"
        self._fixed = setting != "auto"
        self._prose = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = asyncio.Lock()

    async def climb(self, send: Callable[[Level], Awaitable[T]]) -> T:
        """What `send` gives at the highest level that the server does not refuse.

        A refusal counts against a level only where the same request passes at a lower one.
        """
        if not self.known:
            async with self._turn():
                if not self.known:
                    return await self._descend(send)
        tried = self.level
        try:
            return await send(tried)
        except MalformedRequestError as error:
            if self._fixed or tried == "text" or not error.names_form:
                raise
        async with self._turn():
            return await self._descend(send)

    def heard(self, reply: Reply) -> None:
        """Take note of a reply to a request with a schema: a server may promise and not keep."""
        if self._fixed or self.level == "text" or reply.finish != "stop" or not reply.text.strip():
            return
        self._prose = 0 if "{" in reply.text or "[" in reply.text else self._prose + 1
        if self._prose >= PROSE:
            self._prose, self.level = 0, LEVELS[LEVELS.index(self.level) + 1]

    async def _descend(self, send: Callable[[Level], Awaitable[T]]) -> T:
        first: MalformedRequestError | None = None
        for level in LEVELS[LEVELS.index(self.level) :]:
            try:
                sent = await send(level)
            except MalformedRequestError as error:
                first = first or error
            else:
                self.level, self.known = level, True
                return sent
        # No level passes: it is something else that the server does not like.
        assert first is not None  # noqa: S101
        raise first

    def _turn(self) -> asyncio.Lock:
        """One at a time; a lock serves one event loop only."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._lock = loop, asyncio.Lock()
        return self._lock


def response_format(schema: ReplySchema | None, level: Level) -> dict[str, object] | None:
    """The field of that name at a level, as OpenAI, vLLM, SGLang, llama-server and Ollama take it."""
    if schema is None or level == "text":
        return None
    if level == "json":
        return {"type": "json_object"}
    form = {"name": schema.name, "schema": schema.definition, "strict": True}
    return {"type": "json_schema", "json_schema": form}
