"""`graphrag` without root's right to read and write everything: `python -m cli.unprivileged ARGUMENTS`."""

import ctypes
import os
import sys

DROP_CAPABILITY = 24
OVERRIDE_PERMISSIONS, SEARCH_ANYWHERE = 1, 2

if __name__ == "__main__":
    if os.geteuid() == 0:
        for capability in (OVERRIDE_PERMISSIONS, SEARCH_ANYWHERE):
            ctypes.CDLL(None).prctl(DROP_CAPABILITY, capability, 0, 0, 0)
    os.execv(sys.executable, [sys.executable, "-m", "graphrag", *sys.argv[1:]])  # noqa: S606
