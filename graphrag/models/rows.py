"""From rows of a reply, in whatever form a model gave them, to fields in one order."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from graphrag.models.mending import items, mapping, values

Row = tuple[str, ...]
"""The fields of a record, stripped text."""


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """A kind of record: what it is called, and the usual keys of each field, in our order.

    The first `heads` fields are always there; then come `numbers` that may be left out, then
    the description.
    """

    sections: frozenset[str]
    keys: tuple[frozenset[str], ...]
    heads: int
    needed: int
    """So many of the first fields are never empty."""

    @property
    def numbers(self) -> int:
        """How many fields of numbers there are: strength and passages."""
        return len(self.keys) - self.heads - 1


def _keys(*names: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(name.split()) for name in names)


_PASSAGES = "passages passage refs passage_ids"
_DESCRIPTION = "description desc summary"
ENTITIES = Kind(
    frozenset({"entities", "entity", "nodes"}),
    _keys(
        "name entity_name entity title id label",
        "type entity_type category kind",
        _PASSAGES,
        f"{_DESCRIPTION} entity_description",
    ),
    heads=2,
    needed=1,
)
RELATIONSHIPS = Kind(
    frozenset({"relationships", "relations", "relationship", "relation", "edges", "other_relationships"}),
    _keys(
        "source src subject from head source_entity source_id src_id",
        "target tgt object to tail target_entity target_id tgt_id",
        "strength weight score relationship_strength",
        _PASSAGES,
        f"{_DESCRIPTION} relationship_description relationship relation predicate",
    ),
    heads=2,
    needed=2,
)
CLAIMS = Kind(
    frozenset({"claims", "claim", "covariates"}),
    _keys(
        "subject subject_id entity",
        "object object_id",
        "type claim_type",
        "status claim_status",
        "date start_date",
        _PASSAGES,
        f"{_DESCRIPTION} claim_description claim",
    ),
    heads=5,
    needed=1,
)
KINDS = (ENTITIES, RELATIONSHIPS, CLAIMS)
LIKE_NUMBERS = re.compile(
    r"(?:none|n/?a|null|-)?|(?:(?:passages?|p)\.?\s*)?[\[#(]*\d[\d\s.,;/&#\[\]()–-]*", re.IGNORECASE
)
_IN_STRINGS = re.compile(r"\s*(?:<\|>|<\|#\|>|\||\t)\s*")


@dataclass(frozen=True, slots=True)
class Found:
    """The records of a reply."""

    rows: Mapping[Kind, Sequence[Row]]
    complete: bool
    rejected: int


def from_json(text: str) -> Found | None:
    """The records of a reply in JSON; None if it has no place for any, or was cut before the first."""
    found, complete = values(text, "record")
    lists = [section for value in found for section in _sections(value)]
    rows = {
        kind: [_row(item, kind) for name, listed in lists if name in kind.sections for item in items(listed)]
        for kind in KINDS
    }
    usable = {kind: [row for row in rows[kind] if row] for kind in KINDS}
    if not lists or not (complete or any(usable.values())):
        return None
    return Found(usable, complete, sum(len(rows[kind]) - len(usable[kind]) for kind in KINDS))


def _sections(value: object) -> Iterator[tuple[str, object]]:
    """The lists of records in a value: those of an object by their names; of bare objects, by
    what their keys look like."""
    for item in items(value):
        yield from _sections(item)
    named = _by_key(value)
    listed = [name for name in named if isinstance(named[name], list) and any(name in kind.sections for kind in KINDS)]
    yield from ((name, named[name]) for name in listed)
    for kind in () if listed else (RELATIONSHIPS, ENTITIES):
        if all(names & named.keys() for names in kind.keys[: kind.heads]):
            yield min(kind.sections), [value]
            return


def _row(item: object, kind: Kind) -> Row | None:
    if named := _by_key(item):
        row = tuple(
            next((text for name, value in named.items() if name in names and (text := _text(value))), "")
            for names in kind.keys
        )
    elif isinstance(item, str):
        row = _arranged([field.strip() for field in _IN_STRINGS.split(item)], kind)
    else:
        row = _arranged([_text(value) for value in items(item)], kind)
    return whole(row, kind)


def _arranged(fields: Sequence[str], kind: Kind) -> Row:
    """A row of any length in our order: numbers are known by what they look like, and a
    description in several pieces is joined."""
    if len(fields) < kind.heads:
        return ()
    rest = list(fields[kind.heads :])
    numbers = list(takewhile(LIKE_NUMBERS.fullmatch, rest[: kind.numbers]))
    rest = rest[len(numbers) :]
    while len(numbers) < kind.numbers and len(rest) > 1 and rest[-1] and LIKE_NUMBERS.fullmatch(rest[-1]):
        numbers.append(rest.pop())
    missing = [""] * (kind.numbers - len(numbers))
    return (*fields[: kind.heads], *numbers, *missing, " ".join(filter(None, rest)))


def whole(row: Row, kind: Kind) -> Row | None:
    """The row, if it says enough to be a record."""
    said = len(row) == len(kind.keys) and all(row[: kind.needed]) and any(row[kind.needed :])
    return row if said and (kind is not CLAIMS or row[-1]) else None


def _by_key(value: object) -> dict[str, object]:
    return {re.sub(r"[\s-]+", "_", key.strip().casefold()): item for key, item in mapping(value).items()}


def _text(value: object) -> str:
    """A scalar, or a list of them, as text; half a surrogate pair is no text."""
    if listed := items(value):
        return ",".join(filter(None, (_text(item) for item in listed if not isinstance(item, list))))
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value).encode("utf-8", "ignore").decode("utf-8").strip()
