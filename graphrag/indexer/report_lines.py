"""What a model reads to write a report: a line a record, shortened or parted until it fits.

A line is one record whatever its text holds: line breaks and control characters become spaces.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from typing import Literal

from graphrag import tokens
from graphrag.indexer.report_drafts import Draft, Members, Reference, of_entity, of_relationship, plain
from graphrag.language import fold
from graphrag.records import Community, Entity, Relationship

NUMBER_TOKENS = 5
"""What a line's number costs: "E12 | " and the line break."""
NAME_CHARACTERS = 100
"""A bound for what is no name, but a text that was taken for one."""
ENTITY_CHARACTERS = 230
TIED_CHARACTERS = 120
"""Of an entity with one relationship or two: these tell most of it."""
RELATIONSHIP_CHARACTERS = 130
"""As much of a description as a report can make use of: one finding speaks of several records."""
FULL_TOKENS = 1500
"""Of more tokens some lines are short: five findings could not tell more."""
CHILD_FINDINGS = 2
"""Of a child, beside its summary: those it puts first."""
MOST_REFERENCES = 8
"""Records that stand for all of a child's report when its summary is cited."""


@dataclass(frozen=True, slots=True)
class Item:
    """A line: of an entity (E), a relationship (R), or what is known already of a part (K)."""

    kind: Literal["E", "R", "K"]
    full: str
    short: str
    """Names, types and weights only: it says that the record exists."""
    references: tuple[Reference, ...]
    near: int
    """Lines of near numbers belong together: those of a hub, those of a child."""


@dataclass(frozen=True, slots=True)
class Line:
    """An item in the form that fits."""

    kind: Literal["E", "R", "K"]
    text: str
    references: tuple[Reference, ...]
    near: int


def of_records(members: Members) -> list[Item]:
    """The lines of a community's entities and relationships."""
    near = {fold(entity.title): place for place, entity in enumerate(members.entities)}
    ties = _ties(members)
    return [
        *(_entity(entity, place, ties) for place, entity in enumerate(members.entities)),
        *(_relationship(edge, near) for edge in members.relationships),
    ]


def of_children(members: Members, children: Sequence[tuple[Community, Draft]]) -> list[Item]:
    """The lines of the children's drafts, and of what is in no child: the relationships between them."""
    drafts = [item for place, (_, draft) in enumerate(children) for item in _draft(draft, place)]
    places = {id_: place for place, (child, _) in enumerate(children) for id_ in child.entity_ids}
    near = {fold(entity.title): places.get(entity.id, len(children)) for entity in members.entities}
    ties = _ties(members)
    covered = {id_ for child, _ in children for id_ in child.relationship_ids}
    return [
        *drafts,
        *(_entity(entity, len(children), ties) for entity in members.entities if entity.id not in places),
        *(_relationship(edge, near) for edge in members.relationships if edge.id not in covered),
    ]


def of_parts(drafts: Sequence[Draft], budget: int) -> list[Line]:
    """The lines of partial drafts, within `budget` tokens: of what does not fit, findings go first."""
    items = [item for place, draft in enumerate(drafts) for item in _draft(draft, place)]
    heads = {next(index for index, item in enumerate(items) if item.near == place) for place in range(len(drafts))}
    kept: list[int] = []
    for index in sorted(range(len(items)), key=lambda index: index not in heads):
        budget -= _cost(items[index].short)
        if budget < 0 and kept:
            budget += _cost(items[index].short)
            break
        kept.append(index)
    return _filled([items[index] for index in sorted(kept)], max(budget, 0))


def fit(items: Sequence[Item], budget: int) -> list[list[Line]]:
    """The lines in one part if they can be had in `budget` tokens, else in several.

    All in full if they have no more than FULL_TOKENS; else some are shortened, the full text going
    to the most connected entities and heaviest relationships in turn. In several parts, half of each
    is kept for full text.
    """
    room = min(budget, FULL_TOKENS)
    if full_size(items) <= room:
        return [[Line(item.kind, item.full, item.references, item.near) for item in items]]
    short = sum(_cost(item.short) for item in items)
    if short <= budget:
        return [_filled(items, max(room - short, 0))]
    parts = _parted(items, math.ceil(short / math.ceil(short / (budget / 2))))
    return [_filled(part, budget - sum(_cost(item.short) for item in part)) for part in parts]


