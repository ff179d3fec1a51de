"""The numbers of a text by their value, however they are written.

"12", "twelve", "twelfth", "12th" and "a dozen" are one number, as are "1,000" and "a thousand" or
"3.5 million" and "3,500,000": an answer may write a number otherwise than its source. "One" and "first"
are hardly ever meant as numbers and are none; the digit 1 is.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

_UNITS = (
    "zero one/first/once/single two/second/twice/both/pair/pairs/couple/couples/twin/twins three/third/thrice "
    "four/fourth five/fifth six/sixth seven/seventh eight/eighth nine/ninth ten/tenth eleven/eleventh "
    "twelve/twelfth/dozen thirteen/thirteenth fourteen/fourteenth fifteen/fifteenth sixteen/sixteenth "
    "seventeen/seventeenth eighteen/eighteenth nineteen/nineteenth"
).split()
_TENS = (
    "twenty/twentieth thirty/thirtieth forty/fortieth fifty/fiftieth sixty/sixtieth seventy/seventieth "
    "eighty/eightieth ninety/ninetieth"
).split()
_VALUES = {word: value for value, words in enumerate(_UNITS) for word in words.split("/")} | {
    word: 10 * ten for ten, words in enumerate(_TENS, start=2) for word in words.split("/")
}
_POWERS = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_SCALES = {form: value for word, value in _POWERS.items() for form in (word, f"{word}th")}
_LOOSE = frozenset("one first once single second both pair pairs couple couples twin twins dozen thrice".split())
"""Words that answer for a number in a source, and are none in an answer: "a second time"."""
_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
_HAN = dict(zip("〇零一二三四五六七八九两兩", (0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 2, 2), strict=True))
_HAN_SCALES = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "萬": 10**4, "億": 10**8, "亿": 10**8}
_HAN_RUN = re.compile(rf"[{''.join(_HAN)}{''.join(_HAN_SCALES)}]+")
_WORDS = _VALUES.keys() | _SCALES.keys()
_STARTS = frozenset("0123456789") | _HAN.keys() | _HAN_SCALES.keys()
_TOKEN = re.compile(r"(?P<digits>\d+(?:[.,]\d+)*)(?P<years>s\b|['’]s\b)?|[A-Za-z]+|[^\w\s-]")
_RANGE = re.compile(r"\b(\d{2})(\d{2})\s?[-–—]+\s?(\d{2})\b(?![.,]?\d)")
_DECADE = re.compile(r"\b(\d{3}0)['’]?s\b")


@dataclass(frozen=True, slots=True)
class Number:
    """A number as a text has it."""

    value: float
    written: str
    spelt: bool
    """In words that may mean something else: "second", "both"."""


def may_have(words: Iterable[str]) -> bool:
    """Whether any of these words may be a number or part of one; cheaper than looking for them."""
    return any(map(_may_be, words))


@lru_cache(maxsize=1 << 16)
def _may_be(word: str) -> bool:
    return (
        word.lower() in _WORDS
        or _ROMAN.keys() >= set(word)
        or not _STARTS.isdisjoint(word if word[0] > "z" else word[0])
    )


def numbers(text: str) -> list[Number]:
    """The numbers of a text, in order. A decade counts as the year that it begins with."""
    return [*_western(text), *_chinese(text)]


def stated(text: str) -> list[Number]:
    """Those that a source must have too: not "one", nor words that are only sometimes a number."""
    spans = [match.group() for match in _DECADE.finditer(text)]
    return [number for number in numbers(text) if not number.spelt or number.written in spans]


def values(text: str) -> frozenset[float]:
    """All the numbers that a source may be said to state, by value; also the Roman ones, and the
    second year of "1914–18"."""
    found = {number.value for number in numbers(text)}
    found |= {int(century + last) for century, _, last in _RANGE.findall(text)}
    found |= {_roman(word) for word in re.findall(r"\b[IVXLC]{1,7}\b", text)}
    return frozenset(found)


def holds(values: frozenset[float], number: Number) -> bool:
    """Whether a source with these numbers has this one; a decade is borne out by any year in it."""
    if number.value in values:
        return True
    is_decade = number.written.endswith("s") and number.written[:1].isdigit()
    return is_decade and any(number.value <= value < number.value + 10 for value in values)


def _western(text: str) -> Iterator[Number]:
    parts: list[str] = []
    total = current = 0.0
    for match in [*_TOKEN.finditer(text), None]:
        word = match.group().lower() if match else ""
        if match and match["digits"] and not (parts and parts[-1][0].isdigit()):
            if parts and not parts[-1][0].isdigit():
                yield from _closed(total + current, parts)
                parts, total, current = [], 0.0, 0.0
            parts, current = [match.group()], _digits(match["digits"])
        elif word in _SCALES and (parts or word):
            scale = _SCALES[word]
            current = (current if parts and current else 1.0) * scale
            total, current = (total + current, 0.0) if scale > 100 else (total, current)
            parts.append(word)
        elif word in _VALUES and _joins(parts, current, _VALUES[word]):
            current += _VALUES[word]
            parts.append(word)
        elif word == "and" and parts and parts[-1] in _SCALES:
            continue
        else:
            if parts:
                yield from _closed(total + current, parts)
                parts, total, current = [], 0.0, 0.0
            if match and match["digits"]:
                parts, current = [match.group()], _digits(match["digits"])
            elif word in _VALUES:
                parts, current = [word], float(_VALUES[word])


def _joins(parts: list[str], current: float, value: int) -> bool:
    """Whether a number word goes on with the number before it: "twenty" and "six", "hundred" and "ten"."""
    if not parts or parts[-1][0].isdigit():
        return False
    after_ten = parts[-1] in _VALUES and current % 100 >= 20 and current % 10 == 0 and 0 < value < 10
    return parts[-1] in _SCALES or after_ten


def _closed(value: float, parts: list[str]) -> Iterator[Number]:
    if parts:
        loose = len(parts) == 1 and parts[0] in _LOOSE
        yield Number(value, " ".join(parts), loose)


def _digits(written: str) -> float:
    """ "1,000" and "1.000.000" are whole; "3.5" and "3,5" are not."""
    groups = re.split(r"[.,]", written)
    whole = len(groups) > 1 and all(len(group) == 3 for group in groups[1:]) and ("," in written or len(groups) > 2)
    if whole or len(groups) > 2:
        return float("".join(groups))
    return float(".".join(groups))


def _chinese(text: str) -> Iterator[Number]:
    for match in _HAN_RUN.finditer(text):
        run = match.group()
        if run not in _HAN_SCALES or run == "十":
            yield Number(_han(run), run, spelt=True)


def _han(run: str) -> float:
    if not set(run) & _HAN_SCALES.keys():
        return float("".join(str(_HAN[c]) for c in run))
    total = section = digit = 0
    for c in run:
        if c in _HAN:
            digit = _HAN[c]
        elif _HAN_SCALES[c] >= 10**4:
            total += max(section + digit, 1) * _HAN_SCALES[c]
            section = digit = 0
        else:
            section += max(digit, 1) * _HAN_SCALES[c]
            digit = 0
    return float(total + section + digit)


def _roman(word: str) -> int:
    each = [_ROMAN[c] for c in word]
    return sum(-a if a < b else a for a, b in zip(each, [*each[1:], 0], strict=True))
