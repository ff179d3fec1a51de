"""The points that a model makes of a batch of reports: what its reply is to look like, and what is
understood of it. Scores may be in numbers or in words, handles in the text or beside it.
"""

import re
from dataclasses import dataclass
from typing import cast

from graphrag.errors import UnusableReplyError
from graphrag.messages import Reply, ReplySchema
from graphrag.models.replies import to_object, to_share
from graphrag.query.sources import HANDLE

MOST_POINTS = 8
"""Of one batch."""
LONGEST = 1200
"""Characters of a point: more is no point."""
MIDDLING = 0.5
"""The score of a point that has none that can be read."""
SCHEMA = ReplySchema(
    "points",
    {
        "type": "object",
        "properties": {
            "points": {
                "type": "array",
                "items": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2},
                "maxItems": MOST_POINTS,
            }
        },
        "required": ["points"],
        "additionalProperties": False,
    },
)

_BRACKETS = re.compile(r"\s{0,8}[\[(【]([^\[\]()【】]{1,200})[\])】]")
_HANDLE = re.compile(rf"(?<![^\W_]){HANDLE.pattern}(?!\w)")


@dataclass(frozen=True, slots=True)
class Point:
    """What a model found in a batch."""

    text: str
    """Without its handles."""
    handles: tuple[str, ...]
    score: float
    """0 to 1."""


def parse(reply: Reply) -> tuple[Point, ...]:
    """The points of a reply that matter, best first, none twice.

    Raises UnusableReplyError if it holds no list of them, and, with those it has as its `partial`,
    if it breaks off although its model had not reached its limit.
    """
    parsed = to_object(reply.text)
    given = parsed.data.get("points")
    if given is None:
        raise UnusableReplyError("the reply holds no points")
    rows = cast("list[object]", given) if isinstance(given, list) else [given]
    points: dict[str, Point] = {}
    for point in filter(None, map(_point, rows)):
        points.setdefault(point.text.casefold(), point)
    ranked = sorted(points.values(), key=lambda point: -point.score)
    best = tuple(point for point in ranked if point.score > 0)[:MOST_POINTS]
    if not parsed.complete and reply.finish == "stop":
        raise UnusableReplyError("the reply breaks off in the middle", best or None)
    return best


def _point(row: object) -> Point | None:
    """A point of a row of any form: its text is the first field that reads like one."""
    fields: list[object]
    match row:
        case str():
            fields = [row]
        case dict():
            fields = list(cast("dict[str, object]", row).values())
        case list():
            fields = cast("list[object]", row)
        case _:
            return None
    place = next((n for n, field in enumerate(fields) if isinstance(field, str) and len(_bare(field).split()) > 1), -1)
    text = _bare(str(fields[place])) if place >= 0 else ""
    if not text or len(text) > LONGEST:
        return None
    rest = [field for n, field in enumerate(fields) if n != place]
    told = [handle for field in rest for handle in _HANDLE.findall(str(field))]
    inside = [handle for match in _BRACKETS.finditer(str(fields[place])) for handle in _HANDLE.findall(match[1])]
    shares = [share for field in rest if not _HANDLE.search(str(field)) and (share := to_share(field, 100)) is not None]
    return Point(text, tuple(dict.fromkeys([*inside, *told])), shares[-1] if shares else MIDDLING)


def _bare(text: str) -> str:
    """A text without brackets that hold handles."""
    return " ".join(_BRACKETS.sub(lambda match: "" if _HANDLE.search(match[1]) else match[0], text).split())
