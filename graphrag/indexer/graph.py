"""Build the knowledge graph: merge what was extracted from each text unit into entities and
relationships of the whole collection.

Two names are one entity if `language.fold` makes them equal; the spelling seen most often is
shown, and the type that most text units give it is its type: one name is one entity, also where
extractions call it a person here and a place there. A relationship is undirected: its weight is
the sum of the weights it was found with.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from graphrag.language import fold
from graphrag.records import (
    Claim,
    Entity,
    ExtractedEntity,
    ExtractedRelationship,
    Extraction,
    Fact,
    Relationship,
    TextUnit,
    content_id,
)


@dataclass(frozen=True, slots=True)
class Graph:
    """Entities and the relationships between them, each sorted by its folded name, and the
    facts that were stated about them, in reading order."""

    entities: tuple[Entity, ...]
    relationships: tuple[Relationship, ...]
    facts: tuple[Fact, ...]


def build(extractions: Sequence[Extraction], max_descriptions: int) -> Graph:
    """The graph of a collection; of the order of the extractions, only descriptions depend.

    Relationships whose ends were not extracted as entities bring them along; those of a name
    with itself, or with an empty name, are dropped. Weights are finite and positive, or the
    relationship is not counted.
    """
    nodes: defaultdict[str, _Node] = defaultdict(_Node)
    edges: defaultdict[tuple[str, str], _Edge] = defaultdict(_Edge)
    for extraction in extractions:
        for entity in extraction.entities:
            if fold(entity.name):
                nodes[fold(entity.name)].add(entity, extraction.text_unit_id)
        for relationship in extraction.relationships:
            ends = sorted((fold(relationship.source), fold(relationship.target)))
            if ends[0] and ends[0] != ends[1] and 0 < relationship.weight < float("inf"):
                edges[ends[0], ends[1]].add(relationship, extraction.text_unit_id)
                for name in (relationship.source, relationship.target):
                    nodes[fold(name)].touch(name, extraction.text_unit_id)
    titles = {key: node.title() for key, node in nodes.items()}
    degrees = Counter(end for ends in edges for end in ends)
    return Graph(
        tuple(
            nodes[key].entity(titles[key], key, degrees[key], max_descriptions, position)
            for position, key in enumerate(sorted(nodes))
        ),
        tuple(
            edges[ends].relationship(ends, titles, degrees, max_descriptions, position)
            for position, ends in enumerate(sorted(edges))
        ),
        _facts(extractions),
    )


def with_aliases(graph: Graph, extractions: Iterable[Extraction], canonical: Mapping[str, str]) -> Graph:
    """The graph with the names that were merged into each entity: all that `extractions`, as they were
    before names were resolved, call it beside its title. `canonical` gives the name that a folded
    name became."""
    aliases: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for extraction in extractions:
        ends = [name for edge in extraction.relationships for name in (edge.source, edge.target)]
        for name in (*(entity.name for entity in extraction.entities), *ends):
            if fold(name) in canonical and fold(name) != fold(canonical[fold(name)]):
                aliases[fold(canonical[fold(name)])][name] += 1
    return replace(
        graph,
        entities=tuple(
            replace(entity, aliases=tuple(sorted(aliases[fold(entity.title)]))) for entity in graph.entities
        ),
    )


def claims(extractions: Iterable[Extraction], entities: Iterable[Entity]) -> tuple[Claim, ...]:
    """The claims of all text units, each once a text unit; names are those of the graph's entities
    where it has them."""
    titles = {fold(entity.title): entity.title for entity in entities}
    found: dict[str, Claim] = {}
    for extraction in extractions:
        for claim in extraction.claims:
            subject, object_ = (titles.get(fold(name), name) for name in (claim.subject, claim.object))
            start, _, end = claim.date.partition("/")
            id_ = content_id(
                "claim", extraction.text_unit_id, fold(subject), fold(object_), claim.type, claim.description
            )
            found.setdefault(
                id_,
                Claim(
                    id=id_,
                    covariate_type="claim",
                    type=claim.type or None,
                    description=claim.description,
                    subject_id=subject,
                    object_id=object_ or None,
                    status=claim.status or None,
                    start_date=start.strip() or None,
                    end_date=(end or start).strip() or None,
                    source_text=None,
                    text_unit_id=extraction.text_unit_id,
                    human_readable_id=len(found),
                ),
            )
    return tuple(found.values())


def state(relationships: Iterable[Relationship], entities: Iterable[Entity]) -> tuple[Fact, ...]:
    """Relationships written out as facts, for graphs whose extractor made no statements."""
    ids = {fold(entity.title): entity.id for entity in entities}
    return tuple(
        Fact(
            id=content_id("fact", edge.id),
            text=f"{edge.source} — {edge.description} — {edge.target}",
            entity_ids=tuple(ids[end] for end in (fold(edge.source), fold(edge.target)) if end in ids),
            text_unit_ids=edge.text_unit_ids,
            human_readable_id=position,
        )
        for position, edge in enumerate(relationships)
    )


def _facts(extractions: Iterable[Extraction]) -> tuple[Fact, ...]:
    """One fact a statement; the same statement in several text units is one fact."""
    names: dict[str, dict[str, None]] = {}
    units: dict[str, dict[str, None]] = {}
    for extraction in extractions:
        for statement in extraction.statements:
            names.setdefault(statement.text, {}).update(dict.fromkeys(map(fold, statement.names)))
            units.setdefault(statement.text, {})[extraction.text_unit_id] = None
    return tuple(
        Fact(
            id=content_id("fact", text),
            text=text,
            entity_ids=tuple(content_id("entity", key) for key in names[text] if key),
            text_unit_ids=tuple(units[text]),
            human_readable_id=position,
        )
        for position, text in enumerate(names)
    )


def link(text_units: Sequence[TextUnit], graph: Graph, claims: Sequence[Claim] = ()) -> list[TextUnit]:
    """The text units with the ids of the entities, relationships and claims that were found in them."""
    entity_ids = _by_unit((unit, entity.id) for entity in graph.entities for unit in entity.text_unit_ids)
    covariate_ids = _by_unit((claim.text_unit_id or "", claim.id) for claim in claims)
    relationship_ids = _by_unit((unit, edge.id) for edge in graph.relationships for unit in edge.text_unit_ids)
    return [
        replace(
            unit,
            entity_ids=tuple(entity_ids.get(unit.id, ())),
            relationship_ids=tuple(relationship_ids.get(unit.id, ())),
            covariate_ids=tuple(covariate_ids.get(unit.id, ())),
        )
        for unit in text_units
    ]


def _by_unit(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: defaultdict[str, list[str]] = defaultdict(list)
    for unit, item in pairs:
        grouped[unit].append(item)
    return grouped


@dataclass(slots=True)
class _Node:
    names: Counter[str] = field(default_factory=Counter[str])
    types: Counter[str] = field(default_factory=Counter[str])
    descriptions: dict[str, None] = field(default_factory=dict[str, None])
    units: dict[str, None] = field(default_factory=dict[str, None])

    def add(self, entity: ExtractedEntity, unit: str) -> None:
        self.touch(entity.name, unit)
        self.types[entity.type] += 1
        self.descriptions[entity.description] = None

    def touch(self, name: str, unit: str) -> None:
        self.names[name] += 1
        self.units[unit] = None

    def title(self) -> str:
        return _most_common(self.names)

    def entity(self, title: str, key: str, degree: int, max_descriptions: int, position: int) -> Entity:
        return Entity(
            id=content_id("entity", key),
            title=title,
            type=_most_common(self.types) if self.types else "",
            description=_join(self.descriptions, max_descriptions),
            text_unit_ids=tuple(self.units),
            frequency=len(self.units),
            degree=degree,
            human_readable_id=position,
        )


@dataclass(slots=True)
class _Edge:
    weights: list[float] = field(default_factory=list[float])
    ends: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    descriptions: dict[str, None] = field(default_factory=dict[str, None])
    units: dict[str, None] = field(default_factory=dict[str, None])

    def add(self, relationship: ExtractedRelationship, unit: str) -> None:
        self.weights.append(relationship.weight)
        self.ends[fold(relationship.source), fold(relationship.target)] += 1
        self.descriptions[relationship.description] = None
        self.units[unit] = None

    def relationship(
        self, ends: tuple[str, str], titles: dict[str, str], degrees: Counter[str], max_descriptions: int, position: int
    ) -> Relationship:
        source, target = max(self.ends, key=lambda pair: (self.ends[pair], pair))
        return Relationship(
            id=content_id("relationship", *ends),
            source=titles[source],
            target=titles[target],
            description=_join(self.descriptions, max_descriptions),
            weight=math.fsum(self.weights),  # exact, so that their order has no say
            combined_degree=degrees[source] + degrees[target],
            text_unit_ids=tuple(self.units),
            human_readable_id=position,
        )


def _most_common(counts: Counter[str]) -> str:
    """The likeliest spelling; of equals, the first in the alphabet, so that order decides nothing."""
    return min(counts, key=lambda name: (-counts[name], name))


def _join(descriptions: Iterable[str], limit: int) -> str:
    kept = [text for text in descriptions if text]
    return " ".join(kept[:limit])
