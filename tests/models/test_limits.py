"""As many calls as the server answers in good time, found quickly."""

import asyncio

import pytest
from scripted import run

from graphrag.models.limits import START, Limiter


async def call(limiter, seconds, first=0.1, tokens=100, calls=None):
    async with await limiter.place() as place:
        if calls is not None:
            calls.append(asyncio.get_running_loop().time())
        if first:
            await asyncio.sleep(first)
            place.heard()
        await asyncio.sleep(seconds)
        place.answered(tokens)


def starts(most=64, number=200, **how):
    """When calls start."""

    async def main():
        limiter, calls = Limiter(most), []
        await asyncio.gather(*(call(limiter, calls=calls, **how) for _ in range(number)))
        return calls

    return run(main())


def test_many_calls_are_in_flight_after_half_a_second_of_streams():
    calls = starts(seconds=30)
    assert sum(time == 0 for time in calls) == START
    assert sum(time <= 0.5 for time in calls) >= 50
    assert sum(time < 30 for time in calls) == 64


def test_without_streams_the_limit_doubles_with_each_round():
    calls = starts(seconds=1, first=0)
    assert [sum(second - 0.5 <= time < second + 0.5 for time in calls) for second in range(4)] == [8, 16, 32, 64]


@pytest.mark.parametrize("most", [1, 3, 8])
def test_never_more_than_allowed(most):
    calls = starts(most=most, seconds=0.9)
    assert max(sum(time <= other < time + 0.99 for other in calls) for time in calls) == most


def test_it_stops_rising_while_replies_slow_down():
    async def main():
        limiter = Limiter(64)
        await asyncio.gather(*(call(limiter, 1, first=0) for _ in range(8)))
        before = limiter.limit
        await asyncio.gather(*(call(limiter, 20, first=0) for _ in range(40)))
        assert START < limiter.limit == before

    run(main())


def test_short_replies_say_nothing_about_the_pace():
    async def main():
        limiter = Limiter(64)
        for tokens, seconds in ((500, 1), (3, 1), (15, 30)):
            await call(limiter, seconds, tokens=tokens)
        assert limiter.pace.holds

    run(main())


def test_a_round_of_failures_halves_the_limit_and_one_costs_little():
    async def main():
        limiter = Limiter(64)
        await asyncio.gather(*(call(limiter, 5) for _ in range(200)))
        assert limiter.limit == 64
        limiter.fall()
        assert limiter.limit >= 63
        for _ in range(63):
            limiter.fall()
        assert limiter.limit == 32
        for _ in range(100):
            limiter.fall()
        assert limiter.limit == 1

    run(main())


def test_after_a_failure_it_rises_slowly():
    async def main():
        limiter = Limiter(64)
        limiter.fall()
        await asyncio.gather(*(call(limiter, 1) for _ in range(70)))
        return limiter.limit

    assert 10 <= run(main()) <= 15


def test_no_call_starts_before_it_may():
    async def main():
        limiter, calls = Limiter(8), []
        limiter.hold(3)
        limiter.hold(2)
        await asyncio.gather(*(call(limiter, 1, calls=calls) for _ in range(8)))
        return calls

    assert run(main()) == [3.0] * 8


def test_a_server_that_seems_down_gets_probes_and_all_calls_when_it_is_back():
    async def main():
        limiter, calls = Limiter(64), []
        limiter.probe(2)
        tasks = [asyncio.ensure_future(call(limiter, 1, calls=calls)) for _ in range(8)]
        await asyncio.sleep(2.5)
        assert calls == [2.0] * 3
        limiter.recover()
        await asyncio.gather(*tasks)
        return calls

    assert run(main()) == [2.0] * 3 + [2.5] * 5


def test_a_call_cancelled_while_it_waits_or_is_let_in_leaves_no_gap():
    async def main():
        limiter = Limiter(1)
        first = asyncio.ensure_future(call(limiter, 1))
        waiting = [asyncio.ensure_future(call(limiter, 1)) for _ in range(3)]
        await asyncio.sleep(0.5)
        waiting[0].cancel()
        await first
        waiting[1].cancel()
        await waiting[2]
        assert limiter.pending == 0
        await limiter.place()
        let_in = asyncio.ensure_future(limiter.place())
        await asyncio.sleep(0)
        limiter.give_back()
        let_in.cancel()
        await asyncio.sleep(0)
        assert limiter.pending == 0
        await call(limiter, 1)

    run(main())
