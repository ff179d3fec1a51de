"""Whether an index is whole: every reference leads somewhere, every count is right.

Two kinds of faults: what `repairing.repair` would change, and what it cannot mend (`faults`). So a
repaired index has faults of the second kind alone.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, cast

from graphrag.indexer.faults import Fault, lasting
from graphrag.indexer.repairing import repair
from graphrag.records import Finding, Index
from graphrag.storage import schema
from graphrag.storage.base import Reader

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

FOREIGN = "import"
"""The method of builds that another program made; less is asked of them."""
_TARGETS: Mapping[str, str] = {
    "document_id": "documents",
    "text_unit_id": "text_units",
    "text_unit_ids": "text_units",
    "entity_ids": "entities",
    "synonym_ids": "entities",
    "relationship_ids": "relationships",
    "covariate_ids": "covariates",
}
"""The table that a field's ids lead to."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check looked at and found."""

    rows: Mapping[str, int]
    """Records by table."""
    references: Mapping[str, int]
    """Ids of other records that the records of a table hold, by table."""
    vectors: Mapping[str, int]
    """By table."""
    faults: tuple[Fault, ...]
    """Those that are left."""
    repaired: tuple[Fault, ...] = ()
    """Those that were mended."""


def examine(index: Index, foreign: bool = False) -> list[Fault]:
    """All that does not hold in an index, repairable faults first; empty if it is whole.

    `foreign` spares what another program does otherwise by design, see `repairing.repair`.
    """
    mended = repair(index, foreign)
    return [*_differences(index, mended), *lasting(mended, foreign)]


def examine_vectors(table: str, rows: int, vectors: "NDArray[np.float32]") -> list[Fault]:
    """What does not hold of the vectors of a table with so many rows; shape (rows, dimensions)."""
    import numpy as np

    wrong = int(np.count_nonzero(~np.isfinite(vectors).all(axis=1)))
    counted = f"there are {len(vectors)} vectors for {rows} rows"
    infinite = f"{wrong} vectors hold what is no finite number"
    return [
        Fault(table, "", what, repairable=False)
        for what in [counted] * (len(vectors) != rows) + [infinite] * (wrong > 0)
    ]


def examine_summary(index: Index, summary: Mapping[str, Any]) -> list[Fault]:
    """Where the summary of a build (an IndexSummary as a mapping) counts other records than there are."""
    counted = {name: len(getattr(index, name)) for name in ("documents", "text_units", "entities", "relationships")}
    counted |= {"communities": len(index.communities), "reports": len(index.community_reports)}
    told = {name: summary[name] for name in counted if name in summary}
    if "communities" in told:
        told["communities"] = sum(told["communities"].values())
    return [
        Fault("summary", name, f"it counts {told[name]}, the table {counted[name]}", repairable=False)
        for name in told
        if told[name] != counted[name]
    ]


def read(reader: Reader) -> Index:
    """All records of a build."""
    tables = {name: reader.table(name) for name in schema.TABLES}
    return Index(**{name: tuple(schema.to_records(name, table)) for name, table in tables.items()})


def check(reader: Reader) -> Checked:
    """Check a whole build: records, vectors and summary. Raises StorageError if it cannot be read."""
    index = read(reader)
    found = [*examine(index, reader.build.method == FOREIGN), *_listings(reader, index)]
    found += examine_summary(index, reader.build.summary)
    vectors: dict[str, int] = {}
    for name in (name for name in schema.TABLES if name in schema.EMBEDDED):
        matrix = _vectors(reader, name)
        vectors[name] = len(matrix)
        found += examine_vectors(name, len(getattr(index, name)), matrix)
    rows = {name: len(getattr(index, name)) for name in schema.TABLES}
    return Checked(rows, {name: _references(index, name) for name in schema.TABLES}, vectors, tuple(found))


def mended(reader: Reader) -> "dict[str, pa.Table]":
    """The tables of a build after a repair, to be published in its place: the same rows in the same
    order, with the vectors and texts that searches see of them."""
    index = repair(read(reader), reader.build.method == FOREIGN)
    return {name: _table(reader, index, name) for name in schema.TABLES}


