"""Recompute what in an index follows from the rest of it: links, counts, degrees, parents, children.

What was extracted leads: entities, relationships, facts and claims say in which text units they
were found, communities which entities they hold. Everything else is made from that. No row comes,
goes or moves, and nothing that is embedded or searched changes: the vectors of the index stay valid.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import TypeVar

from graphrag.indexer.graph import Graph, link
from graphrag.language import fold
from graphrag.records import Claim, Community, Entity, Fact, Finding, Index, Relationship, Report, TextUnit

T = TypeVar("T", str, int)
R = TypeVar("R", TextUnit, Entity, Relationship, Fact, Claim, Community, Finding, Report)


def repair(index: Index, foreign: bool = False) -> Index:
    """The index with all that follows from the rest recomputed, and dangling references dropped.

    Idempotent; an index that is whole comes back equal. `foreign` spares what another program
    does otherwise by design: there relationships may lead to what is no entity, titles are told
    apart by case, and texts may have a header that their documents lack.
    """
    key = key_of(foreign)
    units = {unit.id for unit in index.text_units}
    degrees = _degrees(index.relationships, key)
    nodes = {entity.id for entity in index.entities}
    found = (_tied(entity, nodes) for entity in index.entities)
    entities = tuple(_entity(entity, units, degrees[key(entity.title)], foreign) for entity in found)
    titles = {key(entity.title): entity.title for entity in reversed(entities)}
    edges = tuple(_relationship(edge, units, titles, degrees, key) for edge in index.relationships)
    facts = tuple(_fact(fact, units, nodes) for fact in index.facts)
    claims = tuple(_claim(claim, units, titles, key) for claim in index.covariates)
    communities = _communities(replace(index, entities=entities, relationships=edges), foreign)
    numbered = {community.community: community for community in reversed(communities)}
    linked = link(index.text_units, Graph(entities, edges, facts), claims)
    texts = {document.id: document.text for document in index.documents}
    return replace(
        index,
        text_units=tuple(
            _linked(unit if foreign else _placed(unit, texts.get(unit.document_id, "")), links)
            for unit, links in zip(index.text_units, linked, strict=True)
        ),
        entities=entities,
        relationships=edges,
        facts=facts,
        communities=communities,
        community_reports=tuple(
            _report(report, numbered.get(report.community), units) for report in index.community_reports
        ),
        covariates=claims,
    )


def key_of(foreign: bool) -> Callable[[str], str]:
    """What makes two names one entity: `language.fold`, or in a foreign index nothing but equality."""
    return str if foreign else fold


def _degrees(relationships: Iterable[Relationship], key: Callable[[str], str]) -> defaultdict[str, int]:
    """By the key of a name, how many others it is tied to; a tie both ways is one."""
    degrees: defaultdict[str, int] = defaultdict(int)
    for ends in {frozenset((key(edge.source), key(edge.target))) for edge in relationships}:
        for end in ends:
            degrees[end] += 1
    return degrees


def _entity(entity: Entity, units: Set[str], degree: int, foreign: bool) -> Entity:
    kept = _known(entity.text_unit_ids, units)
    # Other programs may count text units without naming them.
    frequency = entity.frequency if foreign and not kept else len(kept)
    return _set(entity, text_unit_ids=kept, frequency=frequency, degree=degree)


def _tied(entity: Entity, entities: Set[str]) -> Entity:
    """With those of its synonyms that there are; an older index says nothing of any."""
    if entity.synonym_ids is None:
        return entity
    others = tuple(id_ for id_ in entity.synonym_ids if id_ != entity.id)
    return _set(entity, synonym_ids=_known(others, entities))


def _relationship(
    edge: Relationship,
    units: Set[str],
    titles: Mapping[str, str],
    degrees: Mapping[str, int],
    key: Callable[[str], str],
) -> Relationship:
    source, target = key(edge.source), key(edge.target)
    return _set(
        edge,
        source=titles.get(source, edge.source),
        target=titles.get(target, edge.target),
        combined_degree=degrees[source] + degrees[target],
        text_unit_ids=_known(edge.text_unit_ids, units),
    )


def _fact(fact: Fact, units: Set[str], entities: Set[str]) -> Fact:
    return _set(fact, entity_ids=_known(fact.entity_ids, entities), text_unit_ids=_known(fact.text_unit_ids, units))


def _claim(claim: Claim, units: Set[str], titles: Mapping[str, str], key: Callable[[str], str]) -> Claim:
    """With the names as the entities have them, where there are such entities: it may be about others."""
    return _set(
        claim,
        subject_id=titles.get(key(claim.subject_id or ""), claim.subject_id),
        object_id=titles.get(key(claim.object_id or ""), claim.object_id),
        text_unit_id=claim.text_unit_id if claim.text_unit_id in units else None,
    )


def _placed(unit: TextUnit, text: str) -> TextUnit:
    """With its place in its document's text: of several the nearest to where it was."""
    was = max(unit.start, 0)
    right = (was, was + len(unit.text)) == (unit.start, unit.end) and text.startswith(unit.text, was)
    if right or unit.text not in text:
        return unit
    near = (text.rfind(unit.text, 0, was + len(unit.text)), text.find(unit.text, was))
    start = min((place for place in near if place >= 0), key=lambda place: abs(place - was))
    return _set(unit, start=start, end=start + len(unit.text))


