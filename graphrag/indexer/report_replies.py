"""What a model wrote about communities, read and checked against the records it was given."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from graphrag.errors import UnusableReplyError
from graphrag.indexer.echoes import Instructions
from graphrag.indexer.report_drafts import Draft, Point, Reference, plain
from graphrag.indexer.report_text import MAX_RANK
from graphrag.language import fold, fold_text, holds_name
from graphrag.messages import Reply, ReplySchema
from graphrag.models.replies import to_object, to_score

MOST_REPORTS = 6
"""Communities a call: a small model loses the thread over more, and everyone waits for a long reply."""
MOST_REFERENCES = 8
"""Records a finding rests on: one that cites everything shows nothing."""
NO_LINE = "E0"
"""A number that no line has."""
FIELDS = ("id", "title", "summary", "rank", "why", "findings")

_LABEL = re.compile(r"\W*C?(\d{1,9})\W*", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![^\W_])([ERK])[ -]?0*(\d+)", re.IGNORECASE)
# Where a model writes numbers into its text in spite of all: "(E1, R3)".
_NUMBERS_IN_TEXT = re.compile(r" ?[(\[][ERK]\d+(?:(?:, ?|; ?| and )[ERK]\d+)*[)\]]")


@dataclass(frozen=True, slots=True)
class Written:
    """One report as a model wrote it."""

    label: str
    """Of the community: "C1"; empty if the reply has none."""
    title: str
    summary: str
    rank: float | None
    why: str
    rows: tuple[tuple[str, str, str], ...]
    """Heading, text and numbers of each finding."""


@dataclass(frozen=True, slots=True)
class Writing:
    """The reports of one reply that have a title and a summary, each label once."""

    reports: tuple[Written, ...]
    cut: bool
    """The reply ended before the model was done: the last report may lack something."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The findings of a report that rest on records, and what was left out."""

    points: tuple[Point, ...]
    foreign: int
    """Numbers of records that were not given."""
    unfounded: int
    """Findings that rest on none."""


def schema(max_findings: int) -> ReplySchema:
    """The form of a reply. It does not depend on the communities, so that a server compiles it once."""
    text = {"type": "string"}
    row = {"type": "array", "items": text, "minItems": 3, "maxItems": 3}
    findings = {"type": "array", "items": row, "maxItems": max_findings}
    report = {
        "type": "object",
        "properties": {field: findings if field == "findings" else text for field in FIELDS},
        "required": list(FIELDS),
        "additionalProperties": False,
    }
    reports = {"type": "array", "items": report, "maxItems": MOST_REPORTS}
    return ReplySchema(
        "reports",
        {"type": "object", "properties": {"reports": reports}, "required": ["reports"], "additionalProperties": False},
    )


def parse(reply: Reply) -> Writing:
    """The reports in a reply, without what was copied from the instructions.

    Raises UnusableReplyError if none has both title and summary, and, with the reports as its
    `partial`, if the reply breaks off although its model had not reached its limit: the rest was
    lost on the way.
    """
    parsed = to_object(reply.text)
    cut = not parsed.complete or reply.finish != "stop"
    given = parsed.data.get("reports", [parsed.data] if "title" in parsed.data else [])
    values = cast(list[object], given) if isinstance(given, list) else [given]
    read = [written for value in values if (written := _written(value))]
    if reply.request:
        instructions = Instructions("\n".join(message.content for message in reply.request.messages[:-1]))
        given = reply.request.messages[-1].content
        read = [own for written in read if (own := without_echoes(written, instructions, given))]
    reports: dict[str, Written] = {}
    for written in read:
        reports.setdefault(written.label, written)
    if not reports:
        raise UnusableReplyError("the reply holds no report with a title and a summary")
    writing = Writing(tuple(reports.values()), cut)
    if cut and reply.finish == "stop":
        raise UnusableReplyError("the reply breaks off in the middle", writing)
    return writing


def renumbered(written: Written, numbers: Mapping[str, str]) -> Written:
    """A report that cites lines by other numbers; those that it was not given stay foreign."""

    def other(found: re.Match[str]) -> str:
        return numbers.get(_label(found), NO_LINE)

    return replace(written, label="C1", rows=tuple((*row[:2], _NUMBER.sub(other, row[2])) for row in written.rows))


