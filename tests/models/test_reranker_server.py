"""A reranker behind a server: what is sent, what is made of the answer, and what happens when it fails."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import LeapingLoop

from graphrag import settings as settings_module
from graphrag.backends import Backends
from graphrag.errors import (
    ConnectionLostError,
    ContextOverflowError,
    ModelError,
    ModelRefusedError,
    OverloadedError,
    SettingsError,
    UnusableReplyError,
)
from graphrag.models import rerank_replies, reranker_server
from graphrag.models.background import Background
from graphrag.models.reranker_server import RerankerServer
from graphrag.settings import Settings

URL = "http://models.test/v1"
KEY = "sk-secret-0123456789"
TEXTS = ["bread", "a mill", "rivers and mills"]
Handler = Callable[[httpx2.Request], httpx2.Response]


def results(*scores: object, key: str = "relevance_score") -> list[dict[str, object]]:
    """As servers send them: best first."""
    rows = [{"index": index, key: score} for index, score in enumerate(scores)]
    return sorted(rows, key=lambda row: -float(row[key]))  # pyright: ignore[reportArgumentType]


def lengths(request: httpx2.Request) -> httpx2.Response:
    """A server whose scores are the lengths of the documents."""
    return httpx2.Response(200, json={"results": results(*map(len, json.loads(request.content)["documents"]))})


def tei(request: httpx2.Request) -> httpx2.Response:
    """Text Embeddings Inference: it knows one form, and takes 32 texts."""
    asked = json.loads(request.content)
    if "texts" not in asked:
        text = "Failed to deserialize the JSON body into the target type: missing field `texts` at line 1 column 99"
        return httpx2.Response(422, text=text)
    if len(asked["texts"]) > 32:
        return httpx2.Response(422, json={"error": "batch size 33 > maximum allowed batch size 32"})
    return httpx2.Response(200, json=results(*map(len, asked["texts"]), key="score"))


@pytest.fixture
def make() -> Iterator[Callable[..., RerankerServer]]:
    made: list[RerankerServer] = []

    def reranker(handler: Handler, llm: dict[str, Any] | None = None, **ours: Any) -> RerankerServer:
        given = {"provider": "server", "model": "m", "base_url": URL, **ours}
        found = Settings.model_validate({"reranking": given, "llm": llm or {}})
        made.append(RerankerServer(found, httpx2.MockTransport(handler), Background(LeapingLoop)))
        return made[-1]

    yield reranker
    for each in made:
        each.close()


def test_scores_come_in_the_order_of_the_texts(make: Callable[..., RerankerServer]):
    sent: list[httpx2.Request] = []
    server = make(lambda request: (sent.append(request), lengths(request))[1], api_key=KEY)

    found = server.scores("Where?", TEXTS)

    assert (found.tolist(), str(found.dtype)) == ([5, 6, 16], "float32")
    assert str(sent[0].url) == f"{URL}/rerank"
    assert sent[0].headers["authorization"] == f"Bearer {KEY}"
    assert json.loads(sent[0].content) == {"model": "m", "query": "Where?", "documents": TEXTS, "top_n": 3}
    assert KEY not in f"{server!r} {server.name}"


def test_the_form_is_found_out_once(make: Callable[..., RerankerServer]):
    sent: list[bytes] = []
    server = make(lambda request: (sent.append(request.content), tei(request))[1])

    for _ in range(2):
        assert server.scores("Where?", TEXTS).tolist() == [5, 6, 16]
    assert ["texts" in json.loads(body) for body in sent] == [False, True, True]


def test_in_the_form_of_texts_at_most_32_go_at_once(make: Callable[..., RerankerServer]):
    texts = ["x" * n for n in range(1, 51)]

    assert make(tei, form="texts").scores("Where?", texts).tolist() == [float(n) for n in range(1, 51)]


def test_a_form_that_was_set_is_kept(make: Callable[..., RerankerServer]):
    with pytest.raises(ModelRefusedError, match="missing field `texts`"):
        make(tei, form="documents").scores("Where?", TEXTS)


def test_the_first_refusal_is_told_where_no_form_passes(make: Callable[..., RerankerServer]):
    def refuse(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(400, json={"error": "no " + " ".join(json.loads(request.content))})

    with pytest.raises(ModelRefusedError, match="no model query documents top_n"):
        make(refuse).scores("Where?", TEXTS)


def test_a_form_that_has_passed_is_not_doubted(make: Callable[..., RerankerServer]):
    handle, sent = in_turn(lengths, httpx2.Response(400, json={"error": "empty query"}))
    server = make(handle)
    server.scores("Where?", TEXTS)

    with pytest.raises(ModelRefusedError, match="empty query"):
        server.scores("Where?", TEXTS)
    assert len(sent) == 2


def test_half_a_character_and_an_empty_text_do_no_harm(make: Callable[..., RerankerServer]):
    assert make(lengths).scores("a \ud83d", ["b \ud83d", ""]).tolist() == [2, 1]


# --- What is made of the answer ----------------------------------------------------------

GOOD = [{"index": 0, "relevance_score": -1.5}, {"index": 1, "relevance_score": 2}]


@pytest.mark.parametrize(
    "told",
    [{"results": GOOD}, {"data": GOOD}, GOOD, GOOD[::-1], [{"index": 1, "score": 2}, {"index": 0, "score": -1.5}]],
)
def test_answers_of_all_kinds_of_servers(told: object):
    assert rerank_replies.read(json.dumps(told).encode(), 2) == [-1.5, 2.0]


@pytest.mark.parametrize(
    "told",
    [
        "",
        "none",
        "[" * 100_000,
        "{}",
        '{"results": {}}',
        '{"results": [[0, 1], [1, 2]]}',
        json.dumps(GOOD[:1]),
        json.dumps([*GOOD, GOOD[0]]),
        *(
            json.dumps([GOOD[0], {"index": index, "score": score}])
            for index, score in [
                (2, 1.0),
                (-1, 1.0),
                (0, 1.0),
                ("1", 1.0),
                (True, 1.0),
                (1.0, 1.0),
                (1, "2"),
                (1, None),
                (1, True),
                (1, float("nan")),
                (1, float("inf")),
                (1, 10**400),
                (1, 1e39),
            ]
        ),
    ],
    ids=lambda told: told[:40],
)
def test_an_answer_that_leaves_something_open_is_refused_whole(told: str, make: Callable[..., RerankerServer]):
    server = make(lambda _: httpx2.Response(200, content=told.encode()))

    with pytest.raises(UnusableReplyError, match=r"models\.test/v1/rerank gave no usable scores"):
        server.scores("Where?", TEXTS[:2])


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists) | st.binary())
def test_any_other_answer_is_unusable_too(told: object):
    body = told if isinstance(told, bytes) else json.dumps({"results": told}).encode()
    with pytest.raises(UnusableReplyError):
        rerank_replies.read(body, 2)


def test_data_without_an_end_is_not_read(make: Callable[..., RerankerServer], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reranker_server, "MOST", 1000)

    with pytest.raises(UnusableReplyError, match="without an end"):
        make(lambda _: httpx2.Response(200, content=b" " * 2000)).scores("Where?", TEXTS)


# --- When it fails -----------------------------------------------------------------------


def in_turn(*answers: httpx2.Response | Exception | Handler) -> tuple[Handler, list[httpx2.Request]]:
    sent: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        answer = answers[min(len(sent), len(answers) - 1)]
        sent.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx2.Response) else answer(request)

    return handle, sent


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again(status: int, make: Callable[..., RerankerServer]):
    handle, sent = in_turn(
        httpx2.Response(status, headers={"retry-after": "20"}), httpx2.Response(status, text="<html>"), lengths
    )

    assert make(handle).scores("Where?", TEXTS).tolist() == [5, 6, 16]
    assert len(sent) == 3


def test_it_is_not_waited_for_longer_than_allowed(make: Callable[..., RerankerServer]):
    handle, sent = in_turn(httpx2.Response(429, headers={"retry-after": "31"}))
    with pytest.raises(OverloadedError):
        make(handle).scores("Where?", TEXTS)
    assert len(sent) == 1

    handle, sent = in_turn(httpx2.Response(503))
    with pytest.raises(OverloadedError):
        make(handle).scores("Where?", TEXTS)
    assert len(sent) == 6


def test_a_silent_server(make: Callable[..., RerankerServer]):
    async def never(request: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(1000)
        return httpx2.Response(200)

    with pytest.raises(ConnectionLostError, match=r"within 2 seconds \(reranking.timeout\)"):
        make(never, timeout=2).scores("Where?", TEXTS)
    with pytest.raises(ConnectionLostError, match="within 30 seconds"):
        make(in_turn(httpx2.ReadTimeout("slow"))[0]).scores("Where?", TEXTS)


def test_texts_that_are_too_long_are_cut(make: Callable[..., RerankerServer]):
    def short(request: httpx2.Request) -> httpx2.Response:
        longest = max(map(len, json.loads(request.content)["documents"]))
        told = {"error": {"message": "input is too large to process. increase the physical batch size"}}
        return lengths(request) if longest <= 1000 else httpx2.Response(500, json=told)

    assert make(short).scores("Where?", ["a" * 3900, "b" * 10]).tolist() == [975, 10]
    with pytest.raises(ContextOverflowError):
        make(in_turn(httpx2.Response(413))[0]).scores("Where?", ["a" * 3900])


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (httpx2.Response(401, json={"detail": KEY}), ModelRefusedError, "GRAPHRAG_RERANKING__API_KEY"),
        (httpx2.Response(404), ModelRefusedError, "does not know 'm'"),
        (httpx2.Response(424, json={"error": "model is not a re-ranker"}), ModelRefusedError, "not a re-ranker"),
        (httpx2.Response(307, headers={"location": "http://evil.test"}), ModelRefusedError, "status 307"),
        (httpx2.Response(400, json={"error": f"bad key {KEY}"}), ModelRefusedError, "bad key …"),
        (httpx2.ConnectError(KEY), ConnectionLostError, "is the server running"),
        (httpx2.ReadError(KEY), ConnectionLostError, "lost the connection"),
    ],
)
def test_errors_say_what_to_do_and_hold_no_key(
    answer: Any, error: type[ModelError], words: str, make: Callable[..., RerankerServer]
):
    handle, sent = in_turn(answer)
    with pytest.raises(error, match=words) as caught:
        make(handle, api_key=KEY).scores("Where?", TEXTS)

    assert KEY not in str(caught.value)
    assert {request.url.host for request in sent} == {"models.test"}


# --- Settings ----------------------------------------------------------------------------


def sent_key(make: Callable[..., RerankerServer], **sections: Any) -> str:
    handle, sent = in_turn(lengths)
    make(handle, **sections).scores("Where?", TEXTS)
    return sent[0].headers.get("authorization", "none").removeprefix("Bearer ")


def test_which_key_goes_where(make: Callable[..., RerankerServer], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    llm = {"api_key": "sk-of-the-llm", "base_url": URL, "headers": {"X-Tenant": "7"}}

    assert sent_key(make, llm=llm) == "sk-of-the-llm"
    assert sent_key(make, llm=llm, base_url="") == "sk-of-the-llm"
    assert sent_key(make, llm=llm, api_key="mine") == "mine"
    assert sent_key(make, llm=llm, base_url="https://other.test/v1") == "none"
    assert sent_key(make, llm={}) == "none"
    assert (
        sent_key(make, llm={"base_url": "https://a.test/v1"}, base_url="https://a.test/v2") == "sk-of-the-environment"
    )


def test_headers_of_the_llm_go_to_its_own_server_only(make: Callable[..., RerankerServer]):
    llm = {"base_url": URL, "headers": {"X-Tenant": "7"}}
    for base_url, expected in ((URL, "7"), ("http://other.test", "none")):
        handle, sent = in_turn(lengths)
        make(handle, llm=llm, base_url=base_url).scores("Where?", TEXTS)
        assert sent[0].headers.get("x-tenant", "none") == expected


@pytest.mark.parametrize("url", ["", "models.test/v1", "file:///etc/passwd"])
def test_an_address_is_needed(url: str, make: Callable[..., RerankerServer]):
    with pytest.raises(SettingsError, match=r"reranking\.base_url"):
        make(lengths, base_url=url)


def test_a_key_in_the_file_is_refused(tmp_path: Path):
    (tmp_path / "settings.yaml").write_text("reranking: {api_key: hush}")
    with pytest.raises(SettingsError, match="GRAPHRAG_RERANKING__API_KEY") as caught:
        settings_module.load(tmp_path)
    assert "hush" not in str(caught.value)


def test_none_is_configured_by_default(tmp_path: Path):
    assert Backends(tmp_path, Settings()).reranker() is None


@pytest.mark.enable_socket
def test_a_server_on_this_machine(tmp_path: Path):
    with serving() as url:
        found = {"provider": "server", "base_url": url}
        server = Backends(tmp_path, Settings.model_validate({"reranking": found})).reranker()
        assert isinstance(server, RerankerServer)
        for _ in range(2):
            assert server.scores("Where?", TEXTS).tolist() == [5, 6, 16]
            server.close()
    with pytest.raises(ConnectionLostError, match="is the server running"):
        server.scores("Where?", TEXTS)
    server.close()


@contextmanager
def serving() -> Iterator[str]:
    class Answering(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            body = json.dumps({"results": results(*map(len, asked["documents"]))}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object): ...  # pyright: ignore[reportIncompatibleMethodOverride]

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
