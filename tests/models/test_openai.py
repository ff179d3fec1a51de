import asyncio
import base64
import gzip
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

import httpx2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrag.errors import (
    ConnectionLostError,
    ContextOverflowError,
    ModelError,
    ModelRefusedError,
    OverloadedError,
    SettingsError,
    UnusableReplyError,
)
from graphrag.messages import Message, Reply, ReplySchema, Request, TokenUsage
from graphrag.models import refusals
from graphrag.models.completions import MOST_LINE, ReplyStream, usage_of
from graphrag.models.openai import OpenAIChat, OpenAIEmbeddings
from graphrag.settings import EmbeddingSettings, LLMSettings, Settings

URL = "http://models.test/v1"
KEY = "sk-secret-0123456789"
SCHEMA = ReplySchema("form", {"type": "object", "properties": {}, "required": [], "additionalProperties": False})
Handler = Callable[[httpx2.Request], httpx2.Response]


def ask(schema: ReplySchema | None = None, text: str = "Who?", max_tokens: int = 0) -> Request:
    return Request("test", (Message("system", "Say JSON."), Message("user", text)), schema, max_tokens)


def event(content: str | None = None, finish: str | None = None, **delta: object) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": {"content": content, **delta}, "finish_reason": finish}]}


def sse(*events: object) -> bytes:
    return b"".join(b"data: " + (e if isinstance(e, bytes) else json.dumps(e).encode()) + b"\n\n" for e in events)


USAGE = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": None}}
GOOD = sse(event(role="assistant"), event("{}"), event(finish="stop"), USAGE, b"[DONE]")


def streamed(content: bytes = GOOD) -> httpx2.Response:
    async def body() -> AsyncIterator[bytes]:
        yield content

    return httpx2.Response(200, content=body(), headers={"content-type": "text/event-stream; charset=utf-8"})


def test_a_stream_that_comes_packed():
    headers = {"content-type": "text/event-stream", "content-encoding": "gzip"}
    assert call(make(lambda _: httpx2.Response(200, content=gzip.compress(GOOD), headers=headers))).text == "{}"


def refused(status: int, body: object, **headers: str) -> httpx2.Response:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, json=body, headers=given)


def make(handler: Handler, **settings: Any) -> OpenAIChat:
    given = LLMSettings(**{"provider": "openai", "model": "m", "base_url": URL, "api_key": KEY, **settings})
    return OpenAIChat(given, httpx2.MockTransport(handler))


def call(chat: OpenAIChat, request: Request | None = None, watch: Callable[[str], bool] = lambda _: False) -> Reply:
    async def once():
        try:
            return await chat.chat(request or ask(), watch)
        finally:
            await chat.close()

    return asyncio.run(once())


# --- What is sent ------------------------------------------------------------------------


def test_what_is_sent():
    sent: list[httpx2.Request] = []
    chat = make(
        lambda r: (sent.append(r), streamed())[1], headers={"X-Tenant": "7"}, body={"top_p": 0.5}, max_tokens=99
    )

    reply = call(chat, ask(SCHEMA))

    body = json.loads(sent[0].content)
    assert str(sent[0].url) == f"{URL}/chat/completions"
    assert sent[0].headers["authorization"] == f"Bearer {KEY}"
    assert sent[0].headers["x-tenant"] == "7"
    assert body["messages"] == [{"role": "system", "content": "Say JSON."}, {"role": "user", "content": "Who?"}]
    assert (body["model"], body["temperature"], body["max_tokens"], body["top_p"]) == ("m", 0, 99, 0.5)
    assert body["response_format"]["json_schema"] == {"name": "form", "schema": SCHEMA.definition, "strict": True}
    assert body["stream_options"] == {"include_usage": True}
    assert reply == Reply("{}", "stop", TokenUsage(7, 2, 0))
    assert KEY not in json.dumps(dict(chat.parameters)) + repr(chat.__dict__)
    assert URL not in json.dumps(dict(chat.parameters))


