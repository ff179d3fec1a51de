"""Fill a context: what is worth most for its tokens goes in first, kind by kind up to its share.

Shares are limits, not reservations: what one kind does not use is there for the others. An item
that does not fit is passed over; it takes nothing from those after it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from graphrag import tokens
from graphrag.answers import ContextItem, ItemKind
from graphrag.language import sentences

LINE_TOKENS = 6
"""A line's handle, its title's colon and its end."""
THRIFT = 0.5
"""How much the length of an item counts: 0 packs in order of worth, 1 by worth per token. Worth per
token alone would prefer every short passage to a better one."""
LEAST_CUT = 48
"""Tokens under which a passage is not worth cutting to."""


def pack(candidates: Sequence[ContextItem], limit: int, shares: Mapping[ItemKind, float]) -> list[ContextItem]:
    """The candidates that fill at most `limit` tokens, those of a kind at most its share of it (1 if
    it has none); most worth for its length first.

    `score` is an item's worth, comparable over kinds, and not negative. If nothing fits, the best
    passage is cut after the last sentence that does.
    """
    sized = [(item, size(item)) for item in candidates if item.score > 0]
    sized.sort(key=lambda each: (-each[0].score / each[1] ** THRIFT, each[0].kind, each[0].id))
    chosen: dict[tuple[str, ...], ContextItem] = {}
    used: Counter[ItemKind] = Counter()
    left = limit
    for item, n in sized:
        if n <= min(left, shares.get(item.kind, 1.0) * limit - used[item.kind]) and _key(item) not in chosen:
            chosen[_key(item)] = item
            used[item.kind] += n
            left -= n
    if not any(item.kind == "text_unit" for item in chosen.values()):
        passages = [item for item in candidates if item.kind == "text_unit"]
        cut = _cut(max(passages, key=lambda item: item.score), left) if passages else None
        if cut:
            chosen[_key(cut)] = cut
    return sorted(chosen.values(), key=lambda item: (-item.score, item.kind, item.id))


def in_order(items: Sequence[ContextItem], limit: int) -> list[ContextItem]:
    """The items, best first, that fit into `limit` tokens; larger ones are passed over."""
    chosen: list[ContextItem] = []
    used = 0
    for item in items:
        n = size(item)
        if used + n <= limit:
            chosen.append(item)
            used += n
    if not chosen and items:
        cut = _cut(items[0], limit)
        chosen = [cut] if cut else []
    return chosen


def size(item: ContextItem) -> int:
    """Tokens of an item's line."""
    return _count(f"{item.title}: {item.text}") + LINE_TOKENS


@lru_cache(maxsize=4096)
def _count(line: str) -> int:
    # The steps of one question are offered much the same items.
    return tokens.count(line)


def _key(item: ContextItem) -> tuple[str, ...]:
    return (item.kind, item.id, item.text if item.kind == "finding" else "")


def _cut(item: ContextItem, limit: int) -> ContextItem | None:
    """An item with as many of its first sentences as fit; None where that is next to nothing."""
    room = limit - tokens.count(item.title) - LINE_TOKENS
    if room < LEAST_CUT:
        return None
    end = 0
    for span in sentences(item.text):
        if tokens.count(item.text[: span.end]) > room:
            break
        end = span.end
    text = item.text[:end].strip()
    return replace(item, text=text) if text else None
