"""What a server was found to do is remembered by the next process, for as long as it may be true."""

import asyncio
import sqlite3
import time
from pathlib import Path

import httpx2
import pytest
from scripted import request
from test_openai import KEY, SCHEMA, URL, ask, call, event, picky, sse, streamed

from graphrag.messages import Reply
from graphrag.models import memo as memo_module
from graphrag.models.memo import DAY, Memo, Origin
from graphrag.models.openai import OpenAIChat
from graphrag.models.refusals import MalformedRequestError
from graphrag.models.structured import Ladder, Level, LevelMemory
from graphrag.settings import LLMSettings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memo.sqlite"


def chat(path: Path, handler, *, believed: bool = True, **settings) -> OpenAIChat:
    """A model as a process of its own would make it."""
    given = LLMSettings(**{"provider": "openai", "model": "m", "base_url": URL, "api_key": KEY, **settings})
    return OpenAIChat(given, httpx2.MockTransport(handler), LevelMemory(lambda: Memo(path), believed))


@pytest.mark.parametrize(("known", "level"), [({"json_object", "text"}, "json"), ({"text"}, "text")])
def test_the_next_process_makes_no_request_that_is_refused(path: Path, known: set[str], level: str):
    first: list[str] = []
    call(chat(path, picky(known, log=first)), ask(SCHEMA))
    second: list[str] = []
    model = chat(path, picky(known, log=second))
    call(model, ask(SCHEMA))
    assert model.structured == level
    assert second == first[-1:]


def test_first_calls_do_not_wait_for_one_another_where_the_level_is_remembered(path: Path):
    call(chat(path, picky({"json_object"})), ask(SCHEMA))
    log: list[str] = []
    together = asyncio.Event()

    async def both(request: httpx2.Request) -> httpx2.Response:
        log.append("")
        if len(log) == 2:
            together.set()
        await together.wait()
        return streamed()

    model = chat(path, both)

    async def main():
        await asyncio.wait_for(asyncio.gather(*(model.chat(ask(SCHEMA), lambda _: False) for _ in range(2))), 10)
        await model.close()

    asyncio.run(main())


def test_another_server_or_model_is_asked_anew_and_the_key_is_no_part_of_it(path: Path):
    call(chat(path, picky({"text"})), ask(SCHEMA))
    for settings, requests in [
        ({}, 1),
        ({"api_key": "sk-another-0123456789"}, 1),
        ({"model": "n"}, 3),
        ({"base_url": "http://other.test/v1"}, 3),
        ({"base_url": URL.replace("://", "://user:password@")}, 1),
    ]:
        log: list[str] = []
        call(chat(path, picky({"text"}, log=log), **settings), ask(SCHEMA))
        assert len(log) == requests
    written = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert not any(secret in written for secret in (KEY.encode(), b"password", b"models.test"))


def test_what_was_found_out_is_forgotten_after_days(path: Path, monkeypatch: pytest.MonkeyPatch):
    memory, now = LevelMemory(lambda: Memo(path)), time.time()
    memory.keep("server", "json")
    for days, level in [(6.9, "json"), (7.1, None)]:
        monkeypatch.setattr(memo_module.time, "time", lambda days=days: now + days * DAY)
        assert memory.recall("server") == level


def test_what_is_found_out_anew_is_not_from_memory_and_replaces_it(path: Path):
    everything = {"json_schema", "json_object", "text"}
    call(chat(path, picky({"text"})), ask(SCHEMA))
    for believed, found in [(True, "text"), (False, "schema"), (True, "schema")]:
        model = chat(path, picky(everything), believed=believed)
        call(model, ask(SCHEMA))
        assert model.structured == found


@pytest.mark.parametrize("words", ["response_format is not supported", "Bad Request"])
def test_a_server_that_refuses_what_it_took_before(path: Path, words: str):
    call(chat(path, picky({"json_schema"})), ask(SCHEMA))
    call(chat(path, picky({"json_object"}, words)), ask(SCHEMA))
    log: list[str] = []
    call(chat(path, picky({"json_object"}, words, log)), ask(SCHEMA))
    assert log == ["json_object"]


def test_a_server_that_did_not_keep_its_word_is_not_believed_by_the_next_process(path: Path):
    model = chat(path, lambda _: streamed(sse(event("Sure.", "stop"))))
    for _ in range(3):
        call(model, ask(SCHEMA))
    log: list[str] = []
    call(chat(path, picky({"json_object"}, log=log)), ask(SCHEMA))
    assert log == ["json_object"]


def test_a_setting_is_neither_remembered_nor_overruled(path: Path):
    call(chat(path, picky({"json_schema"}), structured="schema"), ask(SCHEMA))
    assert not path.exists()
    call(chat(path, picky({"text"})), ask(SCHEMA))
    log: list[str] = []
    call(chat(path, picky({"json_schema"}, log=log), structured="schema"), ask(SCHEMA))
    assert log == ["json_schema"]


def test_replies_stay_where_they_are_and_are_counted_as_before(path: Path):
    memo, asked = Memo(path), request("a")
    memo.put(Origin("m", "{}"), asked, Reply("b"))
    before = memo.stats()
    memo.put_level("server", "json")
    assert memo.stats().replies == before.replies
    assert memo.get(Origin("m", "{}"), [asked.key()])
    assert memo.prune(0) == 1
    assert memo.level("server", 60) == "json"
    memo.close()


def test_a_memo_of_an_older_version_and_one_that_is_damaged(path: Path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE replies (key BLOB PRIMARY KEY)")
    connection.close()
    memory = LevelMemory(lambda: Memo(path))
    memory.keep("server", "json")
    assert memory.recall("server") == "json"
    memory.keep("server", "nonsense")  # pyright: ignore[reportArgumentType]
    assert memory.recall("server") is None
    for file in path.parent.iterdir():
        file.unlink()
    path.write_bytes(b"no database " * 1000)
    memory.keep("server", "json")
    assert memory.recall("server") is None


def test_a_bad_request_says_nothing_about_a_remembered_level(path: Path):
    memory = LevelMemory(lambda: Memo(path))
    memory.keep("server", "json")
    ladder, tried = Ladder("auto", memory, "server"), list[Level]()

    async def refuse(level: Level) -> None:
        tried.append(level)
        raise MalformedRequestError("odd", "messages are odd")

    with pytest.raises(MalformedRequestError):
        asyncio.run(ladder.climb(refuse))
    assert tried == ["json", "json", "text"]
    assert memory.recall("server") == ladder.level == "json"
