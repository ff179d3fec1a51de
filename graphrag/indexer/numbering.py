"""Give communities the numbers that they had: numbers follow the members, so that what refers to a
community by its number means the same one after a small change."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count

from graphrag.records import Community

SAME = 0.5
"""Two communities with a larger Jaccard similarity of members are the same one. Of those of one level
that share no member, only one can be so similar to another: it takes no choosing."""


def number_all(found: Sequence[tuple[int, Sequence[str]]], before: Sequence[Community]) -> list[int]:
    """A number for each level and members: that of the same community before, at the same level, or
    one that none had before. Without any before: 0, 1, 2 …"""
    held = {(community.level, id_): community.community for community in before for id_ in community.entity_ids}
    sizes = Counter((level, number) for (level, _), number in held.items())
    new = count(max((community.community for community in before), default=-1) + 1)
    taken: set[int] = set()
    numbers: list[int] = []
    for level, members in found:
        shared = Counter(held[level, id_] for id_ in members if (level, id_) in held)
        old, common = max(shared.items(), key=lambda item: (item[1], -item[0]), default=(-1, 0))
        same = common > SAME * (len(members) + sizes[level, old] - common) and old not in taken
        numbers.append(old if same else next(new))
        taken.add(numbers[-1])
    return numbers


def with_periods(communities: Sequence[Community], before: Sequence[Community]) -> Iterator[Community]:
    """The communities; one of which nothing changed keeps its period."""
    periods = {community.community: community.period for community in before}
    known = set(before)
    for community in communities:
        same = replace(community, period=periods.get(community.community, community.period))
        yield same if same in known else community
