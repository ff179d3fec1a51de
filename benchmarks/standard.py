"""What `graphrag index --method standard` asks of a model server, and what it takes itself.

Whole processes against a deterministic model server on loopback that returns realistic replies
(`../shared/peers`, with `mock_profile.py` for this project's prompts): the same texts and the same
content that other systems were measured with. Needs `orjson` for that server.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PEERS = Path(__file__).parents[1].parent / "shared" / "peers"
PROFILE = Path(__file__).with_name("mock_profile.py")
LATENCY = {"lat_base": 0.1, "lat_prompt": 0.00005, "lat_out": 0.005, "slots": 64}
CALM = {
    "p429": 0,
    "p500": 0,
    "pbad": 0,
    "p503": 0,
    "pdrop": 0,
    "lat_base": 0,
    "lat_prompt": 0,
    "lat_out": 0,
    "slots": 0,
}
SETTINGS = """\
llm: {{provider: openai, model: mock, base_url: "{url}/v1"}}
embedding: {{provider: openai, model: mock-embedding, base_url: "{url}/v1"}}
"""


def main() -> None:
    if not PEERS.exists():
        print("\nstandard: skipped, the mock server in ../shared/peers is not there")
        return
    print("\nindexing, standard: against a mock model server")
    with server() as mock, tempfile.TemporaryDirectory() as scratch:
        for case in (quick, latency, again_and_added, killed, faults, outages, large):
            case(Bench(mock, Path(scratch, case.__name__)))


@dataclass(frozen=True)
class Mock:
    """The mock server's side channel."""

    url: str

    def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = json.dumps(body or {}).encode()
        request = urllib.request.Request(self.url + path, data, {"content-type": "application/json"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=600) as reply:  # noqa: S310
            return json.load(reply)

    def stats(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/stats", timeout=600) as reply:  # noqa: S310
            return json.load(reply)

    def quick(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/quick", timeout=60) as reply:  # noqa: S310
            return json.load(reply)


@dataclass(frozen=True)
class Run:
    """One process, and what the server saw meanwhile."""

    code: int
    wall: float
    cpu: float
    peak: float
    asked: dict[str, Any]
    stages: dict[str, Any]
    out: str
    err: str

    @property
    def summary(self) -> dict[str, Any]:
        return json.loads(self.out)

    def __str__(self) -> str:
        asked = {key: self.asked.get(key, 0) for key in ("chat_calls", "prompt_tokens", "completion_tokens")}
        shared = self.asked.get("cacheable_prefix_tokens_vllm16_inf", 0) / max(1, asked["prompt_tokens"])
        return (
            f"{asked['chat_calls']:6,} calls {asked['prompt_tokens']:10,} prompt ({shared:.0%} shared prefix) "
            f"{asked['completion_tokens']:9,} completion  {self.cpu:5.1f} CPU s {self.wall:6.1f} s {self.peak:5.0f} MB"
        )


@dataclass(frozen=True)
class Bench:
    """A root folder, and the server that its settings name."""

    mock: Mock
    root: Path

    def fill(self, *corpora: str) -> None:
        (self.root / "input").mkdir(parents=True, exist_ok=True)
        for corpus in corpora:
            for path in (PEERS / "corpus" / corpus).iterdir():
                shutil.copy(path, self.root / "input")
        (self.root / "settings.yaml").write_text(SETTINGS.format(url=self.mock.url))

    def index(
        self, *options: str, config: dict[str, Any] | None = None, during: Callable[[int], None] | None = None
    ) -> Run:
        """Run the command; `during(pid)` is called every 50 ms."""
        self.mock.post("/config", CALM | (config or {}))
        self.mock.post("/reset", {"phase": self.root.name})
        command = [sys.executable, "-m", "graphrag", "index", "--root", str(self.root), "--json", *options]
        started = time.monotonic()
        with (self.root / "out").open("w") as out, (self.root / "err").open("w") as err:
            process = subprocess.Popen(command, stdout=out, stderr=err, env={**os.environ, "OPENAI_API_KEY": "none"})
            done = 0
            while not done:
                done, status, used = os.wait4(process.pid, os.WNOHANG if during else 0)
                if during and not done:
                    during(process.pid)
                    time.sleep(0.05)
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        stats = self.mock.stats()
        texts = [(self.root / name).read_text() for name in ("out", "err")]
        cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
        return Run(process.returncode, wall, cpu, peak, stats.get("total", {}), stats.get("by_kind", {}), *texts)

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """All that a build says, but for when."""
        from graphrag import GraphRAG

        rag = GraphRAG(self.root)
        names = ("text_units", "entities", "relationships", "communities", "community_reports")
        drop = {"vector", "search_text", "period"}
        return {
            name: [{k: v for k, v in row.items() if k not in drop} for row in rag.table(name).to_pylist()]
            for name in names
        }


@contextlib.contextmanager
def server() -> Iterator[Mock]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(PEERS / "mock_llm.py"), "--port", str(port), "--plugin", str(PROFILE)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    mock = Mock(f"http://127.0.0.1:{port}")
    try:
        for _ in range(100):
            with contextlib.suppress(OSError):
                mock.quick()
                break
            time.sleep(0.1)
        yield mock
    finally:
        process.kill()
        process.wait()


def words(folder: Path) -> int:
    return sum(len(path.read_text("utf-8").split()) for path in folder.iterdir())


def quick(bench: Bench) -> None:
    bench.fill("quick")
    done = bench.index()
    print(f"five files, no latency       {done}")
    for stage, used in done.stages.items():
        print(f"  {stage:12}{used.get('calls', used['requests']):6} calls {used['prompt_tokens']:9,} prompt", end="")
        print(f" {used.get('completion_tokens', 0):9,} completion")
    apart = Bench(bench.mock, bench.root.with_name("apart"))
    apart.fill("quick")
    unresolved = apart.index("--no-resolve").summary
    thousands = words(bench.root / "input") / 1000
    for name, summary in (("names resolved", done.summary), ("--no-resolve", unresolved)):
        found = [f"{summary[kind]} {kind} ({summary[kind] / thousands:.2f})" for kind in ("entities", "relationships")]
        print(f"  {name}: {', '.join(found)} (a thousand words), {summary['reports']} reports")
    connected, inside = coverage(apart, bench)
    print(f"  relationships from shared sentences, no model: {connected}")
    print(f"  intra-community relationships that reach a report: {inside:.0%}")


def coverage(apart: Bench, bench: Bench) -> tuple[int, float]:
    """Relationships that no model stated; and the share of those inside communities that a prompt
    or a joined report has."""
    tables = apart.tables()
    sentences = sum(edge["weight"] == 1.0 for edge in tables["relationships"])
    with tempfile.NamedTemporaryFile() as dump:
        bench.mock.post("/dump", {"file": dump.name})
        log = [json.loads(line) for line in Path(dump.name).read_text().splitlines()]
    prompts = "\n".join(call["prompt"] for call in log if call["kind"] == "report")
    reports = "\n".join(report["full_content"] for report in tables["community_reports"])
    edges = {edge["id"]: edge for edge in tables["relationships"]}
    inside = {id_ for community in tables["communities"] for id_ in community["relationship_ids"]}
    reached = sum(
        f"| {edges[id_]['source']} | {edges[id_]['target']} |" in prompts or edges[id_]["description"][:40] in reports
        for id_ in inside
    )
    return sentences, reached / max(1, len(inside))


def latency(bench: Bench) -> None:
    bench.fill("quick")
    print(f"a server that takes its time {bench.index(config=LATENCY)}")


def again_and_added(bench: Bench) -> None:
    bench.fill("quick")
    bench.index()
    print(f"run again                    {bench.index()}")
    bench.fill("add")
    print(f"3,000 words added            {bench.index()}")


def killed(bench: Bench) -> None:
    """kill -9 near half, then again: calls that were answered before are not made again."""
    whole = Bench(bench.mock, bench.root.with_name("undisturbed"))
    whole.fill("quick")
    bench.fill("quick")
    total = whole.index().asked["chat_calls"]
    bench.mock.post("/forget")

    in_flight: list[int] = []

    def kill(pid: int) -> None:
        seen = bench.mock.quick()
        if seen["log"] >= total // 2 and not in_flight:
            in_flight.append(seen["inflight"])
            os.kill(pid, signal.SIGKILL)

    first = bench.index(config=LATENCY | {"slots": 16}, during=kill)
    while bench.mock.quick()["inflight"]:
        time.sleep(0.1)
    second = bench.index()
    repeated = second.asked.get("chat_calls_repeating_earlier_phase", 0)
    same = bench.tables() == whole.tables()
    print(f"kill -9 at half (exit {first.code}, {in_flight[0]} in flight): then {second.asked['chat_calls']}", end="")
    print(f" of {total} calls, {repeated} of them repeated; the same as undisturbed: {same}")


def faults(bench: Bench) -> None:
    """10 % of calls fail, 5 % of replies are cut."""
    whole = Bench(bench.mock, bench.root.with_name("calm"))
    whole.fill("quick")
    whole.index()
    bench.fill("quick")
    bench.mock.post("/forget")
    done = bench.index(config={"p429": 0.05, "p500": 0.05, "pbad": 0.05})
    print(f"10 % errors, 5 % cut         {done}")
    print(f"  failures {len(done.summary['failures'])}; the same as undisturbed: {bench.tables() == whole.tables()}")


def outages(bench: Bench) -> None:
    """15 seconds of 503, then of dropped connections, in the middle of a run."""
    for fault in ("p503", "pdrop"):
        place = Bench(bench.mock, bench.root.with_name(fault))
        place.fill("quick")
        bench.mock.post("/forget")
        began: list[float] = []

        def outage(pid: int, fault: str = fault, began: list[float] = began) -> None:
            if not began and bench.mock.quick().get("chat", 0) >= 20:
                began.append(time.monotonic())
                bench.mock.post("/config", {fault: 1.0})
            if began and began[0] and time.monotonic() - began[0] > 15:
                began[0] = 0
                bench.mock.post("/config", {fault: 0.0})

        done = place.index(config=LATENCY, during=outage)
        lost = len(done.summary["failures"]) if done.code == 0 else done.err.strip()
        print(f"15 s of {fault}: exit {done.code}, {done.wall:.0f} s, failures: {lost}")


def large(bench: Bench) -> None:
    bench.fill("large")
    print(f"133 files, 547,665 words     {bench.index()}")
