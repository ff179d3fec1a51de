import asyncio
import json
from pathlib import Path

import pytest

from graphrag.errors import ModelRefusedError, OverloadedError, SettingsError
from graphrag.messages import Message, Reply, Request, TokenUsage
from graphrag.models.fake import FakeChat


def ask(text: str = "Who?") -> Request:
    return Request("test", (Message("system", "Say."), Message("user", text)))


def say(chat: FakeChat, text: str = "Who?") -> Reply:
    return asyncio.run(chat.chat(ask(text), lambda _: False))


def test_a_list_is_said_in_turn_and_no_further():
    given = Reply("cut", "length", TokenUsage(3, 1))
    chat = FakeChat(["one", given, OverloadedError("busy", 2.0)])

    assert say(chat).text == "one"
    assert say(chat) == given
    with pytest.raises(OverloadedError):
        say(chat)
    with pytest.raises(ModelRefusedError, match="the script has 3 replies"):
        say(chat)
    assert chat.requests == [ask()] * 4


def test_a_function_is_asked_and_tokens_are_counted():
    chat = FakeChat(lambda request: request.messages[-1].content.upper())

    reply = say(chat, "abc")

    assert reply.text == "ABC"
    assert reply.usage.prompt == 3
    assert reply.usage.completion == 1


def test_a_watch_hears_pieces_and_cuts():
    heard: list[str] = []
    chat = FakeChat(["a" * 100])
    reply = asyncio.run(chat.chat(ask(), lambda piece: (heard.append(piece), len(heard) == 2)[1]))
    assert (reply.finish, reply.text) == ("loop", "".join(heard))
    assert len(heard) == 2


def test_rules_from_a_file(tmp_path: Path):
    path = tmp_path / "rules.json"
    path.write_text(json.dumps([{"match": "gh?ost", "reply": {"seen": True}}, {"reply": "no"}]), "utf-8")

    chat = FakeChat.load(path)

    assert say(chat, "a ghost").text == '{"seen": true}'
    assert say(chat, "a door").text == "no"
    assert chat.name == "fake/rules.json"
    path.write_text('[{"match": "x", "reply": "y"}]', "utf-8")
    with pytest.raises(ModelRefusedError, match="no rule of"):
        say(FakeChat.load(path), "a door")


@pytest.mark.parametrize("text", ["", "3", "[3]", "null", '[{"match": "x"}]', '[{"match": "(", "reply": ""}]', "{"])
def test_files_that_are_no_rules(tmp_path: Path, text: str):
    path = tmp_path / "rules.json"
    path.write_text(text, "utf-8")
    with pytest.raises(SettingsError, match="no list of rules"):
        FakeChat.load(path)
    with pytest.raises(SettingsError, match="no list of rules"):
        FakeChat.load(tmp_path / "missing.json")
