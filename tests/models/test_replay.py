import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrag.errors import ModelRefusedError, SettingsError
from graphrag.messages import Message, Reply, Request, TokenUsage
from graphrag.models import replay
from graphrag.models.replay import ReplayChat

ASKED = Request("extract", (Message("user", "Who?"),), None, 50)
HEADER = '{"format":1,"model":"m","parameters":{"temperature":0}}\n'


def say(chat: ReplayChat, request: Request = ASKED) -> Reply:
    return asyncio.run(chat.chat(request, lambda _: False))


@given(st.text(), st.sampled_from(["stop", "length", "loop"]), st.integers(0, 2**40))
def test_what_is_written_is_said(tmp_path_factory: pytest.TempPathFactory, text: str, finish, size: int):
    path = tmp_path_factory.getbasetemp() / "recording.jsonl"
    reply = Reply(text, finish, TokenUsage(size, 2, 1))
    path.write_text(replay.header("m", {"temperature": 0}) + replay.line(ASKED, reply), "utf-8")

    chat = ReplayChat(path)

    assert (chat.name, chat.parameters) == ("m", {"temperature": 0})
    assert say(chat) == say(chat, replace(ASKED, stage="another")) == reply


def test_what_was_not_recorded_is_refused_and_nothing_is_made_up(tmp_path: Path):
    path = tmp_path / "recording.jsonl"
    path.write_text(HEADER + replay.line(ASKED, Reply("x")), "utf-8")
    with pytest.raises(ModelRefusedError, match=r"recording.jsonl has no reply to this request \(stage extract\)"):
        say(ReplayChat(path), replace(ASKED, max_tokens=51))


def test_a_line_separator_of_unicode_ends_no_line(tmp_path: Path):
    path = tmp_path / "recording.jsonl"
    path.write_text(HEADER + replay.line(ASKED, Reply("x")).replace('"x"', '"a\u2028b"'), "utf-8")
    assert say(ReplayChat(path)).text == "a\u2028b"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1: a recording starts with"),
        ('{"format":2,"model":"m"}', "line 1: a recording starts with"),
        (HEADER + "\n{", "line 3: not a JSON object"),
        (HEADER + "[]", "line 2: not a JSON object"),
        (HEADER + '{"key":"k","text":3}', "line 2: a reply has"),
        (HEADER + '{"key":"k","text":"","finish":"odd"}', "line 2: a reply has"),
        (HEADER + '{"key":"k","text":"","usage":[1]}', "line 2: 'usage' is three"),
    ],
)
def test_files_that_are_no_recording(tmp_path: Path, text: str, problem: str):
    path = tmp_path / "recording.jsonl"
    path.write_text(text, "utf-8")
    with pytest.raises(SettingsError, match=problem):
        ReplayChat(path)


def test_files_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(SettingsError, match="cannot read the recording"):
        ReplayChat(tmp_path / "missing.jsonl")
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="cannot read the recording"):
        ReplayChat(tmp_path / "binary.jsonl")
