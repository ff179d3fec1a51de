"""What can be wrong with an index and cannot be recomputed from the rest of it, table by table."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import pairwise

from graphrag.indexer.repairing import key_of
from graphrag.indexer.report_text import MAX_RANK
from graphrag.language import DATA_REFERENCE, fold
from graphrag.records import Community, Document, Finding, Index, TextUnit

_Broken = tuple[str, str, str]
"""Table, id of the record, what does not hold."""
_CITED = re.compile(r"(Sources|Entities|Relationships) \(([\d, ]+)\)")
_CITED_TABLES = {"Sources": "text_units", "Entities": "entities", "Relationships": "relationships"}


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in an index that does not hold."""

    table: str
    item: str
    """The id of the record; empty if it is about the whole table."""
    what: str
    repairable: bool
    """Whether `repairing.repair` mends it. What is not is made anew by a build."""


def lasting(index: Index, foreign: bool = False) -> Iterator[Fault]:
    """The faults that `repairing.repair` cannot mend; of an index that it has been through.

    `foreign` spares what another program does otherwise by design, see `repairing.repair`; it may
    also leave entities out of communities, and communities without a report.
    """
    rules = (_ids, _texts, _graph, _communities, _hierarchy, _reports)
    own = () if foreign else (_numbers, _cover, _evidence, _partition, _citations)
    for rule in (*rules, *own):
        for table, item, what in rule(index, foreign):
            yield Fault(table, item, what, repairable=False)


def _ids(index: Index, _: bool) -> Iterator[_Broken]:
    for table in fields(index):
        for id_, count in Counter(record.id for record in getattr(index, table.name)).items():
            if count > 1 or not id_:
                yield table.name, id_, f"the id is that of {count} records" if id_ else "the id is empty"


def _numbers(index: Index, _: bool) -> Iterator[_Broken]:
    """Reports cite records by their numbers: each may be that of one only."""
    for table in fields(index):
        first: dict[int, str] = {}
        for record in getattr(index, table.name):
            other = first.setdefault(record.human_readable_id, record.id)
            if other != record.id:
                yield table.name, record.id, f"human_readable_id {record.human_readable_id} is that of {other} as well"


# --- Texts -------------------------------------------------------------------------------


def _texts(index: Index, foreign: bool) -> Iterator[_Broken]:
    texts = {document.id: document.text for document in index.documents}
    for unit in index.text_units:
        if unit.document_id not in texts:
            yield "text_units", unit.id, f"document_id {unit.document_id!r} is not in documents"
        elif not _in_place(unit, texts[unit.document_id], foreign):
            yield "text_units", unit.id, f"the text is not characters {unit.start} to {unit.end} of its document"
        # A token is a byte at least. They are not counted again: it takes the whole vocabulary.
        if not 0 < unit.n_tokens <= len(unit.text.encode("utf-8", "surrogatepass")) and not foreign:
            yield "text_units", unit.id, f"n_tokens cannot be {unit.n_tokens}"


def _in_place(unit: TextUnit, text: str, foreign: bool) -> bool:
    """Whether the span holds the text. A foreign text may have a header before it, or not be in the
    document at all; then its span is that of the text alone."""
    passage = text[unit.start : unit.end] if 0 <= unit.start < unit.end <= len(text) else ""
    if foreign:
        return (bool(passage) and unit.text.endswith(passage)) or (unit.start, unit.end) == (0, len(unit.text))
    return bool(passage) and unit.text == passage


def _cover(index: Index, _: bool) -> Iterator[_Broken]:
    """Nothing is lost in silence: the text units of a document hold all of its text."""
    units: defaultdict[str, list[TextUnit]] = defaultdict(list)
    for unit in index.text_units:
        units[unit.document_id].append(unit)
    for document in index.documents:
        if document.text.strip() and (gap := _gap(document, units[document.id])):
            yield "documents", document.id, f"characters {gap[0]} to {gap[1]} of the text are in no text unit"


def _gap(document: Document, units: Iterable[TextUnit]) -> tuple[int, int] | None:
    end = len(document.text)
    spans = sorted((unit.start, unit.end) for unit in units)
    reached = 0
    for (_, before), (start, _) in pairwise([(0, 0), *spans, (end, end)]):
        reached = max(reached, before)
        if start > reached:
            return reached, start
    return None


# --- The graph ---------------------------------------------------------------------------


def _graph(index: Index, foreign: bool) -> Iterator[_Broken]:
    """Names that are one entity are one record; so are, but in foreign indexes, two ways between two entities."""
    key = key_of(foreign)
    entities: dict[str, str] = {}
    for entity in index.entities:
        other = entities.setdefault(key(entity.title), entity.id)
        if other != entity.id:
            yield "entities", entity.id, f"the title {entity.title!r} is that of {other} as well"
        if not entity.title.strip():
            yield "entities", entity.id, "the title is empty"
    for edge in index.relationships:
        if not math.isfinite(edge.weight) or (edge.weight <= 0 and not foreign):
            yield "relationships", edge.id, f"the weight is {edge.weight}"
    if not foreign:
        yield from _edges(index, {key(entity.title) for entity in index.entities})


