"""What is remembered: exactly what was said, for whom it was said, whatever happens to the process."""

import os
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kept_segments import KeptSegments
from scripted import request

from graphrag.errors import StorageError, UnusableReplyError
from graphrag.messages import Reply, ReplySchema, TokenUsage
from graphrag.models import memo as module
from graphrag.models import sending
from graphrag.models.memo import DAY, Memo, Origin, recall
from graphrag.models.shared_memo import SharedMemo

ORIGIN = Origin.of("model", {"temperature": 0})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new" / "folder" / "memo.sqlite"


@pytest.fixture(params=["of one machine", "shared"])
def memo(request, path, monkeypatch):
    # What is written out is not what these tests are about; that it is done is not to disturb them.
    monkeypatch.setattr(sending, "DELAY", 3600)
    memo = Memo(path) if request.param == "of one machine" else SharedMemo(path, KeptSegments())
    yield memo
    memo.close()


counts = st.integers(0, 2**40)
replies = st.builds(
    Reply,
    st.text(st.characters(), max_size=50).flatmap(lambda text: st.sampled_from([text, text * 100])),
    st.sampled_from(["stop", "length", "loop"]),
    st.builds(TokenUsage, counts, counts, counts),
)


@given(replies)
def test_a_reply_comes_back_as_it_was(reply):
    memo = Memo()
    asked = request("a")
    memo.put(ORIGIN, asked, reply)
    assert memo.get(ORIGIN, [asked.key(), "other"]) == {asked.key(): reply}
    memo.close()


def test_half_a_character_is_kept(memo):
    memo.put(ORIGIN, request("\ud83d"), Reply("\ud83d"))
    assert memo.get(ORIGIN, [request("\ud83d").key()]) == {request("\ud83d").key(): Reply("\ud83d")}


def test_a_reply_is_the_reply_to_one_request_of_one_model_with_its_parameters(memo):
    asked = request("a", max_tokens=5)
    memo.put(ORIGIN, asked, Reply("x"))
    others = [request("b"), replace(asked, max_tokens=6), replace(asked, schema=ReplySchema("s", {}))]
    assert memo.get(ORIGIN, [other.key() for other in others]) == {}
    assert memo.get(Origin.of("model", {"temperature": 1}), [asked.key()]) == {}
    assert memo.get(Origin.of("other", {"temperature": 0}), [asked.key()]) == {}
    assert memo.get(ORIGIN, [replace(asked, stage="other").key()]) == {asked.key(): Reply("x")}


def test_the_order_of_parameters_is_nothing():
    assert Origin.of("m", {"a": 1, "b": 2}) == Origin.of("m", {"b": 2, "a": 1})


def test_many_requests_are_looked_up_at_once(memo):
    asked = [request(str(n)) for n in range(1200)]
    for one in asked[::2]:
        memo.put(ORIGIN, one, Reply(one.messages[-1].content))
    found = memo.get(ORIGIN, [one.key() for one in asked])
    assert found == {one.key(): Reply(one.messages[-1].content) for one in asked[::2]}


def test_recall_leaves_out_what_cannot_be_used(memo):
    def parse(reply):
        if reply.text == "bad":
            raise UnusableReplyError("bad")
        return reply.text.upper()

    for text in ("good", "bad"):
        memo.put(ORIGIN, request(text), Reply(text))
    asked = {request(text).key(): request(text) for text in ("good", "bad", "unknown")}
    assert recall(memo, ORIGIN, asked, parse) == {request("good").key(): "GOOD"}


def test_who_parses_a_remembered_reply_knows_what_it_is_the_reply_to(memo):
    memo.put(ORIGIN, request("asked"), Reply("said"))

    assert recall(memo, ORIGIN, {request("asked").key(): request("asked")}, lambda reply: reply.request) == {
        request("asked").key(): request("asked")
    }


def test_long_replies_take_little_room(memo, path):
    for number in range(100):
        memo.put(ORIGIN, request(str(number)), Reply('["SCROOGE", "person", "a miser"],' * 300))
    assert memo.stats().bytes < 200_000


@given(st.lists(st.text(), unique=True, max_size=20), st.integers(1, 9))
def test_vectors_come_back_as_they_were(texts, size):
    memo = Memo()
    vectors = {text: np.full(size, number, dtype=np.float32) for number, text in enumerate(texts)}
    memo.put_vectors("model", 0, vectors)
    found = memo.vectors("model", 0, [*texts, "unknown" * 9])
    assert {text: vector.tolist() for text, vector in found.items()} == {t: v.tolist() for t, v in vectors.items()}
    assert memo.vectors("model", size, texts) == memo.vectors("other", 0, texts) == {}
    memo.close()


def test_stats(memo):
    memo.put(ORIGIN, request("a"), Reply("x", usage=TokenUsage(5, 2, 1)))
    memo.put(ORIGIN, request("b", "report"), Reply("x", usage=TokenUsage(5, 2, 1)))
    memo.put_vectors("embedder", 0, {"a": np.ones(3, dtype=np.float32)})
    stats = memo.stats()
    assert stats.replies == {ORIGIN: 2}
    assert stats.stages == {"extract": 1, "report": 1}
    assert stats.tokens == TokenUsage(10, 4, 2)
    assert stats.vectors == {"embedder": 1}


