"""The HTTP connection to a server of models: a body goes out as it is, the response comes as it
arrives, and every failure is one of our errors.
"""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit, urlunsplit

from graphrag.errors import ConnectionLostError, MissingDependencyError, ModelError, SettingsError
from graphrag.models import refusals
from graphrag.models.completions import ServerSaysError
from graphrag.models.refusals import Server

if TYPE_CHECKING:
    from httpx2 import AsyncBaseTransport, AsyncClient, Response

CONNECT = 30.0
"""Seconds at most until a server takes a connection."""
MOST = 1 << 22
"""Bytes that are read of what a server says of itself or of an error."""
_SECRET = 8
"""Characters of a value that no error repeats; one that is shorter, such as a tenant's number,
would blot out half of every message."""


@dataclass(frozen=True, slots=True)
class Access:
    """How a server is reached."""

    base_url: str = field(repr=False)
    """As it was set: with user, password and query."""
    key: str = field(repr=False)
    """Empty for none."""
    headers: Mapping[str, str] = field(repr=False)
    """Of every request. They stand above what is sent by default, the key included."""
    timeout: float
    """Seconds without a byte."""
    connections: int = 1
    """Calls at once; some questions may go beside them."""
    redirects: bool = True
    """Whether to follow them."""

    @property
    def public(self) -> str:
        """The address without user, password and query."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no error may repeat."""
        user = urlsplit(self.base_url).netloc.rpartition("@")[0]
        coded = base64.b64encode(unquote(user).encode()).decode()
        values = (self.key, *self.headers.values(), unquote(user), coded)
        return tuple(value for value in values if len(value) >= _SECRET)

    def at(self, path: str) -> str:
        """An address of the API, or of the server's root if `path` starts with a slash."""
        parts = urlsplit(self.base_url)
        return urlunsplit(parts._replace(path=path if path.startswith("/") else f"{parts.path.rstrip('/')}/{path}"))


class Connection:
    """Connections to one server, for any event loop; only one loop's are open at a time."""

    def __init__(
        self,
        server: Server,
        access: Access,
        silence: Callable[[], ModelError],
        transport: "AsyncBaseTransport | None" = None,
    ) -> None:
        """Connects to nothing yet. `server` is who refuses, as errors name it, `silence` gives the error for one
        that says nothing; `transport` stands in for the network in tests.

        Raises SettingsError for what HTTP cannot send, MissingDependencyError without an HTTP client.
        """
        try:
            import httpx2
        except ImportError:
            raise MissingDependencyError("a model behind a server", "openai") from None
        del httpx2
        if not all(value.isascii() and value.isprintable() for value in (access.key, *access.headers.values())):
            raise SettingsError(f"the key or a header for {server.url} holds characters that no HTTP header may hold")
        self._server, self._access, self._silence, self._transport = server, access, silence, transport
        self._client: AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @asynccontextmanager
    async def post(self, path: str, body: Mapping[str, Any]) -> "AsyncGenerator[Response]":
        """The response to a request, its body yet to be read; closed at the end.

        Raises ModelError, also for what goes wrong while the body is read.
        """
        with self._errors():
            async with self._connected().stream("POST", self._access.at(path), json=body) as response:
                if not response.is_success:
                    raise await self._refusal(response) from None
                yield response

    async def get(self, path: str) -> object:
        """What GET gives as JSON; None for what is none. Raises ModelError."""
        with self._errors():
            async with self._connected().stream("GET", self._access.at(path)) as response:
                if not response.is_success:
                    raise await self._refusal(response) from None
                said = await self._beginning(response)
        try:
            return json.loads(said)
        except (ValueError, RecursionError):
            if "json" not in response.headers.get("content-type", ""):
                return None
            raise ConnectionLostError(f"{self._server.url} sent something that is not JSON") from None

    async def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        client, self._client = self._client, None
        if client:
            await client.aclose()

    @contextmanager
    def _errors(self) -> Generator[None]:
        """What the network and the server raise, as errors of this package; theirs hold the key."""
        import httpx2

        try:
            yield
        except ServerSaysError as error:
            raise refusals.error(self._server, error.status, error.body, {}) from None
        except (TimeoutError, httpx2.TimeoutException):
            raise self._silence() from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            refused = isinstance(error, httpx2.ConnectError)
            problem = "cannot be reached; is the server running?" if refused else "lost the connection"
            raise ConnectionLostError(f"{self._server.url} {problem}", refused) from None

    async def _refusal(self, response: "Response") -> ModelError:
        """The error that a response with a status other than 2xx amounts to."""
        text = (await self._beginning(response)).decode("utf-8", "replace")
        try:
            said: object = json.loads(text)
        except (ValueError, RecursionError):
            said = text
        headers = {name.lower(): value for name, value in response.headers.items()}
        return refusals.error(self._server, response.status_code, said, headers)

    async def _beginning(self, response: "Response") -> bytearray:
        """A body, as far as anybody wants to read it. Raises TimeoutError if it comes drop by drop."""
        data = bytearray()
        async with asyncio.timeout(self._access.timeout):
            async for piece in response.aiter_bytes():
                data += piece
                if len(data) > MOST:
                    break
        return data

    def _connected(self) -> "AsyncClient":
        """The client for this event loop: connections cannot move to another."""
        loop = asyncio.get_running_loop()
        if self._client is None or loop is not self._loop:
            self._loop, self._client = loop, _client(self._access, self._transport)
        return self._client


def _client(access: Access, transport: "AsyncBaseTransport | None") -> "AsyncClient":
    import httpx2

    headers = httpx2.Headers({"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "graphrag"})
    if access.key:
        headers["Authorization"] = f"Bearer {access.key}"
    headers.update(access.headers)
    # One that is warm for each call in flight, and some for questions beside them.
    most = access.connections + 8
    return httpx2.AsyncClient(
        headers=headers,
        timeout=httpx2.Timeout(access.timeout, connect=min(CONNECT, access.timeout), pool=None),
        limits=httpx2.Limits(max_connections=most, max_keepalive_connections=most),
        follow_redirects=access.redirects,
        transport=transport,
        verify=_LateTrust(ssl.PROTOCOL_TLS_CLIENT),
    )


class _LateTrust(ssl.SSLContext):
    """The certificates to trust, read for the first connection that wants them: plain http never does.

    Reading them takes 20 ms, for each client and each proxy.
    """

    _protocols: tuple[str, ...] = ()
    _trust: ssl.SSLContext | None = None

    def set_alpn_protocols(self, alpn_protocols: Any) -> None:
        """Kept until there is somebody to tell."""
        self._protocols = tuple(alpn_protocols)

    def wrap_bio(self, *arguments: Any, **named: Any) -> ssl.SSLObject:
        """See `ssl.SSLContext`."""
        import httpx2

        if self._trust is None:
            self._trust = httpx2.create_ssl_context()
        self._trust.set_alpn_protocols(self._protocols)
        return self._trust.wrap_bio(*arguments, **named)