def test_a_key_is_needed_for_openai_only(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(SettingsError, match="set GRAPHRAG_LLM__API_KEY or OPENAI_API_KEY"):
        OpenAIChat(LLMSettings(model="m"))
    with pytest.raises(SettingsError, match=r"llm\.model is empty"):
        OpenAIChat(LLMSettings(base_url=URL))
    sent: list[str] = []
    for key in ("", "sk-of-the-environment"):
        monkeypatch.setenv("OPENAI_API_KEY", key)
        secure = URL.replace("http:", "https:")
        call(make(lambda r: (sent.append(r.headers["authorization"]), streamed())[1], api_key=None, base_url=secure))
    assert sent == ["Bearer none", "Bearer sk-of-the-environment"]


def test_a_key_that_was_held_back_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    with pytest.raises(
        ModelRefusedError, match=r"GRAPHRAG_LLM__API_KEY \(OPENAI_API_KEY is not sent over plain http\)"
    ):
        call(make(lambda r: refused(401, r.headers["authorization"]), api_key=None))


def test_half_a_character_in_a_prompt_is_not_sent():
    sent: list[bytes] = []
    call(make(lambda r: (sent.append(r.content), streamed())[1]), ask(text="a \ud83d"))
    asyncio.run(embeddings(lambda r: (sent.append(r.content), vectors([1.0], [1.0]))[1]).embed(["b \ud83d", "\ud83d"]))
    assert json.loads(sent[0])["messages"][1]["content"] == "a "
    assert json.loads(sent[1])["input"] == ["b ", " "]


# --- What comes back ---------------------------------------------------------------------


@given(st.lists(st.text(min_size=1), min_size=1), st.data())
def test_a_stream_is_read_however_it_is_cut_into_pieces(pieces: list[str], data: st.DataObject):
    content = b": comment\r\n\r\n" + sse(*map(event, pieces), event(finish="length"), USAGE, b"[DONE]")
    cuts = sorted(data.draw(st.sets(st.integers(0, len(content)), max_size=8)) | {0, len(content)})
    heard: list[str] = []
    stream = ReplyStream(lambda piece: (heard.append(piece), False)[1])

    done = [stream.feed(content[start:end]) for start, end in pairwise(cuts)]

    assert stream.reply() == Reply("".join(pieces), "length", TokenUsage(7, 2))
    assert "".join(heard) == "".join(pieces)
    assert any(done)


@given(st.binary())
def test_whatever_is_streamed_is_a_reply_or_an_error_of_ours(noise: bytes):
    with pytest.raises(ModelError):
        call(make(lambda _: streamed(sse(noise))))


@pytest.mark.parametrize(
    "body",
    [[], {}, {"choices": 3}, {"choices": [None]}, {"choices": [{"delta": 3}]}, {"choices": [{"message": "x"}]}, "x"],
    ids=str,
)
def test_replies_of_the_wrong_shape(body: object):
    for response in (streamed(sse(body)), httpx2.Response(200, json=body)):
        try:
            reply = call(make(lambda _, response=response: response))
        except ModelError:
            continue
        assert reply.text == ""


@pytest.mark.parametrize("body", [b"[" * 5000 + b"]" * 5000, b'{"choices":' + b"[" * 5000 + b"]" * 5000 + b"}"])
def test_replies_nested_too_deep(body: bytes):
    for response in (streamed(sse(body)), httpx2.Response(200, content=body)):
        with pytest.raises(ConnectionLostError, match="not JSON"):
            call(make(lambda _, response=response: response))
    deep = body.replace(b"[", b'{"error":').replace(b"]", b"}")
    with pytest.raises(ModelRefusedError):
        call(make(lambda _: httpx2.Response(400, content=deep, headers={"content-type": "application/json"})))
    known = httpx2.Response(200, content=body, headers={"content-type": "application/json"})
    assert asyncio.run(make(lambda _: known).context()) is None


def test_errors_nested_too_deep():
    nested: object = "words"
    for _ in range(2000):
        nested = {"error": nested}
    assert refusals.words_of(nested) == ""
    assert refusals.words_of({"other": nested}) == ""


def test_usage_that_no_database_takes():
    assert usage_of({"prompt_tokens": 10**20, "completion_tokens": -1}) == TokenUsage(1 << 40, 0)


@pytest.mark.parametrize(
    ("kind", "content"),
    [("text/html; charset=utf-8", b"Welcome"), ("application/json", b"\n<html>"), ("text/plain", b"<!DOCTYPE html>")],
)
def test_a_page_is_no_reply(kind: str, content: bytes):
    page = httpx2.Response(200, content=content, headers={"content-type": kind})
    with pytest.raises(ModelRefusedError, match="no OpenAI-compatible server; base_url often ends in /v1"):
        call(make(lambda _: page))
    with pytest.raises(ModelRefusedError, match="no OpenAI-compatible server"):
        asyncio.run(embeddings(lambda _: page).embed(["a"]))


def test_a_stream_without_lines_is_lost():
    stream = ReplyStream(lambda _: False)
    with pytest.raises(ConnectionLostError, match="without an end"):
        for _ in range(2 * MOST_LINE // 100):
            stream.feed(b"x" * 100)


def test_a_body_without_an_end_is_lost(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("graphrag.models.bodies.MOST", 1000)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 100

    with pytest.raises(ConnectionLostError, match="without an end"):
        call(make(lambda _: httpx2.Response(200, content=endless())))


@pytest.mark.parametrize(("kind", "data"), [("text/event-stream", b": ping\n\n"), ("application/json", b" ")])
def test_bytes_that_say_nothing_are_no_sign_of_life(kind: str, data: bytes):
    async def pings() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0.01)
            yield data

    response = httpx2.Response(200, content=pings(), headers={"content-type": kind})
    with pytest.raises(ConnectionLostError, match=r"no sign of life for 0\.1 seconds"):
        call(make(lambda _: response, timeout=0.1))


def test_a_cut_stream_is_lost_and_not_half_a_reply():
    with pytest.raises(ConnectionLostError, match="half-way"):
        call(make(lambda _: streamed(sse(event("half of")))))
    with pytest.raises(ConnectionLostError, match="half-way"):
        call(make(lambda _: streamed(sse(event("half of"), b"[DONE]"))))


def test_a_watch_cuts_and_usage_is_counted_then():
    heard: list[str] = []
    chat = make(lambda _: streamed(sse(*map(event, "abcdef"), event(finish="stop"))))

    reply = call(chat, watch=lambda piece: (heard.append(piece), len(heard) == 3)[1])

    assert (reply.text, reply.finish, heard) == ("abc", "loop", ["a", "b", "c"])
    assert reply.usage.prompt > 3
    assert reply.usage.completion == 1


def test_reasoning_is_a_sign_of_life_and_no_text():
    heard: list[str] = []
    thoughts = (event(reasoning_content="hm"), event(reasoning="so"))
    reply = call(
        make(lambda _: streamed(sse(*thoughts, event("yes", "stop")))), watch=lambda p: (heard.append(p), False)[1]
    )
    assert (reply.text, heard) == ("yes", ["", "", "yes"])


def test_what_the_filter_or_the_model_refuses():
    with pytest.raises(UnusableReplyError, match="content filter"):
        call(make(lambda _: streamed(sse(event("x"), event(finish="content_filter")))))
    with pytest.raises(UnusableReplyError, match="declines: I will not"):
        call(make(lambda _: streamed(sse(event(refusal="I will not"), event(finish="stop")))))


def test_an_error_within_the_stream():
    too_long = {"error": {"code": 400, "message": "the request exceeds the available context size"}}
    with pytest.raises(ContextOverflowError):
        call(make(lambda _: streamed(sse(too_long))))
    with pytest.raises(OverloadedError):
        call(make(lambda _: streamed(sse(event("x"), {"object": "error", "message": "out of memory"}))))


# --- What servers refuse -----------------------------------------------------------------

OVERFLOWS = {
    "openai": {"error": {"message": "Your input is long.", "code": "context_length_exceeded"}},
    "vllm": {"error": {"message": "This model's maximum context length is 16384 tokens. However, you requested 17000"}},
    "vllm 0.16": {"error": {"message": "You passed 1015 input tokens and requested 10 output tokens. However, the "
                            "model's context length is only 1024 tokens, resulting in …"}},
    "llama-server": {"error": {"message": "the request exceeds the available context size. try increasing it",
                               "type": "exceed_context_size_error", "n_ctx": 8192}},
    "sglang": {"object": "error", "message": "The input (61709 tokens) is longer than the model's context length"},
    "sglang old": {"message": "Input length (160062 tokens) exceeds the maximum allowed length (59862 tokens)."},
    "tgi": {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 1244"},
    "tei": {"error": "Input validation error: `inputs` must have less than 512 tokens. Given: 600"},
    "ollama": {"error": {"message": "the input length exceeds the context length"}},
    "llama-server embeddings": {"error": {"message": "input (900 tokens) is too large to process. increase the batch"}},
}  # fmt: skip


@pytest.mark.parametrize("server", OVERFLOWS)
def test_a_request_that_is_too_long(server: str):
    for status in (400, 422, 500):
        with pytest.raises(ContextOverflowError, match="longer than the context of 'm'"):
            call(make(lambda _, status=status: refused(status, OVERFLOWS[server])))


def test_every_status_has_its_error():
    def error(status: int, body: object = "words", **headers: str) -> ModelError:
        with pytest.raises(ModelError) as caught:
            call(make(lambda r: refused(status, body, **headers) if r.method == "POST" else refused(500, {})))
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400
        return caught.value

    assert "set GRAPHRAG_LLM__API_KEY or OPENAI_API_KEY" in str(error(401))
    assert type(error(403)) is ModelRefusedError
    assert "temperature is odd" in str(error(400, {"error": {"message": "temperature is odd " + "x" * 999}}))
    assert type(error(402)) is ModelRefusedError
    assert isinstance(error(413), ContextOverflowError)
    assert isinstance(error(404), ModelRefusedError)
    quota = {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}
    assert type(error(429, quota)) is ModelRefusedError
    for status in (408, 409, 429, 500, 502, 503, 529):
        late = error(status, "busy", retry_after="3")
        assert isinstance(late, OverloadedError)
        assert late.retry_after == 3


@pytest.mark.parametrize(
    "words",
    [
        {"code": "content_filter", "message": "The response was filtered"},
        {"message": "… triggering Azure OpenAI's content management policy."},
        {"message": "no", "type": "ResponsibleAIPolicyViolation"},
    ],
)
def test_a_prompt_that_a_filter_holds_back(words: dict[str, str]):
    for status in (400, 403):
        with pytest.raises(UnusableReplyError, match="content filter"):
            call(make(lambda _, status=status: refused(status, {"error": words})), ask(SCHEMA))


def test_an_unknown_model_is_told_what_there_is():
    offer = {"data": [{"id": f"model-{n}"} for n in range(7)]}

    def serve(request: httpx2.Request) -> httpx2.Response:
        return refused(200, offer) if request.method == "GET" else refused(404, {"error": "no such model"})

    with pytest.raises(ModelRefusedError, match=r"'m'.*it offers model-0, model-1, model-2, model-3, model-4 …$"):
        call(make(serve))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429, 500])
def test_no_error_repeats_a_key(status: int):
    def echo(request: httpx2.Request) -> httpx2.Response:
        sent = [f"you sent {request.headers[name]}" for name in ("authorization", "x-token")]
        return refused(status, {"error": sent})

    private = "http://user:password@models.test/v1?key=hidden"
    with pytest.raises(ModelError) as caught:
        call(make(echo, headers={"X-Token": "another-secret-9"}, base_url=private))
    told = str(caught.value) + repr(caught.value)
    assert not any(secret in told for secret in (KEY, "another-secret-9", "password", "hidden"))
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "Sun, 22 Nov 2026 00:00:30 GMT"}, 30),
        ({"retry-after": "Sat, 21 Nov 2026 00:00:30 GMT"}, 0),
        ({"x-ratelimit-reset-requests": "6m0.5s"}, 360.5),
        ({"x-ratelimit-reset-tokens": "20ms"}, 0.02),
        ({"x-ratelimit-reset": "1795305610000"}, 10),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "1s" + "1" * 1_000_000}, 1),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], seconds: float | None):
    now = datetime(2026, 11, 22, tzinfo=UTC)
    assert refusals.retry_after(headers, now) == pytest.approx(seconds)


