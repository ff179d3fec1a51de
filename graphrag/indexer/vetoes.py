"""What two names say against being of one entity, whatever a model thinks of them."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from graphrag.language import HONORIFICS, WORD, fold

ARTICLES = frozenset("the a an".split())
FEMALE = frozenset("mrs miss misses ms lady madam madame mme dame queen countess duchess princess".split())
MALE = frozenset("mr sir lord king count duke prince messrs".split())
TITLES = (HONORIFICS - {"jr"}) | frozenset(
    "mr mrs miss ms mx sir dame lady lord madam madame mme doctor professor colonel captain general major "
    "inspector sergeant reverend master president king queen".split()
)
EPITHETS = frozenset("young younger old older elder eldest little tiny big good poor late dear uncle aunt".split())
_KIN = frozenset(
    "father mother son daughter husband wife widow brother brothers sister sisters nephew niece uncle aunt cousin "
    "grandfather grandmother grandson granddaughter stepfather stepmother stepson stepdaughter fiance fiancee".split()
)
_GENERATIONS = {"jr": "jr", "junior": "jr", "sr": "sr", "senior": "sr"}
_NUMBER_WORDS = frozenset(
    "first second third fourth fifth sixth seventh eighth ninth tenth last "
    "two three four five six seven eight nine ten eleven twelve".split()
)
_ROMAN = re.compile(r"(?=..)(?:x{0,3})(?:ix|iv|v?i{0,3})")
_NEGATIONS = frozenset("not no non without anti".split())
_OPPOSITES = tuple(
    frozenset(pair.split("/"))
    for pair in (
        "north/south east/west northern/southern eastern/western upper/lower inner/outer left/right past/present "
        "past/future present/future male/female boy/girl man/woman men/women boys/girls "
        "young/old younger/older younger/elder before/after major/minor import/export buyer/seller public/private "
        "internal/external day/eve day/night morning/evening summer/winter good/evil "
        "increase/decrease maximum/minimum positive/negative victim/culprit plaintiff/defendant"
    ).split()
)
# Short forms that are not the beginning of the long one.
_NICKNAMES = tuple(
    frozenset(group.split("/"))
    for group in (
        "bob/rob/robert/bobby bill/will/william/billy dick/rick/richard jim/jimmy/james jack/john/johnny "
        "harry/hal/henry kate/kitty/katherine/catherine liz/lizzie/beth/bess/betty/elizabeth frank/francis "
        "ted/ned/ed/edward peggy/meg/maggie/margaret molly/polly/mary hatty/hattie/harriet tony/anthony "
        "mike/mick/michael nell/nelly/helen/eleanor/ellen sally/sarah chuck/charlie/charles tom/tommy/thomas "
        "larry/lawrence nancy/anne sandy/alexander/alexandra wolf/wolfgang hans/johannes pepe/jose paco/francisco "
        "sasha/aleksandr/alexander gene/eugene joe/joseph fanny/frances dolly/dorothy jenny/jane/jennifer "
        "archie/archibald fritz/friedrich/frederick"
    ).split()
)


@dataclass(frozen=True, slots=True)
class NameParts:
    """A name taken apart: words are folded, without accents."""

    words: tuple[str, ...]
    """All but articles and titles, in order; a possessive ending is not part of its word."""
    titles: frozenset[str]
    owner: tuple[str, ...]
    """X's words in "X's Y"; else none."""
    articles: frozenset[str]

    @property
    def plain(self) -> bool:
        """Whether it may be somebody's name: no "of", "and", possessive or figures in it."""
        return not self.owner and not any(word in {"of", "and", "de"} or not word.isalpha() for word in self.words)

    @property
    def given(self) -> frozenset[str]:
        """All words before the last, without epithets."""
        return frozenset(self.words[:-1]) - EPITHETS


