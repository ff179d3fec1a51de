"""Two steps at the same time."""

from threading import Barrier, Event

import pytest

from graphrag.indexer.at_once import at_once


def test_both_run_at_the_same_time():
    both = Barrier(2, timeout=10)

    assert sorted(at_once(both.wait, both.wait)) == [0, 1]


@pytest.mark.parametrize("failing", [0, 1])
def test_when_one_fails_the_other_comes_to_its_end(failing: int):
    failed, ended = Event(), Event()

    def fails() -> None:
        failed.set()
        raise ValueError("no")

    def lasts() -> None:
        failed.wait(10)
        ended.set()

    steps = (fails, lasts) if failing == 0 else (lasts, fails)
    with pytest.raises(ValueError, match="no"):
        at_once(*steps)
    assert ended.is_set()


def test_whoever_interrupts_waits_for_none():
    going_on = Event()

    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        at_once(interrupted, going_on.wait)
    going_on.set()
