"""Whether the names in a statement stand in its sources.

A part of a name may stand for the whole: a source that says "Cratchit" bears "Bob Cratchit" out. One that
only ever says "Bob Cratchit" does not bear out "Peter Cratchit".
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from operator import itemgetter

from graphrag.language import FUNCTION_WORDS, HONORIFICS, WORD, fold
from graphrag.names import CONNECTORS, WordCase, find_names

TITLES = HONORIFICS | frozenset(
    "miss lady lord sir dame madam madame doctor professor captain colonel major general inspector sergeant king queen "
    "prince princess president minister senator saint master uncle aunt cousin brother sister old young little poor "
    "dear late the a an first second third".split()
)
"""Words that a name may have before it without being another."""
DEMONYMS = ("ish", "ese", "ian", "ians", "an", "ans", "ic", "ch", "ns", "ns'", "i")
_IRREGULAR = tuple(
    frozenset(group.split("/"))
    for group in (
        "french/france dutch/netherlands/holland welsh/wales spanish/spain/spaniard greek/greece swiss/switzerland "
        "american/america/states/u.s/us/usa british/britain/uk/u.k/kingdom danish/denmark/dane polish/poland "
        "turkish/turkey irish/ireland english/england burmese/burma thai/thailand"
    ).split()
)
_VERB = re.compile(
    r"(?:['’]s)?\s+(?:(?:is|was|has|had|are|were|does|did|will|would|could|can|may|might|must|should|also|and|who|of|de|"
    r"never|not|then|later|once|said|says|went|came|took|made|gave|got|saw|became|left|led|won|wrote|told|kept|held|"
    r"brought|died|lived|fell|lost|sent|met)\b|[a-z]+ed\b|[a-z]+[^s\W]s\b)|['’]s\b|,"
)
_COMMON = re.compile(r"(?:ing|ly|tion|tions|ment|ments|ness|ity|ism|ists?|ous|ful|less|able|ible|ive|ers)$")
_CAPITAL = re.compile(r"\.?\s+[^\W\d_a-z]")
_LETTER = re.compile(r"[^\W\d_]")


def names_in(sentence: str, known: Iterable[str]) -> list[str]:
    """The names in a sentence, in order. A single capitalised word at its start is one if `known` (the
    words of the sources as they are written) has it with a capital, or if it neither looks like a common
    word nor stands where none could."""
    written = frozenset(known)
    case = WordCase()
    first = WORD.search(sentence)
    if first and _is_common(sentence, first, written):
        case.small[fold(first.group()).replace("’", "'").removesuffix("'s")] = 1
    found = [sentence[span.start : span.end] for span in find_names(sentence, case)]
    return [part for name in found for part in _in_one_script(name)]


def _is_common(sentence: str, first: re.Match[str], written: frozenset[str]) -> bool:
    word = first.group()
    bare = re.sub(r"['’]s?$", "", word)
    if bare.lower() in written:
        return True
    if bare in written or bare.isupper() or any(c.isdigit() for c in bare):
        return False
    if _CAPITAL.match(sentence, first.end()):
        return False
    return bool(_COMMON.search(word)) or not _VERB.match(sentence, first.start() + len(bare))


def _in_one_script(name: str) -> Iterator[str]:
    """The parts of a name that begin with a capital; what another script writes on to it is no part of it."""
    for run in re.findall(r"[^\W_][^\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]*", name):
        if run[0].isupper() or run[0].isdigit():
            yield run.strip()


@dataclass(frozen=True, slots=True)
class Written:
    """The words of some texts, in order, as they are written; marks that part clauses are among them."""

    words: tuple[str, ...]
    plain: tuple[str, ...]
    """The same, folded, without accents and possessive endings."""
    scripts: Mapping[str, int]
    """How many of the words each script has, by its name in Unicode."""
    small: int
    """How many are written small …"""
    function: int
    """… and how many of these are function words of English."""
    capitals: str
    """The first letters of those that begin with a capital."""
    acronyms: frozenset[str]
    """Those that are nothing but capitals, three at least."""

    @classmethod
    def joined(cls, parts: Sequence["Written"]) -> "Written":
        """Of several texts."""
        scripts: Counter[str] = Counter()
        for part in parts:
            scripts.update(part.scripts)
        words = tuple(chain.from_iterable(part.words for part in parts))
        plain = tuple(chain.from_iterable(part.plain for part in parts))
        return cls(
            words=words,
            plain=plain,
            scripts=scripts,
            small=sum(part.small for part in parts),
            function=sum(part.function for part in parts),
            capitals="".join(part.capitals for part in parts),
            acronyms=frozenset(chain.from_iterable(part.acronyms for part in parts)),
        )

    @classmethod
    def of(cls, words: Iterable[str]) -> "Written":
        """Of these words."""
        words = tuple(words)
        starts = Counter(map(itemgetter(0), words))
        scripts: Counter[str] = Counter()
        for letter, count in starts.items():
            if letter.isalpha():
                scripts[script(letter)] += count
        return cls(
            words=words,
            plain=tuple(map(_plain, words)),
            scripts=scripts,
            small=sum(map(str.islower, words)),
            function=sum(map(FUNCTION_WORDS.__contains__, words)),
            capitals="".join(filter(str.isupper, map(itemgetter(0), words))),
            acronyms=frozenset(word for word in filter(str.isupper, words) if len(word) > 2),
        )


def missing(name: str, written: Written) -> bool:
    """Whether the texts name nothing that this may be.

    A name in a script that the texts do not use at all is not missed.
    """
    sought = _parts(name)
    letter = _LETTER.search(name)
    if not sought or (letter and script(letter.group()) not in written.scripts):
        return False
    have = frozenset(written.plain)
    present = {part for part in sought if part in have or any(_same(part, word) for word in _near(part, have))}
    if len(present) == len(sought) or _initials(sought, written):
        return False
    return not present or not _bare(present, sought, written)


def _near(part: str, have: frozenset[str]) -> list[str]:
    start = part[:3]
    kin = frozenset(word for group in _IRREGULAR if part in group for word in group)
    return [word for word in have if word[:3] == start or word in kin]


def _parts(name: str) -> frozenset[str]:
    """The telling words of a name, folded; of one that is nothing but titles, these."""
    words = [_plain(word) for word in WORD.findall(name)]
    telling = frozenset(word for word in words if word not in TITLES and word not in CONNECTORS)
    telling = frozenset(word for word in telling if word not in FUNCTION_WORDS) or telling
    return telling or frozenset(words)


@lru_cache(maxsize=1 << 16)
def _plain(word: str) -> str:
    """Folded, without accents on Latin letters and without a possessive ending."""
    pieces = unicodedata.normalize("NFD", fold(word).replace("’", "'").removesuffix("'s").strip("'"))
    return unicodedata.normalize("NFC", "".join(c for c in pieces if not "\u0300" <= c <= "\u036f"))


@lru_cache(maxsize=1 << 16)
def _same(first: str, second: str) -> bool:
    """Whether two words are forms of one name: with an ending of their language, or what its people are called."""
    short, long = sorted((first, second), key=len)
    if short[:3] != long[:3]:
        return any(first in group and second in group for group in _IRREGULAR)
    shared = next((n for n, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if shared >= 4 and shared * 2 >= len(long) and (long.endswith(DEMONYMS) or short.endswith(DEMONYMS)):
        return True
    endings = len(long) - shared <= (2 if long.isascii() else 3) and len(short) - shared <= (0 if long.isascii() else 2)
    return (shared >= 4 and endings) or any(first in group and second in group for group in _IRREGULAR)


def _initials(sought: frozenset[str], written: Written) -> bool:
    """Whether a name stands there by its initials, or is the initials of what stands there."""
    (word, *others) = sorted(sought)
    if not others and 2 <= len(word) <= 6 and word.isalpha():
        return word in written.capitals.lower() and len(word) > 2
    letters = sorted(part[0] for part in sought)
    return any(len(w) == len(letters) and sorted(w.lower()) == letters for w in written.acronyms)


def _bare(present: set[str], sought: frozenset[str], written: Written) -> bool:
    """Whether the parts that are there ever stand without words of another name around them."""
    for place, word in enumerate(written.plain):
        if word in present:
            around = {written.plain[n] for n in _around(place, written.words)} - TITLES - CONNECTORS - FUNCTION_WORDS
            if around <= sought:
                return True
    return False


def _around(place: int, written: Sequence[str]) -> Iterator[int]:
    """Where the other capitalised words of the name at a place are; marks of clauses part names."""
    for step in (-1, 1):
        n = place + step
        if step == 1 and written[place].endswith(("'s", "’s")):
            return
        while 0 <= n < len(written) and (written[n][:1].isupper() or written[n] in CONNECTORS - {"and", "y", "e"}):
            if step == -1 and written[n].endswith(("'s", "’s")):
                break
            yield n
            n += step


@lru_cache(maxsize=4096)
def script(letter: str) -> str:
    """What Unicode calls the script of a letter: "LATIN", "HANGUL" …"""
    return unicodedata.name(letter, "UNNAMED").split()[0]