@lru_cache(maxsize=1 << 17)
def take_apart(name: str) -> NameParts:
    """The parts of a name. One of nothing but articles and titles has these as its words, and one
    without any word is a word."""
    text = _without_accents(fold(name)).replace("’", "'")
    raw = [word.removesuffix("'s") for word in WORD.findall(text)]
    found = re.match(r"(.*?\w)'s\s+\S", text)
    owner = tuple(word for word in WORD.findall(found[1]) if word not in ARTICLES | TITLES) if found else ()
    kept = tuple(word for word in raw if word not in ARTICLES and word not in TITLES)
    titles = frozenset(word for word in raw if word in TITLES)
    return NameParts(kept or tuple(raw) or (text,), titles if kept else frozenset(), owner, ARTICLES.intersection(raw))


def _without_accents(text: str) -> str:
    # Only letters of scripts whose accents are decoration to most readers; kana and Hindi stay whole.
    pieces = unicodedata.normalize("NFD", text)
    plain = "".join(c for c in pieces if not "\u0300" <= c <= "\u036f")
    return unicodedata.normalize("NFC", plain)


def veto(first: str, second: str, persons: bool) -> str:
    """Why two names cannot be of one entity; empty if nothing in them says so.

    `persons`: both are thought to be persons, so that given names count.
    """
    a, b = take_apart(first), take_apart(second)
    only_a, only_b = frozenset(a.words) - frozenset(b.words), frozenset(b.words) - frozenset(a.words)
    if _numbers(a.words) != _numbers(b.words):
        return "numbers"
    if _generation(a.words) != _generation(b.words):
        return "generation"
    if _genders(a) and _genders(b) and _genders(a) != _genders(b):
        return "titles"
    if (only_a & _KIN and only_b & _KIN) or _owned(a, b) or _owned(b, a):
        return "kinship"
    if _opposed(only_a, only_b):
        return "opposites"
    return "given names" if persons and _unlike_given_names(a, b) else ""


def _numbers(words: Iterable[str]) -> frozenset[str]:
    listed = list(words)
    romans = {word for word in listed if _ROMAN.fullmatch(word)} | {word for word in listed[1:][-1:] if word in "ivx"}
    return frozenset(
        word for word in listed if word in romans or word in _NUMBER_WORDS or any(c.isdigit() for c in word)
    )


def _generation(words: Iterable[str]) -> frozenset[str]:
    return frozenset(_GENERATIONS[word] for word in words if word in _GENERATIONS)


def _genders(parts: NameParts) -> frozenset[str]:
    married = parts.titles & {"miss", "mrs"}
    if married:
        return married
    return frozenset(["female"] * bool(parts.titles & FEMALE) + ["male"] * bool(parts.titles & MALE))


def _owned(whole: NameParts, part: NameParts) -> bool:
    """Whether one is said to be the other's: Scrooge's nephew is not Scrooge, though Cratchit's wife
    may be Mrs. Cratchit."""
    if "mrs" in part.titles:
        return False
    return bool(whole.owner) and not part.owner and bool(part.words) and frozenset(part.words) <= frozenset(whole.owner)


def _opposed(first: frozenset[str], second: frozenset[str]) -> bool:
    if (first | second) & _NEGATIONS:
        return True
    if any(first & pair and second & pair and first & pair != second & pair for pair in _OPPOSITES):
        return True
    negated = {prefix + word for prefix in ("non", "un", "anti") for word in first | second}
    return bool(negated & (first | second))


def _unlike_given_names(a: NameParts, b: NameParts) -> bool:
    if not (a.plain and b.plain and a.words[-1] == b.words[-1]):
        return False
    only_a, only_b = a.given - b.given, b.given - a.given
    return bool(only_a and only_b) and not any(_alike(x, y) for x in only_a for y in only_b)


def _alike(first: str, second: str) -> bool:
    """Whether two given names may be forms of one: initials, short forms, spellings."""
    short, long = sorted((first, second), key=len)
    if long.startswith(short) and (len(short) == 1 or len(short) > 2):
        return True
    return any(first in group and second in group for group in _NICKNAMES) or (
        SequenceMatcher(None, first, second).ratio() >= 0.75
    )
