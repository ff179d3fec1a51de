"""What a shared memo keeps in storage: segments, objects that are written once and never changed.

A segment is gzip of JSON lines, each `[kind, value, ...]` with bytes in base64: a row of the memo's
table of that name in the order of `COLUMNS`, or `["used", table, key, when]`.
"""

import base64
import gzip
import hashlib
import json
import re
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

FOLDER = "memo"
TABLES = ("replies", "vectors")
USED = "used"
COLUMNS: Mapping[str, Sequence[str]] = {
    "replies": (
        "key model parameters request stage text compressed finish prompt completion cached created last_used"
    ).split(),
    "vectors": "key model vector created last_used".split(),
    USED: "kind key last_used".split(),
}
_BYTES = frozenset({"key", "text", "vector"})
_NAME = re.compile(rf"{FOLDER}/\d{{20}}-[0-9a-f]{{16}}-(\d+)")

Row = tuple[str, tuple[Any, ...]]
"""A kind and the values of its columns."""


class Segments(Protocol):
    """Named objects in storage that several machines share. Every method raises StorageError."""

    def read(self, name: str) -> bytes | None:
        """The content of an object, if there is one."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Write an object, at once."""
        ...

    def delete(self, name: str) -> None:
        """Remove an object, if there is one."""
        ...

    def names(self, prefix: str) -> list[str]:
        """The objects whose names begin with the prefix and `/`."""
        ...

    def lock(self, name: str) -> AbstractContextManager[object]:
        """Hold a lock; raises BuildInProgressError at once if it is held."""
        ...


def name_of(data: bytes) -> str:
    """A name for a new segment: when it was written, what it is, and its bytes."""
    return f"{FOLDER}/{time.time_ns():020d}-{hashlib.sha256(data).hexdigest()[:16]}-{len(data)}"


def size_of(name: str) -> int | None:
    """How many bytes a segment has, by its name; None if that is no segment's."""
    match = _NAME.fullmatch(name)
    return int(match[1]) if match else None


def encode(rows: Iterable[Row]) -> bytes:
    """A segment of these rows."""
    lines = (json.dumps([kind, *map(_packed, COLUMNS[kind], row)]) for kind, row in rows)
    return gzip.compress("\n".join(lines).encode("ascii"), mtime=0)


def decode(data: bytes) -> list[Row]:
    """The rows of a segment. Raises ValueError if it is none."""
    if not data:
        raise ValueError("not a segment")
    try:
        lines = gzip.decompress(data).splitlines()
        return [_row(json.loads(line)) for line in lines]
    except (OSError, EOFError, zlib.error, TypeError, KeyError, IndexError) as error:
        raise ValueError("not a segment") from error


def parts(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """The values in lists of so many."""
    rest = iter(values)
    while part := list(islice(rest, size)):
        yield part


def _packed(column: str, value: Any) -> Any:
    return base64.b64encode(value).decode("ascii") if column in _BYTES else value


def _row(line: list[Any]) -> Row:
    kind, *values = line
    row = tuple(
        base64.b64decode(value, validate=True) if column in _BYTES else value
        for column, value in zip(COLUMNS[kind], values, strict=True)
    )
    if kind == USED and row[0] not in TABLES:
        raise ValueError("a table that there is not")
    return kind, row
