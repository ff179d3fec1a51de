"""A process that is killed while it publishes: `python -m storage.killed_publish FOLDER CLASS METHOD CALL`.

It dies when METHOD of CLASS has been called for the CALL-th time.
"""

import os
import signal
import sys
from pathlib import Path

from lancedb.db import LanceDBConnection
from lancedb.table import LanceTable

from graphrag.storage.lance import LanceStore

from .samples import make_build, make_tables

CLASSES = {"LanceDBConnection": LanceDBConnection, "LanceTable": LanceTable, "Path": Path}


def die_in(owner: type, method: str, call: int) -> None:
    original = getattr(owner, method)
    calls: list[str] = []

    def dying(*args: object, **kwargs: object) -> object:
        calls.append(method)
        before = method == "replace"
        result = None if before else original(*args, **kwargs)
        if len(calls) == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **kwargs) if before else result

    setattr(owner, method, dying)


if __name__ == "__main__":
    folder, owner, method, call = sys.argv[1:]
    die_in(CLASSES[owner], method, int(call))
    store = LanceStore(Path(folder))
    with store.lock():
        store.publish(make_tables(["A fox."], prefix="v"), make_build("killed"))