def _table(reader: Reader, index: Index, name: str) -> "pa.Table":
    records = getattr(index, name)
    if name not in schema.EMBEDDED:
        return schema.to_table(name, records, None, index.text_units)
    from graphrag.storage.arrays import matrix

    before = reader.table(name)
    searched = [column for column in ("search_text", "vector", schema.VECTOR_OF) if column in before.column_names]
    table = schema.to_table(name, records, schema.Searchable([""] * len(records), matrix(before["vector"])))
    for column in searched:
        table = table.set_column(table.column_names.index(column), column, before[column])
    return table


def _listings(reader: Reader, index: Index) -> Iterator[Fault]:
    """Documents that list other text units than theirs: no record holds that list, a repair writes it anew."""
    units: defaultdict[str, list[str]] = defaultdict(list)
    for unit in schema.in_reading_order(index.text_units):
        units[unit.document_id].append(unit.id)
    known = {unit.id for unit in index.text_units}
    for row in reader.table("documents", ["id", "text_unit_ids"]).to_pylist():
        was, is_ = tuple(row["text_unit_ids"] or ()), tuple(units[row["id"]])
        if was != is_:
            differs = _listed(was, is_, "text_units", known) or " another order than that of the text"
            yield Fault("documents", row["id"], f"text_unit_ids has{differs}", repairable=True)


def _vectors(reader: Reader, name: str) -> "NDArray[np.float32]":
    """Those of a table that are not null, read alone and let go of before the next."""
    from graphrag.storage.arrays import matrix

    column: Any = reader.table(name, ["vector"])["vector"]
    return matrix(column.drop_null() if column.null_count else column)


def _references(index: Index, name: str) -> int:
    held = [field.name for field in fields(schema.TABLES[name]) if field.name in _TARGETS]
    findings = [report.findings for report in index.community_reports] if name == "community_reports" else []
    rested = sum(len(_rested(found)) for found in findings)
    return rested + sum(_count(getattr(record, field)) for record in getattr(index, name) for field in held)


def _count(value: str | tuple[str, ...] | None) -> int:
    return len(value) if isinstance(value, tuple) else bool(value)


# --- What a repair changes ---------------------------------------------------------------


def _differences(index: Index, mended: Index) -> Iterator[Fault]:
    """One fault for each field of a record that a repair changes."""
    known = {table.name: {record.id for record in getattr(index, table.name)} for table in fields(index)}
    for table in fields(index):
        for before, after in zip(getattr(index, table.name), getattr(mended, table.name), strict=True):
            if before is not after and before != after:
                for field in (field.name for field in fields(before)):
                    was, is_ = getattr(before, field), getattr(after, field)
                    if was != is_:
                        what = _difference(field, was, is_, known.get(_TARGETS.get(field, ""), ()))
                        yield Fault(table.name, before.id, what, repairable=True)


def _difference(field: str, was: Any, is_: Any, known: Collection[str]) -> str:
    """What is wrong with a field: "text_unit_ids has 1 that are not in text_units, such as 'u7'"."""
    if field == "findings":
        return "findings rest on" + _listed(_rested(was), _rested(is_), "text_units", ())
    if isinstance(was, tuple):
        return f"{field} has" + _listed(cast("tuple[object, ...]", was), is_, _TARGETS.get(field, ""), known)
    dangling = field in _TARGETS and was not in known
    return f"{field} {was!r} is not in {_TARGETS[field]}" if dangling else f"{field} is {was!r}, not {is_!r}"


def _listed(was: tuple[object, ...], is_: tuple[object, ...], table: str, known: Collection[object]) -> str:
    """In what a list differs from what it is to be, with an example of each kind."""
    has, wanted = set(was), set(is_)
    kinds: list[tuple[Collection[object], str]] = [
        ([item for item in was if table and item not in known and item not in wanted], f"that are not in {table}"),
        ([item for item in was if item not in wanted and (not table or item in known)], "too many"),
        ([item for item in is_ if item not in has], "too few"),
        ([item for item, count in Counter(was).items() if count > 1 and item in wanted], "more than once"),
    ]
    return ",".join(f" {len(items)} {what}, such as {next(iter(items))!r}" for items, what in kinds if items)


def _rested(findings: tuple[Finding, ...]) -> tuple[str, ...]:
    return tuple(unit for finding in findings for unit in finding.text_unit_ids)
