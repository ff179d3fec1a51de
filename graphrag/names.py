"""Find names by their capitals, checked against how the collection itself writes each word.

For every script that has capitals (Latin, Greek, Cyrillic, Armenian …); no model, no word lists
beyond the function words of English. A capital at the start of a sentence means nothing by
itself: such a word is a name only if the collection does not mostly write it small.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from graphrag.language import FUNCTION_WORDS, HONORIFICS, Span

TOKEN = re.compile(r"(?:[^\W\d_]\.)+(?=\s|$|[^\w])|[^\W_]+(?:[.'’\-–&][^\W_]+)*")
# Words that may stand inside a name but never begin or end it.
CONNECTORS = frozenset(
    "of the de la le les du des del della di da do dos das van von der den ter zu zum al el ibn bin y e "
    "und et for".split()
)
MAX_WORDS = 8
_BETWEEN = re.compile(r"[ \t\u00a0]+|\s*\n\s*|,? ?& ?")
_POSSESSIVE = re.compile(r"['’]s?$")
# After one of these a capital may be there only because a sentence starts.
_OPENING = re.compile(r"[\"“”‘«„(\[:;!?—*_#=>|-]\s*$|\.\s+$")


@dataclass(slots=True)
class WordCase:
    """How often the collection writes each word small, and capitalised where it need not."""

    small: Counter[str] = field(default_factory=Counter[str])
    capitalised: Counter[str] = field(default_factory=Counter[str])

    def is_ordinary(self, word: str, times: int = 1) -> bool:
        """Whether the word is written small more than `times` as often as with a capital."""
        key = _key(word)
        return self.small[key] > times * self.capitalised[key]


def count_case(sentences: Iterable[str]) -> WordCase:
    """Count the words of a collection, sentence by sentence."""
    case = WordCase()
    for sentence in sentences:
        for token in TOKEN.finditer(sentence):
            word = token.group()
            if not word[0].isupper():
                case.small[_key(word)] += 1
            elif not word.isupper() and not _may_start_sentence(sentence, token):
                case.capitalised[_key(word)] += 1
    return case


def find_names(sentence: str, case: WordCase) -> Iterator[Span]:
    """The names in a sentence, in order, without possessive endings."""
    tokens = list(TOKEN.finditer(sentence))
    for run in _runs(sentence, tokens):
        kept = _trim(sentence, run, case)
        if kept:
            start, end = kept[0].start(), kept[-1].end()
            end -= len(sentence[start:end]) - len(_POSSESSIVE.sub("", sentence[start:end]))
            if end - start > 1:
                yield Span(start, end)


def _runs(sentence: str, tokens: list[re.Match[str]]) -> Iterator[list[re.Match[str]]]:
    """Neighbouring words that are capitalised, or may stand inside a name."""
    run: list[re.Match[str]] = []
    for token in tokens:
        if run and not _adjoin(sentence, run[-1], token):
            yield run
            run = []
        word = token.group()
        if word[0].isupper() or (run and (word in CONNECTORS or word[0].isdigit())):
            run.append(token)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _adjoin(sentence: str, left: re.Match[str], right: re.Match[str]) -> bool:
    gap = sentence[left.end() : right.start()]
    if gap == ". ":
        return left.group().casefold() in HONORIFICS or len(left.group()) == 1
    return bool(_BETWEEN.fullmatch(gap)) and not left.group().endswith(("'s", "’s"))


def _trim(sentence: str, run: list[re.Match[str]], case: WordCase) -> list[re.Match[str]]:
    """The run without what cannot begin or end a name; empty if nothing is left."""
    words = list(run)
    if _may_start_sentence(sentence, words[0]) and _means_nothing(sentence, words, case):
        words = words[1:]
    while words and (words[0].group() in CONNECTORS or _is_function_word(words[0].group())):
        words = words[1:]
    while words and words[-1].group() in CONNECTORS:
        words = words[:-1]
    named = any(word.group()[0].isupper() and _key(word.group()) not in HONORIFICS for word in words)
    return words if named and len(words) <= MAX_WORDS else []


def _means_nothing(sentence: str, words: list[re.Match[str]], case: WordCase) -> bool:
    """Whether the capital of the first word of a sentence is only that."""
    first = words[0]
    if len(words) > 1:
        return case.is_ordinary(first.group(), times=10)
    # "Hallo!" and "Besides," are never seen inside a sentence; "Paris is" may not be either.
    exclaimed = not case.capitalised[_key(first.group())] and sentence[first.end() : first.end() + 1] in set("!?,;")
    return exclaimed or case.is_ordinary(first.group())


def _may_start_sentence(sentence: str, token: re.Match[str]) -> bool:
    before = sentence[max(0, token.start() - 4) : token.start()]
    return not before.strip() or bool(_OPENING.search(before))


def _key(word: str) -> str:
    return _POSSESSIVE.sub("", word.casefold().replace("’", "'"))


def _is_function_word(word: str) -> bool:
    plain = word.casefold().replace("’", "'")
    return plain in FUNCTION_WORDS or _key(word) in FUNCTION_WORDS
