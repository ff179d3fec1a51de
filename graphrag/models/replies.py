"""From what a chat model wrote to data: tolerant of form, strict about content.

Understands JSON, whole, cut short, malformed, fenced or with prose around it, and delimited
tuples. Nothing is made up: every field is text of the reply, and what cannot be used is counted.
A reply is untrusted data.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from graphrag.errors import UnusableReplyError
from graphrag.models import mending, rows, tuples

PERCENT = 100
SCORE_WORDS = {
    **dict.fromkeys(("not", "none", "nothing", "zero", "irrelevant", "unrelated"), 0.0),
    **dict.fromkeys(("one", "low", "minor", "weak", "slight", "slightly", "little"), 0.2),
    **dict.fromkeys(("two", "some", "somewhat", "partial", "partially", "partly"), 0.4),
    **dict.fromkeys(("three", "medium", "moderate", "moderately", "middling"), 0.6),
    **dict.fromkeys(("four", "high", "strong", "relevant", "important"), 0.8),
    **dict.fromkeys(("five", "highest", "full", "fully", "critical", "essential"), 1.0),
}
"""Shares of the highest score, for models that use words; numbers are of five."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """The JSON object of a reply."""

    data: Mapping[str, object]
    complete: bool
    """False if the text ended before the object did: then the last, unfinished value is left out."""


@dataclass(frozen=True, slots=True)
class GraphReply:
    """The records of a reply to an extraction prompt; all fields are stripped text, maybe empty."""

    entities: tuple[tuple[str, str, str, str], ...] = ()
    """Name, type, passages ("1,3"), description; the name is never empty."""
    relationships: tuple[tuple[str, str, str, str, str], ...] = ()
    """Source, target, strength, passages, description; source and target are never empty."""
    claims: tuple[tuple[str, str, str, str, str, str, str], ...] = ()
    """Subject, object, type, status, date, passages, description; first and last are never empty."""
    complete: bool = True
    """False if the reply was cut short, or is of tuples and lacks their end mark."""
    rejected: int = 0
    """Records that could not be used, one that was cut in the middle included."""


def to_object(text: str) -> Parsed:
    """The JSON object in a reply; several are merged: lists joined, of other values the first.

    Raises UnusableReplyError if there is none, or nothing in it.
    """
    values, complete = mending.values(text, "member")
    merged = mending.merge(values)
    if not merged and not (complete and {} in values):
        raise _unusable(text, "no JSON object")
    return Parsed(merged, complete)


def graph_reply(text: str) -> GraphReply:
    """What a reply to an extraction prompt holds, in JSON or in tuples.

    JSON: lists of rows, `{"entities": [["Scrooge", "person", "1,2", "A miser."]], …}`, or of
    objects with the usual keys. Raises UnusableReplyError if it is neither, or was cut before
    its first record ended.
    """
    start = mending.START.search(text)
    in_tuples = tuples.starts(text, start.start() if start else len(text))
    found = tuples.from_tuples(text) if in_tuples else rows.from_json(text)
    if found is None:
        raise _unusable(text, "no entities and relationships")
    entities, relationships, claims = (tuple(found.rows[kind]) for kind in rows.KINDS)
    return GraphReply(
        cast("tuple[tuple[str, str, str, str], ...]", entities),
        cast("tuple[tuple[str, str, str, str, str], ...]", relationships),
        cast("tuple[tuple[str, str, str, str, str, str, str], ...]", claims),
        found.complete,
        found.rejected,
    )


def to_score(value: object, low: float, high: float) -> float | None:
    """The number a model gave as a score, within the range; None if it gave none.

    Understands 7, "7", "Score: 8,5", "85/100" and "8.5 out of 10" (as that share of `high`),
    and "90%". Numbers beyond the range are taken as its end.
    """
    match = _SCORE.search(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    if match is None:
        return None
    number = float(match["number"].replace(",", "."))
    whole = 100.0 if match["percent"] else float((match["whole"] or "0").replace(",", "."))
    share = number / whole * high if whole else number
    return min(max(share, low), high) if math.isfinite(share) else None


def to_share(value: object, high: float) -> float | None:
    """A score as a share of the highest, 0 to 1, whether in numbers or in words; None if it is none."""
    score = to_score(value, 0, high)
    if score is not None:
        # Of a hundred a model that writes 0.6 means more than half.
        return score if 0 < score < 1 and high >= PERCENT else score / high
    words = re.findall(r"[a-z]+", value.lower()) if isinstance(value, str) else []
    return next((SCORE_WORDS[word] for word in words if word in SCORE_WORDS), None)


_NUMBER = r"\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?"
_OF = rf"\s*(?P<percent>[%％])|\s*(?:/|out of)\s*(?P<whole>{_NUMBER})"
_SCORE = re.compile(rf"(?P<number>(?<![\w.,])-?{_NUMBER})(?:{_OF})?", re.IGNORECASE)


def _unusable(text: str, wanted: str) -> UnusableReplyError:
    if not text.strip():
        return UnusableReplyError("the model's reply is empty; ask again")
    return UnusableReplyError(f"the model's reply holds {wanted} that can be read; ask again or check the prompt")
