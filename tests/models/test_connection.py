"""What goes over HTTP, and what of it may be seen."""

import asyncio
import json
import sys
import threading
from collections.abc import AsyncIterator, Callable
from http.server import BaseHTTPRequestHandler

import httpx2
import pytest
from test_openai import begin, serving

from graphrag.errors import (
    ConnectionLostError,
    MissingDependencyError,
    ModelError,
    ModelRefusedError,
    OverloadedError,
    SettingsError,
)
from graphrag.models.connection import Access, Connection
from graphrag.models.openai import OpenAIChat
from graphrag.models.refusals import Server
from graphrag.settings import LLMSettings

URL = "http://models.test/v1"
KEY = "sk-secret-0123456789"
Handler = Callable[[httpx2.Request], httpx2.Response]


def access(base_url: str = URL, timeout: float = 300, redirects: bool = True, **headers: str) -> Access:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Access(base_url, KEY, named, timeout, redirects=redirects)


def connection(given: Access, handler: Handler | None = None) -> Connection:
    server = Server(given.public, "m", "THE_KEY", given.secrets)
    transport = httpx2.MockTransport(handler) if handler else None
    return Connection(server, given, lambda: ConnectionLostError("silence"), transport)


def post(to: Connection, body: dict[str, object] | None = None) -> bytes:
    async def once():
        try:
            async with to.post("chat/completions", body or {}) as response:
                return await response.aread()
        finally:
            await to.close()

    return asyncio.run(once())


def get(to: Connection, path: str = "models") -> object:
    async def once():
        try:
            return await to.get(path)
        finally:
            await to.close()

    return asyncio.run(once())


def noted(*answers: httpx2.Response) -> tuple[list[httpx2.Request], Handler]:
    sent: list[httpx2.Request] = []
    return sent, lambda request: (sent.append(request), answers[min(len(sent), len(answers)) - 1])[1]


# --- What is sent ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base_url", "path", "address"),
    [
        ("http://h:8/v1", "models", "http://h:8/v1/models"),
        ("http://h:8/v1/", "chat/completions", "http://h:8/v1/chat/completions"),
        ("http://h:8", "models", "http://h:8/models"),
        ("http://h:8/a/v1", "/props", "http://h:8/props"),
        ("https://u:p@h/v1?version=1", "models", "https://u:p@h/v1/models?version=1"),
    ],
)
def test_where_a_request_goes(base_url: str, path: str, address: str):
    assert access(base_url).at(path) == address


def test_a_body_is_sent_as_it_is_and_nothing_is_told_of_this_machine():
    sent, handler = noted(httpx2.Response(200))
    body: dict[str, object] = {"text": "é", "own": [1, None]}

    post(connection(access(X_Tenant="7"), handler), body)

    assert json.loads(sent[0].content) == body
    assert "é".encode() in sent[0].content
    assert dict(sent[0].headers) == {
        "host": "models.test",
        "accept": "application/json",
        "accept-encoding": "identity",
        "authorization": f"Bearer {KEY}",
        "connection": "keep-alive",
        "content-length": str(len(sent[0].content)),
        "content-type": "application/json",
        "user-agent": "graphrag",
        "x-tenant": "7",
    }
    assert sent[0].extensions["timeout"] == {"connect": 30, "read": 300, "write": 300, "pool": None}


def test_headers_of_the_settings_stand_above_the_key_in_any_case():
    sent, handler = noted(httpx2.Response(200))
    post(connection(access(authorization="Token of-a-proxy"), handler))
    assert sent[0].headers.get_list("authorization") == ["Token of-a-proxy"]


def test_a_redirect_is_followed_and_the_key_goes_to_no_other_host():
    moved = httpx2.Response(307, headers={"location": "http://other.test/v1/chat/completions"})
    sent, handler = noted(moved, httpx2.Response(200, content=b"here"))
    assert post(connection(access(), handler), {"a": 1}) == b"here"
    assert json.loads(sent[1].content) == {"a": 1}
    assert ["authorization" in request.headers for request in sent] == [True, False]

    _, handler = noted(moved)
    with pytest.raises(ModelRefusedError, match="status 307"):
        post(connection(access(redirects=False), handler))
    with pytest.raises(ConnectionLostError, match="lost the connection"):
        post(connection(access(), handler))


