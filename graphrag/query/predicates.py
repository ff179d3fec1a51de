"""What a sentence says beside naming somebody, and how much of it its sources bear out.

A passage that names Scrooge shares the name with every sentence about him. What counts is the rest: its
words that are neither in a name nor given, its numbers, and to a lesser part the names after the first.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from graphrag.query import numerals
from graphrag.query.likeness import Run, Statement, matching, stems_of, words_of

NUMBER = 0.7
"""What a number counts against the rarest of words …"""
LATER_NAME = 0.6
"""… and a name after the first against another word as rare."""
LEAST = 0.38
"""How much of one word must be borne out; of several it is less, by the root of their count in a clause."""

_JOINS = re.compile(r"\b(?:while|whereas|although|though|but|because|since)\b|;")
"""Where one clause ends and another says something else; "and" more often says the same."""


@dataclass(frozen=True, slots=True)
class Predicate:
    """What a sentence says of whom it names first."""

    statement: Statement
    weight: dict[str, float]
    """Its words, by stem."""
    numbers: float
    """The weight of its numbers; the sources have them, or the sentence was refused."""
    count: int
    """Words and numbers, names apart."""
    bare: str
    """The sentence without names."""
    clauses: tuple[frozenset[str], ...]
    """The stems of each clause, without names; none of clauses that have none."""

    @classmethod
    def of(cls, sentence: str, statement: Statement, names: Sequence[str], known: str) -> "Predicate":
        """Of a sentence and the names in it; words and numbers of `known` count for nothing."""
        given = matching(statement.weight, _stems([known]))
        weight = {stem: value for stem, value in statement.weight.items() if not given[stem]}
        first, named = _stems(names[:1]), _stems(names)
        stated = [n for n in numerals.stated(sentence) if not numerals.holds(numerals.values(known), n)]
        bare = sentence
        for name in sorted(names, key=len, reverse=True):
            bare = bare.replace(name, " ")
        clauses = [_stems([clause]) for clause in _JOINS.split(bare)]
        return cls(
            statement=statement,
            weight={s: LATER_NAME * w if s in named else w for s, w in weight.items() if s not in first},
            numbers=NUMBER * statement.rarest * len(stated),
            count=len(weight.keys() - named) + len(stated),
            bare=" ".join(bare.split()),
            clauses=tuple(filter(None, clauses)),
        )

    @property
    def least(self) -> float:
        """How much of it must be borne out, 0 to 1: the more, the less its clauses say."""
        return LEAST / math.sqrt(max(1.0, self.count / max(1, len(self.clauses)))) if self.count else 0.0

    def likeness(self, runs: Sequence[Run]) -> float:
        """How much of it one of the runs has, and to a lesser part the units as a whole, 0 to 1: 1 of nothing,
        0 where a clause of several has nothing of the units."""
        total = sum(self.weight.values()) + self.numbers
        if not total:
            return 1.0
        if len(self.clauses) > 1 and any(map(self._unheard, self.clauses)):
            return 0.0
        best = max((self._held(run.stems) for run in runs), default=0.0)
        found = sum(value for stem, value in self.weight.items() if self.statement.match[stem])
        return self.numbers / total + self.statement.blend(best, found) / total

    def _unheard(self, clause: frozenset[str]) -> bool:
        said = clause & self.weight.keys()
        return bool(said) and not any(self.statement.match[stem] for stem in said)

    def _held(self, stems: frozenset[str]) -> float:
        return sum(value for stem, value in self.weight.items() if self.statement.match[stem] in stems)


def _stems(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(stem for text in texts for word in words_of(text) for stem in stems_of(word))
