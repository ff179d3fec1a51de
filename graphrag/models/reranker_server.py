"""A reranker behind a server that has `/rerank`: vLLM, llama-server, Jina, Cohere, Voyage, or Text
Embeddings Inference, which has a form of its own.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from graphrag.errors import (
    ConnectionLostError,
    ContextOverflowError,
    MissingDependencyError,
    ModelError,
    OverloadedError,
    SettingsError,
    UnusableReplyError,
)
from graphrag.models import keys, refusals, rerank_replies, tracing
from graphrag.models.background import Background
from graphrag.models.bodies import MOST
from graphrag.models.completions import sendable
from graphrag.models.refusals import MalformedRequestError, Server
from graphrag.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from httpx2 import AsyncBaseTransport, AsyncClient, Response
    from numpy.typing import NDArray

Form = Literal["documents", "texts"]

FIRST_DELAY = 0.5
"""Seconds until a busy server that does not say when is asked again; then twice as long, and so on."""
MOST_TEXTS = 32
"""Texts a request in the form of Text Embeddings Inference, which refuses more unless told otherwise.
Its scores are of one text each, so that those of several requests compare."""
SHORTEST = 200
"""Characters that no text is cut below where the model's context is too short."""


class RerankerServer:
    """A `Reranker` behind a server, for any thread.

    A request that fails because the server is busy is made again, texts too long for its model are
    cut, both within `settings.reranking.timeout`.
    """

    def __init__(
        self,
        settings: Settings,
        transport: "AsyncBaseTransport | None" = None,
        background: Background | None = None,
    ) -> None:
        """Connects to nothing yet. Server, key and headers are those of `llm` where `reranking` names
        no server of its own; `transport` stands in for the network in tests.

        Raises SettingsError without an address, MissingDependencyError without an HTTP client.
        """
        ours, llm = settings.reranking, settings.llm
        base_url = ours.base_url or llm.base_url
        if urlsplit(base_url).scheme not in ("http", "https"):
            raise SettingsError("reranking.base_url is no address: set it to that of a server that has /rerank")
        try:
            import httpx2
        except ImportError:
            raise MissingDependencyError("a reranker behind a server", "openai") from None
        del httpx2
        shared = ours.base_url in ("", llm.base_url)
        given = ours.api_key or (llm.api_key if shared else None)
        self._key = keys.choose("reranking", given, base_url, llm.base_url)
        self._headers = dict(llm.headers) if shared else {}
        self._settings = ours
        self._base_url, self._transport = base_url.rstrip("/"), transport
        parts = urlsplit(base_url)
        self._url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/") + "/rerank"
        secrets = [value for value in (self._key.value, *self._headers.values()) if len(value) > 7]
        self._server = Server(self._url, ours.model, self._key.advice, tuple(secrets))
        self._form: Form | None = None if ours.form == "auto" else ours.form
        self._background = background or Background()
        self._connected: tuple[asyncio.AbstractEventLoop, AsyncClient] | None = None

    @property
    def name(self) -> str:
        """The model's name at the server, or the server's address."""
        return self._settings.model or self._url

    def scores(self, question: str, texts: Sequence[str]) -> "NDArray[np.float32]":
        """See `Reranker`. Raises ModelError; UnusableReplyError for scores that are missing, of no
        text, or no numbers; ConnectionLostError when the time is up."""
        import numpy as np

        found = self._background.run(self._in_time(question, [sendable(text) or " " for text in texts]))
        return np.array(found, dtype=np.float32)

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        if self._background.running:
            self._background.run(self._disconnect())
        self._background.close()

    async def _in_time(self, question: str, texts: list[str]) -> list[float]:
        try:
            with tracing.call("rerank", self.name, "reranking"):
                async with asyncio.timeout(self._settings.timeout):
                    return await self._patiently(sendable(question), texts)
        except TimeoutError:
            limit = f"{self._settings.timeout:g} seconds (reranking.timeout)"
            raise ConnectionLostError(f"{self._url} gave no scores within {limit}") from None

    async def _patiently(self, question: str, texts: list[str]) -> list[float]:
        clock = asyncio.get_running_loop().time
        end, delay = clock() + self._settings.timeout, FIRST_DELAY
        while True:
            try:
                return await self._fitting(question, texts)
            except OverloadedError as error:
                wait = delay if error.retry_after is None else error.retry_after
                if clock() + wait >= end:
                    raise
                await asyncio.sleep(wait)
                delay *= 2

    async def _fitting(self, question: str, texts: list[str]) -> list[float]:
        """The scores of as much of the texts as the model reads."""
        while True:
            try:
                return await self._understood(question, texts)
            except ContextOverflowError:
                longest = max(map(len, texts)) // 2
                if longest < SHORTEST:
                    raise
                texts = [text[:longest] for text in texts]

    async def _understood(self, question: str, texts: list[str]) -> list[float]:
        """The scores, in the form that the server takes: the first time it is found out."""
        try:
            found = await self._ask(self._form or "documents", question, texts)
        except MalformedRequestError as refusal:
            if self._form:
                raise
            try:
                found = await self._ask("texts", question, texts)
            except MalformedRequestError:
                raise refusal from None
            self._form = "texts"
        self._form = self._form or "documents"
        return found

    async def _ask(self, form: Form, question: str, texts: list[str]) -> list[float]:
        found: list[float] = []
        most = MOST_TEXTS if form == "texts" else len(texts) or 1
        for start in range(0, len(texts), most):
            batch = texts[start : start + most]
            told: dict[str, object] = {"query": question, "texts": batch, "truncate": True}
            if form == "documents":
                model = {"model": self._settings.model} if self._settings.model else {}
                told = {**model, "query": question, "documents": batch, "top_n": len(batch)}
            found += self._scores(await self._post(told), len(batch))
        return found

    async def _post(self, told: Mapping[str, object]) -> bytes:
        """The body of the response to a request. Raises ModelError: the client's errors hold the key."""
        import httpx2

        content = json.dumps(told, ensure_ascii=False).encode("utf-8")
        try:
            async with self._client().stream("POST", f"{self._base_url}/rerank", content=content) as response:
                body = bytearray()
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > MOST:
                        raise UnusableReplyError(f"{self._url} sends data without an end in place of scores")
                if response.is_success:
                    return bytes(body)
                raise _refusal(self._server, response, body)
        except httpx2.TimeoutException:
            raise TimeoutError from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            refused = isinstance(error, httpx2.ConnectError)
            problem = "cannot be reached; is the server running?" if refused else "lost the connection"
            raise ConnectionLostError(f"{self._url} {problem}", refused) from None

    def _scores(self, body: bytes, count: int) -> list[float]:
        try:
            return rerank_replies.read(body, count)
        except UnusableReplyError as error:
            raise UnusableReplyError(f"{self._url} gave no usable scores: {error}") from None

    def _client(self) -> "AsyncClient":
        """The client for this event loop: connections cannot move to another."""
        import httpx2

        loop = asyncio.get_running_loop()
        if self._connected is None or self._connected[0] is not loop:
            key = {"Authorization": f"Bearer {self._key.value}"} if self._key.value else {}
            headers = {"Content-Type": "application/json", **self._headers, **key}
            client = httpx2.AsyncClient(headers=headers, timeout=self._settings.timeout, transport=self._transport)
            self._connected = loop, client
        return self._connected[1]

    async def _disconnect(self) -> None:
        connected, self._connected = self._connected, None
        if connected:
            await connected[1].aclose()


def _refusal(server: Server, response: "Response", body: bytearray) -> ModelError:
    text = body.decode("utf-8", "replace")
    try:
        said: object = json.loads(text)
    except (ValueError, RecursionError):
        said = text
    headers = {name.lower(): value for name, value in response.headers.items()}
    return refusals.error(server, response.status_code, said, headers)
