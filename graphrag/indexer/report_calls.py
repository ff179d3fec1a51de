"""Which communities a call writes about, and what it reads."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

from graphrag.indexer.report_drafts import Members, Reference
from graphrag.indexer.report_lines import Line, size
from graphrag.indexer.report_replies import MOST_REPORTS
from graphrag.indexer.windows import CUT_EVERY


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


def pack(jobs: Sequence[Job], limit: int) -> list[Call]:
    """Jobs of at most `limit` tokens several a call, up to as many tokens; larger ones alone."""
    sizes = [job.size for job in jobs]
    large = [(job,) for job, n in zip(jobs, sizes, strict=True) if n > limit]
    small = [(job, n) for job, n in zip(jobs, sizes, strict=True) if n <= limit]
    return [to_call(group) for group in (*large, *_groups(small, limit))]


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


def _groups(jobs: Sequence[tuple[Job, int]], limit: int) -> Iterator[list[Job]]:
    group: list[Job] = []
    used = 0
    for job, n in sorted(jobs, key=lambda sized: (sized[0].members.community.id, sized[0].part)):
        if group and (len(group) == MOST_REPORTS or used + n > limit):
            yield group
            group, used = [], 0
        group.append(job)
        used += n
        # As windows are: after a community came, went or changed, calls find back into step.
        half_full = 2 * used >= limit or 2 * len(group) >= MOST_REPORTS
        if half_full and crc32(job.members.community.id.encode()) % CUT_EVERY == 0:
            yield group
            group, used = [], 0
    if group:
        yield group
