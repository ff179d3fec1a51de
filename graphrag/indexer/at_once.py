"""Two steps that need nothing of each other ask their model at the same time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")


def at_once(first: Callable[[], T], second: Callable[[], U]) -> tuple[T, U]:
    """What both return. When one raises, the other comes to its end before that error is raised: what
    it asks is paid for. Whoever interrupts the wait waits for none."""
    pool = ThreadPoolExecutor(2, "graphrag steps")
    try:
        running = pool.submit(first), pool.submit(second)
        return running[0].result(), running[1].result()
    except Exception:
        pool.shutdown(wait=True)
        raise
    finally:
        pool.shutdown(wait=False)
