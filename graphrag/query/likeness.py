"""Which words of a statement a text has, and how much of the statement they are.

Words are compared by their stems, runs of unspaced scripts by pairs of characters. Nothing here asks a
model: what is said in other words altogether is for the embedding to find.
"""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from graphrag.answers import RetrievedUnit
from graphrag.language import FUNCTION_WORDS, HANGUL, HONORIFICS, UNSPACED, WORD, fold, search_terms
from graphrag.query import numerals
from graphrag.query.citing import Evidence, passages
from graphrag.query.naming import Written

LONGEST_RUN = 3
"""Sentences that one quote may take."""
LENGTH_COST = 0.12
"""Coverage that a further sentence must add to a run to be worth its place."""
ALIKE = 0.6
"""The share of the best run's coverage that another unit's run must have to be quoted beside it …"""
GAIN = 0.1
"""… if it does not add this much."""
SAME_STEM, SAME_START = 0.65, 4
"""Two stems are one if they share that part of the longer, and at least so many letters, from the start."""
RARITY = 20
"""Sentences added to those at hand when words are weighed, as few tell little about rarity."""
ELSEWHERE = 0.4
"""What the words that are anywhere in the units count against those in the best run."""
NEGATORS = frozenset("not no never without neither nor none nobody nothing hardly scarcely cannot".split())
REACH = 1
"""Content words after a negation that it may be about."""

_EITHER_CASE = NEGATORS | {word.capitalize() for word in NEGATORS}
_TOKEN = re.compile(rf"{WORD.pattern}|[.,;:!?()—\"“”]")
_IRREGULAR = {
    form: group.split()[0]
    for group in (
        "die died dead death dying|fall fell fallen|buy bought|tell told|write wrote written|begin begun|bring brought|"
        "think thought|teach taught|catch caught|find found|leave left|lead led|meet met|pay paid|sell sold|send sent|"
        "spend spent|stand stood|win won|wear wore worn|keep kept|hold held|lose lost loss|build built|bear bore born|"
        "break broke broken|choose chose chosen choice|drive drove driven|eat ate eaten|fly flew flown|grow grew grown|"
        "know knew known|rise rose risen|sing sang sung song|speak spoke spoken|steal stole stolen|throw threw thrown|"
        "man men|woman women|child children|foot feet|wife wives|life lives|tooth teeth|seek sought|fight fought|"
        "strike struck|hide hid hidden|sit sat|sleep slept|feel felt|hear heard|mean meant|drink drank drunk|run ran|"
        "bite bit bitten|draw drew drawn|shake shook shaken|wake woke awoke|ride rode ridden|swear swore sworn|"
        "hang hung|shine shone|weep wept|fled flee|marry marriage married|forgot forget forgotten|freeze froze frozen"
    ).split("|")
    for form in group.split()
}
_SUFFIXES = (
    "ations",
    "ation",
    "ings",
    "ness",
    "ment",
    "ing",
    "ers",
    "ies",
    "ied",
    "ion",
    "ed",
    "er",
    "es",
    "ly",
    "s",
    "e",
    "y",
)
_NUMBER = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence of a text unit, with what there is to compare."""

    evidence: Evidence
    stems: frozenset[str]
    negated: frozenset[str]
    """Stems of what it says is not so."""


@dataclass(frozen=True, slots=True)
class Read:
    """A text unit, read once however often it is cited."""

    passages: tuple[Passage, ...]
    written: Written
    """Its words, and the marks that part its clauses."""
    numbers: frozenset[float]


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring sentences of a text unit, and the share of a statement's words that they have."""

    unit: int
    first: int
    last: int
    """The position of the last sentence, itself included."""
    coverage: float
    stems: frozenset[str]
    """The statement's words that it has, as the units have them."""


def read(unit: RetrievedUnit) -> Read:
    """The sentences and words of a text unit."""
    found: list[Passage] = []
    written: list[str] = []
    numbers: frozenset[float] = frozenset()
    for evidence in passages(unit):
        quote = evidence.quote
        words = words_of(quote)
        written += words
        written.append(".")
        stems = frozenset(chain.from_iterable(map(stems_of, set(words))))
        found.append(Passage(evidence, stems, negated(words)))
        if numerals.may_have(words):
            numbers |= numerals.values(quote)
    return Read(tuple(found), Written.of(written), numbers)


@lru_cache(maxsize=1 << 16)
def stems_of(word: str) -> tuple[str, ...]:
    """The stems that a word stands for: none if it is a function word, several in unspaced scripts."""
    if not word[0].isalnum():
        return ()
    folded = fold(word).replace("’", "'")
    if not folded.isascii() and (UNSPACED.search(folded) or HANGUL.search(folded)):
        return tuple(search_terms(folded).split())
    plain = folded.removesuffix("'s").strip("'")
    if plain in FUNCTION_WORDS or folded in FUNCTION_WORDS or plain in HONORIFICS or len(plain) < 2:
        return ()
    return () if _NUMBER.match(plain) else (_stem(plain),)


