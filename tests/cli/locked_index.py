"""A process that builds an index until its input ends: `python -m cli.locked_index OUTPUT`."""

import sys
from pathlib import Path

from graphrag.storage.lance import LanceStore

if __name__ == "__main__":
    with LanceStore(Path(sys.argv[1])).lock():
        sys.stdout.write("building\n")
        sys.stdout.flush()
        sys.stdin.read()
