"""Reading what a server answers with, as a stream of events or whole, for as long as it says something."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from graphrag.errors import ConnectionLostError, ModelRefusedError
from graphrag.messages import Reply
from graphrag.models import completions
from graphrag.models.base import Watch
from graphrag.models.completions import ReplyStream

WAITED = 0.0005
GATHER = 0.05
"""Seconds that tokens of a stream are left to gather before they are read."""
MOST = 1 << 26
"""Bytes of a body that does not come as a stream."""
_BEGINNING = 1024


class Response(Protocol):
    """A response whose body is yet to be read: httpx's."""

    @property
    def headers(self) -> Mapping[str, str]:
        """By their names, in any case."""
        ...

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """The body as it arrives, unpacked."""
        ...

    def aiter_raw(self) -> AsyncIterator[bytes]:
        """The body as it arrives."""
        ...


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the responses of one server."""

    url: str
    """As an error may name it."""
    timeout: float
    """Seconds without a sign of life, after which a reply is lost; bytes that say nothing are none."""

    async def read(self, response: Response, watch: Watch) -> Reply:
        """A reply, streamed or, from a server that does not stream, whole.

        Raises ServerSaysError, UnusableReplyError, and what `whole` raises.
        """
        if "text/event-stream" not in response.headers.get("content-type", ""):
            return completions.whole(await self.whole(response), watch)
        stream, events = ReplyStream(watch), 0
        packed = "content-encoding" in response.headers
        clock = asyncio.get_running_loop().time
        heard = asked = clock()
        async for data in response.aiter_bytes() if packed else response.aiter_raw():
            if stream.feed(data):
                break
            now = clock()
            if stream.events > events:
                heard, events = now, stream.events
            elif now - heard > self.timeout:
                raise self.silence()
            # Where a token had to be waited for, so has the next: a read costs more than a token.
            if now - asked > WAITED:
                await asyncio.sleep(GATHER)
            asked = clock()
        return stream.reply()

    async def whole(self, response: Response) -> bytes:
        """A body that is no stream of events.

        Raises ConnectionLostError if it does not end, ModelRefusedError if it is a page for people.
        """
        data, clock = bytearray(), asyncio.get_running_loop().time
        begun = clock()
        async for piece in response.aiter_bytes():
            data += piece
            if len(data) > MOST:
                raise ConnectionLostError(f"{self.url} sends data without an end in place of a reply")
            if clock() - begun > self.timeout:
                raise self.silence()
        if "text/html" in response.headers.get("content-type", "") or data[:_BEGINNING].lstrip().startswith(b"<"):
            raise ModelRefusedError(f"{self.url} is no OpenAI-compatible server; base_url often ends in /v1")
        return bytes(data)

    def silence(self) -> ConnectionLostError:
        """The error for a server that has fallen silent."""
        return ConnectionLostError(f"{self.url} gave no sign of life for {self.timeout:g} seconds (llm.timeout)")