def _edges(index: Index, titles: Collection[str]) -> Iterator[_Broken]:
    pairs: dict[frozenset[str], str] = {}
    for edge in index.relationships:
        for field, end in (("source", edge.source), ("target", edge.target)):
            if fold(end) not in titles:
                yield "relationships", edge.id, f"{field} {end!r} is the title of no entity"
        ends = frozenset((fold(edge.source), fold(edge.target)))
        if len(ends) == 1:
            yield "relationships", edge.id, f"it ties {edge.source!r} to itself"
        other = pairs.setdefault(ends, edge.id)
        if other != edge.id:
            yield "relationships", edge.id, f"{other} ties the same entities"


def _evidence(index: Index, _: bool) -> Iterator[_Broken]:
    """What no text unit bears out has no place in an index."""
    for table in ("entities", "relationships", "facts"):
        for record in getattr(index, table):
            if not record.text_unit_ids:
                yield table, record.id, "no text unit of the index bears it out"
    for fact in index.facts:
        if not fact.entity_ids:
            yield "facts", fact.id, "it is about no entity of the index"
    for claim in index.covariates:
        if not claim.text_unit_id:
            yield "covariates", claim.id, "no text unit of the index bears it out"
        if not claim.subject_id:
            yield "covariates", claim.id, "it is about nothing"


# --- Communities -------------------------------------------------------------------------


def _communities(index: Index, _: bool) -> Iterator[_Broken]:
    numbers: dict[int, str] = {}
    homes: Counter[tuple[int, str]] = Counter()
    for community in index.communities:
        other = numbers.setdefault(community.community, community.id)
        if other != community.id:
            yield "communities", community.id, f"the number {community.community} is that of {other} as well"
        homes.update((community.level, entity) for entity in community.entity_ids)
    for (level, entity), count in homes.items():
        if count > 1:
            yield "entities", entity, f"it is in {count} communities of level {level}"


def _hierarchy(index: Index, _: bool) -> Iterator[_Broken]:
    """A community is inside its parent, one level up."""
    numbered = {community.community: community for community in index.communities}
    for community in index.communities:
        if community.level < 0:
            yield "communities", community.id, f"the level is {community.level}"
        elif community.level > 0 and (what := _unlike_a_parent(community, numbered.get(community.parent))):
            yield "communities", community.id, f"the parent {community.parent} {what}"


def _unlike_a_parent(community: Community, parent: Community | None) -> str:
    if parent is None:
        return "does not exist"
    if parent.level != community.level - 1:
        return "is not one level up"
    return "" if set(community.entity_ids) <= set(parent.entity_ids) else "lacks some of its entities"


def _partition(index: Index, _: bool) -> Iterator[_Broken]:
    """Every entity is in a community of level 0; children share out all entities of their parent."""
    homes = {entity for community in index.communities if community.level == 0 for entity in community.entity_ids}
    for entity in index.entities:
        if entity.id not in homes:
            yield "entities", entity.id, "it is in no community of level 0"
    below: defaultdict[int, set[str]] = defaultdict(set)
    for community in index.communities:
        below[community.parent].update(community.entity_ids)
    for community in index.communities:
        if not community.entity_ids:
            yield "communities", community.id, "it has no entities"
        elif community.children and (missing := set(community.entity_ids) - below[community.community]):
            yield "communities", community.id, f"no child of it has {len(missing)} of its entities"


# --- Reports -----------------------------------------------------------------------------


def _reports(index: Index, foreign: bool) -> Iterator[_Broken]:
    numbers = {community.community for community in index.communities}
    first: dict[int, str] = {}
    for report in index.community_reports:
        if report.community not in numbers:
            yield "community_reports", report.id, f"the community {report.community} does not exist"
        other = first.setdefault(report.community, report.id)
        if other != report.id:
            yield "community_reports", report.id, f"{other} is about community {report.community} as well"
        if not 0 <= report.rank <= MAX_RANK and not (foreign and math.isfinite(report.rank)):
            yield "community_reports", report.id, f"the rank is {report.rank}"
    for community in index.communities if not foreign else ():
        if community.community not in first:
            yield "communities", community.id, "it has no report"


def _citations(index: Index, _: bool) -> Iterator[_Broken]:
    """The numbers that a finding cites are those of records that rest on the text units it names."""
    units = {
        "text_units": {unit.human_readable_id: (unit.id,) for unit in index.text_units},
        "entities": {entity.human_readable_id: entity.text_unit_ids for entity in index.entities},
        "relationships": {edge.human_readable_id: edge.text_unit_ids for edge in index.relationships},
    }
    for report in index.community_reports:
        for place, finding in enumerate(report.findings, start=1):
            if finding.text_unit_ids and (what := _miscited(finding, units)):
                yield "community_reports", report.id, f"finding {place} {what}"


def _miscited(finding: Finding, units: Mapping[str, Mapping[int, tuple[str, ...]]]) -> str:
    founded: set[str] = set()
    # Ours is the last one: a document may hold such references itself.
    for reference in DATA_REFERENCE.findall(finding.explanation)[-1:]:
        for kind, numbers in _CITED.findall(reference):
            table = _CITED_TABLES[kind]
            for number in map(int, re.findall(r"\d{1,18}", numbers)):
                if number not in units[table]:
                    return f"cites number {number} of {table}, which does not exist"
                founded.update(units[table][number])
    return "" if set(finding.text_unit_ids) <= founded else "rests on text units that nothing it cites is from"
