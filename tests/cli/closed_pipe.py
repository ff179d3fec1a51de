"""`graphrag query` into a pipe that nobody reads: `python -m cli.closed_pipe ROOT`."""

import os
import sys

from graphrag.cli.main import main

if __name__ == "__main__":
    reader, writer = os.pipe()
    os.close(reader)
    os.dup2(writer, sys.stdout.fileno())
    sys.argv = ["graphrag", "query", "Who is Otto Veit?", "--method", "basic", "--root", sys.argv[1]]
    main()
