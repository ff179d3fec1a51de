"""`kill -9` at random moments over builds and updates: nothing may be lost, broken or paid for twice.

Rounds of a new collection each: its first build, then random edits, every run killed after a random
time until a round has had its kills; then one that is left alone. After each, what is published must be
whole, and hold the documents of before or those that the killed run was given.
"""

import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL

from benchmarks.living import synthetic
from benchmarks.standard import PEERS, SETTINGS, Bench, Run, server
from graphrag import GraphRAG
from graphrag.errors import GraphRAGError, IndexNotFoundError

KILLS = 200
ROUND = 10
"""Kills of one collection."""
FIRST = 4
"""Of these, most that are spent on the first build."""
DOCUMENTS = 8
CONCURRENCY = 4
LATENCY = {"lat_base": 0.4, "lat_prompt": 0.00002, "lat_out": 0.0002}
"""So that calls are in flight for a good part of a run."""
SMALL = SETTINGS.replace("model: mock,", f"model: mock, concurrency: {CONCURRENCY},", 1) + (
    "chunking: {{size: 64}}\nextraction: {{window: 96}}\nreports: {{input_tokens: 512}}\n"
)
EARLIEST = 0.2
"""Seconds: before that a process has not begun anything."""


def main() -> None:
    if not PEERS.exists():
        print("\nkills: skipped, the mock server in ../shared/peers is not there")
        return
    # What is checked is asked here, of the same server.
    os.environ.setdefault("OPENAI_API_KEY", "none")
    total = next((int(name.partition("=")[2]) for name in sys.argv if name.startswith("--kills=")), KILLS)
    print(f"\n{total} kills at random moments over builds and updates of {DOCUMENTS} documents")
    draw, texts = random.Random(total), synthetic()  # noqa: S311
    done = Tally()
    with server() as mock, tempfile.TemporaryDirectory() as scratch:
        while done.kills < total:
            place = Collection(Bench(mock, Path(scratch, f"round-{done.rounds}")), draw, texts, done)
            place.suffer(min(ROUND, total - done.kills))
            print(f"  after {done.rounds:2} rounds: {done}", flush=True)
    for fault in done.faults:
        print(f"  FAULT {fault}")


@dataclass
class Tally:
    """What was counted until now."""

    rounds: int = 0
    builds: int = 0
    """Kills before anything was published."""
    updates: int = 0
    published: int = 0
    """Of those, kills of runs that had published by then."""
    finished: int = 0
    """Runs that ended before they were killed, or were left alone."""
    in_flight: int = 0
    """Calls that the server was at in the moment of a kill."""
    repeated: list[int] = field(default_factory=list[int])
    """By run: calls that were answered to a run before."""
    faults: list[str] = field(default_factory=list[str])
    seconds: dict[bool, float] = field(default_factory=lambda: {False: 5.0, True: 5.0})
    """How long the last run took that was not killed: a first build, an update."""

    @property
    def kills(self) -> int:
        return self.builds + self.updates

    def __str__(self) -> str:
        most = max(self.repeated, default=0)
        return (
            f"{self.kills} kills ({self.builds} of first builds, {self.updates} of updates, {self.published} of them "
            f"after publishing), {self.finished} runs to the end; calls in flight at a kill {self.in_flight}, "
            f"repeated {sum(self.repeated)}, at most {most} in a run (concurrency {CONCURRENCY}); "
            f"faults {len(self.faults)}"
        )


