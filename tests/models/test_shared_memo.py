"""What a machine was told, every machine knows: also one that comes later, also if the first one dies."""

import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from kept_segments import KeptSegments
from object_storage import serving
from scripted import request

from graphrag.errors import BuildInProgressError, StorageError
from graphrag.messages import Reply
from graphrag.models import memo as memo_module
from graphrag.models import sending, shared_memo
from graphrag.models.memo import DAY, Memo, Origin
from graphrag.models.segments import FOLDER, decode, encode
from graphrag.models.shared_memo import SharedMemo
from graphrag.storage.buckets import Bucket

ORIGIN = Origin("model", "{}")
Machine = Callable[..., SharedMemo]


@pytest.fixture
def segments() -> KeptSegments:
    return KeptSegments()


@pytest.fixture
def machine(tmp_path: Path, segments: KeptSegments, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """Makes a memo on a new machine, or on one that there was. Nothing is written out before `close`."""
    monkeypatch.setattr(sending, "DELAY", 3600)
    monkeypatch.setattr(sending, "BATCH", 1000)
    numbers, made = count(), list[SharedMemo]()

    def make(number: int | None = None) -> SharedMemo:
        name = next(numbers) if number is None else number
        made.append(SharedMemo(tmp_path / f"{name}.sqlite", segments))
        return made[-1]

    yield make
    segments.down = False
    for memo in made:
        memo.close()


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the clock, in days."""
    return lambda days: monkeypatch.setattr(memo_module.time, "time", lambda: 1e9 + days * DAY)


def texts(memo: SharedMemo, *asked: str) -> list[str]:
    found = memo.get(ORIGIN, [request(text).key() for text in asked])
    return [reply.text for reply in found.values()]


def tell(memo: SharedMemo, *replies: str) -> None:
    for text in replies:
        memo.put(ORIGIN, request(text), Reply(text))


def die(memo: SharedMemo) -> None:
    """The process ends without `close`."""
    memo._sender.stop()
    Memo.close(memo)
    memo._prepared = None


def contents(segments: KeptSegments) -> bytes:
    rows = [row for name, data in segments.objects.items() if name.startswith(FOLDER + "/") for row in decode(data)]
    return repr(rows).encode()


def test_what_one_machine_wrote_another_knows(machine: Machine) -> None:
    first, second = machine(), machine()
    tell(first, "a", "b" * 2000)
    vector = np.array([0.1, -2], np.float32)
    first.put_vectors("embedder", 2, {"text": vector})
    first.close()

    assert sorted(texts(second, "a", "b" * 2000, "c")) == ["a", "b" * 2000]
    assert second.vectors("embedder", 2, ["text"])["text"].tolist() == vector.tolist()
    assert [kept.reply.text for kept in second.replies(ORIGIN)] == ["a", "b" * 2000]


def test_what_is_known_is_fetched_once(machine: Machine, segments: KeptSegments) -> None:
    tell(writer := machine(), "a")
    writer.close()
    texts(reader := machine(), "a")
    reader.close()
    assert len(segments.names(FOLDER)) == 1
    segments.asked.clear()

    again = machine(1)
    assert texts(again, "a") == texts(again, "a") == ["a"]
    again.close()

    assert segments.asked == ["read", "names"]


def test_of_two_replies_the_later_one_counts(machine: Machine, at: Callable[[float], None]) -> None:
    for order in ((1, 2), (4, 3)):
        for days in order:
            at(days)
            memo = machine()
            memo.put(ORIGIN, request(str(order)), Reply(f"on day {days}"))
            memo.close()
    memo = machine()

    assert texts(memo, "(1, 2)") == ["on day 2"]
    assert texts(memo, "(4, 3)") == ["on day 4"]


def test_what_a_killed_process_had_not_written_out_the_next_one_does(machine: Machine, segments: KeptSegments) -> None:
    tell(killed := machine(), "a", "b")
    die(killed)
    assert segments.objects == {}

    texts(next_run := machine(0), "a")
    next_run.close()

    assert sorted(texts(machine(), "a", "b")) == ["a", "b"]


@pytest.mark.parametrize(("delay", "batch"), [(0, 64), (3600, 3)])
def test_it_is_written_out_soon(
    machine: Machine, segments: KeptSegments, monkeypatch: pytest.MonkeyPatch, delay: float, batch: int
) -> None:
    monkeypatch.setattr(sending, "DELAY", delay)
    monkeypatch.setattr(sending, "BATCH", batch)
    written = threading.Event()
    segments.on_write = lambda name: b"'c'" in contents(segments) and written.set()

    tell(machine(), "a", "b", "c")

    assert written.wait(30)


def test_a_failure_is_made_up_for(machine: Machine, segments: KeptSegments, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "DELAY", 0)
    failed, written = threading.Event(), threading.Event()

    def fail_first(name: str) -> None:
        if not failed.is_set():
            failed.set()
            del segments.objects[name]
            raise StorageError("away")
        written.set()

    segments.on_write = fail_first
    tell(machine(), "a")

    assert written.wait(30)
    assert texts(machine(), "a") == ["a"]


def test_storage_that_is_away_is_told_at_the_end_and_nothing_is_lost(machine: Machine, segments: KeptSegments) -> None:
    memo = machine()
    segments.down = True
    tell(memo, "a")
    with pytest.raises(StorageError, match=r"newest replies are in .*0\.sqlite alone until the next run"):
        memo.close()
    segments.down = False
    texts(next_run := machine(0), "a")
    next_run.close()

    assert texts(machine(), "a") == ["a"]


def test_one_request_writes_many_replies(machine: Machine, segments: KeptSegments) -> None:
    memo = machine()
    tell(memo, *map(str, range(200)))
    memo.send()

    assert segments.asked.count("write") == 1


# --- Joining ------------------------------------------------------------------------------


def test_small_segments_are_joined(machine: Machine, segments: KeptSegments, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_memo, "MOST_SMALL", 4)
    for text in "abcdefghijk":
        memo = machine(0)
        tell(memo, text)
        memo.close()
        assert len(segments.names(FOLDER)) <= 5

    assert sorted(texts(machine(1), *"abcdefghijk")) == list("abcdefghijk")


def test_segments_that_are_joined_while_they_are_fetched(
    machine: Machine, segments: KeptSegments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_memo, "MOST_SMALL", 4)
    other = machine()
    for text in "abcde":
        tell(other, text)
        other.send()

    def join(name: str) -> None:
        if name.startswith(FOLDER + "/"):
            segments.on_read = lambda name: None
            other.close()

    segments.on_read = join
    assert sorted(texts(machine(), *"abcde")) == list("abcde")


def test_killed_between_joining_and_removing_nothing_is_lost(
    machine: Machine, segments: KeptSegments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_memo, "MOST_SMALL", 1)
    memo = machine()
    for text in "ab":
        tell(memo, text)
        memo.send()
    monkeypatch.setattr(segments, "delete", fail)
    memo.close()

    assert sorted(texts(machine(), "a", "b")) == ["a", "b"]


def fail(name: str) -> None:
    raise StorageError("away")


# --- Forgetting ---------------------------------------------------------------------------


def test_what_is_pruned_is_forgotten_everywhere(
    machine: Machine, segments: KeptSegments, at: Callable[[float], None]
) -> None:
    at(0)
    tell(first := machine(), "old", "used")
    first.close()
    texts(second := machine(), "old")
    second.close()
    at(40)
    texts(third := machine(), "used")
    third.close()
    tell(fourth := machine(), "new")
    at(41)

    assert fourth.prune(30 * DAY) == 1

    assert b"old" not in contents(segments)
    segments.asked.clear()
    fourth.send()
    assert segments.asked == []
    for memo in (fourth, machine(1), machine()):
        assert sorted(texts(memo, "old", "used", "new")) == ["new", "used"]
        memo.close()
    assert b"old" not in contents(segments)


def test_what_is_new_elsewhere_outlives_a_pruning(machine: Machine, at: Callable[[float], None]) -> None:
    at(0)
    tell(other := machine(), "known")
    other.close()
    tell(other := machine(0), "unsent")
    at(1)
    machine().prune(30 * DAY)
    die(other)

    texts(again := machine(0), "known")
    again.close()

    assert sorted(texts(machine(), "known", "unsent")) == ["known", "unsent"]


def test_a_pruning_that_is_cut_short_loses_nothing(
    machine: Machine, at: Callable[[float], None], segments: KeptSegments, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(0)
    tell(memo := machine(), "a", "b")
    memo.send()
    with monkeypatch.context() as patch, pytest.raises(StorageError):
        patch.setattr(segments, "delete", fail)
        memo.prune(30 * DAY)

    assert sorted(texts(machine(), "a", "b")) == ["a", "b"]


def test_one_prunes_at_a_time(machine: Machine, segments: KeptSegments) -> None:
    with segments.lock("x"), pytest.raises(BuildInProgressError):
        machine().prune(0)


def test_that_a_reply_was_used_is_told_once_a_week(
    machine: Machine, segments: KeptSegments, at: Callable[[float], None]
) -> None:
    at(0)
    tell(memo := machine(), "a")
    memo.send()
    for days in range(1, 15):
        at(days)
        assert texts(memo, "a")
        memo.send()

    rows = [row for data in segments.objects.values() for row in decode(data)]
    assert [kind for kind, _ in rows] == ["replies", "used", "used"]


# --- Damage -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [b"", b"rubbish", encode([])[:-4], encode([("used", ("sqlite_master", b"k", 1.0))])],
    ids=["empty", "rubbish", "cut", "foreign table"],
)
def test_a_damaged_segment_is_told_in_one_line(machine: Machine, segments: KeptSegments, data: bytes) -> None:
    name = f"{FOLDER}/{1:020d}-{'a' * 16}-5"
    segments.objects[name] = data

    with pytest.raises(StorageError, match=rf"^the part {name} of the memo is damaged: delete it"):
        texts(machine(), "a")


def test_other_objects_are_left_alone(machine: Machine, segments: KeptSegments) -> None:
    segments.objects[f"{FOLDER}/notes.txt"] = b"mine"

    assert texts(machine(), "a") == []


def test_a_damaged_file_costs_nothing(machine: Machine, tmp_path: Path) -> None:
    tell(memo := machine(), "a")
    memo.close()
    (tmp_path / "0.sqlite").write_bytes(b"no database at all, but long enough to be taken for one" * 100)

    with pytest.raises(StorageError, match=r"is damaged \(.*\): delete it; it is fetched again$"):
        texts(machine(0), "a")
    for file in tmp_path.glob("0.sqlite*"):
        file.unlink()
    assert texts(machine(0), "a") == ["a"]


# --- On a server --------------------------------------------------------------------------


@pytest.mark.enable_socket
def test_on_a_real_server(tmp_path: Path) -> None:
    with serving() as server:
        uri = server.new_uri()
        first, second = (SharedMemo(tmp_path / name, Bucket(uri)) for name in ("a", "b"))
        tell(first, "a", "b")
        first.close()
        assert sorted(texts(second, "a", "b")) == ["a", "b"]
        assert second.prune(0) == 2
        second.close()
        assert texts(first, "a", "b") == []
        first.close()
