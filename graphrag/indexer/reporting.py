"""Write community reports with a chat model, bottom-up.

A community's report is written from its records, or, where it has children, from their reports
and the relationships between them (roll-up): all relationships inside it reach its own call or
that of a community below it. One whose records say no more than a report would is joined from
them, without a call; small ones share a call. One that does not fit is written in parts, and its
report from those. Findings cite records by number, and are checked against them.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from graphrag.asking import Asking
from graphrag.indexer import report_lines
from graphrag.indexer.graph import Graph
from graphrag.indexer.method import Reported
from graphrag.indexer.report_calls import Call, Job, pack, to_call
from graphrag.indexer.report_drafts import Draft, Members, Reference, content, gather, join
from graphrag.indexer.report_lines import Line
from graphrag.indexer.report_replies import (
    Writing,
    Written,
    check,
    parse,
    schema,
    to_draft,
)
from graphrag.indexer.report_text import rank_by_share, to_report
from graphrag.messages import Request, Unanswered
from graphrag.records import Community, Failure, Report, TextUnit
from graphrag.settings import ReportSettings

STAGE = "community reports"
LABEL = "Writing community reports"
JOIN_BELOW = 450
"""Tokens of records, about three entities and what ties them: a report is half as long, and could
only repeat them."""
LINES_PER_FINDING = 5
"""There is about one thing to say of two or three entities and what ties them."""
PACKED = 2.5
"""Communities share a call up to this part of the tokens that a call may read: a full call would
save little more, and everyone waits for the longest reply of a round."""
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
    run = _Run(asking, settings, len(text_units), members, settings.input_tokens)
    run.join_small()
    while ready := run.ready():
        run.write(ready)
    return Reported(tuple(run.reports()), tuple(run.failures()), tuple(run.notices()))


@dataclass(slots=True)
class _Run:
    """What was written so far; everything by the community's number."""

    asking: Asking
    settings: ReportSettings
    total: int
    """Text units of the collection."""
    members: Mapping[int, Members]
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

    def join_small(self) -> None:
        """Draft what needs no model."""
        for number, members in self.members.items():
            fits = len(members.relationships) <= self.settings.max_findings
            if fits and report_lines.full_size(report_lines.of_records(members)) < JOIN_BELOW:
                self._join(number)

    def ready(self) -> list[int]:
        """The communities to be written about now: their children have their drafts."""
        return [
            number
            for number in self.members
            if number not in self.drafts and all(child.community in self.drafts for child in self._children(number))
        ]

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

    def failures(self) -> Iterator[Failure]:
        """What no usable or no whole reply was had for, in order."""
        for number in self.members:
            if number in self.reasons:
                item = f"Community {number} ({self.drafts[number].title})"
                yield Failure(STAGE, item, self.reasons[number])

    def notices(self) -> Iterator[str]:
        """What was left out, counted."""
        if self.cut:
            yield (
                f"{self.cut} replies about one community were cut at llm.max_tokens, or because they repeated "
                "themselves, and may lack findings: raise it, or lower reports.max_findings"
            )
        if self.foreign:
            yield f"{self.foreign} citations of records that were not given were left out of community reports"
        if self.unfounded:
            yield f"{self.unfounded} findings that rest on no record were left out of community reports"
        if self.bare:
            yield f"{self.bare} community reports without any founded finding got those of their records"

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
        calls = pack(jobs, int(self.budget / PACKED))
        first = True
        while calls:
            requests = [self._request(call) for call in calls]
            answers = self.asking.ask(requests, parse, LABEL)
            again: list[Job] = []
            for call, asked in zip(calls, answers, strict=True):
                answer = asked if first else self._understood(call, asked)
                self.cut += isinstance(asked, Writing) and asked.cut and len(call.jobs) == 1
                found = {} if isinstance(answer, Unanswered) else _by_job(answer, len(call.jobs))
                reason = answer if isinstance(answer, Unanswered) else Unanswered(LACKING)
                for place, job in enumerate(call.jobs):
                    if place in found:
                        written[job.number][job.part] = self._draft(job, call.given[place], found[place])
                        continue
                    smaller = self._smaller(call, job, reason, first)
                    again += smaller
                    if not smaller:
                        missed[job.number] = reason
            calls = [to_call([job]) for job in again]
            first = False
        return written, missed

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


def _by_job(writing: Writing, jobs: int) -> dict[int, Written]:
    """The reports by the position of their job. One job takes a lone report whatever its label; of
    several, the last report of a reply that was cut is not believed to be whole."""
    whole = writing.reports[:-1] if writing.cut and jobs > 1 else writing.reports
    labelled = {report.label: report for report in whole}
    if jobs == 1:
        return {0: labelled.get("C1", whole[0])}
    return {place: labelled[f"C{place + 1}"] for place in range(jobs) if f"C{place + 1}" in labelled}
