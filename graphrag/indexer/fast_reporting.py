"""Write community reports without a model: the most central sentences about each community.

A sentence is central if it is like the other sentences about the community (its vector is near
their mean) and names several of its entities; the next one is chosen for that and for saying
something new (maximal marginal relevance, Carbonell and Goldstein 1998).
"""

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphrag.indexer.graph import Graph
from graphrag.ranking import diverse
from graphrag.records import Community, Entity, Fact, Finding, Report, TextUnit, content_id
from graphrag.settings import ReportSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NOVELTY = 0.4
"""What a sentence loses that repeats one chosen before; the most central is worth 1."""
SUMMARY_SENTENCES = 2
SENTENCE_WORDS = (6, 40)
"""A sentence outside these bounds says too little, or is a list."""


def write(
    communities: Sequence[Community],
    graph: Graph,
    vectors: "NDArray[np.float32]",
    text_units: Sequence[TextUnit],
    settings: ReportSettings,
) -> list[Report]:
    """One report a community, in order. `vectors` has one unit row a fact of the graph."""
    entities = {entity.id: entity for entity in graph.entities}
    about: defaultdict[str, list[int]] = defaultdict(list)
    for index, fact in enumerate(graph.facts):
        for entity in fact.entity_ids:
            about[entity].append(index)
    numbers = {unit.id: unit.human_readable_id for unit in text_units}
    reports: list[Report] = []
    for community in communities:
        named = _named(community, about)
        chosen = [graph.facts[index] for index in _central(named, graph.facts, vectors, settings.max_findings)]
        members = sorted((entities[id_] for id_ in community.entity_ids), key=_by_prominence)
        reports.append(_report(community, members, chosen, numbers))
    return reports


def _named(community: Community, about: dict[str, list[int]]) -> dict[int, int]:
    """How many of the community's entities each fact about it names."""
    named: defaultdict[int, int] = defaultdict(int)
    for entity in community.entity_ids:
        for index in about.get(entity, ()):
            named[index] += 1
    return named


def _central(named: dict[int, int], facts: Sequence[Fact], vectors: "NDArray[np.float32]", limit: int) -> list[int]:
    """The positions of the most central facts, the most central first."""
    import numpy as np

    if not named:
        return []
    positions = np.array(sorted(named))
    weights = np.array([named[position] * _substance(facts[position].text) for position in sorted(named)])
    rows = vectors[positions]
    centre = weights @ rows
    centrality = (rows @ (centre / (np.linalg.norm(centre) or 1.0)) + 1) * np.log1p(weights)
    return [int(positions[index]) for index in diverse(rows, centrality / centrality.max(), limit, NOVELTY)]


def _substance(text: str) -> float:
    low, high = SENTENCE_WORDS
    return 1.0 if low <= len(text.split()) <= high else 0.2


def _by_prominence(entity: Entity) -> tuple[int, int, str]:
    return (-entity.degree, -entity.frequency, entity.title)


def _report(community: Community, members: Sequence[Entity], chosen: Sequence[Fact], numbers: dict[str, int]) -> Report:
    title = _list([entity.title for entity in members[:3]], more=len(members) > 3)
    findings = tuple(_finding(fact, members, numbers) for fact in chosen)
    summary = " ".join(fact.text for fact in chosen[:SUMMARY_SENTENCES]) or title
    units, total = len(community.text_unit_ids), len(numbers)
    rank = round(10 * math.log1p(units) / math.log1p(total), 1) if total else 0.0
    rating = f"Mentioned in {units} of {total} text units."
    content = _markdown(title, summary, findings)
    return Report(
        id=content_id("report", community.id, *sorted(fact.id for fact in chosen)),
        community=community.community,
        level=community.level,
        parent=community.parent,
        children=community.children,
        title=title,
        summary=summary,
        full_content=content,
        rank=rank,
        rating_explanation=rating,
        findings=findings,
        full_content_json=_json(title, summary, rank, rating, findings),
        period=community.period,
        size=community.size,
        human_readable_id=community.human_readable_id,
    )


def _finding(fact: Fact, members: Sequence[Entity], numbers: dict[str, int]) -> Finding:
    mentioned = set(fact.entity_ids)
    names = [entity.title for entity in members if entity.id in mentioned]
    sources = ", ".join(str(numbers[unit]) for unit in fact.text_unit_ids)
    return Finding(
        summary=_list(names[:3], more=len(names) > 3),
        explanation=f"{fact.text} [Data: Sources ({sources})]",
        text_unit_ids=fact.text_unit_ids,
    )


def _list(names: Sequence[str], more: bool) -> str:
    if more:
        return f"{', '.join(names)} and others"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _markdown(title: str, summary: str, findings: Sequence[Finding]) -> str:
    sections = [f"# {title}", summary]
    for finding in findings:
        sections += [f"## {finding.summary}", finding.explanation]
    return "\n\n".join(sections)


def _json(title: str, summary: str, rank: float, rating: str, findings: Sequence[Finding]) -> str:
    content = {
        "title": title,
        "summary": summary,
        "rating": rank,
        "rating_explanation": rating,
        "findings": [{"summary": finding.summary, "explanation": finding.explanation} for finding in findings],
    }
    return json.dumps(content, ensure_ascii=False)