def _stem(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3 and not word.endswith("ss"):
            bare = word[: -len(suffix)]
            bare = bare[:-1] if len(bare) > 3 and bare[-1] == bare[-2] and bare[-1] not in "ls" else bare
            return _IRREGULAR.get(bare, bare)
    return word


def words_of(text: str) -> list[str]:
    """The words of a text and the marks that part its clauses, in order."""
    return _TOKEN.findall(text)


def negated(words: Sequence[str]) -> frozenset[str]:
    """Stems of what a sentence says is not so: the next content words after each negation."""
    if not any(map(_may_deny, words)):
        return frozenset()
    found: set[str] = set()
    left = 0
    for place, word in enumerate(words):
        small = _small(word)
        if small in NEGATORS or small.endswith("n't"):
            after = words[place + 1].lower() if place + 1 < len(words) else ""
            left = 0 if after in {"only", "doubt", "more", "sooner", "until", "till"} else REACH
        elif not word[0].isalnum() or small in {"but", "than"}:
            left = 0
        elif left and (stems := stems_of(word)):
            found.update(stems)
            left -= 1
    return frozenset(found)


@lru_cache(maxsize=1 << 16)
def _may_deny(word: str) -> bool:
    return word in _EITHER_CASE or word[-2:] in {"'t", "’t"}


@lru_cache(maxsize=1 << 16)
def _small(word: str) -> str:
    return word.lower().replace("’", "'")


def matching(stems: Collection[str], among: Collection[str]) -> dict[str, str]:
    """For each stem that of a text that is the same word; empty if there is none."""
    starts = {stem[:SAME_START] for stem in stems if len(stem) >= SAME_START and stem not in among}
    # A text has thousands: all are looked through at once.
    alike = [other for other in among if other[:SAME_START] in starts]
    return {stem: stem if stem in among else _closest(stem, alike) for stem in stems}


def _closest(stem: str, among: Iterable[str]) -> str:
    """The one that shares most with a stem from its start, of those that share enough."""
    close = [
        other
        for other in among
        if (shared := _shared(stem, other)) >= SAME_START and shared >= SAME_STEM * max(len(stem), len(other))
    ]
    return max(close, key=lambda other: (_shared(stem, other), other), default="")


def _shared(first: str, second: str) -> int:
    return next(
        (n for n, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second))
    )


class Statement:
    """A sentence to be checked: the weight of each of its words, and which of the units' words it is."""

    def __init__(self, sentence: str, reads: Sequence[Read]) -> None:
        self.words = words_of(sentence)
        frequency = Counter(chain.from_iterable(passage.stems for read in reads for passage in read.passages))
        count = sum(len(read.passages) for read in reads) + RARITY
        self.negated = negated(self.words)
        own = dict.fromkeys(stem for word in self.words for stem in stems_of(word))
        self.match = matching(own, frequency.keys())
        self.weight = {stem: math.log(1 + count / (1 + frequency[match])) for stem, match in self.match.items()}
        self.total = sum(self.weight.values())
        self.rarest = math.log(1 + count)
        """The weight of a word that the units do not have."""

    def coverage(self, stems: Iterable[str]) -> float:
        """The share of the statement that these stems of the units are, 0 to 1, by weight."""
        have = frozenset(stems)
        return sum(w for stem, w in self.weight.items() if self.match[stem] in have) / self.total if self.total else 0.0

    def likeness(self, runs: Sequence["Run"]) -> float:
        """How much of the statement the best run has, and to a lesser part the units as a whole, 0 to 1."""
        best = runs[0].coverage if runs else 0.0
        return self.blend(best, self.coverage(filter(None, self.match.values())))

    @staticmethod
    def blend(best: float, anywhere: float) -> float:
        """What the best run has and what the units have, as one."""
        return (1 - ELSEWHERE) * best + ELSEWHERE * anywhere


def best_runs(statement: Statement, reads: Sequence[Read]) -> list[Run]:
    """The best run of each unit that has any, best first: no longer than each further sentence adds."""
    found = [run for unit, read in enumerate(reads) for run in _best_of(statement, unit, read)]
    return sorted(found, key=lambda run: -run.coverage)


def helpful(statement: Statement, runs: Sequence[Run]) -> list[Run]:
    """Of runs in order, those nearly as good as the first, or that have words which none before has."""
    kept: list[Run] = []
    have: frozenset[str] = frozenset()
    for run in runs:
        if run.coverage >= ALIKE * runs[0].coverage or statement.coverage(run.stems - have) >= GAIN:
            kept.append(run)
            have |= run.stems
    return kept


def _best_of(statement: Statement, unit: int, read: Read) -> Iterator[Run]:
    best, best_value = None, 0.0
    wanted = frozenset(filter(None, statement.match.values()))
    held = [passage.stems & wanted for passage in read.passages]
    # A run that begins with nothing is worth less than without its beginning.
    for first in filter(held.__getitem__, range(len(held))):
        have: frozenset[str] = frozenset()
        for last in range(first, min(first + LONGEST_RUN, len(held))):
            if last > first and held[last] <= have:
                continue
            have |= held[last]
            coverage = statement.coverage(have)
            value = coverage - LENGTH_COST * (last - first)
            if value > best_value:
                best, best_value = Run(unit, first, last, coverage, have), value
    if best:
        yield best