# --- Finding out what the server can do --------------------------------------------------


def picky(known: set[str], words: str = "response_format is not supported", log: list[str] | None = None) -> Handler:
    """A server that takes some forms of reply only."""

    def serve(request: httpx2.Request) -> httpx2.Response:
        form = json.loads(request.content).get("response_format", {"type": "text"})["type"]
        if log is not None:
            log.append(form)
        return streamed() if form in known else refused(400, {"error": {"message": words}})

    return serve


@pytest.mark.parametrize("words", ["response_format is not supported", "Bad Request"])
@pytest.mark.parametrize(
    ("known", "found"),
    [({"json_schema", "json_object", "text"}, "schema"), ({"json_object", "text"}, "json"), ({"text"}, "text")],
)
def test_the_best_form_is_found_once_for_all_first_calls(known: set[str], found: str, words: str):
    log: list[str] = []
    chat = make(picky(known, words, log))

    async def many():
        await asyncio.gather(*(chat.chat(ask(SCHEMA), lambda _: False) for _ in range(5)))
        await chat.close()

    asyncio.run(many())
    asyncio.run(many())

    assert chat.structured == found
    assert len(log) == 10 + ["schema", "json", "text"].index(found)


def test_a_request_that_is_bad_in_itself_says_nothing_about_the_form():
    log: list[str] = []
    chat = make(picky(set(), "messages are odd", log))
    with pytest.raises(ModelRefusedError, match="messages are odd"):
        call(chat, ask(SCHEMA))
    assert (chat.structured, len(log)) == ("schema", 3)


