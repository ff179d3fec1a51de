"""The records that flow through the package: frozen, compared by value, free of behaviour.

Ids are derived from content (`content_id`), so that the same input gives the same ids in any
order, on any machine, in any run. `human_readable_id` is the position in reading order.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field


def content_id(*parts: str) -> str:
    """A 128-bit hexadecimal id of some texts. ("a", "b") and ("ab",) have different ids."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:32]


# --- The index ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Document:
    """One document of the input."""

    id: str
    title: str
    text: str
    source: str = ""
    """Where it came from: a path inside the input folder, `path#row` for a row of a table."""
    source_id: str = ""
    """The document's own id in the input, empty if it has none."""
    titled: bool = False
    """Whether the input gave the title; if not, it was made from the file name."""
    creation_date: str = ""
    """ISO 8601."""
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])
    """All other columns or front matter of the input; values that JSON can hold."""
    human_readable_id: int = 0


@dataclass(frozen=True, slots=True)
class TextUnit:
    """A passage of a document: what is embedded, searched and cited."""

    id: str
    text: str
    n_tokens: int
    document_id: str
    start: int = 0
    """First character in the document's text; `end` is one past the last."""
    end: int = 0
    headings: tuple[str, ...] = ()
    """The headings above the passage, outermost first."""
    entity_ids: tuple[str, ...] = ()
    relationship_ids: tuple[str, ...] = ()
    covariate_ids: tuple[str, ...] = ()
    human_readable_id: int = 0
    page: int | None = None
    """The page of its document on which it begins, from 1; None if the document has no pages."""
    context: str | None = None
    """What the passage leaves unsaid, in a sentence or in names: embedded and indexed with it, no part of
    its text. None if there is none."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A node of the knowledge graph."""

    id: str
    title: str
    type: str
    description: str
    text_unit_ids: tuple[str, ...] = ()
    frequency: int = 0
    """The number of text units that mention it."""
    degree: int = 0
    human_readable_id: int = 0
    aliases: tuple[str, ...] = ()
    """Other names of it that were merged into this one."""
    synonym_ids: tuple[str, ...] | None = None
    """Entities of nearly the same name, and those whose names its own holds."""


@dataclass(frozen=True, slots=True)
class Relationship:
    """An undirected edge of the knowledge graph; `source` and `target` are entity titles."""

    id: str
    source: str
    target: str
    description: str
    weight: float = 1.0
    combined_degree: int = 0
    text_unit_ids: tuple[str, ...] = ()
    human_readable_id: int = 0


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement about an entity, found by a model (the covariates table)."""

    id: str
    covariate_type: str | None
    type: str | None
    description: str | None
    subject_id: str | None
    object_id: str | None
    status: str | None
    start_date: str | None
    end_date: str | None
    source_text: str | None
    text_unit_id: str | None
    human_readable_id: int = 0


@dataclass(frozen=True, slots=True)
class Community:
    """A cluster of entities. Level 0 is the coarsest; `parent` is -1 there."""

    id: str
    community: int
    level: int
    parent: int
    children: tuple[int, ...]
    title: str
    entity_ids: tuple[str, ...]
    relationship_ids: tuple[str, ...]
    text_unit_ids: tuple[str, ...]
    period: str
    size: int
    human_readable_id: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of a community report, with the text units that it rests on."""

    summary: str
    explanation: str
    text_unit_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What a community is about."""

    id: str
    community: int
    level: int
    parent: int
    children: tuple[int, ...]
    title: str
    summary: str
    full_content: str
    rank: float
    """Importance, 0 to 10."""
    rating_explanation: str
    findings: tuple[Finding, ...]
    full_content_json: str
    period: str
    size: int
    human_readable_id: int = 0


@dataclass(frozen=True, slots=True)
class Fact:
    """A short statement about entities that search can start from: a sentence and what it
    mentions, or a relationship written out."""

    id: str
    text: str
    entity_ids: tuple[str, ...]
    text_unit_ids: tuple[str, ...]
    human_readable_id: int = 0


@dataclass(frozen=True, slots=True)
class Index:
    """All records of an index, table by table; the field names are the tables' names."""

    documents: tuple[Document, ...] = ()
    text_units: tuple[TextUnit, ...] = ()
    entities: tuple[Entity, ...] = ()
    relationships: tuple[Relationship, ...] = ()
    facts: tuple[Fact, ...] = ()
    communities: tuple[Community, ...] = ()
    community_reports: tuple[Report, ...] = ()
    covariates: tuple[Claim, ...] = ()


# --- What extraction finds in one text unit ----------------------------------------------


@dataclass(frozen=True, slots=True)
class ExtractedEntity:
    """A mention of an entity, as one extractor found it in one text unit."""

    name: str
    type: str
    description: str


@dataclass(frozen=True, slots=True)
class ExtractedRelationship:
    """A relation between two names, as one extractor found it in one text unit."""

    source: str
    target: str
    description: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class ExtractedStatement:
    """A statement about some names, as one extractor found it in one text unit."""

    text: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExtractedClaim:
    """A claim about a name, as one extractor found it in one text unit."""

    subject: str
    object: str
    type: str
    status: str
    date: str
    description: str


@dataclass(frozen=True, slots=True)
class Extraction:
    """All that one extractor found in one text unit."""

    text_unit_id: str
    entities: tuple[ExtractedEntity, ...]
    relationships: tuple[ExtractedRelationship, ...]
    statements: tuple[ExtractedStatement, ...] = ()
    claims: tuple[ExtractedClaim, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """Something of the input that is not in the index, and why: nothing is lost in silence."""

    stage: str
    item: str
    reason: str
    passing: bool = False
    """Whether it may go well next time although the input is the same: the next run tries again."""


@dataclass(frozen=True, slots=True)
class StageUsage:
    """What a stage asked of a model."""

    stage: str
    calls: int = 0
    remembered: int = 0
    """Replies that the memo had from before."""
    failed: int = 0
    """Attempts that failed, or whose reply could not be used; most were made good."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    """Prompt tokens that the server says it had in its prefix cache."""
    seconds: float = 0.0
    """Of all calls together, which overlap."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened to the documents since the build before, by their places in the input."""

    added: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()
    """`old -> new`."""
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IndexSummary:
    """What a run of the indexer did."""

    changed: bool
    """False if the index already matched the input and nothing was done."""
    method: str
    documents: int
    text_units: int
    entities: int
    relationships: int
    communities: Mapping[int, int]
    """Number of communities by level."""
    reports: int
    seconds: float
    failures: tuple[Failure, ...] = ()
    notices: tuple[str, ...] = ()
    usage: tuple[StageUsage, ...] = ()
    changes: Changes | None = None
    """None of a first build, and where nothing was done."""


@dataclass(frozen=True, slots=True)
class StageEstimate:
    """What a stage of a build would ask of a model."""

    stage: str
    calls: int
    remembered: int
    """Replies that the memo has: they cost nothing."""
    prompt_tokens: int
    completion_tokens: int
    """Always estimated."""
    exact: bool
    """Whether calls and prompt tokens are counted; else they are estimated from the size of the text."""
    cost: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a build would ask of a model, by stage, in their order."""

    stages: tuple[StageEstimate, ...]
    cost: float
    """In the currency of the prices in the settings; 0 without prices."""
