"""From text that should be JSON to values: whole, cut short, malformed, fenced or with prose around it."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, cast

Unit = Literal["member", "record"]
"""What is kept of a value that was cut: every whole member at any depth, or only whole lists and
objects that are items of a list, itself in an object or not."""

# A brace or bracket in prose ("{sic}", "[1]") starts nothing.
START = re.compile(r"\{(?=\s*(?:[\"'}]|\w+\s*:))|\[(?=\s*[\"'\[{])")
_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{},]', re.DOTALL)
_CLOSER = {"{": "}", "[": "]"}
_DECODER = json.JSONDecoder(strict=False)  # line breaks may stand in strings
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
MOST_BROKEN = 100
"""Mending is slow: text with more malformed values than this is no reply."""
_TAIL = 8
"""Characters: a cut inside an escape, a number or a literal is reported by json at its start."""


def values(text: str, unit: Unit) -> tuple[list[object], bool]:
    """The JSON values in a text, the outermost ones, and whether the last was closed.

    Of a value that was not, whole members are kept, or whole records, as `unit` says. Half
    surrogate pairs, which have no UTF-8, are left out. Reading ends after `MOST_BROKEN` values
    that had to be mended.
    """
    text = text.encode("utf-8", "ignore").decode("utf-8")
    found, complete = _values(text, unit)
    return ([_utf8(value) for value in found] if _HALF.search(text) else found), complete


def _values(text: str, unit: Unit) -> tuple[list[object], bool]:
    found: list[object] = []
    position = broken = 0
    while start := START.search(text, position):
        try:
            value, position = _DECODER.raw_decode(text, start.start())
        except (ValueError, RecursionError) as error:
            value, end = _mend(text[start.start() :], _is_cut(error, len(text)), unit)
            broken += 1
            if not end or broken > MOST_BROKEN:
                return [*found, value], False
            position = start.start() + end
        found.append(value)
    return found, True


def _is_cut(error: Exception, length: int) -> bool:
    """Whether all was well up to the end of the text, or up to a string that never ends."""
    return isinstance(error, json.JSONDecodeError) and (
        error.msg.startswith("Unterminated string") or error.pos >= length - _TAIL
    )


def _mend(text: str, cut: bool, unit: Unit) -> tuple[object, int]:
    """The value that starts a text, which is not quite JSON, and where it ends: 0 if it does not."""
    end, missing = _last_whole(text, unit)
    if end and not missing:
        return _repair(text[:end]), end
    if cut:
        return (_loads(text[:end] + missing) if end else None), 0
    # Strings are not what they seem (quotes inside, or single ones): go by brackets alone.
    return _repair(text[: max(map(text.rfind, "]}," if unit == "member" else "]}")) + 1]), 0


def _last_whole(text: str, unit: Unit) -> tuple[int, str]:
    """Where the last whole unit of a value ends, 0 if none does, and the brackets that close the
    value there: none if it is the value itself that ends."""
    stack: list[str] = []
    end = depth = 0
    for match in _STRUCTURE.finditer(text):
        mark = match.group()
        if mark in _CLOSER:
            stack.append(_CLOSER[mark])
        elif mark in {"]", "}"}:
            stack.pop()
            if unit == "member" or len(stack) <= (2 if stack[:1] == ["}"] else 1):
                end, depth = match.end(), len(stack)
            if not stack:
                break
        elif mark == "," and unit == "member":
            end, depth = match.start(), len(stack)
    # What is deeper was opened after `end`: a closing bracket between would have moved it.
    return end, "".join(reversed(stack[:depth]))


def _utf8(value: object) -> object:
    """A value whose strings are all text; nothing if it is nested too deep."""
    try:
        return _joined(value)
    except RecursionError:
        return None


def _joined(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    if isinstance(value, list):
        return [_joined(item) for item in items(cast("object", value))]
    if isinstance(value, dict):
        return {_joined(key): _joined(item) for key, item in mapping(cast("object", value)).items()}
    return value


def _loads(text: str) -> object:
    try:
        return cast("object", _DECODER.decode(text))
    except (ValueError, RecursionError):
        return _repair(text)


def _repair(text: str) -> object:
    import json_repair

    try:
        return cast("object", json_repair.loads(text, skip_json_loads=True))
    except (ValueError, RecursionError):
        return None


def merge(objects: Iterable[object]) -> dict[str, object]:
    """One object of several: lists joined, of other values the first."""
    merged: dict[str, object] = {}
    for value in objects:
        only = items(value)
        for key, item in mapping(only[0] if len(only) == 1 else value).items():
            before = merged.setdefault(key, item)
            if before is not item and isinstance(before, list):
                merged[key] = [*items(merged[key]), *items(item)]
    return merged


def mapping(value: object) -> Mapping[str, object]:
    """The members of an object; none of anything else."""
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def items(value: object) -> Sequence[object]:
    """The items of a list; none of anything else."""
    return cast("Sequence[object]", value) if isinstance(value, list) else ()
