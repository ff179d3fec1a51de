"""`graphrag index` in a process that is killed when some tables are written: `python -m cli.killed_index ROOT`."""

import sys

from lancedb.table import LanceTable
from storage.killed_publish import die_in

from graphrag.cli.main import main

if __name__ == "__main__":
    die_in(LanceTable, "add", 3)
    sys.argv = ["graphrag", "index", "--root", sys.argv[1]]
    main()
