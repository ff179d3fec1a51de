"""Several calls as one: errors end the others, a budget error lets them end."""

import asyncio
from itertools import pairwise

import pytest
from scripted import run

from graphrag.errors import BudgetExceededError, ModelError, OverloadedError
from graphrag.models.calling import Caller, together
from graphrag.models.limits import Limiter


def gathered(*outcomes):
    """What `together` raises, and which calls ended; a call is (seconds, error or None)."""
    ended = []

    async def call(number, seconds, error):
        await asyncio.sleep(seconds)
        if error:
            raise error
        ended.append(number)

    async def main():
        await together([call(number, *outcome) for number, outcome in enumerate(outcomes)])

    try:
        run(main())
    except ModelError as error:
        return error, ended
    except BudgetExceededError as error:
        return error, ended
    return None, ended


def test_all_calls_end():
    assert gathered((2, None), (1, None)) == (None, [1, 0])
    assert gathered() == (None, [])


def test_an_error_cancels_the_others():
    error = ModelError("no")
    assert gathered((1, None), (2, error), (2, ModelError("too")), (3, None)) == (error, [0])


def test_a_budget_error_waits_for_the_others_but_not_over_another_error():
    short, error = BudgetExceededError("no"), ModelError("no")
    assert gathered((1, short), (1, short), (2, None)) == (short, [2])
    assert gathered((1, short), (2, error), (3, None)) == (error, [])


def waits(failures, draw):
    """The times between the tries of a call that fails so often, while others succeed."""
    times = []

    async def attempt(place):
        times.append(asyncio.get_running_loop().time())
        if len(times) <= failures:
            raise OverloadedError("busy")

    async def fine(place):
        await asyncio.sleep(0.01)

    async def main():
        caller = Caller(Limiter(8), 600, lambda: draw)
        task = asyncio.ensure_future(caller.call(attempt))
        while not task.done():
            await caller.call(fine)
        await task

    run(main())
    return [round(later - earlier, 1) for earlier, later in pairwise(times)]


def test_the_back_off_doubles_and_is_drawn():
    assert waits(6, 1.0) == [1, 2, 4, 8, 8, 8]
    assert waits(3, 0.5) == [0.5, 1, 2]


def test_waiting_calls_are_cancelled_with_the_caller():
    async def main():
        limiter = Limiter(1)
        caller = Caller(limiter, 600)

        async def forever(_):
            await asyncio.get_running_loop().create_future()

        calls = together([caller.call(forever) for _ in range(5)])
        task = asyncio.ensure_future(calls)
        await asyncio.sleep(1)
        assert limiter.pending == 5
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert limiter.pending == 0

    run(main())


def test_failures_lower_the_limit():
    async def main():
        limiter = Limiter(8)
        caller = Caller(limiter, 600)
        tried = 0

        async def attempt(_):
            nonlocal tried
            tried += 1
            if tried <= 3:
                raise OverloadedError("busy")
            await asyncio.sleep(1)

        await together([caller.call(attempt) for _ in range(20)])
        return limiter.limit

    assert run(main()) == 7


def test_a_server_with_few_places_is_not_taken_for_one_that_is_down():
    async def main():
        caller, full, ended = Caller(Limiter(64), 600, lambda: 0.5), asyncio.Semaphore(16), []
        rejected = 0

        async def attempt(place):
            nonlocal rejected
            if full.locked():
                rejected += 1
                raise OverloadedError("429")
            async with full:
                place.heard()
                await asyncio.sleep(2)
            ended.append(asyncio.get_running_loop().time())

        await together([caller.call(attempt) for _ in range(800)])
        return ended[-1], rejected

    seconds, rejected = run(main())
    assert seconds < 1.25 * 800 * 2 / 16
    assert rejected < 400
