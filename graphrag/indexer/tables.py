"""Readers of tables: the rows of CSV, JSON and Parquet files, each a mapping from column to value.

Rows are counted from 1. A row that cannot be read does not take the others with it.
"""

import csv
import io
import json
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from graphrag.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table."""

    number: int
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A row that could not be read, and why."""

    number: int
    reason: str


def comma_separated(text: str) -> Iterator[Row | BrokenRow]:
    """The rows under the header line of a CSV file."""
    return _delimited(text, ",")


def tab_separated(text: str) -> Iterator[Row | BrokenRow]:
    """The rows under the header line of a TSV file."""
    return _delimited(text, "\t")


def json_objects(text: str) -> Iterator[Row | BrokenRow]:
    """The objects of a JSON file that is an array of them, or one object."""
    try:
        value: object = json.loads(text)
    except ValueError as error:
        raise InputError(f"is not valid JSON: {error}") from None
    items = cast("list[object]", value) if isinstance(value, list) else [value]
    for number, item in enumerate(items, 1):
        yield _row(number, item)


def json_lines(text: str) -> Iterator[Row | BrokenRow]:
    """The objects of a file with one JSON object a line; the row is the number of the line."""
    for number, line in enumerate(text.split("\n"), 1):
        if line and not line.isspace():
            yield _json_line(number, line)


def parquet(path: Path) -> Iterator[Row]:
    """The rows of a Parquet file. Times are cut to microseconds, which is what Python has."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    number = 0
    try:
        with ParquetFile(path) as file:
            for batch in file.iter_batches():  # pyright: ignore[reportUnknownMemberType]
                for values in _in_microseconds(batch).to_pylist():
                    number += 1
                    yield Row(number, values)
    except (pa.ArrowException, ValueError, OverflowError) as error:
        raise InputError(f"is not readable as Parquet: {' '.join(str(error).split())[:200]}") from None


def unwrapped(row: Row) -> list[Row]:
    """The objects in the one array of objects that an object holds; none if it is not so."""
    arrays = [array for value in row.values.values() if (array := _objects(value))]
    return [Row(number, values) for number, values in enumerate(arrays[0], 1)] if len(arrays) == 1 else []


def _objects(value: object) -> list[dict[str, object]]:
    items = cast("list[object]", value) if isinstance(value, list) else []
    objects = [cast("dict[str, object]", item) for item in items if isinstance(item, dict)]
    return objects if len(objects) == len(items) else []


def _delimited(text: str, delimiter: str) -> Iterator[Row | BrokenRow]:
    with _unlimited_fields():
        # Strict: a quotation mark that is never closed would swallow all rows after it in silence.
        lines = csv.reader(io.StringIO(text.lstrip("\n"), newline=""), delimiter=delimiter, strict=True)
        header = _next_line(lines)
        if isinstance(header, str):
            raise InputError(f"has a header that is not CSV: {header}")
        number = 0
        while (cells := _next_line(lines)) is not None:
            if cells:
                number += 1
                yield _record(number, header or [], cells)


def _next_line(lines: Iterator[list[str]]) -> list[str] | str | None:
    """The cells of the next line, the reason if it cannot be read, None after the last one."""
    try:
        return next(lines, None)
    except csv.Error as error:
        return str(error)


def _record(number: int, header: list[str], cells: list[str] | str) -> Row | BrokenRow:
    if isinstance(cells, str):
        return BrokenRow(number, f"is not valid CSV: {cells}")
    if len(cells) > len(header):
        return BrokenRow(number, f"has {len(cells)} cells where the header has {len(header)}")
    return Row(number, dict(zip(header, cells, strict=False)))


@contextmanager
def _unlimited_fields() -> Generator[None]:
    """The limit is the csv module's own, for the whole process: it is put back."""
    limit = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _json_line(number: int, line: str) -> Row | BrokenRow:
    try:
        return _row(number, json.loads(line))
    except ValueError as error:
        return BrokenRow(number, f"is not valid JSON: {error}")
    except RecursionError:
        return BrokenRow(number, "is nested too deeply")


def _row(number: int, value: object) -> Row | BrokenRow:
    if not isinstance(value, dict):
        return BrokenRow(number, "is not a JSON object")
    return Row(number, cast("dict[str, object]", value))


def _in_microseconds(batch: "pa.RecordBatch") -> "pa.RecordBatch":
    import pyarrow as pa

    kinds = [
        pa.timestamp("us", cast("str", kind.tz)) if pa.types.is_timestamp(kind) else kind for kind in batch.schema.types
    ]
    return batch.cast(pa.schema(list(zip(batch.schema.names, kinds, strict=True))), safe=False)
