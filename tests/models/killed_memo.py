"""A process that remembers replies until it is killed: `python killed_memo.py PATH NAME`."""

import sys
from pathlib import Path

from graphrag.messages import Message, Reply, Request
from graphrag.models.memo import Memo, Origin

if __name__ == "__main__":
    memo, origin = Memo(Path(sys.argv[1])), Origin(sys.argv[2], "{}")
    for number in range(100_000):
        memo.put(origin, Request("stage", (Message("user", str(number)),)), Reply(f"reply {number} " + "long " * 300))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
