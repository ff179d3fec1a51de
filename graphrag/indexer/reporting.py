"""Write community reports with a chat model, bottom-up.

A community's report is written from its records, or, where it has children, from their reports
and the relationships between them (roll-up): all relationships inside it reach its own call or
that of a community below it. One whose records say no more than a report would is joined from
them, without a call; small ones share a call. One that does not fit is written in parts, and its
report from those. Findings cite records by number, and are checked against them. A community whose
lines did not change since it was written about is not asked for again, whatever shared its call.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from graphrag.asking import Asking
from graphrag.indexer import report_lines
from graphrag.indexer.at_once import at_once
from graphrag.indexer.graph import Graph
from graphrag.indexer.keeping import keep
from graphrag.indexer.method import Reported
from graphrag.indexer.report_calls import Call, Job, pack, to_call
from graphrag.indexer.report_drafts import Draft, Members, Reference, content, gather, join
from graphrag.indexer.report_lines import Line
from graphrag.indexer.report_replies import (
    Writing,
    Written,
    check,
    parse,
    renumbered,
    schema,
    to_draft,
    to_text,
)
from graphrag.indexer.report_text import rank_by_share, to_report
from graphrag.messages import Request, Unanswered
from graphrag.progress import silent
from graphrag.records import Community, Failure, Report, TextUnit
from graphrag.settings import ReportSettings

STAGE = "community reports"
LABEL = "Writing community reports"
JOIN_BELOW = 450
"""Tokens of records, about three entities and what ties them: a report is half as long, and could
only repeat them."""
LINES_PER_FINDING = 5
"""There is about one thing to say of two or three entities and what ties them."""
FEW_FINDINGS = 5
"""Findings of a call about communities that wait for each other: as many as a large one gets by
itself. Each level waits for the longest reply of the one below."""
MANY_FINDINGS = 10
"""Of a call about others, which are written meanwhile."""
SPLITS = 3
"""How often what overflows the model's context is halved; anything else is asked once more."""
LEAST_BUDGET = 128
"""However short the model's context is, a call reads as many tokens of records."""
LACKING = "the model's reply lacks it"


def write(
    communities: Sequence[Community],
    graph: Graph,
    text_units: Sequence[TextUnit],
    asking: Asking,
    settings: ReportSettings,
) -> Reported:
    """One report a community, in their order.

    Where no usable reply was had, one joined from the records stands in, and a Failure of the
    stage "community reports" names the community; so does one where the reply broke off and the
    report is what there was. Raises what `ChatService.ask` raises.
    """
    members = {community.community.community: community for community in gather(communities, graph)}
    tied = {n: each for n, each in members.items() if each.community.children or each.community.parent in members}
    lone = {n: each for n, each in members.items() if n not in tied}
    quiet = replace(asking, progress=silent) if tied else asking
    runs = (
        _Run(asking, settings, len(text_units), tied, FEW_FINDINGS, settings.input_tokens),
        _Run(quiet, settings, len(text_units), lone, MANY_FINDINGS, settings.input_tokens),
    )
    at_once(*runs)
    reports = {report.community: report for run in runs for report in run.reports()}
    failures = {number: failure for run in runs for number, failure in run.failures()}
    return Reported(
        tuple(reports[number] for number in members),
        tuple(failures[number] for number in members if number in failures),
        tuple(_notices(runs)),
    )


