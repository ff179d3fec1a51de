"""What one `graphrag query` costs from start to end: CPU seconds and wall of whole processes.

Each figure is the best of `RUNS`: what else runs on the machine only ever adds. Without a model the
answer is extractive; with one, a mock server on loopback replies at once.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import standard
from benchmarks.indexing import BOOK

RUNS = 5
LONGEST = 60
"""Seconds; a run that takes longer has failed."""
METHODS = ("basic", "local", "global", "drift")
QUESTION = "What does Marley's ghost tell Scrooge?"
PARTS = {
    "the interpreter": "pass",
    "numpy": "import numpy",
    "numpy, pyarrow": "import pyarrow",
    "the engine": "import graphrag.engine",
    "the index, open": "from graphrag import GraphRAG; GraphRAG({root!r}).table('entities')",
    "a text, embedded": "from graphrag.models.embedded import EmbeddedEmbedder as E; E().embed(['Scrooge'])",
    "import lancedb": "import lancedb",
    "the HTTP client": "import httpx2, httpcore2",
}
WATCH = """
import os, sys, time
started = time.monotonic()
silence = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)]
_, status, used = os.wait4(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=silence), 0)
print(status, used.ru_utime + used.ru_stime, time.monotonic() - started, used.ru_maxrss / 1024)
"""
"""Starts a process and waits for it. It is small: the peak of a process is never less than that of
the one that started it."""
SETTINGS = 'llm: {{provider: openai, model: mock, base_url: "{url}/v1"}}\n'


def main() -> None:
    print(f"\ncold queries: whole processes, best of {RUNS}")
    print(f"{'':28}{'CPU s':>8}{'wall s':>8}{'peak MB':>9}")
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(BOOK, Path(scratch, "input"))
        subprocess.run([*graphrag("index", scratch), "--method", "fast"], check=True, capture_output=True)
        for name, program in PARTS.items():
            report(f"  {name}", [sys.executable, "-c", program.format(root=scratch)])
        for method in METHODS:
            report(method, [*graphrag("query", scratch), "--method", method, QUESTION])
        if not standard.PEERS.exists():
            print("with a model: skipped, the mock server in ../shared/peers is not there")
            return
        with standard.server() as mock:
            Path(scratch, "settings.yaml").write_text(SETTINGS.format(url=mock.url))
            mock.post("/config", standard.CALM)
            for method in METHODS:
                report(f"{method}, with a model", [*graphrag("query", scratch), "--method", method, QUESTION], scratch)


def graphrag(command: str, root: str) -> list[str]:
    return [sys.executable, "-m", "graphrag", command, "--root", root]


def report(name: str, command: list[str], root: str = "") -> None:
    """Best of some runs; where a root is given, without what a model said to the run before."""
    runs: list[tuple[float, float, float] | None] = []
    while len(runs) < RUNS and None not in runs:
        if root:
            shutil.rmtree(Path(root, "cache"), ignore_errors=True)
        runs.append(run(command))
    if None in runs:
        print(f"{name:28}  failed", flush=True)
        return
    cpu, wall, peak = (min(figures) for figures in zip(*filter(None, runs), strict=True))
    print(f"{name:28}{cpu:8.2f}{wall:8.2f}{peak:9.0f}", flush=True)


def run(command: list[str]) -> tuple[float, float, float] | None:
    """CPU seconds, wall seconds and peak MB of a process; None if it failed or did not end.

    Of modules there is bytecode from the run before, as there is of an installed package.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"OPENAI_API_KEY": "none", "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir(), "graphrag-cold"))}
    watched = [sys.executable, "-IS", "-c", WATCH, *command]
    with subprocess.Popen(
        watched, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, start_new_session=True
    ) as process:
        try:
            told, _ = process.communicate(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return None
    status, cpu, wall, peak = map(float, told.split()) if told else (1.0, 0.0, 0.0, 0.0)
    return None if status else (cpu, wall, peak)