def to_text(written: Written) -> str:
    """A report as a reply of its own, in the form that `parse` reads."""
    rank = "" if written.rank is None else str(written.rank)
    fields = (written.label, written.title, written.summary, rank, written.why, written.rows)
    return json.dumps({"reports": [dict(zip(FIELDS, fields, strict=True))]}, ensure_ascii=False)


def check(written: Written, given: Mapping[str, tuple[Reference, ...]], limit: int) -> Checked:
    """At most `limit` findings, each with the records it cites among those `given` by number.

    A finding that cites none of them rests on those whose names it mentions; if there are none, it
    is left out: evidence or nothing.
    """
    points: dict[str, Point] = {}
    foreign = unfounded = 0
    for heading, text, numbers in written.rows:
        cited = [_label(found) for found in _NUMBER.finditer(numbers)]
        foreign += sum(number not in given for number in cited)
        found = [reference for number in cited for reference in given.get(number, ())]
        found = found or _named(f"{heading} {text}", given)
        unfounded += not found
        if found and text:
            points.setdefault(text, Point(heading or text, text, tuple(dict.fromkeys(found))[:MOST_REFERENCES]))
    return Checked(tuple(points.values())[:limit], foreign, unfounded)


def without_echoes(written: Written, instructions: Instructions, given: str) -> Written | None:
    """A report without what a model copied from its instructions and not from what it was `given`;
    None if that is its title or its summary."""

    def copied(text: str) -> bool:
        return instructions.echoed(text, fold_text(given))

    if copied(written.title) or copied(written.summary):
        return None
    rows = tuple(row for row in written.rows if not copied(f"{row[0]}. {row[1]}"))
    return replace(written, rows=rows, rank=None if copied(written.why) else written.rank)


def to_draft(written: Written, points: Sequence[Point], default: tuple[float, str]) -> Draft:
    """The draft of a report; `default` is rank and reason where the model gave no rank."""
    rank, why = default if written.rank is None else (written.rank, written.why or default[1])
    return Draft(written.title, written.summary, rank, why, tuple(points))


def _label(number: re.Match[str]) -> str:
    return f"{number[1].upper()}{number[2]}"


def _named(text: str, given: Mapping[str, tuple[Reference, ...]]) -> list[Reference]:
    """The records all of whose names a text mentions: relationships before entities."""
    folded = fold_text(text)
    records = dict.fromkeys(reference for references in given.values() for reference in references)
    named = [record for record in records if all(holds_name(folded, fold(name)) for name in record.names)]
    return sorted(named, key=lambda record: -len(record.names))


def _written(value: object) -> Written | None:
    """A report in the form asked for, or as a bare row of its fields."""
    fields = _by_name(value)
    title, summary = _prose(fields.get("title")), _prose(fields.get("summary"))
    if not title or not summary:
        return None
    label = _LABEL.fullmatch(_text(fields.get("id")))
    return Written(
        label=f"C{int(label[1])}" if label else "",
        title=title,
        summary=summary,
        rank=to_score(fields.get("rank"), 0, MAX_RANK),
        why=_prose(fields.get("why")),
        rows=tuple(_rows(fields.get("findings"))),
    )


def _by_name(value: object) -> Mapping[str, object]:
    if isinstance(value, dict):
        return cast(dict[str, object], value)
    if isinstance(value, list):
        return dict(zip(FIELDS, cast(list[object], value), strict=False))
    return {}


def _rows(value: object) -> Iterator[tuple[str, str, str]]:
    for row in cast(list[object], value) if isinstance(value, list) else ():
        if isinstance(row, dict):
            row = list(cast(dict[str, object], row).values())
        fields = cast(list[object], row) if isinstance(row, list) else []
        if len(fields) >= 2:
            yield _prose(fields[0]), _prose(fields[1]), _text(fields[2:])


def _text(value: object, depth: int = 4) -> str:
    """What a field says, whether as text, as a number or as a list of them, or of such lists."""
    if isinstance(value, list) and depth:
        return ",".join(_text(item, depth - 1) for item in cast(list[object], value))
    return str(value) if isinstance(value, str | int | float) else ""


def _prose(value: object) -> str:
    return plain(_NUMBERS_IN_TEXT.sub("", plain(_text(value))))
