"""What the rest of the package knows about human language: sentences, words, names.

Everything here is a pure function of its text and works for any script. Nothing is looked up
on the network and no model is loaded.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

# Vowel signs and accents that are characters of their own, in the scripts that write with them:
# \w leaves them out, and would break Hindi into single consonants.
_MARKS = "".join(c for c in map(chr, range(0x300, 0x1000)) if unicodedata.category(c)[0] == "M")
_PART = rf"[^\W_]+(?:[{_MARKS}]+[^\W_]*)*"
WORD = re.compile(rf"{_PART}(?:['’]{_PART})*")
HANGUL = re.compile(r"[\uac00-\ud7a3]")
# Scripts that are written without spaces between words: Thai, Lao, Khmer, Burmese, kana, Han.
UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\U00020000-\U0003ffff]+"
)

# Korean particles (josa) that follow a noun without a space, longest first so that 에서는
# goes before 는. What follows nouns seldom and ends them often (아, 여, 나) is left out or bound below.
JOSA = tuple(
    sorted(
        "은 는 이 가 을 를 의 에 도 만 로 와 과 랑 께 들 "
        "으로 에서 에게 한테 부터 까지 처럼 보다 마다 조차 마저 밖에 이나 이랑 하고 라고 이라 "
        "에는 에도 에만 와는 과는 로는 로도 들은 들이 들을 들의 이고 이며 이다 였다 에의 "
        "으로는 으로도 으로서 으로써 로서 로써 에서는 에서도 에서의 에게는 에게서 부터는 까지는 까지도 "
        "이라고 이라는 라는 이었다 입니다 이었던 이자 인데 께서 께서는 들에게 들에서 까지의 부터의 만이 만을 "
        "로부터 으로부터 에서부터 에서만 만으로 만의 들과 들로 들도 들에 들만 이라서 이라며 이면서 "
        "이었고 이었으며 이었는데 였고 였으며 였던 였는데 뿐만 만큼".split(),
        key=len,
        reverse=True,
    )
)

# What a particle's first letters ask of the syllable before it: that it ends in a consonant, or in a vowel.
_AFTER_CONSONANT = ("은", "을", "과", "으", "이나", "이랑", "이")
_AFTER_VOWEL = ("는", "를", "가", "와", "로", "랑", "였")
# Forms of the copula, which is written after either.
_AFTER_BOTH = ("이고", "이며", "이다", "이라", "이자", "이면", "입니", "인데")
_SYLLABLES, _FINALS, _RIEUL = 0xAC00, 28, 8

FUNCTION_WORDS = frozenset(
    "a about above after again against all almost alone along already also although always am among an "
    "and another any anybody anyone anything are around as ask at away back be became because become "
    "been before began being below between both but by came can cannot come could did do does doing done "
    "down during each either else enough even ever every everybody everyone everything few first for from "
    "further gave get give go goes going gone got had has have having he her here hers herself him himself "
    "his how however i if in indeed into is it its itself just know last least less let like little look "
    "made make many may maybe me might mine more most much must my myself near nearly neither never no nobody "
    "none nor not nothing now of off often oh on once one only onto or other others our ours ourselves out over "
    "own perhaps put quite rather really said same saw say says see seem seemed seems shall she should since "
    "so some somebody someone something still such take than that the their theirs them themselves then there "
    "therefore these they thing things this those though through thus to together too toward towards two "
    "under until up upon us very was we well went were what whatever when whenever where whether which while "
    "who whoever whole whom whose why will with within without would yes yet you your yours yourself "
    "yourselves ain't aren't can't couldn't didn't doesn't don't hadn't hasn't haven't he's i'd i'll i'm i've "
    "isn't it's let's mustn't shan't she's shouldn't that's there's they're wasn't we're weren't won't "
    "wouldn't you're".split()
)


# How reports written by a model (and ours, after them) name the sources of a sentence.
DATA_REFERENCE = re.compile(r" ?\[Data:([^\[\]]{0,2000})\]", re.IGNORECASE)
HONORIFICS = frozenset("mr mrs ms dr st sir prof rev lt col gen capt messrs jr".split())
LONG_SENTENCE = 300
"""Characters."""
_INNER_STOP = re.compile(r"(?<=[a-z]{2})[.!?…]+[\"”’»]*\s+(?=[\"“‘«]?[^\W\d_a-z])")

# Whose rules for full stops hold in a script: abbreviations, initials, dates.
_LANGUAGES = {"ru": re.compile(r"[\u0400-\u04ff]"), "el": re.compile(r"[\u0370-\u03ff]")}
_GERMAN = re.compile(r"\b(?:und|der|das|ist|nicht|wurde|mit|für|auf|ein|eine|von|dem|den|im|zu|er|sie)\b", re.I)
_GERMAN_SIGNS = (" und ", " der ", " ist ", " wurde ", " am ")
_ENGLISH = re.compile(r"\b(?:the|of|and|to|that|is|with|was|he|she)\b", re.I)
_LOOKED_AT = 2000
"""Characters that tell the language of a text."""
# Chinese and Japanese write no space after a full stop: cut there first, but not inside quotation marks,
# for the splitter takes the square of the time over a paragraph of such sentences.
_IDEOGRAPHIC = re.compile(
    r"(?:「[^」]{0,300}」|『[^』]{0,300}』|“[^”]{0,300}”|（[^）]{0,300}）|[^。！？])*+[。！？]*+[」』”’）…]*+\s*"
)
_IDEOGRAPHIC_STOP = re.compile("[。！？]")
# After the end of a quotation: its verb of saying.
_CONTINUES = re.compile(r"(?:이?라[고는며]|하[고며는면였]|고\s|며\s|と|って|という)")
_QUOTED = re.compile(r"[.!?。！？…][\"”’』」»]+\s*$")
_CLOSING = re.compile(r"[)\]）」』”’]+\s*")
# Thai and its neighbours have spaces between clauses and no full stop; Khmer has one of its own.
_CLAUSES = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff](?:[។៕ๆฯ]*\s+|[។៕]+)(?=[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff])"
)
CLAUSE = 80
"""Characters of such clauses that make a sentence."""


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of characters, ``text[start:end]``."""

    start: int
    end: int


