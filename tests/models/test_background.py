"""A loop in a thread: for any caller, and gone when it should be."""

import asyncio
import contextvars
import gc
import subprocess
import sys
import threading

import pytest

from graphrag.models.background import Background


def alive():
    return [thread for thread in threading.enumerate() if thread.name == "graphrag models"]


async def double(number):
    await asyncio.sleep(0)
    return 2 * number


async def fail():
    raise ZeroDivisionError


def test_results_and_errors_reach_the_caller():
    background = Background()
    assert background.run(double(2)) == 4
    with pytest.raises(ZeroDivisionError):
        background.run(fail())
    assert len(alive()) == 1
    background.close()
    background.close()
    assert not alive()
    assert background.run(double(3)) == 6
    background.close()


def test_the_thread_ends_with_the_object():
    background = Background()
    background.run(double(2))
    del background
    gc.collect()
    assert not alive()


def test_closing_cancels_what_runs():
    background, cancelled, running = Background(), threading.Event(), threading.Event()

    async def forever():
        running.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            cancelled.set()

    errors = []

    def wait():
        try:
            background.run(forever())
        except BaseException as error:
            errors.append(type(error).__name__)

    thread = threading.Thread(target=wait)
    thread.start()
    running.wait()
    background.close()
    thread.join()
    assert cancelled.is_set()
    assert errors == ["CancelledError"]


def test_the_caller_s_context_is_that_of_the_coroutine():
    variable, background = contextvars.ContextVar("variable"), Background()

    async def read():
        return variable.get()

    variable.set("mine")
    assert background.run(read()) == "mine"
    background.close()


def test_a_process_that_forgets_to_close_ends():
    code = (
        "import asyncio\nfrom graphrag.models.background import Background\n"
        "b = Background()\nprint(b.run(asyncio.sleep(0, 'done')))"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
