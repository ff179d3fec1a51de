"""The tables: what they hold, as Arrow schemas derived from the records.

A column is the record's field of that name, except where this file says otherwise. First come the
columns of Microsoft GraphRAG 3.x, in its order; then those that only this package has; then
`search_text` (what BM25 sees), `vector` and `vector_of`, in the tables that are searched.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import pyarrow as pa

from graphrag.language import search_terms
from graphrag.records import Claim, Community, Document, Entity, Fact, Finding, Relationship, Report, TextUnit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Record = Document | TextUnit | Entity | Relationship | Fact | Community | Report | Claim

TABLES: Mapping[str, type[Record]] = {
    "documents": Document,
    "text_units": TextUnit,
    "entities": Entity,
    "relationships": Relationship,
    "facts": Fact,
    "communities": Community,
    "community_reports": Report,
    "covariates": Claim,
}
"""The record that each table holds."""

MS_COLUMNS: Mapping[str, Sequence[str]] = {
    "documents": "id human_readable_id title text text_unit_ids creation_date raw_data".split(),
    "text_units": "id human_readable_id text n_tokens document_id entity_ids relationship_ids covariate_ids".split(),
    "entities": "id human_readable_id title type description text_unit_ids frequency degree".split(),
    "relationships": "id human_readable_id source target description weight combined_degree text_unit_ids".split(),
    "communities": (
        "id human_readable_id community level parent children title "
        "entity_ids relationship_ids text_unit_ids period size"
    ).split(),
    "community_reports": (
        "id human_readable_id community level parent children title summary full_content "
        "rank rating_explanation findings full_content_json period size"
    ).split(),
    "covariates": (
        "id human_readable_id covariate_type type description subject_id object_id "
        "status start_date end_date source_text text_unit_id"
    ).split(),
}
"""The columns of Microsoft GraphRAG 3.x, in its order."""

MATCHED = frozenset({"text_units", "entities", "community_reports"})
"""Tables with `search_text`, for full-text search."""
EMBEDDED = MATCHED | {"facts"}
"""Tables with `vector`, for nearest-neighbour search."""

VECTOR_OF = "vector_of"
"""In tables with vectors, by what the text is known that was embedded: the next build need not embed it."""
KEY_BYTES = 16

_STRINGS = pa.list_(pa.string())
_ARROW_TYPES: Mapping[object, pa.DataType] = {
    str: pa.string(),
    str | None: pa.string(),
    int: pa.int64(),
    int | None: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    tuple[str, ...]: _STRINGS,
    tuple[str, ...] | None: _STRINGS,
    tuple[int, ...]: pa.list_(pa.int64()),
    tuple[Finding, ...]: pa.list_(pa.struct([("explanation", pa.string()), ("summary", pa.string())])),
    Mapping[str, object]: pa.string(),
}
_RENAMED = {"metadata": "raw_data"}
# A finding's evidence has a column of its own, so that `findings` keeps the type others expect.
_ADDED: Mapping[str, Mapping[str, pa.DataType]] = {
    "documents": {"text_unit_ids": _STRINGS},
    "community_reports": {"finding_text_unit_ids": pa.list_(_STRINGS)},
}


@dataclass(frozen=True, slots=True)
class Searchable:
    """What searches see of a table's records, one row for each record."""

    texts: Sequence[str]
    """Plain text for full-text search; unused by tables outside `MATCHED`."""
    vectors: "NDArray[np.float32]"
    """Shape (records, dimensions), also when there are no records."""
    embedded: Sequence[str] = ()
    """The texts that the vectors were made from; none: not known."""