@pytest.mark.parametrize("value", ["sk-secret-0123456789\n", "sk-“quoted”-0123456789"])
def test_what_no_header_may_hold_is_told_at_once_and_not_repeated(value: str):
    for given in (Access(URL, value, {}, 1), Access(URL, KEY, {"X-Token": value}, 1)):
        with pytest.raises(SettingsError, match="characters that no HTTP header may hold") as caught:
            connection(given)
        assert "0123456789" not in str(caught.value)


@pytest.mark.parametrize("url", ["localhost:8000/v1", "models.test/v1", "ftp://models.test/v1"])
def test_an_address_without_its_scheme_is_told_at_once(url: str):
    with pytest.raises(SettingsError, match=r"llm\.base_url is no address"):
        OpenAIChat(LLMSettings(model="m", base_url=url))


def test_without_an_http_client_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "httpx2", None)
    with pytest.raises(MissingDependencyError, match=r"graphrag-drift\[openai\]"):
        connection(access())


# --- What comes back ---------------------------------------------------------------------


def test_what_a_server_says_of_itself():
    said = {"data": [{"id": "m"}]}
    for kind in ("application/json", "text/plain"):
        answer = httpx2.Response(200, content=json.dumps(said), headers={"content-type": kind})
        assert get(connection(access(), lambda _, answer=answer: answer)) == said
    assert get(connection(access(), lambda _: httpx2.Response(200, html="<p>Welcome"))) is None
    with pytest.raises(ConnectionLostError, match="not JSON"):
        broken = httpx2.Response(200, content=b"{", headers={"content-type": "application/json"})
        get(connection(access(), lambda _: broken))


def test_an_error_without_an_end_is_read_as_far_as_it_matters():
    async def endless() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0)
            yield b"x" * (1 << 20)

    with pytest.raises(OverloadedError, match="status 500: xxx"):
        post(connection(access(timeout=5), lambda _: httpx2.Response(500, content=endless())))


def test_an_error_that_comes_drop_by_drop_is_silence():
    async def dripping() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0.01)
            yield b"x"

    for ask in (post, get):
        with pytest.raises(ConnectionLostError, match="silence"):
            ask(connection(access(timeout=0.1), lambda _: httpx2.Response(500, content=dripping())))


def test_what_cannot_be_unpacked_is_a_lost_connection():
    packed = {"content-encoding": "gzip"}

    async def noise() -> AsyncIterator[bytes]:
        yield b"no gzip"

    with pytest.raises(ConnectionLostError, match="lost the connection"):
        post(connection(access(), lambda _: httpx2.Response(200, content=noise(), headers=packed)))


def test_no_error_repeats_what_the_address_holds():
    def echo(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(400, text=f"you sent {request.headers['authorization']}")

    given = access("http://somebody:pass%20word@models.test/v1?key=hidden")
    with pytest.raises(ModelError, match="you sent Basic …") as caught:
        post(connection(given, echo))
    assert "hidden" not in str(caught.value)
    assert not any(secret in repr(given) for secret in (KEY, "pass", "hidden"))


# --- Over real sockets -------------------------------------------------------------------


@pytest.mark.enable_socket
def test_certificates_are_read_for_https_only(monkeypatch: pytest.MonkeyPatch):
    read: list[bool] = []
    load = httpx2.create_ssl_context
    monkeypatch.setattr(httpx2, "create_ssl_context", lambda: (read.append(True), load())[1])

    with serving(begin) as url:
        assert post(connection(access(url))) == b""
        assert not read
        with pytest.raises(ConnectionLostError, match="cannot be reached"):
            post(connection(access(url.replace("http:", "https:"), timeout=5)))
    assert read == [True]


@pytest.mark.enable_socket
def test_proxies_of_the_environment(monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []
    done = threading.Event()

    def proxy(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        begin(request)
        done.set()

    with serving(proxy) as url:
        monkeypatch.setenv("http_proxy", url)
        post(connection(access()))
    assert asked == [f"{URL}/chat/completions"]
