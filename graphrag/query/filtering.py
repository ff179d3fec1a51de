"""Filters on the metadata of documents: what a user writes, and the documents that it lets pass.

`author=Doyle`, `author!=Doyle`, `author~doy` (contains), `date>=1890`, `date<1891-05`,
`date=1890..1895`, `author=Doyle|Poe` (any of), `source=contracts/*` (`*` is any text). Texts are
compared folded, numbers as numbers, and dates as periods: 1890 is the whole year, and 1890-03 is
within it.
"""

import difflib
import json
import operator
import re
from calendar import monthrange
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal, cast

from graphrag.errors import QueryError
from graphrag.language import fold_text
from graphrag.storage.base import Reader
from graphrag.storage.lookup import strings

if TYPE_CHECKING:
    import pyarrow as pa

Operator = Literal["=", "!=", "~", ">=", "<=", ">", "<"]
BUILT_IN: Mapping[str, str] = {
    "title": "title",
    "source": "source",
    "id": "source_id",
    "creation_date": "creation_date",
    "modified": "creation_date",
}
"""Keys that every document may have, and their columns. Metadata of that name goes before them."""
HOW = "write KEY=VALUE, KEY!=VALUE, KEY~PART, KEY>=VALUE, KEY<VALUE, KEY=FROM..TO or KEY=ONE|OTHER"

_CONDITION = re.compile(r"([^=!<>~]+)(!=|>=|<=|=|~|>|<)(.*)", re.DOTALL)
# Digits with a leading zero are a code, not a number.
_NUMBER = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?(?:[eE][+-]?[0-9]{1,2})?")
_DAYS = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9].*")
_DAY = 86_400_000_000
_FORMAT = re.compile(r"\.(\w+)(?:#[0-9]+)?\Z")


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a text says when it is read as a number, as a period, or, as 1890 can be, as both."""

    number: float | None
    period: tuple[int, int] | None
    """Half-open, in microseconds."""


@dataclass(frozen=True, slots=True)
class Range:
    """From one quantity to another, both included; None is an open end."""

    low: Quantity | None
    high: Quantity | None


@dataclass(frozen=True, slots=True)
class Value:
    """One of the values that a condition allows, in all the ways it can be read."""

    folded: str
    quantity: Quantity | None
    range: Range | None


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition; a document meets it if one of its values under the key is like one of `values`."""

    text: str
    """As the user wrote it."""
    key: str
    """Folded."""
    operator: Operator
    values: tuple[Value, ...]


def parse(filters: Sequence[str]) -> tuple[Condition, ...]:
    """The conditions, all of which must hold. Raises QueryError that says how to write one."""
    return tuple(map(_condition, filters))


def matching(reader: Reader, conditions: Sequence[Condition]) -> frozenset[str]:
    """The ids of the documents that meet all conditions; without conditions, of all.

    Lists match if one of their elements does. A document without the key meets `!=` only. Raises
    QueryError if no document has a key, and if none meets the conditions.
    """
    documents = reader.table("documents", ["id", "raw_data", *dict.fromkeys(BUILT_IN.values())])
    ids = strings(documents["id"])
    described = list(_described(documents))
    _check_keys(conditions, described)
    met = [[_meets(condition, values) for values in described] for condition in conditions]
    for condition, holds in zip(conditions, met, strict=True):
        if not any(holds):
            raise QueryError(f"no document matches the filter {condition.text!r}: loosen it, or leave it out")
    found = frozenset(id_ for row, id_ in enumerate(ids) if all(holds[row] for holds in met))
    if conditions and not found:
        texts = " and ".join(repr(condition.text) for condition in conditions)
        raise QueryError(f"no document matches the filters {texts} together: leave one out")
    return found


# --- Conditions --------------------------------------------------------------------------


def _condition(text: str) -> Condition:
    found = _CONDITION.fullmatch(text)
    key, operator_, written = (part.strip() for part in found.groups()) if found else ("", "", "")
    parts = [part.strip() for part in written.split("|")]
    if not fold_text(key) or not all(fold_text(part) for part in parts):
        raise QueryError(f"the filter {text!r} cannot be read: {HOW}")
    values = tuple(_value(part, operator_) for part in parts)
    if operator_ in _ORDERS and not all(value.quantity for value in values):
        raise QueryError(f"the filter {text!r} needs a number or a date (1890, 1890-03 or 1890-03-15): {HOW}")
    return Condition(text, fold_text(key), operator_, values)  # pyright: ignore[reportArgumentType]


def _value(text: str, operator_: str) -> Value:
    range_ = _range(text) if operator_ in ("=", "!=") else None
    return Value(fold_text(text), quantity(text), range_)


def _range(text: str) -> Range | None:
    """A range, if both of its ends can be read, or one can and the other is open."""
    low, dots, high = (part.strip() for part in text.partition(".."))
    ends = quantity(low), quantity(high)
    readable = all(end or not written for end, written in zip(ends, (low, high), strict=True))
    return Range(*ends) if dots and any(ends) and readable else None


