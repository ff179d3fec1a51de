"""How replies are held to their form, found out once per server and remembered.

A ladder: a JSON schema that the server decodes by, JSON without one, plain text. The prompts say
the form in words, so that nothing is added to a request on the lower steps.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Literal, TypeVar

from graphrag.errors import StorageError
from graphrag.messages import Reply, ReplySchema
from graphrag.models.memo import DAY, Memo
from graphrag.models.refusals import MalformedRequestError

T = TypeVar("T")
Level = Literal["schema", "json", "text"]
LEVELS: tuple[Level, ...] = ("schema", "json", "text")
PROSE = 3
"""Replies in a row without any JSON after which a server's word for it is not believed."""
REMEMBERED = 7 * DAY
"""Seconds: servers learn more."""


@dataclass(frozen=True, slots=True)
class LevelMemory:
    """Where the levels of servers are kept from one process to the next: in the memo, for some days.

    A memo that cannot be used remembers nothing: those who need it say so.
    """

    memo: Callable[[], Memo]
    """Opens it; closed at once."""
    believed: bool = True
    """Whether what another process found out is taken for true."""

    def recall(self, server: str) -> Level | None:
        """What was found out, by the server's `address`; None if nothing, or too long ago."""
        if not self.believed:
            return None
        with suppress(StorageError), closing(self.memo()) as memo:
            found = memo.level(server, REMEMBERED)
            return next((level for level in LEVELS if level == found), None)
        return None

    def keep(self, server: str, level: Level) -> None:
        """Remember it from now on."""
        with suppress(StorageError), closing(self.memo()) as memo:
            memo.put_level(server, level)


def address(url: str, model: str) -> str:
    """A hash that stands for a model at a server; `url` is without user and key."""
    return hashlib.sha256("\n".join((url, model, *LEVELS)).encode("utf-8", "surrogatepass")).hexdigest()


class Ladder:
    """Which level a server can do. The first calls wait for one of them to find out, unless it is remembered."""

    def __init__(
        self,
        setting: Literal["auto", "schema", "json", "text"] = "auto",
        memory: LevelMemory | None = None,
        server: str = "",
    ) -> None:
        """`auto` starts at the top, or at what the memory has of the server; any other level is
        kept, whatever comes."""
        self.level: Level = "schema" if setting == "auto" else setting
        self.known = setting != "auto"
        self._fixed = setting != "auto"
        self._hearsay = False
        """The level is remembered, and no request has passed at it yet."""
        self._memory = memory
        self._server = server
        self._prose = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = asyncio.Lock()

    async def climb(self, send: Callable[[Level], Awaitable[T]]) -> T:
        """What `send` gives at the highest level that the server does not refuse.

        A refusal counts against a level only where the same request passes at a lower one.
        """
        if not self.known:
            async with self._turn():
                if not self.known and not self._recalled():
                    return await self._descend(send)
        tried = self.level
        try:
            sent = await send(tried)
        except MalformedRequestError as error:
            if self._fixed or tried == "text" or not (error.names_form or self._hearsay):
                raise
        else:
            self._hearsay = False
            return sent
        async with self._turn():
            return await self._descend(send)

    def heard(self, reply: Reply) -> None:
        """Take note of a reply to a request with a schema: a server may promise and not keep."""
        if self._fixed or self.level == "text" or reply.finish != "stop" or not reply.text.strip():
            return
        self._prose = 0 if "{" in reply.text or "[" in reply.text else self._prose + 1
        if self._prose >= PROSE:
            self._prose = 0
            self._found(LEVELS[LEVELS.index(self.level) + 1])

    def _recalled(self) -> bool:
        level = self._memory and self._memory.recall(self._server)
        if not level:
            return False
        self.level, self.known, self._hearsay = level, True, True
        return True

    def _found(self, level: Level) -> None:
        news = not self.known or level != self.level
        self.level, self.known, self._hearsay = level, True, False
        if self._memory and news:
            self._memory.keep(self._server, level)

    async def _descend(self, send: Callable[[Level], Awaitable[T]]) -> T:
        first: MalformedRequestError | None = None
        for level in LEVELS[LEVELS.index(self.level) :]:
            try:
                sent = await send(level)
            except MalformedRequestError as error:
                first = first or error
            else:
                self._found(level)
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
