"""Commands as users run them, and what comes of it."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parent


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str


Command = Callable[..., Outcome]
"""Runs a command line with its arguments."""


def run(*arguments: object, stdin: str = "", module: str = "graphrag") -> Outcome:
    """`graphrag` in a process of its own, or another module, of the tests too."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(
        command, cwd=TESTS, input=stdin, capture_output=True, text=True, encoding="utf-8", check=False
    )
    return Outcome(done.returncode, done.stdout, done.stderr)