def halves(lines: Sequence[Line]) -> list[list[Line]]:
    """Two halves of the lines, what belongs together kept together."""
    order = sorted(range(len(lines)), key=lambda index: lines[index].near)
    middle = (len(order) + 1) // 2
    return [[lines[index] for index in sorted(half)] for half in (order[:middle], order[middle:])]


def full_size(items: Sequence[Item]) -> int:
    """The tokens of some items in full."""
    return sum(_cost(item.full) for item in items)


def size(lines: Sequence[Line]) -> int:
    """The tokens of some lines."""
    return sum(_cost(line.text) for line in lines)


def _parted(items: Sequence[Item], limit: int) -> Iterator[list[Item]]:
    """Parts of about `limit` tokens of short lines, what belongs together kept together."""
    part: list[int] = []
    used = 0
    for index in sorted(range(len(items)), key=lambda index: items[index].near):
        cost = _cost(items[index].short)
        if part and used + cost > limit:
            yield [items[place] for place in sorted(part)]
            part, used = [], 0
        part.append(index)
        used += cost
    yield [items[place] for place in sorted(part)]


def _filled(items: Sequence[Item], room: int) -> list[Line]:
    """Short lines, made full in turn as long as there is room."""
    lines = [Line(item.kind, item.short, item.references, item.near) for item in items]
    edges = [index for index, item in enumerate(items) if item.kind == "R"]
    others = [index for index, item in enumerate(items) if item.kind != "R"]
    for index in chain.from_iterable(zip_longest(others, edges)):
        if index is not None:
            extra = _cost(items[index].full) - _cost(items[index].short)
            if extra <= room:
                room -= extra
                lines[index] = replace(lines[index], text=items[index].full)
    return lines


def _cost(text: str) -> int:
    return tokens.count(text) + NUMBER_TOKENS


def _ties(members: Members) -> Counter[str]:
    """Relationships inside the community, by folded name."""
    return Counter(fold(end) for edge in members.relationships for end in (edge.source, edge.target))


def _entity(entity: Entity, near: int, ties: Counter[str]) -> Item:
    short = _fields(_name(entity.title), _name(entity.type))
    characters = TIED_CHARACTERS if ties[fold(entity.title)] in (1, 2) else ENTITY_CHARACTERS
    return Item("E", _fields(short, _text(entity.description, characters)), short, (of_entity(entity),), near)


def _relationship(edge: Relationship, near: Mapping[str, int]) -> Item:
    short = _fields(_name(edge.source), _name(edge.target), f"{edge.weight:g}")
    place = min(near.get(fold(edge.source), 0), near.get(fold(edge.target), 0))
    full = _fields(short, _text(edge.description, RELATIONSHIP_CHARACTERS))
    return Item("R", full, short, (of_relationship(edge),), place)


def _draft(draft: Draft, near: int) -> Iterator[Item]:
    """A draft's summary, which stands for the records of its findings, and the first of these."""
    references = tuple(dict.fromkeys(reference for point in draft.points for reference in point.references))
    title = _name(draft.title)
    yield Item("K", _fields(title, _text(draft.summary, ENTITY_CHARACTERS)), title, references[:MOST_REFERENCES], near)
    for point in draft.points[:CHILD_FINDINGS]:
        heading = _name(point.summary)
        text = _text(point.explanation, ENTITY_CHARACTERS)
        yield Item("K", _fields(heading, text), heading, point.references, near)


def _fields(*texts: str) -> str:
    return " | ".join(text for text in texts if text)


def _name(text: str) -> str:
    return _clip(plain(text).replace("|", "/"), NAME_CHARACTERS)


def _text(text: str, characters: int) -> str:
    return _clip(plain(text), characters)


def _clip(text: str, characters: int) -> str:
    return text if len(text) <= characters else f"{text[: characters - 1]}…"
