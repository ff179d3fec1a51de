"""Write community reports without a model: the most central sentences about each community.

A sentence is central if it is like the other sentences about the community (its vector is near
their mean) and names several of its entities; the next one is chosen for that and for saying
something new (maximal marginal relevance, Carbonell and Goldstein 1998).
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphrag.indexer.graph import Graph
from graphrag.indexer.report_text import Content, by_prominence, name_all, rank_by_share, refer, to_report
from graphrag.ranking import diverse
from graphrag.records import Community, Entity, Fact, Finding, Report, TextUnit
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
        members = sorted((entities[id_] for id_ in community.entity_ids), key=by_prominence)
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


def _report(community: Community, members: Sequence[Entity], chosen: Sequence[Fact], numbers: dict[str, int]) -> Report:
    title = name_all([entity.title for entity in members])
    rank, rating = rank_by_share(community, len(numbers))
    content = Content(
        title=title,
        summary=" ".join(fact.text for fact in chosen[:SUMMARY_SENTENCES]) or title,
        rank=rank,
        rating=rating,
        findings=tuple(_finding(fact, members, numbers) for fact in chosen),
    )
    return to_report(community, content, sorted(fact.id for fact in chosen))


def _finding(fact: Fact, members: Sequence[Entity], numbers: dict[str, int]) -> Finding:
    mentioned = set(fact.entity_ids)
    return Finding(
        summary=name_all([entity.title for entity in members if entity.id in mentioned]),
        explanation=refer(fact.text, {"Sources": [numbers[unit] for unit in fact.text_unit_ids]}),
        text_unit_ids=fact.text_unit_ids,
    )