def test_a_schema_refused_later_and_a_form_that_is_set():
    known = {"json_schema", "json_object", "text"}
    chat = make(picky(known))
    call(chat, ask(SCHEMA))
    known.discard("json_schema")
    call(chat, ask(SCHEMA))
    assert chat.structured == "json"
    with pytest.raises(ModelRefusedError):
        call(make(picky({"text"}), structured="schema"), ask(SCHEMA))


def test_a_server_that_does_not_keep_its_word():
    chat = make(lambda _: streamed(sse(event("Sure, here you are.", "stop"))))
    levels: list[str] = []
    for _ in range(7):
        call(chat, ask(SCHEMA))
        levels.append(chat.structured)
    assert levels == ["schema"] * 2 + ["json"] * 3 + ["text"] * 2


@pytest.mark.parametrize("field", ["stream_options", "stream", "max_tokens", "temperature"])
def test_fields_that_a_server_does_not_know_are_left_out(field: str):
    bodies: list[dict[str, object]] = []

    def serve(request: httpx2.Request) -> httpx2.Response:
        bodies.append(json.loads(request.content))
        if field in bodies[-1]:
            return refused(400, {"error": {"message": "Unsupported parameter", "param": field}})
        if "stream" in bodies[-1]:
            return streamed()
        whole = {"choices": [{"message": {"content": "{}"}, "finish_reason": "stop"}], "usage": USAGE["usage"]}
        return httpx2.Response(200, json=whole)

    chat = make(serve)
    assert call(chat) == call(chat) == Reply("{}", "stop", TokenUsage(7, 2))
    assert [field in body for body in bodies] == [True, False, False]
    assert bodies[-1].get("max_completion_tokens") == (4096 if field == "max_tokens" else None)


