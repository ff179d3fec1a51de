"""Chat and embedding models behind an OpenAI-compatible server: vLLM, SGLang, llama-server, Ollama,
Text Generation Inference, OpenAI itself.

Replies are always streamed where the server can, so that one that runs in circles can be cut.
"""

import base64
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from graphrag.errors import ModelError, ModelRefusedError, SettingsError, UnusableReplyError
from graphrag.messages import Reply, Request
from graphrag.models import completions, discovery, keys
from graphrag.models.base import Watch
from graphrag.models.bodies import Reader
from graphrag.models.connection import Access, Connection
from graphrag.models.discovery import ServedModel
from graphrag.models.keys import OPENAI, Key
from graphrag.models.refusals import MalformedRequestError, Server, UnknownModelError
from graphrag.models.structured import Ladder, Level, LevelMemory, address, response_format
from graphrag.settings import LLMSettings, Settings

if TYPE_CHECKING:
    import numpy as np
    from httpx2 import AsyncBaseTransport, Response
    from numpy.typing import NDArray

OFFERED = 5
"""Models of the server that an error names."""
_DROPPABLE = ("stream_options", "stream", "max_tokens", "temperature")
"""Fields that some servers refuse: asked for again without them. A name comes before its beginnings."""


class OpenAIChat:
    """A `ChatModel` behind an OpenAI-compatible server."""

    def __init__(
        self,
        settings: LLMSettings,
        transport: "AsyncBaseTransport | None" = None,
        levels: LevelMemory | None = None,
    ) -> None:
        """Connects to nothing yet; `transport` stands in for the network in tests, `levels` knows what
        the server was found to do before.

        Raises SettingsError where the model's name or the key is missing, MissingDependencyError
        without an HTTP client.
        """
        self._settings = settings
        key = keys.choose("llm", settings.api_key, settings.base_url, settings.base_url)
        self._server = _Api(settings, settings.model, settings.base_url, key, transport)
        server = address(self._server.url, settings.model)
        self._ladder = Ladder(settings.structured, levels, server)
        self._dropped: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The model's name at the server."""
        return self._settings.model

    @property
    def parameters(self) -> Mapping[str, object]:
        """Temperature and the further fields of the settings; not the address, nor
        how replies are held to their form: what was paid for stays good when a server learns more."""
        given = self._settings
        return {"temperature": given.temperature, "body": dict(given.body)}

    @property
    def structured(self) -> Level:
        """How replies are held to their form: what the server was found to do, or the setting."""
        return self._ladder.level

    async def chat(self, request: Request, watch: Watch) -> Reply:
        """See `ChatModel`. Usage is counted here where the server does not tell it."""
        async with AsyncExitStack() as stack:
            opening = partial(self._open, stack, request)
            response = await (self._ladder.climb(opening) if request.schema else opening("text"))
            reply = await self._server.reader.read(response, watch)
        if request.schema:
            self._ladder.heard(reply)
        return reply if reply.usage.prompt else completions.with_usage(request, reply)

    async def models(self) -> tuple[ServedModel, ...]:
        """What the server offers; none if it does not say. Raises ModelError where it is out of reach."""
        return discovery.served(await self._server.get("models"))

    async def context(self) -> int | None:
        """Tokens that one call may take, prompt and reply together; None if the server does not say."""
        with suppress(ModelError):
            sizes = {model.name: model.context for model in await self.models()}
            if size := sizes.get(self.name):
                return size
        with suppress(ModelError):
            if size := discovery.slot_context(await self._server.get("/props")):
                return size
        with suppress(ModelError):
            return discovery.loaded_context(await self._server.get("/api/ps"), self.name)
        return None

    async def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        await self._server.close()

    async def _open(self, stack: AsyncExitStack, request: Request, level: Level) -> "Response":
        """The reply's beginning, at a level; without the fields that the server refuses."""
        while True:
            body = self._body(request, level)
            try:
                return await stack.enter_async_context(self._server.post("chat/completions", body))
            except MalformedRequestError as error:
                field = _refused_field(error, body)
                if field is None:
                    raise
                self._dropped |= {field}

    def _body(self, request: Request, level: Level) -> dict[str, object]:
        longest = request.max_tokens or self._settings.max_tokens
        body: dict[str, object] = {
            "model": self.name,
            "messages": completions.said(request.messages),
            "temperature": self._settings.temperature,
            "max_tokens": longest,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if form := response_format(request.schema, level):
            body["response_format"] = form
        # OpenAI's reasoning models know the length by its newer name alone.
        renamed: dict[str, object] = {"max_completion_tokens": longest} if "max_tokens" in self._dropped else {}
        kept = {field: value for field, value in body.items() if field not in self._dropped}
        return kept | renamed | self._settings.body


class OpenAIEmbeddings:
    """An embedding model behind an OpenAI-compatible server."""

    def __init__(self, settings: Settings, transport: "AsyncBaseTransport | None" = None) -> None:
        """Connects to nothing yet. Server, key and headers are those of `llm` where `embedding`
        names no server of its own.

        Raises SettingsError and MissingDependencyError as `OpenAIChat` does.
        """
        ours, llm = settings.embedding, settings.llm
        shared = ours.base_url in ("", llm.base_url)
        given = ours.api_key or (llm.api_key if shared else None)
        key = keys.choose("embedding", given, ours.base_url or llm.base_url, llm.base_url)
        lent = llm if shared else llm.model_copy(update={"headers": {}})
        self._settings = ours
        self._server = _Api(lent, ours.model, ours.base_url or llm.base_url, key, transport, "embedding")
        self._encoding = "base64"

    @property
    def name(self) -> str:
        """The model's name at the server, and the dimensions if the settings ask for some."""
        size = self._settings.dimensions
        return f"openai/{self._settings.model}" + (f"/{size}" if size else "")

    async def embed(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Unit vectors, shape (len(texts), dimensions), in the order of the texts, by one request.

        Raises ModelError; UnusableReplyError for vectors that are missing, of several sizes, or
        hold something that is no number.
        """
        import numpy as np

        if not texts:
            return np.empty((0, self._settings.dimensions), dtype=np.float32)
        body = await self._ask(texts)
        try:
            items = sorted(body["data"], key=lambda item: int(item["index"]))
            if [int(item["index"]) for item in items] != list(range(len(texts))):
                raise UnusableReplyError(f"{self._server.url} gave {len(items)} vectors for {len(texts)} texts")
            vectors = np.stack([_vector(item["embedding"]) for item in items])
        except (LookupError, TypeError, ValueError) as error:
            raise UnusableReplyError(f"{self._server.url} gave no vectors: {type(error).__name__}") from None
        if not vectors.shape[1] or not np.isfinite(vectors).all():
            raise UnusableReplyError(f"{self._server.url} gave vectors that are empty or hold no numbers")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)

    async def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        await self._server.close()

    async def _ask(self, texts: Sequence[str]) -> Mapping[str, Any]:
        # OpenAI refuses an empty text.
        body: dict[str, object] = {
            "model": self._settings.model,
            "input": [completions.sendable(text) or " " for text in texts],
        }
        if self._settings.dimensions:
            body["dimensions"] = self._settings.dimensions
        while True:
            encoding = self._encoding
            try:
                async with self._server.post("embeddings", body | {"encoding_format": encoding}) as response:
                    return completions.parsed(await self._server.reader.whole(response))
            except MalformedRequestError as error:
                if encoding == "float" or "encoding_format" not in error.words:
                    raise
                self._encoding = "float"


class _Api:
    """The endpoints of an OpenAI-compatible server."""

    def __init__(
        self,
        llm: LLMSettings,
        model: str,
        base_url: str,
        key: Key,
        transport: "AsyncBaseTransport | None",
        section: str = "llm",
    ) -> None:
        if not model:
            raise SettingsError(f"{section}.model is empty: name the model that the server is to use")
        if not key.value and not base_url:
            raise SettingsError(f"no key: set {key.advice}, or {section}.base_url for a server of your own")
        if urlsplit(base_url or OPENAI).scheme not in ("http", "https"):
            raise SettingsError(f"{section}.base_url is no address: one begins with http:// or https://")
        headers = {**keys.account(base_url), **llm.headers}
        access = Access(base_url or OPENAI, key.value or "none", headers, llm.timeout, llm.concurrency)
        self.url = access.public
        self.reader = Reader(self.url, llm.timeout)
        server = Server(self.url, model, key.advice, access.secrets)
        self._connection = Connection(server, access, self.reader.silence, transport)

    @asynccontextmanager
    async def post(self, path: str, body: Mapping[str, Any]) -> "AsyncGenerator[Response]":
        """See `Connection`; a model that is unknown is answered with those there are."""
        try:
            async with self._connection.post(path, body) as response:
                yield response
        except UnknownModelError as error:
            raise ModelRefusedError(f"{error}{await self._offer()}") from None

    async def get(self, path: str) -> object:
        return await self._connection.get(path)

    async def close(self) -> None:
        await self._connection.close()

    async def _offer(self) -> str:
        """The models a server has, as the end of a sentence."""
        with suppress(ModelError):
            names = [model.name for model in discovery.served(await self.get("models"))]
            if names:
                return f"; it offers {', '.join(names[:OFFERED])}" + (" …" if len(names) > OFFERED else "")
        return "; check the model's name, and whether base_url must end in /v1"


def _refused_field(error: MalformedRequestError, body: Mapping[str, object]) -> str | None:
    """The field of a request that the server names as one it does not take; None if it names none."""
    return next((field for field in _DROPPABLE if field in body and field in error.words), None)


def _vector(value: object) -> "NDArray[np.float32]":
    """An embedding as sent: base64 of little-endian floats, or a list."""
    import numpy as np

    if isinstance(value, str):
        return np.frombuffer(base64.b64decode(value, validate=True), dtype="<f4")
    return np.array(value, dtype=np.float32)
