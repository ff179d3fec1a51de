"""How fast `graphrag index` is: words a second, CPU seconds, peak memory, for whole processes."""

import json
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import data

BOOK = Path(__file__).parents[1] / "examples" / "christmas_carol" / "input"


def main() -> None:
    print("\nindexing, fast: whole processes")
    print(f"{'':24}{'words':>9}{'CPU s':>8}{'wall s':>8}{'words/s':>9}{'peak MB':>9}")
    measure("A Christmas Carol", BOOK)
    for folder in sorted(data.sets(), key=lambda folder: (folder / "corpus.jsonl").stat().st_size):
        measure(folder.name, folder / "corpus.jsonl")


def measure(name: str, source: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "input")
        if source.is_dir():
            shutil.copytree(source, folder)
        else:
            folder.mkdir()
            shutil.copy(source, folder)
        words = sum(len(path.read_text("utf-8").split()) for path in folder.iterdir())
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "graphrag", "index", "--root", scratch, "--json"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    wall = json.loads(done.stdout)["seconds"]
    # Of the largest child so far: the smaller sets go first.
    peak = after.ru_maxrss / 1024
    print(f"{name:24}{words:9,}{cpu:8.1f}{wall:8.1f}{words / wall:9.0f}{peak:9.0f}", flush=True)
