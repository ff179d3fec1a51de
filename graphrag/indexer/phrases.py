"""Find names and key phrases in sentences without any model, in any script.

Names are runs of capitalised words in scripts that have capitals (checked against how the
collection itself writes each word), nouns freed of their particles in Korean, and recurring
words elsewhere. The idea that such phrases carry a useful graph is that of LazyGraphRAG and
LinearRAG (arXiv:2510.10114); the rules are this project's own.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from graphrag.language import FUNCTION_WORDS, HANGUL, UNSPACED, fold, without_josa

NAME = "NAME"
KEY_PHRASE = "KEY PHRASE"

TOKEN = re.compile(r"(?:[^\W\d_]\.)+(?=\s|$|[^\w])|[^\W_]+(?:[.'’\-–&][^\W_]+)*")
# Words that may stand inside a name but never begin or end it.
CONNECTORS = frozenset(
    "of the de la le les du des del della di da do dos das van von der den ter zu zum al el ibn bin y e "
    "und et & for in on".split()
)
BETWEEN = re.compile(r"[ \t\u00a0]+|\s*\n\s*|,? ?& ?|\. ")
MAX_WORDS = 8
HONORIFICS = frozenset("mr mrs ms dr st sir prof rev lt col gen capt messrs jr".split())
POSSESSIVE = re.compile(r"['’]s?$")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A name or key phrase found in a sentence: ``sentence[start:end]`` written as ``text``."""

    text: str
    kind: str
    start: int
    end: int


@dataclass(slots=True)
class Lexicon:
    """How the collection writes its words: counted once, before any phrase is looked for."""

    lower: Counter[str] = field(default_factory=Counter[str])
    capitalised: Counter[str] = field(default_factory=Counter[str])
    stems: Counter[str] = field(default_factory=Counter[str])

    @classmethod
    def of(cls, sentences: Iterable[str]) -> "Lexicon":
        lexicon = cls()
        for sentence in sentences:
            lexicon._count(sentence)
        return lexicon

    def _count(self, sentence: str) -> None:
        for index, token in enumerate(TOKEN.finditer(sentence)):
            word = token.group()
            if HANGUL.search(word):
                self.stems[without_josa(word)] += 1
            elif word[0].isupper():
                if index and not word.isupper():
                    self.capitalised[word.casefold()] += 1
            else:
                self.lower[word.casefold()] += 1

    def is_common(self, word: str) -> bool:
        """Whether the word, met where a capital means nothing, is an ordinary word."""
        key = POSSESSIVE.sub("", word.casefold())
        return key in FUNCTION_WORDS or self.lower[key] > self.capitalised[key]


def names(sentence: str, lexicon: Lexicon) -> Iterator[Phrase]:
    """The runs of capitalised words of a sentence, in order."""
    tokens = list(TOKEN.finditer(sentence))
    run: list[int] = []
    for index, token in enumerate(tokens):
        if run and not _adjacent(sentence, tokens[index - 1], token):
            yield from _name(sentence, tokens, run, lexicon)
            run = []
        if _is_capitalised(token.group()) or (run and _may_continue(token.group())):
            run.append(index)
        elif run:
            yield from _name(sentence, tokens, run, lexicon)
            run = []
    if run:
        yield from _name(sentence, tokens, run, lexicon)


def _adjacent(sentence: str, left: re.Match[str], right: re.Match[str]) -> bool:
    gap = sentence[left.end() : right.start()]
    if gap.startswith("."):
        return left.group().casefold() in HONORIFICS or (len(left.group()) == 1 and gap == ". ")
    return bool(BETWEEN.fullmatch(gap))


def _is_capitalised(word: str) -> bool:
    return word[0].isupper() and not HANGUL.search(word)


def _may_continue(word: str) -> bool:
    return word in CONNECTORS or word[0].isdigit()


def _name(sentence: str, tokens: list[re.Match[str]], run: list[int], lexicon: Lexicon) -> Iterator[Phrase]:
    words = [tokens[i].group() for i in run]
    first, last = 0, len(run)
    while last > first and words[last - 1] in CONNECTORS:
        last -= 1
    starts_sentence = run[0] == 0
    if last - first == 1 and words[first].casefold() in FUNCTION_WORDS:
        return
    if starts_sentence and last - first == 1 and lexicon.is_common(words[first]):
        return
    while first < last and (words[first].casefold() in FUNCTION_WORDS or words[first] in CONNECTORS):
        first += 1
    if starts_sentence and first == 0 and last > 1 and lexicon.lower[words[0].casefold()] > 3 * lexicon.capitalised[words[0].casefold()]:
        first += 1
        while first < last and words[first] in CONNECTORS:
            first += 1
    if first >= last or last - first > MAX_WORDS:
        return
    start, end = tokens[run[first]].start(), tokens[run[last - 1]].end()
    text = " ".join(POSSESSIVE.sub("", sentence[start:end]).split())
    if len(text) > 1:
        yield Phrase(text, NAME, start, end)
