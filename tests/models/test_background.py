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
            errors.append(str(error))

    thread = threading.Thread(target=wait)
    thread.start()
    running.wait()
    background.close()
    thread.join()
    assert cancelled.is_set()
    assert errors == ["the model service was closed"]


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


def test_a_process_that_ends_starts_no_thread():
    code = (
        "import atexit\nfrom graphrag.models.background import Background\n"
        "b = Background()\natexit.register(lambda: print(b.usable, b.running))\nprint(b.usable, b.running)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True False\nFalse False\n", "")


FORK = """
import asyncio, os, signal, sys, warnings
from pathlib import Path
from graphrag.messages import Message, Reply, Request
from graphrag.models.background import Background
from graphrag.models.memo import Memo, Origin
warnings.simplefilter("ignore", DeprecationWarning)
background, memo, origin = Background(), Memo(Path(sys.argv[1])), Origin("m", "{}")

def work(text):
    memo.put(origin, Request("s", (Message("user", text),)), Reply(text))
    return background.run(asyncio.sleep(0, text))

work("parent")
connection = memo._connection
if child := os.fork():
    assert os.waitpid(child, 0)[1] == 0
    print(work("again"), memo.stats().replies[origin])
else:
    signal.alarm(20)
    done = work("child") == "child" and memo._connection is not connection
    memo.close()
    background.close()
    os._exit(not done)
"""


def test_a_forked_process_has_a_thread_and_a_connection_of_its_own(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FORK, tmp_path / "memo.sqlite"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "again 3\n", "")
