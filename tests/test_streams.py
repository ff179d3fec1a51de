"""Generators that wait, consumed by an event loop."""

import asyncio
import contextvars
import threading
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrag.messages import Message, Reply, Request
from graphrag.models.base import Watch
from graphrag.models.memo import Memo
from graphrag.models.service import ModelService
from graphrag.progress import silent
from graphrag.settings import LLMSettings
from graphrag.streams import Interrupted, alternate, interruptible


class Noting:
    """A generator of numbers that notes where it ran and that it was closed."""

    def __init__(self, most: int, error: Exception | None = None):
        self.most, self.error = most, error
        self.threads: set[int] = set()
        self.closed = threading.Event()

    def __call__(self):
        try:
            for number in range(self.most):
                self.threads.add(threading.get_ident())
                yield number
            if self.error:
                raise self.error
        finally:
            self.closed.set()


async def items(generator):
    return [item async for item in alternate(generator)]


@given(st.lists(st.none() | st.integers(), max_size=20))
def test_the_items_come_in_their_order(values):
    assert asyncio.run(items(value for value in values)) == values


def test_steps_run_in_another_thread_and_errors_reach_the_consumer():
    noting = Noting(3, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        asyncio.run(items(noting()))
    assert noting.closed.is_set()
    assert threading.get_ident() not in noting.threads


def test_the_loop_goes_on_meanwhile():
    go = threading.Event()

    def waiting():
        go.wait()
        yield 1

    async def main():
        asyncio.get_running_loop().call_later(0, go.set)
        return await items(waiting())

    assert asyncio.run(main()) == [1]


def test_more_may_wait_than_the_loop_has_threads():
    barrier = threading.Barrier(50)

    def waiting():
        yield barrier.wait()

    async def main():
        return await asyncio.gather(*(items(waiting()) for _ in range(50)))

    assert sorted(asyncio.run(main())) == [[n] for n in range(50)]


def test_a_consumer_that_stops_closes_the_generator():
    noting = Noting(10)
    generator = noting()

    async def main():
        async with aclosing(alternate(generator)) as numbers:
            async for number in numbers:
                if number == 2:
                    break
        return noting.closed.is_set()

    assert asyncio.run(main())


def test_a_generator_that_was_not_begun_is_not_run():
    noting = Noting(1)

    async def main():
        await alternate(noting()).aclose()

    asyncio.run(main())
    assert not noting.threads


def test_steps_share_the_context_of_the_consumer():
    variable = contextvars.ContextVar("variable", default="nothing")

    def telling():
        yield variable.get()
        variable.set("changed")
        yield variable.get()

    async def main():
        variable.set("mine")
        return await items(telling()), variable.get()

    assert asyncio.run(main()) == (["mine", "changed"], "mine")


def test_cancellation_interrupts_a_wait_and_closes_the_generator():
    waiting, go, ended = threading.Event(), threading.Event(), []

    def hanging():
        try:
            yield 1
            with interruptible(go.set):
                waiting.set()
                go.wait()
                raise ValueError("cancelled")
        except BaseException as error:
            ended.append(type(error))
            with pytest.raises(Interrupted), interruptible(go.set):
                ended.append("a wait after the end")
            raise

    async def main():
        task = asyncio.create_task(items(hanging()))
        await asyncio.to_thread(waiting.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert ended == [Interrupted]


def test_waits_that_nobody_interrupts_are_as_they_were():
    with pytest.raises(ValueError, match="mine"), interruptible(lambda: None):
        raise ValueError("mine")

    def failing():
        with interruptible(lambda: None):
            yield 1
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        asyncio.run(items(failing()))


class Hanging:
    """A model that says one word and then nothing."""

    name, parameters = "hanging", {}

    def __init__(self):
        self.speaking, self.cancelled = threading.Event(), 0

    async def chat(self, request: Request, watch: Watch) -> Reply:
        try:
            watch("word")
            self.speaking.set()
            await asyncio.get_running_loop().create_future()
            raise AssertionError
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def close(self) -> None: ...


@pytest.mark.parametrize("streams", [True, False])
def test_a_cancelled_consumer_frees_the_model(streams: bool):
    model, asked = Hanging(), Request("test", (Message("user", "Who?"),))
    service = ModelService(model, Memo(), LLMSettings())

    def answer():
        with service.session() as session:
            if streams:
                yield from session.stream(asked)
            else:
                yield session.ask([asked], lambda reply: reply.text, silent, "")

    async def main():
        task = asyncio.create_task(items(answer()))
        await asyncio.to_thread(model.speaking.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 10)

    asyncio.run(main())
    assert model.cancelled == 1
    service.close()