def test_what_was_not_used_for_long_is_pruned(memo, monkeypatch):
    now = 1e9
    monkeypatch.setattr(module.time, "time", lambda: now)
    for text in ("a", "b"):
        memo.put(ORIGIN, request(text), Reply(text))
    memo.put_vectors("embedder", 0, {"a": np.ones(3, dtype=np.float32)})
    now += 20 * DAY
    assert memo.get(ORIGIN, [request("a").key()])
    now += 20 * DAY
    assert memo.prune(30 * DAY) == 2
    assert [kept.reply.text for kept in memo.replies(ORIGIN)] == ["a"]
    assert memo.stats().vectors == {}


def test_a_hit_is_written_down_once_a_day_at_most(memo, path, monkeypatch):
    now = 1e9
    monkeypatch.setattr(module.time, "time", lambda: now)
    memo.put(ORIGIN, request("a"), Reply("a"))
    other = sqlite3.connect(path)

    def version():
        return other.execute("PRAGMA data_version").fetchone()

    for days, written in ((0.5, False), (1, True), (0, False)):
        before = version()
        now += days * DAY
        memo.get(ORIGIN, [request("a").key()])
        assert (version() != before) is written
    other.close()


def test_several_threads_may_use_it(memo):
    def work(number):
        for text in range(50):
            memo.put(ORIGIN, request(f"{number} {text}"), Reply("x"))
            assert memo.get(ORIGIN, [request(f"{number} {text}").key()])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert memo.stats().replies == {ORIGIN: 400}


def test_several_processes_may_use_it_and_be_killed_at_any_time(path):
    """Each is killed in the middle of writing; all that it said it had written is there."""
    writer = Path(__file__).with_name("killed_memo.py")
    names = ["a", "b"]
    running = [subprocess.Popen([sys.executable, writer, path, name], stdout=subprocess.PIPE) for name in names]
    written = {}
    for name, process in zip(names, running, strict=True):
        lines = [process.stdout.readline() for _ in range(50)]
        process.kill()
        lines += [line for line in process.stdout.read().splitlines(keepends=True) if line.endswith(b"\n")]
        process.wait()
        process.stdout.close()
        written[name] = len(lines)
    memo = Memo(path)
    for name in names:
        kept = list(memo.replies(Origin(name, "{}")))
        assert len(kept) - written[name] in (0, 1)
        assert all(one.reply.text.startswith(f"reply {number} long") for number, one in enumerate(kept))
    memo.put(ORIGIN, request("a"), Reply("goes on"))
    assert memo.stats().replies[ORIGIN] == 1
    memo.close()


@pytest.mark.parametrize(
    "damage", [b"no database at all, but long enough to be taken for one" * 100, b"SQLite format 3\0"]
)
def test_a_damaged_file_is_told_in_one_line(path, damage):
    path.parent.mkdir(parents=True)
    path.write_bytes(damage)
    memo = Memo(path)
    with pytest.raises(StorageError) as caught:
        memo.get(ORIGIN, ["a"])
    assert str(caught.value).startswith(f"the memo {path} is damaged (")
    assert str(caught.value).endswith("delete it; replies will be paid for again")
    path.unlink()
    memo.put(ORIGIN, request("a"), Reply("works again"))
    memo.close()


def test_a_page_overwritten_with_rubbish_is_told_too(memo, path):
    for number in range(200):
        memo.put(ORIGIN, request(str(number)), Reply(os.urandom(300).hex()))
    memo.close()
    data = bytearray(path.read_bytes())
    data[4096 : len(data)] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(StorageError, match="is damaged"):
        list(memo.replies(ORIGIN))
    path.unlink()


def test_a_folder_in_its_place_is_told(tmp_path):
    with pytest.raises(StorageError, match="cannot use the memo"):
        Memo(tmp_path).stats()
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot use the memo"):
        Memo(tmp_path / "file" / "memo.sqlite").stats()


def test_what_was_not_used_is_forgotten_and_leaves_the_file(memo, path):
    for name in ("old", "known"):
        memo.put(ORIGIN, request(name), Reply(f"said of {name}"))
    memo.put_vectors("model", 2, {"text": np.ones(2, np.float32)})
    memo.close()
    again = Memo(path) if type(memo) is Memo else SharedMemo(path, memo._segments)
    again.get(ORIGIN, [request("known").key()])
    again.put(ORIGIN, request("new"), Reply("said of new"))

    assert again.forget_unused() == 2

    assert set(again.get(ORIGIN, [request(name).key() for name in ("old", "known", "new")])) == {
        request(name).key() for name in ("known", "new")
    }
    assert again.vectors("model", 2, ["text"]) == {}
    assert not any(b"said of old" in file.read_bytes() for file in path.parent.iterdir())
    again.close()
