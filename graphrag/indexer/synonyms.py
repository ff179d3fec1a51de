"""Entities that mean nearly the same to a walk over the graph, though they are not one.

A model writes "Fredericton, New Brunswick" in one passage and "Fredericton" in another; a walk that
cannot step from one to the other ends there. Two signs that cost no call: a name that another holds
as whole words, and vectors that are nearly equal, found in an inverted file and not among all pairs
(`candidates.by_meaning`). Synonym edges are HippoRAG's idea (arXiv:2405.14831).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from graphrag.indexer import candidates
from graphrag.language import FUNCTION_WORDS, WORD
from graphrag.records import Entity

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ALIKE = 0.9
"""Cosine from which two entities mean nearly the same."""
SHORTEST = 3
"""Letters of a single word that counts as a name inside another."""
LONGEST = 24
"""Words of a name in which others are looked for; longer ones are sentences."""


def link(entities: Sequence[Entity], vectors: "NDArray[np.float32] | None" = None) -> tuple[Entity, ...]:
    """The entities with their `synonym_ids`: of those whose names theirs hold, and, given unit vectors,
    shape (entities, dimensions), of those whose vectors are nearly equal. Of each such pair the first
    by id has the other. The order of the entities has no say in it."""
    pairs = set(_inside(entities))
    if vectors is not None and len(entities) > 1:
        near = candidates.by_meaning(vectors, ALIKE)
        pairs |= {pair if entities[pair[0]].id < entities[pair[1]].id else pair[::-1] for pair in near}
    others: defaultdict[int, list[str]] = defaultdict(list)
    for holder, other in pairs:
        others[holder].append(entities[other].id)
    return tuple(replace(entity, synonym_ids=tuple(sorted(others[place]))) for place, entity in enumerate(entities))


def _inside(entities: Sequence[Entity]) -> Iterator[tuple[int, int]]:
    """Each entity with those whose names are in its own."""
    known: dict[tuple[str, ...], int] = {}
    for place in sorted(range(len(entities)), key=lambda place: entities[place].id):
        known.setdefault(_words(entities[place].title), place)
    longest = max(map(len, known), default=0)
    for place, entity in enumerate(entities):
        words = [match.group() for match in WORD.finditer(entity.title)]
        if 1 < len(words) <= LONGEST:
            yield from ((place, inner) for inner in _parts(words, known, longest) if inner != place)


def _parts(words: Sequence[str], known: Mapping[tuple[str, ...], int], longest: int) -> Iterator[int]:
    """The known names in a longer one, the longest first, none across another."""
    folded = tuple(word.casefold() for word in words)
    free = [True] * len(words)
    for length in range(min(len(words) - 1, longest), 0, -1):
        for start in range(len(words) - length + 1):
            inner = folded[start : start + length]
            if inner in known and all(free[start : start + length]) and _is_name(words[start], inner):
                free[start : start + length] = [False] * length
                yield known[inner]


def _is_name(first: str, inner: Sequence[str]) -> bool:
    """Whether what is inside a name is likely one: it begins as names do, and is more than a small word."""
    if first[0].islower():
        return False
    return len(inner) > 1 or not (inner[0] in FUNCTION_WORDS or inner[0].isdigit() or _is_short(inner[0]))


def _is_short(word: str) -> bool:
    # A syllable of Korean or a Chinese character says as much as several letters.
    return len(word) < (SHORTEST if word.isascii() else 2)


def _words(title: str) -> tuple[str, ...]:
    return tuple(match.group().casefold() for match in WORD.finditer(title))