# --- What servers say of themselves ------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "context"),
    [
        ({"/v1/models": {"data": [{"id": "m", "max_model_len": 4096}]}}, 4096),
        ({"/v1/models": {"data": [{"id": "m", "meta": {"n_ctx": 1024}}]}}, 1024),
        ({"/props": {"default_generation_settings": {"n_ctx": 512}}}, 512),
        ({"/api/ps": {"models": [{"name": "m:latest", "context_length": 2048}]}}, 2048),
        ({"/v1/models": {"data": "nonsense"}, "/props": [], "/api/ps": {"models": [3]}}, None),
        ({}, None),
    ],
)
def test_the_context_is_asked_for(answers: dict[str, object], context: int | None):
    def serve(request: httpx2.Request) -> httpx2.Response:
        found = answers.get(request.url.path)
        return httpx2.Response(404, text="no") if found is None else httpx2.Response(200, json=found)

    chat = make(serve)
    assert asyncio.run(chat.context()) == context


# --- Embeddings --------------------------------------------------------------------------


def embeddings(handler: Handler, **settings: Any) -> OpenAIEmbeddings:
    given = Settings(
        llm=LLMSettings(base_url=URL, api_key=KEY, headers={"X-Tenant": "7"}),  # pyright: ignore[reportArgumentType]
        embedding=EmbeddingSettings(**{"provider": "openai", "model": "e", **settings}),
    )
    return OpenAIEmbeddings(given, httpx2.MockTransport(handler))