def quantity(value: object) -> Quantity | None:
    """A number, an ISO date, month or year, or an ISO date with a time (without a zone: UTC)."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    # Tables give years as 1890.0 where one is missing.
    value = int(value) if isinstance(value, float) and value.is_integer() else value
    text = value.strip() if isinstance(value, str) else repr(value)
    number = float(text) if _NUMBER.fullmatch(text) else None
    period = None
    # Not every such text is a date: there is no 30 February.
    with suppress(ValueError, OverflowError):
        period = _days(text) or _instant(text)
    return Quantity(number, period) if number is not None or period else None


def _days(text: str) -> tuple[int, int] | None:
    found = _DAYS.fullmatch(text)
    if not found:
        return None
    year, month, day = (int(part) if part else None for part in found.groups())
    last_month = month or 12
    first = date(year or 0, month or 1, day or 1)
    last = date(year or 0, last_month, day or monthrange(year or 0, last_month)[1])
    return first.toordinal() * _DAY, (last.toordinal() + 1) * _DAY


def _instant(text: str) -> tuple[int, int] | None:
    if not _INSTANT.fullmatch(text):
        return None
    moment = datetime.fromisoformat(text)
    moment = moment.astimezone(UTC) if moment.tzinfo else moment
    seconds = moment.hour * 3600 + moment.minute * 60 + moment.second
    start = moment.toordinal() * _DAY + seconds * 1_000_000 + moment.microsecond
    return start, start + 1


# --- Documents ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Values:
    """What a document says under each key."""

    names: Mapping[str, str]
    """Each folded key as it is written."""
    values: Mapping[str, Sequence[object]]
    """By folded key; never empty."""


def _described(documents: "pa.Table") -> Iterator[_Values]:
    for row in documents.to_pylist():
        metadata: Any = json.loads(row["raw_data"]) if row["raw_data"] else {}
        format_ = _FORMAT.search(row["source"] or "")
        built_in = {key: row[column] for key, column in BUILT_IN.items()}
        yield _flat(metadata, {**built_in, "format": format_ and format_[1].lower()})


def _flat(metadata: object, built_in: Mapping[str, object]) -> _Values:
    """All single values by their path: keys joined by dots, lists gone through."""
    names: dict[str, str] = {}
    values: dict[str, list[object]] = {}
    stack: list[tuple[str, object]] = [("", metadata)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, dict):
            inner = cast("Mapping[str, object]", value)
            stack += [(f"{path}.{key}" if path else key, item) for key, item in inner.items()]
        elif isinstance(value, list):
            stack += [(path, item) for item in cast("Sequence[object]", value)]
        elif value is not None and value != "":
            names.setdefault(fold_text(path), path)
            values.setdefault(fold_text(path), []).append(value)
    for key, value in built_in.items():
        names.setdefault(key, key)
        if value:
            values.setdefault(key, [value])
    return _Values(names, values)


def _check_keys(conditions: Sequence[Condition], documents: Sequence[_Values]) -> None:
    names = {key: name for document in documents for key, name in document.names.items()}
    for condition in conditions:
        if condition.key not in names and names:
            nearest = difflib.get_close_matches(condition.key, sorted(names), n=1, cutoff=0.0)[0]
            within = sorted(key for key in names if key.startswith(f"{condition.key}."))
            name = names[(within or [nearest])[0]]
            raise QueryError(f"no document has the key of the filter {condition.text!r}: did you mean {name!r}?")


def _meets(condition: Condition, document: _Values) -> bool:
    held = document.values.get(condition.key, ())
    return any(_like(condition, item) for item in held) is not (condition.operator == "!=")


def _like(condition: Condition, item: object) -> bool:
    text = fold_text(item if isinstance(item, str) else json.dumps(item))
    if condition.operator == "~":
        return any(value.folded in text for value in condition.values)
    read = quantity(item)
    if condition.operator in _ORDERS:
        return any(_ordered(condition.operator, read, value.quantity) for value in condition.values)
    return any(_matches(text, value.folded) or _within(read, value) for value in condition.values)


def _matches(text: str, wanted: str) -> bool:
    """Whether a text is the wanted one, in which `*` stands for any text."""
    if "*" not in wanted:
        return text == wanted
    # Of the marks that mean something to fnmatch, the others are taken for themselves.
    return fnmatchcase(text, re.sub(r"[\[?]", r"[\g<0>]", wanted))


def _within(read: Quantity | None, value: Value) -> bool:
    if value.range is None:
        return _between(read, value.quantity, value.quantity)
    return _between(read, value.range.low, value.range.high)


def _between(read: Quantity | None, low: Quantity | None, high: Quantity | None) -> bool:
    ends = [_ordered(order, read, end) for order, end in ((">=", low), ("<=", high)) if end]
    return bool(ends) and all(ends)


_Order = Callable[[float, float], bool]
# A period is after another from its end on, and at or after it from its start on.
_ORDERS: Mapping[str, tuple[_Order, int, int]] = {
    ">=": (operator.ge, 0, 0),
    "<=": (operator.le, 1, 1),
    ">": (operator.ge, 0, 1),
    "<": (operator.le, 1, 0),
}
_NUMERIC: Mapping[str, _Order] = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}


def _ordered(order: str, read: Quantity | None, bound: Quantity | None) -> bool:
    """Whether all of a quantity is on that side of a bound: as numbers if both can be, else as periods."""
    if read is None or bound is None:
        return False
    if read.number is not None and bound.number is not None:
        return _NUMERIC[order](read.number, bound.number)
    if read.period is None or bound.period is None:
        return False
    compare, mine, its = _ORDERS[order]
    return compare(read.period[mine], bound.period[its])
