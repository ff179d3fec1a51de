"""Which communities a call writes about, and what it reads."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphrag.indexer.report_drafts import Members, Reference
from graphrag.indexer.report_lines import Line, size
from graphrag.indexer.report_replies import MOST_REPORTS


@dataclass(frozen=True, slots=True)
class Job:
    """A community, or a part of one, to be written about."""

    members: Members
    lines: tuple[Line, ...]
    findings: int
    """How many there may be."""
    part: tuple[int, ...] = ()
    """Which part it is of the community, of that part, and so on; empty for the whole."""

    @property
    def number(self) -> int:
        """The community's number."""
        return self.members.community.community

    @property
    def size(self) -> int:
        """Tokens of its lines."""
        return size(self.lines)


@dataclass(frozen=True, slots=True)
class Call:
    """The jobs of one request: C1, C2 … in their order."""

    jobs: tuple[Job, ...]
    text: str
    given: tuple[Mapping[str, tuple[Reference, ...]], ...]
    """For each job the records behind each of its numbers: "E1", "R3" …"""


def pack(jobs: Sequence[Job], limit: int, most_findings: int) -> list[Call]:
    """Jobs of together at most `limit` tokens, MOST_REPORTS reports and so many findings a call;
    one that is larger by itself is alone. Those of most findings are filled up with those of fewest."""
    ordered = sorted(jobs, key=lambda job: (-job.findings, job.members.community.id, job.part))
    left = deque((job, job.size) for job in ordered)
    calls: list[Call] = []
    while left:
        job, used = left.popleft()
        call, findings = [job], job.findings
        while left and len(call) < MOST_REPORTS:
            job, size_ = left[-1]
            used, findings = used + size_, findings + job.findings
            if used > limit or findings > most_findings:
                break
            call.append(left.pop()[0])
        calls.append(to_call(call))
    return calls


def to_call(jobs: Sequence[Job]) -> Call:
    """One call about these jobs. Numbers run on from community to community, so that none can cite
    another's by mistake."""
    counts = {"E": 0, "R": 0, "K": 0}
    sections: list[str] = []
    given: list[Mapping[str, tuple[Reference, ...]]] = []
    for place, job in enumerate(jobs, start=1):
        lines = [f"C{place} (at most {job.findings} finding{'s' * (job.findings > 1)})"]
        records: dict[str, tuple[Reference, ...]] = {}
        for line in job.lines:
            counts[line.kind] += 1
            number = f"{line.kind}{counts[line.kind]}"
            records[number] = line.references
            lines.append(f"{number} | {line.text}")
        sections.append("\n".join(lines))
        given.append(records)
    return Call(tuple(jobs), "\n\n".join(sections), tuple(given))