def vectors(*rows: object, order: list[int] | None = None) -> httpx2.Response:
    return httpx2.Response(200, json={"data": [{"index": i, "embedding": rows[i]} for i in order or range(len(rows))]})


def test_vectors_come_in_the_order_of_the_texts_whatever_their_encoding():
    rows = [[3.0, 4.0], [0.0, 2.0]]
    coded = [base64.b64encode(np.array(row, dtype="<f4").tobytes()).decode() for row in rows]
    for sent in (rows, coded):
        embedder = embeddings(lambda _, sent=sent: vectors(*sent, order=[1, 0]))
        found = asyncio.run(embedder.embed(["a", ""]))
        np.testing.assert_allclose(found, [[0.6, 0.8], [0, 1]], rtol=1e-6)
        assert found.dtype == np.float32


def test_a_server_that_refuses_base64():
    asked: list[dict[str, object]] = []

    def serve(request: httpx2.Request) -> httpx2.Response:
        asked.append(json.loads(request.content))
        if asked[-1]["encoding_format"] == "base64":
            return refused(422, {"detail": [{"loc": ["encoding_format"], "msg": "encoding_format must be float"}]})
        return vectors([1.0])

    embedder = embeddings(serve, dimensions=1)
    for _ in range(2):
        asyncio.run(embedder.embed([""]))
    assert [body["encoding_format"] for body in asked] == ["base64", "float", "float"]
    assert asked[0] == {"model": "e", "input": [" "], "dimensions": 1, "encoding_format": "base64"}
    assert embedder.name == "openai/e/1"


@pytest.mark.parametrize(
    "rows",
    [
        vectors([1.0]),
        vectors([1.0], [float("1")] * 2),
        vectors([1.0], ["x"]),
        vectors("!", "!"),
        vectors([], []),
        httpx2.Response(200, json={"data": None}),
        httpx2.Response(200, content=b'{"data": [{"index": 0, "embedding": [NaN]}, {"index": 1, "embedding": [1]}]}'),
        httpx2.Response(200, json={"data": [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}]}),
    ],
    ids=range(8),
)
def test_vectors_that_cannot_be_used(rows: httpx2.Response):
    with pytest.raises(UnusableReplyError):
        asyncio.run(embeddings(lambda _: rows).embed(["a", "b"]))


