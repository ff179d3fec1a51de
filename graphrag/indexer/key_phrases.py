"""Find the recurring things of a collection that no capital letter marks.

What may be such a thing depends on the script; whether it is one is decided by counting:

- English: up to three words after a determiner, ended by a function word or a mark
  ("the *door knocker* of"), which is where its nouns stand;
- Korean: a word that carries a particle only nouns take, or several different particles, or that
  stands where nouns stand: first in its sentence as the topic, or bare before a noun; and two such
  words that recur together, for names are written in two words (데버러 스미스);
- scripts written without spaces: the longest recurring runs of characters;
- other scripts without capitals: recurring words.

A single word must also be bursty: a thing that a text is about comes in clusters, while "hand" and
"time" are spread evenly (residual IDF, Church and Gale 1995).
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from graphrag.language import FUNCTION_WORDS, HANGUL, JOSA, UNSPACED, WORD, Span, fold, without_josa

TOO_COMMON = 0.1
"""A phrase in more than this share of the sentences says nothing about any of them."""
_ALWAYS_RARE = 20
BURSTY = 0.3
"""Bits of residual IDF that make a word a topic."""
_FEW_UNITS = 20
"""With fewer text units, clusters cannot be told from chance."""
_LONGEST_RUN = 6
_MAX_WORDS = 3
_DETERMINERS = frozenset(
    "a an the his her its their my your our this these those every each no some any of with in for by".split()
)
_NOT_LAST = ("ly", "ing", "ed")
_NOUN_JOSA = frozenset(
    "을 를 의 에 에서 에게 와 과 으로 로 부터 까지 께서 이다 입니다 에는 에도 에서는 이라는 들은 들이".split()
)
# Nothing is written on to a word after one of these.
_LAST_JOSA = frozenset("은 는 이 가 을 를 의 도".split())
_NOUN_PLACE = "^"
_TOPIC_JOSA = frozenset("은 는 이 가".split())
# Endings of verbs and adjectives before a noun: what ends so may be no noun itself.
_ADNOMINAL = tuple(
    "는 은 인 한 던 할 된 될 운 온 른 린 진 친 든 단 란 간 난 힌 센 낸 다 고 며 서 게 지 여 어 아 워 해 자 면".split()
)
# After a noun of one syllable these are particles for sure: 책을, but 마을.
_SHORT_WITH_JOSA = re.compile("[가-힣][을를은는에]")
_KOREAN_FUNCTION_WORDS = frozenset(
    "그것 이것 저것 여기 거기 저기 우리 너희 그들 하나 때문 경우 자신 오늘 지금 그때 이때 모두 정도 "
    "이상 이하 무엇 누구 어디 "
    "그리고 그러나 하지만 그래서 또한 따라서 매우 가장 함께 다시 통해 위해 대해 "
    "그의 나의 저의 여러 스스로 것으로 처음 나중 번째 없이 있다 없다 오늘날 이듬해".split()
)
# Hiragana carries the grammar of Japanese; its things are written in the rest.
_HIRAGANA = re.compile(r"[\u3040-\u309f]+")
_SENTENCE_MARK = re.compile(r"[^\s\w'’-]")


@dataclass(slots=True)
class PhraseCounts:
    """How often each candidate occurs, and what Korean words were seen to carry."""

    units: int = 0
    sentences: int = 0
    candidates: Counter[str] = field(default_factory=Counter[str])
    """In how many sentences each candidate occurs."""
    spread: Counter[str] = field(default_factory=Counter[str])
    """In how many text units."""
    particles: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict[str, set[str]](set))

    def recurs(self, phrase: str, minimum: int) -> bool:
        """Whether a candidate occurs often enough to matter and rarely enough to mean something."""
        key = fold(phrase)
        count = self.candidates[key]
        if not minimum <= count <= max(_ALWAYS_RARE, TOO_COMMON * self.sentences):
            return False
        return " " in key or self.units < _FEW_UNITS or self._residual_idf(key) >= BURSTY

    def _residual_idf(self, key: str) -> float:
        expected = 1 - math.exp(-self.candidates[key] / self.units)
        return math.log2(self.units * expected / self.spread[key])

    def is_noun(self, stem: str) -> bool:
        """Whether a Korean stem carries a particle that only nouns take, or several."""
        seen = self.particles.get(stem, set[str]())
        if stem.endswith("다") and not seen & _NOUN_JOSA:
            return False  # A verb that is quoted: 있다는
        return _NOUN_PLACE in seen or bool(seen & _NOUN_JOSA) or len(seen) > 1

    def noun(self, word: str, stem: str) -> str:
        """The noun in a Korean word: its stem, or all of it, or nothing.

        한반도 is no 한반 with 도 in a collection that has 한반도에 and 한반 with nothing else.
        """
        particle = word[len(stem) :]
        alone = self.particles.get(stem, set[str]()) <= {particle, _NOUN_PLACE}
        if particle in _LAST_JOSA and alone and self.particles.get(word, set[str]()) & _NOUN_JOSA:
            return word
        return stem if self.is_noun(stem) else ""


def count_phrases(units: Iterable[Sequence[str]]) -> PhraseCounts:
    """Count the candidates of a collection, given the sentences of each text unit."""
    counts = PhraseCounts()
    for sentences in units:
        counts.units += 1
        counts.sentences += len(sentences)
        found = [{fold(sentence[s.start : s.end]) for s in _candidates(sentence)} for sentence in sentences]
        for candidates in found:
            counts.candidates.update(candidates)
        counts.spread.update(set[str]().union(*found))
        for sentence in sentences:
            for stem, particle in _korean_evidence(sentence):
                counts.particles[stem].add(particle)
    return counts


def find_key_phrases(sentence: str, counts: PhraseCounts, minimum: int) -> Iterator[Span]:
    """The key phrases of a sentence; longer before shorter, none inside another."""
    taken = 0
    spans = [s for s in _candidates(sentence) if counts.recurs(sentence[s.start : s.end], minimum)]
    for word, stem in _korean(sentence):
        if noun := counts.noun(word.group(), stem):
            spans.append(Span(word.start(), word.start() + len(noun)))
    for span in sorted(spans, key=lambda s: (s.start, -s.end)):
        if span.start >= taken:
            taken = span.end
            yield span


def _candidates(sentence: str) -> Iterator[Span]:
    yield from _after_determiners(sentence)
    yield from _korean_pairs(sentence)
    for start, end in _unspaced_runs(sentence):
        for length in range(2, _LONGEST_RUN + 1):
            for first in range(start, end - length + 1):
                yield Span(first, first + length)
    for match in WORD.finditer(sentence):
        word = match.group()
        if len(word) > 2 and _has_no_case(word):
            yield Span(match.start(), match.end())


def _unspaced_runs(sentence: str) -> Iterator[tuple[int, int]]:
    for match in UNSPACED.finditer(sentence):
        start = match.start()
        for grammar in _HIRAGANA.finditer(sentence, match.start(), match.end()):
            yield start, grammar.start()
            start = grammar.end()
        yield start, match.end()


def _after_determiners(sentence: str) -> Iterator[Span]:
    """Up to three small content words between a determiner and the end of their phrase."""
    run: list[re.Match[str]] = []
    open_ = False
    for match in WORD.finditer(sentence):
        gap = sentence[run[-1].end() if run else match.start() : match.start()]
        if run and _SENTENCE_MARK.search(gap):
            yield from _phrase(run)
            run, open_ = [], False
        word = match.group()
        if word.lower() in FUNCTION_WORDS:
            yield from _phrase(run)
            run, open_ = [], word.lower() in _DETERMINERS
        elif open_ and word.islower() and word.isascii() and len(word) > 2:
            run.append(match)
        else:
            run, open_ = [], False
    yield from _phrase(run)


def _phrase(run: list[re.Match[str]]) -> Iterator[Span]:
    if 1 <= len(run) <= _MAX_WORDS and not run[-1].group().endswith(_NOT_LAST):
        yield Span(run[0].start(), run[-1].end())


def _korean(sentence: str) -> Iterator[tuple[re.Match[str], str]]:
    """The Korean words of a sentence with their stems, of two or more syllables."""
    for word in WORD.finditer(sentence):
        if HANGUL.search(word.group()):
            stem = without_josa(word.group())
            if len(stem) > 1 and stem not in _KOREAN_FUNCTION_WORDS and _may_be_noun(stem):
                yield word, stem


def _may_be_noun(stem: str) -> bool:
    """No number with its counter, no particle after a quotation, and no noun of one syllable with its particle."""
    if stem[0].isdigit() or stem in JOSA:
        return False
    # A word of two syllables keeps its particle; with one more before it, what can be one by its sound goes.
    return not (_SHORT_WITH_JOSA.fullmatch(stem) and without_josa(f"가{stem}") != f"가{stem}")


def _korean_pairs(sentence: str) -> Iterator[Span]:
    """Two neighbouring Korean words of which the first is bare."""
    for (left, stem), (right, following) in pairwise(_korean(sentence)):
        if left.group() == stem and sentence[left.end() : right.start()] == " " and not stem.endswith(_ADNOMINAL):
            yield Span(left.start(), right.start() + len(following))


def _korean_evidence(sentence: str) -> Iterator[tuple[str, str]]:
    """Korean stems with what shows whether they are nouns: a particle, or a place of nouns."""
    words = list(_korean(sentence))
    for index, (word, stem) in enumerate(words):
        particle = word.group()[len(stem) :]
        is_topic = particle in _TOPIC_JOSA and not sentence[: word.start()].strip(" \"'“‘")
        following = words[index + 1] if index + 1 < len(words) else None
        is_before_noun = (
            not particle
            and not stem.endswith(_ADNOMINAL)
            and following is not None
            and sentence[word.end() : following[0].start()] == " "
            and following[0].group() != following[1]
        )
        yield stem, _NOUN_PLACE if is_topic or is_before_noun else particle


def _has_no_case(word: str) -> bool:
    letter = word[0]
    return (
        letter.isalpha() and letter.lower() == letter.upper() and not HANGUL.search(word) and not UNSPACED.search(word)
    )
