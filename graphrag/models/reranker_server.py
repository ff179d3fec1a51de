"""A reranker behind a server that has `/rerank`: vLLM, llama-server, Jina, Cohere, Voyage, or Text
Embeddings Inference, which has a form of its own.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from graphrag.errors import (
    ConnectionLostError,
    ContextOverflowError,
    OverloadedError,
    SettingsError,
    UnusableReplyError,
)
from graphrag.models import keys, rerank_replies, tracing
from graphrag.models.background import Background
from graphrag.models.bodies import MOST
from graphrag.models.completions import sendable
from graphrag.models.connection import Access, Connection
from graphrag.models.refusals import MalformedRequestError, Server
from graphrag.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from httpx2 import AsyncBaseTransport
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
        shared = ours.base_url in ("", llm.base_url)
        given = ours.api_key or (llm.api_key if shared else None)
        key = keys.choose("reranking", given, base_url, llm.base_url)
        headers = dict(llm.headers) if shared else {}
        access = Access(base_url, key.value, headers, ours.timeout, redirects=False)
        self._settings = ours
        self._url = f"{access.public}/rerank"
        server = Server(self._url, ours.model, key.advice, access.secrets)
        self._connection = Connection(server, access, self._silence, transport)
        self._form: Form | None = None if ours.form == "auto" else ours.form
        self._background = background or Background()

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
            self._background.run(self._connection.close())
        self._background.close()

    async def _in_time(self, question: str, texts: list[str]) -> list[float]:
        try:
            with tracing.call("rerank", self.name, "reranking"):
                async with asyncio.timeout(self._settings.timeout):
                    return await self._patiently(sendable(question), texts)
        except TimeoutError:
            raise self._silence() from None

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
        """The body of the response to a request. Raises ModelError."""
        async with self._connection.post("rerank", told) as response:
            body = bytearray()
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > MOST:
                    raise UnusableReplyError(f"{self._url} sends data without an end in place of scores")
            return bytes(body)

    def _scores(self, body: bytes, count: int) -> list[float]:
        try:
            return rerank_replies.read(body, count)
        except UnusableReplyError as error:
            raise UnusableReplyError(f"{self._url} gave no usable scores: {error}") from None

    def _silence(self) -> ConnectionLostError:
        limit = f"{self._settings.timeout:g} seconds (reranking.timeout)"
        return ConnectionLostError(f"{self._url} gave no scores within {limit}")