def test_the_key_of_the_chat_server_goes_to_no_other(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    sent: list[httpx2.Headers] = []
    for url in ("", "http://other.test/v1"):
        embedder = embeddings(lambda r: (sent.append(r.headers), vectors([1.0]))[1], base_url=url)
        asyncio.run(embedder.embed(["a"]))
    assert [headers["authorization"] for headers in sent] == [f"Bearer {KEY}", "Bearer none"]
    assert ["x-tenant" in headers for headers in sent] == [True, False]


# --- Over real sockets -------------------------------------------------------------------


@contextmanager
def serving(serve: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    class Answering(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            serve(self)

        def log_message(self, *_: object): ...  # pyright: ignore[reportIncompatibleMethodOverride]

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def begin(request: BaseHTTPRequestHandler, status: int = 200, **headers: str) -> None:
    request.send_response(status)
    for name, value in {"Content-Type": "text/event-stream", "Connection": "close", **headers}.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()


@pytest.mark.enable_socket
def test_a_reply_over_the_wire():
    def serve(request: BaseHTTPRequestHandler) -> None:
        begin(request)
        for start in range(0, len(GOOD), 30):
            request.wfile.write(GOOD[start : start + 30])
            request.wfile.flush()

    with serving(serve) as url:
        assert call(OpenAIChat(LLMSettings(model="m", base_url=url))) == Reply("{}", "stop", TokenUsage(7, 2))


@pytest.mark.enable_socket
def test_a_connection_dropped_half_way():
    def serve(request: BaseHTTPRequestHandler) -> None:
        begin(request, Content_Length=str(len(GOOD)))
        request.wfile.write(GOOD[:60])

    with serving(serve) as url, pytest.raises(ConnectionLostError, match="lost the connection") as caught:
        call(OpenAIChat(LLMSettings(model="m", base_url=url)))
    assert not caught.value.refused


@pytest.mark.enable_socket
def test_silence_is_a_lost_connection_and_nobody_there_a_refused_one():
    gone = threading.Event()

    def serve(request: BaseHTTPRequestHandler) -> None:
        begin(request)
        request.wfile.write(GOOD[:60])
        gone.wait(10)

    with serving(serve) as url:
        with pytest.raises(ConnectionLostError, match=r"no sign of life for 0.1 seconds") as caught:
            call(OpenAIChat(LLMSettings(model="m", base_url=url, timeout=0.1)))
        gone.set()
    assert not caught.value.refused
    with pytest.raises(ConnectionLostError, match="is the server running") as caught:
        call(OpenAIChat(LLMSettings(model="m", base_url=url)))
    assert caught.value.refused


@pytest.mark.enable_socket
def test_a_busy_server_says_for_how_long_and_a_cut_stream_is_let_go():
    ended = threading.Event()

    def busy(request: BaseHTTPRequestHandler) -> None:
        begin(request, 429, Retry_After="2", Content_Length="0")

    def endless(request: BaseHTTPRequestHandler) -> None:
        begin(request)
        try:
            while True:
                request.wfile.write(sse(event("again and ")))
        except OSError:
            ended.set()

    with serving(busy) as url, pytest.raises(OverloadedError) as caught:
        call(OpenAIChat(LLMSettings(model="m", base_url=url)))
    assert caught.value.retry_after == 2
    with serving(endless) as url:
        heard: list[str] = []
        reply = call(
            OpenAIChat(LLMSettings(model="m", base_url=url)), watch=lambda p: (heard.append(p), len(heard) > 9)[1]
        )
        assert ended.wait(10)
    assert (reply.finish, reply.text) == ("loop", "again and " * 10)
