"""The text of a community report, whoever writes it, and the record that it becomes."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from graphrag.records import Community, Entity, Finding, Report, content_id

MAX_RANK = 10
TITLE_NAMES = 3


@dataclass(frozen=True, slots=True)
class Content:
    """What a report says."""

    title: str
    summary: str
    rank: float
    """Importance, 0 to 10."""
    rating: str
    """Why that rank."""
    findings: tuple[Finding, ...]


def to_report(community: Community, content: Content, made_from: Iterable[str]) -> Report:
    """The report of a community. Its id depends on the community and on what it was made from."""
    return Report(
        id=content_id("report", community.id, *made_from),
        community=community.community,
        level=community.level,
        parent=community.parent,
        children=community.children,
        title=content.title,
        summary=content.summary,
        full_content=_markdown(content),
        rank=content.rank,
        rating_explanation=content.rating,
        findings=content.findings,
        full_content_json=_json(content),
        period=community.period,
        size=community.size,
        human_readable_id=community.human_readable_id,
    )


def rank_by_share(community: Community, total: int) -> tuple[float, str]:
    """A rank that needs no judgement, and its reason: the share of the collection's `total` text
    units that mention the community, 10 log(1 + units) / log(1 + total)."""
    units = len(community.text_unit_ids)
    rank = round(MAX_RANK * math.log1p(units) / math.log1p(total), 1) if total else 0.0
    return rank, f"Mentioned in {units} of {total} text units."


def by_prominence(entity: Entity) -> tuple[int, int, str]:
    """A key that sorts the most prominent entity first."""
    return (-entity.degree, -entity.frequency, entity.title)


def name_all(names: Sequence[str]) -> str:
    """The first names as prose: "Ann, Bob, Cid and others"."""
    if len(names) > TITLE_NAMES:
        return f"{', '.join(names[:TITLE_NAMES])} and others"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def refer(text: str, numbers: Mapping[str, Sequence[int]]) -> str:
    """A text with its data reference: "… [Data: Entities (5, 7); Relationships (23)]".

    `numbers` has human_readable_ids by the kind of record; a kind without any is left out.
    """
    parts = [f"{kind} ({', '.join(map(str, given))})" for kind, given in numbers.items() if given]
    return f"{text} [Data: {'; '.join(parts)}]" if parts else text


def _markdown(content: Content) -> str:
    sections = [f"# {content.title}", content.summary]
    for finding in content.findings:
        sections += [f"## {finding.summary}", finding.explanation]
    return "\n\n".join(sections)


def _json(content: Content) -> str:
    fields = {
        "title": content.title,
        "summary": content.summary,
        "rating": content.rank,
        "rating_explanation": content.rating,
        "findings": [{"summary": finding.summary, "explanation": finding.explanation} for finding in content.findings],
    }
    return json.dumps(fields, ensure_ascii=False)