def sentences(text: str) -> list[Span]:
    """Split a text into sentences. The spans partition the text: no character is outside one.

    White space belongs to the sentence before it. A paragraph break always ends a sentence. What
    stands in quotation marks is one sentence with what is around it, unless that is long.
    """
    ends: list[int] = []
    position = 0
    for piece in _pieces(text):
        found = text.find(piece, position) if piece.strip() else -1
        if found < 0:
            continue
        if ends:
            ends[-1] = found
        position = found + len(piece)
        ends.append(position)
    if not ends:
        return [Span(0, len(text))] if text else []
    ends[-1] = len(text)
    if not text.isascii():
        ends = sorted({_really(text, end) for end in ends[:-1] if not _goes_on(text, end)} | {len(text)})
    whole = [Span(start, end) for start, end in zip([0, *ends], ends, strict=False) if start < end]
    return [part for span in whole for part in _parts(text, span)]


def _pieces(text: str) -> Iterator[str]:
    """The sentences of a text, roughly: white space may be left out."""
    from sentencex import segment

    language = _language(text[:_LOOKED_AT])
    if not _IDEOGRAPHIC_STOP.search(text):
        yield from segment(language, text)
        return
    for match in _IDEOGRAPHIC.finditer(text):
        yield from segment(language, match.group())


def _language(text: str) -> str:
    """Whose rules split a text: English ones where nothing speaks for others."""
    if not text.isascii():
        letters = max(sum(map(str.isalpha, text)), 1)
        for language, script in _LANGUAGES.items():
            if 2 * len(script.findall(text)) > letters:
                return language
    if not any(word in text for word in _GERMAN_SIGNS):
        return "en"
    return "de" if len(_GERMAN.findall(text)) > 2 * len(_ENGLISH.findall(text)) + 1 else "en"


