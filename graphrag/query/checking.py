"""Whether a sentence of an answer is supported by what it cites, and where. No model is asked.

Plain cases are decided by words: a sentence that stands there word for word is supported; one with a
number or a name that the sources do not have, or that says the opposite of its place, is not. What
shares few words with its sources is decided by embedding; docs/explanation/citations.md says how well.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

from graphrag.answers import RetrievedUnit
from graphrag.models.base import Embedder
from graphrag.query import naming, numerals
from graphrag.query.citing import Evidence, locate
from graphrag.query.likeness import Read, Run, Statement, best_runs, helpful, read, stems_of, words_of
from graphrag.query.naming import Written
from graphrag.query.predicates import Predicate

SUPPORTED = 0.27
"""Least score of what is supported."""
PLAIN, HOPELESS = 0.5, 0.05
"""Likeness in words from which on, or up to which, no embedding is asked for."""
BY_WORDS, PREDICATE_BY_WORDS = 0.6, 0.5
"""What likeness in words counts against likeness by embedding, which counts the rest: of a sentence, and
of what it says beside names."""
REFUSED = 0.25
"""The most that a refused sentence scores."""
OPPOSITE = 0.55
"""Coverage from which on a place is about the same thing, so that a negation in one of the two matters."""
NEAREST = 3
"""Places that are compared by embedding."""
MOST_ACROSS = 40
"""Sentences of sources in another language that are compared by embedding."""
SILENT = "the source says nothing of it"
FEW_CONTENT_WORDS = 2
SMALL = 12
"""The greatest number that other languages than English are expected to spell out."""
FEWEST = 8
"""Words below which a language is not guessed."""
NO_ENGLISH, ENGLISH = 0.1, 0.25
"""Shares of function words below which a text is not English, and from which on it is."""

_LEAD = re.compile(r"^\s*(?:[-*•·–—>]+\s+|#+\s+|\(?\d{1,3}[.)]\s+)*")
_MARKS = re.compile(r"[*_`]{1,3}|\[[^\]\[]{0,40}\]")
_SILENCE = re.compile(
    r"\b(?:sources?|texts?|passages?|documents?|contexts?|data|information|collection)\b.{0,60}"
    r"\b(?:not|no|n['’]t)\b.{0,40}\b(?:mention|say|state|contain|provide|specif|describ|tell|give|include|answer)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Checked:
    """What checking a sentence found."""

    supported: bool
    score: float
    """How well a place bears the sentence out, 0 to 1: the best, or the first that does so well enough."""
    evidence: tuple[Evidence, ...]
    """The best place of each unit that helps, best first; empty if nothing is near."""
    reason: str = ""
    """Why it is not supported, in a short phrase."""


def states_something(sentence: str) -> bool:
    """Whether a sentence of an answer states anything that could be checked.

    Headings, labels of lists, transitions, questions and what has fewer than 2 content words (numbers
    count) do not; nor does a sentence that says the sources are silent.
    """
    if re.match(r"\s*#", sentence) or re.fullmatch(r"\s*(\*\*|__)[^*_]+\1:?\s*", sentence):
        return False
    bare = plain(sentence)
    if bare.endswith((":", "?", "：", "？")) or _SILENCE.search(bare):
        return False
    content = [word for word in words_of(bare) if stems_of(word) or word[0].isdigit()]
    return sum(max(1, len(stems_of(word))) for word in content) >= FEW_CONTENT_WORDS


def plain(sentence: str) -> str:
    """A sentence without list marks, emphasis and citation marks around or in it."""
    return " ".join(_MARKS.sub("", _LEAD.sub("", sentence)).split())


class Checker:
    """Checks sentences against text units, each of which is read once."""

    def __init__(self, embedder: Embedder) -> None:
        """`embedder` should be a cached one: it is asked for the same places again."""
        self._embedder = embedder
        self._read = lru_cache(maxsize=512)(read)

    def check(self, sentence: str, units: Sequence[RetrievedUnit], known: str = "") -> Checked:
        """Whether `units` bear a sentence out, and where; nothing is raised, whatever the texts.

        `known` is text whose names and numbers need no source: the question.
        """
        bare = plain(sentence)
        found = locate(sentence, units) or (locate(bare, units) if bare != sentence else None)
        if found:
            return Checked(True, 1.0, (found,))
        # How well a search found a unit is no part of what it says.
        reads = [self._read(replace(unit, score=0.0)) for unit in units]
        statement = Statement(bare, reads)
        runs = best_runs(statement, reads)
        written = Written.joined([read.written for read in reads])
        foreign = _is_foreign(Written.of(statement.words), written)
        evidence = tuple(_quote(run, units, reads) for run in helpful(statement, runs))
        given = " . ".join([known, *(unit.document_title for unit in units)])
        named = Written.joined([written, Written.of(words_of(f". {given}"))])
        names = naming.names_in(bare, named.words)
        reason = (
            _unknown_number(bare, reads, given, foreign or not _is_english(written))
            or _unknown_name(names, replace(named, scripts=written.scripts))
            or _opposed(statement, runs, reads)
        )
        if reason:
            return Checked(False, min(REFUSED, statement.likeness(runs)), evidence, reason)
        if foreign:
            return self._across(bare, units, reads)
        score = self._score(bare, Predicate.of(bare, statement, names, known), runs, evidence)
        return Checked(score >= SUPPORTED, score, evidence, "" if score >= SUPPORTED else SILENT)

    def _score(self, sentence: str, told: Predicate, runs: Sequence[Run], evidence: Sequence[Evidence]) -> float:
        """Likeness of the whole sentence, none that supports it if what it says beside names is not borne out."""
        whole, rest = told.statement.likeness(runs), told.likeness(runs)
        borne = rest >= PLAIN or PREDICATE_BY_WORDS * rest >= told.least
        asked = [sentence] * (whole < PLAIN) + [told.bare] * (not borne)
        if whole <= HOPELESS or not asked:
            return whole
        score = whole
        # Further places can only add to what the first one says, and mostly it says enough.
        for places in (evidence[:1], evidence[:NEAREST]):
            near = self._nearest(asked, places)
            score = BY_WORDS * whole + (1 - BY_WORDS) * near[0] if whole < PLAIN else whole
            if not borne and PREDICATE_BY_WORDS * rest + (1 - PREDICATE_BY_WORDS) * near[-1] < told.least:
                score = min(REFUSED, score)
            if score >= SUPPORTED:
                break
        return score

    def _across(self, sentence: str, units: Sequence[RetrievedUnit], reads: Sequence[Read]) -> Checked:
        """Between languages only the embedding can tell, and poorly: the sentence has the benefit of the doubt."""
        every = (replace(p.evidence, unit=unit) for unit, read in zip(units, reads, strict=True) for p in read.passages)
        places = list(islice(every, MOST_ACROSS))
        (found,) = self._similarities([sentence], places)
        order = sorted(range(len(found)), key=lambda n: -found[n])
        return Checked(True, max(found, default=0.0), tuple(places[n] for n in order[:1]))

    def _nearest(self, texts: Sequence[str], places: Sequence[Evidence]) -> list[float]:
        return [max(found, default=0.0) for found in self._similarities(texts, places)]

    def _similarities(self, texts: Sequence[str], places: Sequence[Evidence]) -> list[list[float]]:
        """For each text its cosine to each place, none under 0."""
        vectors = self._embedder.embed([*texts, *(place.quote for place in places)])
        cosines = vectors[: len(texts)] @ vectors[len(texts) :].T
        return [[min(max(float(likeness), 0.0), 1.0) for likeness in row] for row in cosines]


def _quote(run: Run, units: Sequence[RetrievedUnit], reads: Sequence[Read]) -> Evidence:
    passages = reads[run.unit].passages
    return Evidence(units[run.unit], passages[run.first].evidence.start, passages[run.last].evidence.end)


def _unknown_number(sentence: str, reads: Sequence[Read], given: str, spelt: bool) -> str:
    """What is said against a number that neither the units nor what is given have; `spelt`: small ones may be
    in words of another language."""
    had = numerals.values(given).union(*(read.numbers for read in reads))
    for number in numerals.stated(sentence):
        unreadable = spelt and (number.value <= SMALL or not number.written[0].isdigit())
        if not unreadable and not numerals.holds(had, number):
            return f"the number {number.written} is not in the source"
    return ""


def _unknown_name(names: Sequence[str], written: Written) -> str:
    """The same for a name, if it is in a script of the units."""
    for name in names:
        if naming.missing(name, written):
            return f"{name} is not named in the source"
    return ""


def _opposed(statement: Statement, runs: Sequence[Run], reads: Sequence[Read]) -> str:
    """Whether the best place denies what the sentence says, or the sentence what it says."""
    if not runs or runs[0].coverage < OPPOSITE:
        return ""
    passages = reads[runs[0].unit].passages[runs[0].first : runs[0].last + 1]
    denied = frozenset(stem for passage in passages for stem in passage.negated)
    stems = frozenset(stem for passage in passages for stem in passage.stems)
    for stem, match in statement.match.items():
        if match in stems and (stem in statement.negated) != (match in denied):
            return "the source says the opposite"
    return ""


def _is_foreign(sentence: Written, sources: Written) -> bool:
    """Whether a sentence is in another language than its sources, as far as can be told: by their scripts,
    and by the function words of English."""
    theirs = _scripts(sources)
    if theirs and theirs.isdisjoint(_scripts(sentence)):
        return True
    mine, given = _share_of_english(sentence), _share_of_english(sources)
    return mine is not None and given is not None and min(mine, given) < NO_ENGLISH and max(mine, given) > ENGLISH


def _scripts(written: Written) -> frozenset[str]:
    """The scripts of a text, without those of a few foreign names."""
    least = sum(written.scripts.values()) / 4
    return frozenset(name for name, count in written.scripts.items() if count >= least)


def _is_english(written: Written) -> bool:
    share = _share_of_english(written)
    return share is None or share > NO_ENGLISH


def _share_of_english(written: Written) -> float | None:
    """The share of function words of English among the words written small; None if these are few."""
    return written.function / written.small if written.small >= FEWEST else None
