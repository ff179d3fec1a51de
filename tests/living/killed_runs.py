"""Builds that are killed: `python -m living.killed_runs METHOD`, for each line of input `ROOT OWNER NAME CALL`
(with tabs between them).

Each is a process of its own, which dies when NAME of OWNER has been called for the CALL-th time; of the
owner `progress`, NAME is a stage. The exit codes are printed, a line each.
"""

import importlib
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from signal import SIGKILL
from typing import Any, Literal
from unittest.mock import patch

from living.changing import Changing, alone, settings

from graphrag import tokens

OWNERS = {
    "LanceDBConnection": "lancedb.db",
    "LanceTable": "lancedb.table",
    "LanceStore": "graphrag.storage.lance",
    "Memo": "graphrag.models.memo",
    "Path": "pathlib",
}
"""The modules of the classes whose calls are counted."""
NEEDED = ("numpy", "scipy.sparse", "pyarrow.dataset", "graphrag.indexer.pipeline", "graphrag.indexer.standard")
BEFORE = "replace"
"""Of this one dies before it is done, of others after."""
SETTINGS = settings(communities={"warm_start": True})

Seen = Callable[[str, str], None]


def watched(root: Path, method: Literal["fast", "standard"], seen: Seen, calls: Sequence[tuple[str, str]]) -> None:
    """Index, and tell `seen` of every stage and of these calls: names of owners and of their methods."""
    with ExitStack() as changed:
        changed.enter_context(alone())
        for owner, name in calls:
            holder = getattr(importlib.import_module(OWNERS[owner]), owner)
            changed.enter_context(patch.object(holder, name, _telling(getattr(holder, name), owner, name, seen)))
        living = Changing(root, method, SETTINGS)
        living.rag.index(method, progress=lambda stage, done, total: seen("progress", stage))


def _telling(original: Callable[..., Any], owner: str, name: str, seen: Seen) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        if name == BEFORE:
            seen(owner, name)
        result = original(*args, **kwargs)
        if name != BEFORE:
            seen(owner, name)
        return result

    return call


def mortal(owner: str, name: str, call: int) -> Seen:
    """Something that is told of calls, and dies of one."""
    count: Counter[tuple[str, str]] = Counter()

    def seen(*what: str) -> None:
        count[what[0], what[1]] += 1
        if what == (owner, name) and count[owner, name] == call:
            os.kill(os.getpid(), SIGKILL)

    return seen


def main() -> None:
    method: Any = sys.argv[1]
    # What all of them need is loaded once. Not the store's library: it begins a thread, which no fork has.
    for module in NEEDED:
        importlib.import_module(module)
    tokens.count("Anna")
    for line in sys.stdin:
        root, owner, name, call = line.rstrip("\n").split("\t")
        child = os.fork()
        if not child:
            try:
                calls = [(owner, name)] if owner in OWNERS else []
                watched(Path(root), method, mortal(owner, name, int(call)), calls)
            finally:
                os._exit(0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