def _goes_on(text: str, end: int) -> bool:
    """Whether the verb of saying follows on what a Korean or Japanese sentence quotes."""
    return bool(_CONTINUES.match(text, end) and _QUOTED.search(text, max(0, end - 8), end))


def _really(text: str, end: int) -> int:
    """The end of a Korean, Chinese or Japanese sentence, after the brackets that close with it."""
    closing = _CLOSING.match(text, end)
    if not closing or not (HANGUL.search(text, max(0, end - 4), end) or UNSPACED.search(text, max(0, end - 4), end)):
        return end
    return closing.end()


def _parts(text: str, span: Span) -> Iterator[Span]:
    """A long sentence by the sentences inside its quotations, or by its clauses where no stops are written."""
    start = span.start
    if not text.isascii():
        for stop in _CLAUSES.finditer(text, span.start, span.end):
            if stop.end() - start >= CLAUSE or stop.group()[1] in "។៕":
                yield Span(start, stop.end())
                start = stop.end()
    if span.end - start > LONG_SENTENCE:
        for stop in _INNER_STOP.finditer(text, start, span.end):
            last_word = text[start : stop.start()].rpartition(" ")[2]
            if stop.end() < span.end and last_word.lower() not in HONORIFICS:
                yield Span(start, stop.end())
                start = stop.end()
    yield Span(start, span.end)


@lru_cache(maxsize=65536)
def fold(name: str) -> str:
    """The form under which two spellings of a name are the same: NFKC, case folded, one space.

    Never shown to anybody: the display form of a name is kept beside it.
    """
    return fold_text(name)


def fold_text(text: str) -> str:
    """`fold` for texts of any length: it keeps no copy of them."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def holds_name(text: str, name: str) -> bool:
    """Whether a text names something, both folded. Words count whole where words are spaced; what
    follows may be a particle in scripts that write it on to the name."""
    start = text.find(name) if name else -1
    while start >= 0:
        end = start + len(name)
        before, after = text[start - 1 : start], text[end : end + 1]
        if not (before.isalnum() and name[0].isascii()) and not (after.isalnum() and name[-1].isascii()):
            return True
        start = text.find(name, start + 1)
    return False


def without_josa(word: str) -> str:
    """A Korean word without its particle; words of one syllable and other scripts as they are."""
    if not HANGUL.match(word[-1:]):
        return word
    for josa in JOSA:
        stem = word[: -len(josa)]
        if len(stem) >= 2 and word.endswith(josa) and _takes(stem[-1], josa):
            return word if stem[-1] in "으스" and josa == "로" else stem  # 것으로, 스스로
    return word


def _takes(syllable: str, josa: str) -> bool:
    """Whether a particle can stand after a syllable by its sound: 이탈리아 is no 이탈리 with 아."""
    if not HANGUL.match(syllable) or josa.startswith(_AFTER_BOTH):
        return True
    final = (ord(syllable) - _SYLLABLES) % _FINALS
    if josa.startswith(_AFTER_CONSONANT):
        return final != 0 and not (josa.startswith("으") and final == _RIEUL)
    return not josa.startswith(_AFTER_VOWEL) or final == 0 or (josa.startswith("로") and final == _RIEUL)


def search_terms(text: str) -> str:
    """The text as full-text search sees it, on both sides of a match: words joined by spaces.

    Folded by `fold`. Korean words lose their particles, and longer ones are followed by their pairs of
    syllables: compounds are written with spaces or without, and verbs inflect. Runs of scripts
    without word spaces become overlapping pairs of characters. Stemming is left to the index.
    """
    return " ".join(_terms(unicodedata.normalize("NFKC", text).casefold()))


def _terms(text: str) -> Iterator[str]:
    for match in WORD.finditer(text):
        word = match.group()
        if UNSPACED.search(word):
            for run in re.split(f"({UNSPACED.pattern})", word):
                yield from _pairs(run) if UNSPACED.fullmatch(run) else ([run] if run else [])
        elif HANGUL.search(word):
            stem = without_josa(word)
            yield stem
            if len(stem) > 2:
                yield from _pairs(stem)
        else:
            yield word.removesuffix("'s").removesuffix("’s")


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]
