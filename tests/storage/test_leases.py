from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrag.errors import BuildInProgressError, StorageError
from graphrag.storage import leases
from graphrag.storage.leases import FREE, TERM, Lease, Stamp, leased


@dataclass
class Shelf:
    """Objects that can be compared and set, and a clock that is put on by hand."""

    objects: dict[str, tuple[bytes, Stamp]] = field(default_factory=dict)
    seconds: float = 0.0
    writes: int = 0
    conditional: bool = True
    before_swap: Callable[[], None] = lambda: None

    def read_stamped(self, name: str) -> tuple[bytes, Stamp] | None:
        return self.objects.get(name)

    def swap(self, name: str, data: bytes, expected: Stamp | None) -> Stamp | None:
        self.before_swap()
        there = self.objects.get(name)
        if self.conditional and (there and there[1].e_tag) != (expected and expected.e_tag):
            return None
        self.writes += 1
        stamp = Stamp(str(self.writes), None, datetime.fromtimestamp(self.seconds, UTC))
        self.objects[name] = (data, stamp)
        return stamp

    def age(self, stamp: Stamp) -> float:
        assert stamp.modified is not None
        return self.seconds - stamp.modified.timestamp()


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def test_one_holder_at_a_time(shelf: Shelf) -> None:
    with leased(shelf, "lock"):
        with pytest.raises(BuildInProgressError, match="for 60 seconds"):
            Lease(shelf, "lock").acquire()
        shelf.seconds += TERM - 1
        with pytest.raises(BuildInProgressError, match="for 1 seconds"):
            Lease(shelf, "lock").acquire()
    Lease(shelf, "lock").acquire()


def test_it_is_freed_when_the_block_fails(shelf: Shelf) -> None:
    with pytest.raises(ZeroDivisionError), leased(shelf, "lock"):
        raise ZeroDivisionError

    assert shelf.objects["lock"][0] == FREE


def test_a_dead_holder_is_succeeded_after_a_term(shelf: Shelf) -> None:
    dead = Lease(shelf, "lock")
    dead.acquire()
    shelf.seconds += TERM

    Lease(shelf, "lock").acquire()

    with pytest.raises(BuildInProgressError, match="took this index over"):
        dead.renew()


def test_a_holder_that_woke_up_stays_out_whatever_happens_after(shelf: Shelf) -> None:
    frozen, other = Lease(shelf, "lock"), Lease(shelf, "lock")
    frozen.acquire()
    shelf.seconds += TERM
    other.acquire()
    other.release()

    for _ in range(2):
        with pytest.raises(BuildInProgressError):
            frozen.renew()
    frozen.release()

    assert shelf.objects["lock"][0] == FREE


def test_the_dead_do_not_free_the_lock_of_the_living(shelf: Shelf) -> None:
    frozen, other = Lease(shelf, "lock"), Lease(shelf, "lock")
    frozen.acquire()
    shelf.seconds += TERM
    other.acquire()

    frozen.release()

    other.renew()


def test_renewing_keeps_it(shelf: Shelf) -> None:
    lease = Lease(shelf, "lock")
    lease.acquire()
    for _ in range(10):
        shelf.seconds += TERM - 1
        lease.renew()
        with pytest.raises(BuildInProgressError):
            Lease(shelf, "lock").acquire()


def test_of_two_who_see_it_free_one_gets_it(shelf: Shelf) -> None:
    first, second = Lease(shelf, "lock"), Lease(shelf, "lock")

    def interrupt() -> None:
        shelf.before_swap = lambda: None
        second.acquire()

    shelf.before_swap = interrupt
    with pytest.raises(BuildInProgressError):
        first.acquire()
    second.renew()


def test_storage_that_ignores_conditions_is_refused(shelf: Shelf) -> None:
    shelf.conditional = False

    with pytest.raises(StorageError, match="ignores conditions"):
        Lease(shelf, "lock").acquire()


def test_the_thread_renews_it_through_failures(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "TERM", 0.0)
    lease = Lease(shelf, "lock")
    lease.acquire()
    turns = 0

    def fail_once_then_go_on() -> None:
        nonlocal turns
        turns += 1
        if turns == 1:
            raise StorageError("away")
        if turns == 4:
            shelf.before_swap = lambda: None
            shelf.objects["lock"] = (b"another", Stamp("other", None, None))

    shelf.before_swap = fail_once_then_go_on
    lease.keep()

    assert turns == 4


steps = st.lists(st.tuples(st.sampled_from(["acquire", "renew", "release", "wait"]), st.integers(0, 2)))


@given(steps)
def test_only_the_last_to_have_taken_it_holds_it(actions: list[tuple[str, int]]) -> None:
    shelf = Shelf()
    holders = [Lease(shelf, "lock") for _ in range(3)]
    owner: int | None = None
    sign = 0.0
    for action, who in actions:
        if action == "wait":
            shelf.seconds += TERM / 2 + who
        elif action == "release":
            holders[who].release()
            holders[who] = Lease(shelf, "lock")
            owner = None if owner == who else owner
        else:
            try:
                holders[who].acquire() if action == "acquire" else holders[who].renew()
            except BuildInProgressError:
                assert action == "acquire" or owner != who
            else:
                alive = owner is not None and shelf.seconds - sign < TERM
                assert not alive if action == "acquire" else owner == who
                owner, sign = who, shelf.seconds