def _linked(unit: TextUnit, links: TextUnit) -> TextUnit:
    return _set(
        unit,
        entity_ids=_settled(unit.entity_ids, links.entity_ids),
        relationship_ids=_settled(unit.relationship_ids, links.relationship_ids),
        covariate_ids=_settled(unit.covariate_ids, links.covariate_ids),
    )


# --- Communities -------------------------------------------------------------------------


def _communities(index: Index, foreign: bool) -> tuple[Community, ...]:
    """Those of an index whose entities and relationships are mended already."""
    entities = {entity.id: entity for entity in index.entities}
    held = [_set(each, entity_ids=_known(each.entity_ids, entities.keys())) for each in index.communities]
    related = _foreign_relations(index) if foreign else _relations(index, held)
    parents = _parents(held)
    children: defaultdict[int, list[int]] = defaultdict(list)
    for community, parent in zip(held, parents, strict=True):
        children[parent].append(community.community)
    return tuple(
        _set(
            community,
            parent=parent,
            children=_settled(community.children, tuple(dict.fromkeys(children[community.community]))),
            relationship_ids=_settled(community.relationship_ids, edges),
            text_unit_ids=_settled(community.text_unit_ids, units),
            size=len(community.entity_ids),
        )
        for community, parent, (edges, units) in zip(held, parents, related, strict=True)
    )


_Relations = Iterator[tuple[tuple[str, ...], tuple[str, ...]]]


def _relations(index: Index, communities: Iterable[Community]) -> _Relations:
    """For each community the relationships with both ends inside, and the text units of its entities."""
    ids = {fold(entity.title): entity.id for entity in index.entities}
    units = {entity.id: entity.text_unit_ids for entity in index.entities}
    edges: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for edge in index.relationships:
        source, target = ids.get(fold(edge.source)), ids.get(fold(edge.target))
        if source and target:
            edges[source].append((edge.id, target))
    order = {edge.id: position for position, edge in enumerate(index.relationships)}
    for community in communities:
        members = set(community.entity_ids)
        inside = {edge for member in members for edge, target in edges.get(member, ()) if target in members}
        mentions = dict.fromkeys(unit for member in community.entity_ids for unit in units[member])
        yield tuple(sorted(inside, key=order.__getitem__)), tuple(mentions)


def _foreign_relations(index: Index) -> _Relations:
    """What there is of them: Microsoft GraphRAG counts relationships that lead to no entity, and only
    the text units of relationships."""
    edges, units = {edge.id for edge in index.relationships}, {unit.id for unit in index.text_units}
    for community in index.communities:
        yield _known(community.relationship_ids, edges), _known(community.text_unit_ids, units)


def _parents(communities: Sequence[Community]) -> list[int]:
    """For each community the number of the one a level up that holds all its entities; the one it
    names already if that cannot be told."""
    holders: defaultdict[tuple[int, str], set[int]] = defaultdict(set)
    for community in communities:
        for entity in community.entity_ids:
            holders[community.level, entity].add(community.community)
    return [_parent(community, holders) for community in communities]


def _parent(community: Community, holders: Mapping[tuple[int, str], set[int]]) -> int:
    if community.level == 0:
        return -1
    above = [holders.get((community.level - 1, entity), set[int]()) for entity in community.entity_ids]
    holding = set[int]().union(*above[:1]).intersection(*above)
    return holding.pop() if len(holding) == 1 else community.parent


def _report(report: Report, community: Community | None, units: Set[str]) -> Report:
    findings = tuple(_set(found, text_unit_ids=_known(found.text_unit_ids, units)) for found in report.findings)
    if community is None:
        return _set(report, findings=findings)
    return _set(
        report,
        level=community.level,
        parent=community.parent,
        children=_settled(report.children, community.children),
        size=community.size,
        findings=findings,
    )


# --- References --------------------------------------------------------------------------


def _set(record: R, **values: object) -> R:
    """The record with these values: itself if it has them, for most have."""
    if all(getattr(record, field) == value for field, value in values.items()):
        return record
    return replace(record, **values)


def _known(ids: tuple[str, ...], known: Set[str]) -> tuple[str, ...]:
    """Those that lead somewhere, each once."""
    unique = set(ids)
    if len(unique) == len(ids) and unique <= known:
        return ids
    return tuple(dict.fromkeys(id_ for id_ in ids if id_ in known))


def _settled(before: tuple[T, ...], after: tuple[T, ...]) -> tuple[T, ...]:
    """`after`, or in the order it had `before`, if that holds the same."""
    return before if len(before) == len(after) and set(before) == set(after) else after