@dataclass(slots=True)
class _Run:
    """Writes about some communities, with all that are above or below them; everything by number."""

    asking: Asking
    settings: ReportSettings
    total: int
    """Text units of the collection."""
    members: Mapping[int, Members]
    most_findings: int
    """Of the communities of a call together."""
    budget: int
    """Tokens of records a call may read; less after a call overflowed the model's context."""
    drafts: dict[int, Draft] = field(default_factory=dict[int, Draft])
    parts: dict[int, list[Draft]] = field(default_factory=dict[int, list[Draft]])
    """Drafts about the parts of a community that did not fit."""
    joined: set[int] = field(default_factory=set[int])
    reasons: dict[int, str] = field(default_factory=dict[int, str])
    """Why a community has no report of the model's, or not a whole one."""
    cut: int = 0
    foreign: int = 0
    unfounded: int = 0
    bare: int = 0

    def __call__(self) -> None:
        """Draft all, level by level."""
        self.join_small()
        while ready := self.ready():
            self.write(ready)

    def join_small(self) -> None:
        """Draft what needs no model."""
        for number, members in self.members.items():
            fits = len(members.relationships) <= self.settings.max_findings
            if fits and report_lines.full_size(report_lines.of_records(members)) < JOIN_BELOW:
                self._join(number)

    def ready(self) -> list[int]:
        """The communities to be written about now: the deepest level of what is left."""
        left = [number for number in self.members if number not in self.drafts]
        deepest = max((self.members[number].community.level for number in left), default=0)
        return [number for number in left if self.members[number].community.level == deepest]

    def write(self, numbers: Sequence[int]) -> None:
        """Draft these communities, or the parts of those that do not fit."""
        written, missed = self._ask([job for number in numbers for job in self._jobs(number)])
        for number in numbers:
            if number in missed:
                self._join(number)
                self.reasons |= {number: missed[number].reason} if missed[number].asked else {}
            elif len(written[number]) == 1:
                (self.drafts[number],) = written[number].values()
            else:
                self.parts[number] = [written[number][part] for part in sorted(written[number])]

    def reports(self) -> Iterator[Report]:
        """All reports, in order."""
        for number, members in self.members.items():
            how = "joined" if number in self.joined else "written"
            records = sorted(item.full for item in report_lines.of_records(members))
            yield to_report(members.community, content(self.drafts[number]), [how, *records])

    def failures(self) -> Iterator[tuple[int, Failure]]:
        """What no usable or no whole reply was had for."""
        for number, reason in self.reasons.items():
            yield number, Failure(STAGE, f"Community {number} ({self.drafts[number].title})", reason)

    def _children(self, number: int) -> list[Community]:
        community = self.members[number].community
        known = [self.members[child].community for child in community.children if child in self.members]
        return [child for child in known if child.level > community.level]

    def _jobs(self, number: int) -> list[Job]:
        if number in self.parts:
            return [self._job(number, report_lines.of_parts(self.parts[number], self.budget))]
        members, children = self.members[number], self._children(number)
        if children:
            items = report_lines.of_children(members, [(child, self.drafts[child.community]) for child in children])
        else:
            items = report_lines.of_records(members)
        parts = report_lines.fit(items, self.budget)
        return [self._job(number, part, (place,) if len(parts) > 1 else ()) for place, part in enumerate(parts)]

    def _job(self, number: int, lines: Sequence[Line], part: tuple[int, ...] = ()) -> Job:
        findings = min(max(len(lines) // LINES_PER_FINDING, 1), self.settings.max_findings)
        return Job(self.members[number], tuple(lines), findings, part)

    def _ask(self, jobs: Sequence[Job]) -> tuple[dict[int, dict[tuple[int, ...], Draft]], dict[int, Unanswered]]:
        """The drafts of each community by part, and why communities have none."""
        written: defaultdict[int, dict[tuple[int, ...], Draft]] = defaultdict(dict)
        missed: dict[int, Unanswered] = {}
        alone = [to_call([job]) for job in jobs]
        recalled = self.asking.service.recall([self._request(call) for call in alone], parse) if jobs else []
        new: list[Job] = []
        for call, known in zip(alone, recalled, strict=True):
            if known:
                self.cut += known.cut
                self._take(written, call, known)
            else:
                new += call.jobs
        calls = pack(new, self.budget, self.most_findings)
        first = True
        while calls:
            answers = self.asking.ask([self._request(call) for call in calls], parse, LABEL)
            apart = self._apart(calls, answers)
            again: list[Job] = []
            for call, asked in zip(calls, answers, strict=True):
                self.cut += isinstance(asked, Writing) and asked.cut and len(call.jobs) == 1
                answer = asked if first else self._understood(call, asked)
                reason = answer if isinstance(answer, Unanswered) else Unanswered(LACKING)
                for job in call.jobs:
                    own = answer if len(call.jobs) == 1 else apart.get((job.number, job.part))
                    if isinstance(own, Writing):
                        self._take(written, to_call([job]), own)
                        continue
                    smaller = self._smaller(call, job, reason, first)
                    again += smaller
                    if not smaller:
                        missed[job.number] = reason
            calls = [to_call([job]) for job in again]
            first = False
        return written, missed

    def _take(self, written: Mapping[int, dict[tuple[int, ...], Draft]], call: Call, answer: Writing) -> None:
        """Draft what an answer about one job says."""
        (job,), (given,) = call.jobs, call.given
        reports = {report.label: report for report in answer.reports}
        # A lone report is that of the community whatever its label.
        written[job.number][job.part] = self._draft(job, given, reports.get("C1", answer.reports[0]))

    def _apart(
        self, calls: Sequence[Call], answers: Sequence[Writing | Unanswered]
    ) -> dict[tuple[int, tuple[int, ...]], Writing | None]:
        """What replies about several jobs say of each, kept as if it had been asked about alone."""
        jobs: list[Job] = []
        parts: list[tuple[Request, str]] = []
        for call, answer in zip(calls, answers, strict=True):
            if isinstance(answer, Writing) and len(call.jobs) > 1:
                for place, report in _by_job(answer, call):
                    own = to_call([call.jobs[place]])
                    jobs += own.jobs
                    numbers = dict(zip(call.given[place], own.given[0], strict=True))
                    parts.append((self._request(own), to_text(renumbered(report, numbers))))
        kept = keep(parts, parse, self.asking)
        return {(job.number, job.part): own for job, own in zip(jobs, kept, strict=True)}

    def _smaller(self, call: Call, job: Job, reason: Unanswered, first: bool) -> list[Job]:
        """What to ask instead, each alone: the same, its halves, or nothing."""
        if reason.overflow:
            self.budget = min(self.budget, max(sum(each.size for each in call.jobs) // 2, LEAST_BUDGET))
        if not reason.asked:
            return []
        if len(call.jobs) > 1 or (first and not reason.overflow):
            return [job]
        if reason.overflow and len(job.lines) > 1 and len(job.part) < SPLITS:
            return [
                replace(job, lines=tuple(half), part=(*job.part, place))
                for place, half in enumerate(report_lines.halves(job.lines))
            ]
        return []

    def _request(self, call: Call) -> Request:
        most = self.settings.max_findings
        messages = self.asking.prompts.render("report", max_findings=str(most), communities=call.text)
        return Request(STAGE, messages, schema(most))

    def _understood(self, call: Call, answer: Writing | Unanswered) -> Writing | Unanswered:
        """Of a reply that broke off when its one community was asked for again, what there is."""
        if not (isinstance(answer, Unanswered) and isinstance(answer.partial, Writing)):
            return answer
        self.reasons[call.jobs[0].number] = answer.reason
        return answer.partial

    def _draft(self, job: Job, given: Mapping[str, tuple[Reference, ...]], written: Written) -> Draft:
        checked = check(written, given, job.findings)
        self.foreign += checked.foreign
        self.unfounded += checked.unfounded
        self.bare += not checked.points
        points = checked.points or join(job.members, self.total, job.findings).points
        return to_draft(written, points, rank_by_share(job.members.community, self.total))

    def _join(self, number: int) -> None:
        self.drafts[number] = join(self.members[number], self.total, self.settings.max_findings)
        self.joined.add(number)


def _notices(runs: Sequence[_Run]) -> Iterator[str]:
    """What was left out, counted."""
    if cut := sum(run.cut for run in runs):
        yield (
            f"{cut} replies about one community were cut at llm.max_tokens, or because they repeated "
            "themselves, and may lack findings: raise it, or lower reports.max_findings"
        )
    if foreign := sum(run.foreign for run in runs):
        yield f"{foreign} citations of records that were not given were left out of community reports"
    if unfounded := sum(run.unfounded for run in runs):
        yield f"{unfounded} findings that rest on no record were left out of community reports"
    if bare := sum(run.bare for run in runs):
        yield f"{bare} community reports without any founded finding got those of their records"


def _by_job(writing: Writing, call: Call) -> Iterator[tuple[int, Written]]:
    """The reports of a call about several jobs by the position of these. The last report of a reply
    that was cut is not believed to be whole."""
    whole = writing.reports[:-1] if writing.cut else writing.reports
    labelled = {report.label: report for report in whole}
    yield from ((n, labelled[f"C{n + 1}"]) for n in range(len(call.jobs)) if f"C{n + 1}" in labelled)