def key_of(text: str) -> bytes:
    """A hash of a text that was embedded."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()


def columns(name: str) -> pa.Schema:
    """The columns of a table without those of searches."""
    hints = get_type_hints(TABLES[name])
    types = {_RENAMED.get(field, field): _ARROW_TYPES[hint] for field, hint in hints.items()}
    types |= _ADDED.get(name, {})
    theirs = MS_COLUMNS.get(name, ())
    ours = [column for column in types if column not in theirs]
    return pa.schema([(column, types[column]) for column in (*theirs, *ours)])


def schema(name: str, dimensions: int) -> pa.Schema:
    """The whole schema of a table whose vectors have this length."""
    result = columns(name)
    if name in MATCHED:
        result = result.append(pa.field("search_text", pa.string()))
    if name in EMBEDDED:
        result = result.append(pa.field("vector", pa.list_(pa.float32(), dimensions)))
        result = result.append(pa.field(VECTOR_OF, pa.binary(KEY_BYTES)))
    return result


def optional(name: str) -> frozenset[str]:
    """The columns that may be null: an index of an older release may lack them."""
    hints = get_type_hints(TABLES[name])
    return frozenset(_RENAMED.get(field, field) for field, hint in hints.items() if type(None) in get_args(hint))


def nulls(name: str, column: str, count: int) -> "tuple[pa.Field[Any], pa.Array[Any]]":
    """A column of a table without values."""
    field = columns(name).field(column)
    return field, pa.nulls(count, field.type)


def to_table(
    name: str,
    records: Sequence[Record],
    searchable: Searchable | None = None,
    text_units: Sequence[TextUnit] = (),
) -> pa.Table:
    """Records as the rows of a table, in their order.

    Tables of `EMBEDDED` need `searchable`; `documents` needs the `text_units` of all documents,
    to list them. Raises ValueError if `searchable` is missing or has another length.
    """
    values = {field: [getattr(record, field) for record in records] for field in get_type_hints(TABLES[name])}
    if name == "documents":
        values["raw_data"] = [_json(metadata) for metadata in values["metadata"]]
        values["text_unit_ids"] = _units_of(values["id"], text_units)
    if name == "community_reports":
        findings: list[Sequence[Finding]] = values["findings"]
        values["findings"] = [[{"explanation": f.explanation, "summary": f.summary} for f in fs] for fs in findings]
        values["finding_text_unit_ids"] = [[f.text_unit_ids for f in fs] for fs in findings]
    plain = columns(name)
    table = pa.Table.from_arrays([pa.array(values[field.name], field.type) for field in plain], schema=plain)
    return _with_search(name, table, searchable) if name in EMBEDDED else table


def in_reading_order(text_units: Sequence[TextUnit]) -> list[TextUnit]:
    """Text units as they follow each other in their documents: their rows may come in another order."""
    return sorted(text_units, key=lambda unit: (unit.start, unit.end))


def to_records(name: str, table: pa.Table) -> list[Any]:
    """The records of a table, `TABLES[name]` each: what `to_table` was given.

    The table needs the columns of `columns(name)`, except those that may be null, which an older
    index can lack; a null list is an empty one.
    """
    fields = [_decoded(table, field, hint) for field, hint in get_type_hints(TABLES[name]).items()]
    return [TABLES[name](*row) for row in zip(*fields, strict=True)]


def _json(metadata: Mapping[str, object]) -> str | None:
    return json.dumps(metadata, ensure_ascii=False) if metadata else None


def _units_of(document_ids: Sequence[str], text_units: Sequence[TextUnit]) -> list[list[str]]:
    units: defaultdict[str, list[str]] = defaultdict(list)
    for unit in in_reading_order(text_units):
        units[unit.document_id].append(unit.id)
    return [units[document_id] for document_id in document_ids]


def _with_search(name: str, table: pa.Table, searchable: Searchable | None) -> pa.Table:
    if searchable is None or len(searchable.vectors) != table.num_rows:
        raise ValueError(f"{name}: one vector is needed for each of its {table.num_rows} records")
    if name in MATCHED:
        table = table.append_column("search_text", pa.array(map(search_terms, searchable.texts), pa.string()))
    length = searchable.vectors.shape[1]
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(searchable.vectors.ravel(), pa.float32()), length)
    keys = list(map(key_of, searchable.embedded)) or [None] * table.num_rows
    table = table.append_column("vector", vectors)
    return table.append_column(VECTOR_OF, pa.array(keys, pa.binary(KEY_BYTES)))


def _decoded(table: pa.Table, field: str, hint: object) -> list[Any]:
    column = _RENAMED.get(field, field)
    if column not in table.column_names and type(None) in get_args(hint):
        return [None] * table.num_rows
    values: list[Any] = table[column].to_pylist()
    if hint == tuple[Finding, ...]:
        return _findings(values, table["finding_text_unit_ids"].to_pylist())
    if hint == Mapping[str, object]:
        return [json.loads(value) if value else {} for value in values]
    if pa.types.is_list(_ARROW_TYPES[hint]):
        return [tuple(value or ()) for value in values]
    return values


def _findings(rows: Sequence[Any], evidence: Sequence[Any]) -> list[tuple[Finding, ...]]:
    return [
        tuple(
            Finding(found["summary"] or "", found["explanation"] or "", tuple(ids))
            for found, ids in zip(row or (), units or [()] * len(row or ()), strict=True)
        )
        for row, units in zip(rows, evidence, strict=True)
    ]
