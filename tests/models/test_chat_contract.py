"""What every chat model must do, whatever stands behind it."""

import asyncio
import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from test_llamacpp import ONE_THREAD
from test_openai import event, make, sse, streamed
from tiny_models import write_gguf, write_transformers

from graphrag.messages import Message, Reply, Request
from graphrag.models import replay
from graphrag.models.base import ChatModel
from graphrag.models.fake import FakeChat
from graphrag.models.replay import ReplayChat
from graphrag.settings import LLMSettings

ASKED = Request("test", (Message("system", "Say."), Message("user", "Who met Marley, and where was it?")), None, 40)
TEXT = "Scrooge met Marley at the door of his house."


def openai(_: Path) -> ChatModel:
    words = [event(word) for word in TEXT.split(" ") for word in (word, " ")][:-1]
    return make(lambda _: streamed(sse(*words, event(finish="stop"))))


def fake(_: Path) -> ChatModel:
    return FakeChat(lambda _: TEXT)


def replayed(folder: Path) -> ChatModel:
    path = folder / "recording.jsonl"
    path.write_text(replay.header("m", {}) + replay.line(ASKED, FAKE_REPLY), "utf-8")
    return ReplayChat(path)


def llamacpp(folder: Path) -> ChatModel:
    from graphrag.models.llamacpp import LlamaCppChat

    model = write_gguf(folder / "tiny.gguf")
    return LlamaCppChat(LLMSettings(model=str(model), context=256, concurrency=2, options=ONE_THREAD))


def transformers(folder: Path) -> ChatModel:
    from graphrag.models.transformers import TransformersChat

    return TransformersChat(LLMSettings(model=str(write_transformers(folder))))


FAKE_REPLY = asyncio.run(FakeChat([TEXT]).chat(ASKED, lambda _: False))
NEEDS = {llamacpp: "xllamacpp", transformers: "torch"}


@pytest.fixture(params=[openai, fake, replayed, llamacpp, transformers], ids=lambda make: make.__name__)
def chat(request: pytest.FixtureRequest, tmp_path: Path) -> ChatModel:
    package = NEEDS.get(request.param)
    if package and not find_spec(package):
        pytest.skip(f"{package} is not installed")
    return request.param(tmp_path)


def run(chat: ChatModel, *watches: Callable[[str], bool]) -> list[Reply]:
    async def all_at_once():
        try:
            return await asyncio.gather(*(chat.chat(ASKED, watch) for watch in watches))
        finally:
            await chat.close()

    return asyncio.run(all_at_once())


@pytest.mark.enable_socket
def test_the_watch_hears_the_whole_reply_and_usage_is_told(chat: ChatModel):
    heard: list[list[str]] = [[], [], []]

    replies = run(chat, *(lambda piece, mine=mine: bool(mine.append(piece)) for mine in heard))

    # How much of the prompt was cached may differ.
    assert len({(reply.text, reply.finish) for reply in replies}) == 1
    assert ["".join(pieces) for pieces in heard] == [reply.text for reply in replies]
    assert replies[0].finish in ("stop", "length")
    assert replies[0].usage.prompt > 3
    assert 0 < replies[0].usage.completion <= ASKED.max_tokens


@pytest.mark.enable_socket
def test_a_watch_may_end_the_reply(chat: ChatModel):
    heard: list[str] = []

    (reply,) = run(chat, lambda piece: (heard.append(piece), bool("".join(heard)))[1])

    assert reply.finish == "loop"
    assert reply.text == "".join(heard)


@pytest.mark.enable_socket
def test_it_serves_one_event_loop_after_another(chat: ChatModel):
    ((first,), (second,)) = run(chat, lambda _: False), run(chat, lambda _: False)
    assert first.text == second.text


def test_name_and_parameters_say_what_a_reply_depends_on(chat: ChatModel, tmp_path: Path):
    assert chat.name
    told = json.dumps(dict(chat.parameters))
    assert "secret" not in told
    assert str(tmp_path) not in told