@dataclass
class Collection:
    """A folder of documents, and what is known of its index."""

    bench: Bench
    draw: random.Random
    texts: Iterator[str]
    done: Tally

    def suffer(self, kills: int) -> None:
        """A round."""
        self.bench.mock.post("/forget")
        self.folder.mkdir(parents=True)
        (self.bench.root / "settings.yaml").write_text(SMALL.format(url=self.bench.mock.url))
        for number in range(DOCUMENTS):
            (self.folder / f"document-{number}.txt").write_text(next(self.texts), "utf-8")
        held: frozenset[str] | None = None
        first, last = self.done.kills + FIRST, self.done.kills + kills
        while self.done.kills < last:
            if held is None and self.done.kills >= first:
                held = self.check(held, self.run(None))
            # A killed run is taken up again as it is, or something else has changed meanwhile.
            if held is not None and (held == self.given() or self.draw.random() < 0.5):
                self.edit()
            limit = self.draw.uniform(EARLIEST, self.done.seconds[held is not None])
            held = self.check(held, self.run(limit))
        self.check(held, self.run(None))
        self.done.rounds += 1

    @property
    def folder(self) -> Path:
        return self.bench.root / "input"

    def given(self) -> frozenset[str]:
        """The documents of the folder: names and texts."""
        return frozenset(f"{path.name}: {path.read_text('utf-8')}" for path in self.folder.iterdir())

    def edit(self) -> None:
        """One to four documents come, go, change or move."""
        for _ in range(self.draw.randint(1, 4)):
            path = self.draw.choice(sorted(self.folder.iterdir()))
            other = self.folder / f"document-{self.draw.randrange(1_000_000)}.txt"
            match self.draw.choice(("add", "edit", "rename", "remove")):
                case "add":
                    other.write_text(next(self.texts), "utf-8")
                case "edit":
                    path.write_text(f"{path.read_text('utf-8')} {next(self.texts)[:200]}.", "utf-8")
                case "rename":
                    path.rename(other)
                case _ if sum(1 for _ in self.folder.iterdir()) > DOCUMENTS // 2:
                    path.unlink()
                case _:
                    pass

    def run(self, limit: float | None) -> Run:
        """Index, for at most so many seconds."""
        started = time.monotonic()

        def kill(pid: int) -> None:
            left = started + (limit or 0) - time.monotonic()
            if limit and left < 0.05:
                time.sleep(max(0.0, left))
                self.done.in_flight += self.bench.mock.quick()["inflight"]
                os.kill(pid, SIGKILL)

        done = self.bench.index(config=LATENCY, during=kill)
        while self.bench.mock.quick()["inflight"]:
            time.sleep(0.01)
        return done

    def check(self, held: frozenset[str] | None, run: Run) -> frozenset[str] | None:
        """What is published after a run, where `held` was before; all that is wrong with it is noted."""
        given, found = self.given(), None
        self.done.repeated.append(run.asked.get("chat_calls_repeating_earlier_phase", 0))
        try:
            found = self.read()
        except GraphRAGError as error:
            self.note(f"cannot be read: {error}")
        if run.code == -SIGKILL:
            self.done.builds += held is None
            self.done.updates += held is not None
            self.done.published += found == given != held
            if found not in (held, given):
                self.note(f"lost after a kill: {_missing(found, held or given)}")
        elif run.code:
            self.note(f"exit {run.code}: {run.err.strip()[-300:]}")
        else:
            self.done.finished += 1
            self.done.seconds[held is not None] = run.wall
            if found != given:
                self.note(f"lost: {_missing(found, given)}")
            if run.summary["failures"]:
                self.note(f"failures: {run.summary['failures']}")
        return found

    def read(self) -> frozenset[str] | None:
        """The documents of the published index, after a look at all of it; None if there is none."""
        with GraphRAG(self.bench.root) as rag:
            try:
                faults = rag.check().faults
            except IndexNotFoundError:
                return None
            if faults:
                self.note(f"not whole: {Counter(type(fault).__name__ for fault in faults)} {faults[:3]}")
            if not rag.retrieve("Who went to the house?", method="basic"):
                self.note("nothing is found")
            rows = rag.table("documents").to_pylist()
        return frozenset(f"{row['source']}: {row['text']}" for row in rows)

    def note(self, what: str) -> None:
        self.done.faults.append(f"round {self.done.rounds}, kill {self.done.kills}: {what}")
        print(f"  {self.done.faults[-1]}", flush=True)


def _missing(found: frozenset[str] | None, wanted: frozenset[str]) -> list[str]:
    return sorted(text[:40] for text in wanted - (found or frozenset()))


if __name__ == "__main__":
    main()
