"""Hold what a model says it found against the passages it was given.

A name of which no word is in the passages was invented, or copied from the instructions, and is
dropped, as is what repeats the instructions; a passage number that was not given is ignored. Where
the model names no passage that holds a record, the text itself is asked.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphrag.indexer.echoes import Instructions
from graphrag.indexer.windows import Window
from graphrag.language import FUNCTION_WORDS, WORD, fold, fold_text, holds_name, sentences
from graphrag.models.replies import GraphReply, to_score
from graphrag.records import ExtractedClaim, ExtractedEntity, ExtractedRelationship, Extraction

STRENGTHS = (1.0, 10.0)
MIDDLING = 5.0
"""The strength of a relationship whose own cannot be read."""
LONGEST_NAME = 200
"""Characters; what is longer is not a name."""
LONGEST_LABEL = 60
"""Characters of a type, a status or a date."""
TELLING = 3
"""Letters of a word that must be in the text for a name to count as found there."""
SHORT = 5
"""Shorter words are in many others by chance: they must be words of the text."""

SENTENCE = 9
"""Words: that many, closed by a full stop, are no name."""

PRONOUNS = frozenset("i me he him she her it they them we us you his hers its their who this that these those".split())

_ENDS = (".", "!", "?", ";")
_YEAR = re.compile(r"(?<![\d.,])1\d{3}(?![\d.,]\d|\d)|(?<![\d.,])20\d{2}(?![\d.,]\d|\d)")
_CAPITAL = "[A-ZÀ-ÖØ-ÞΑ-ΩА-Я]"
_FULL_NAME = re.compile(rf"(?<!\w){_CAPITAL}\w+(?: {_CAPITAL}\w+)+")
_RANGE = re.compile(r"(\d+)(?:\s*[-–]\s*(\d+))?")


@dataclass(frozen=True, slots=True)
class Grounded:
    """What of a reply the passages bear out."""

    extractions: tuple[Extraction, ...]
    """One a passage, in their order."""
    dropped: int
    """Records that name something which no passage does."""


def ground(window: Window, found: GraphReply, instructions: Instructions | None = None) -> Grounded:
    """The records of a reply to these instructions, by the passages they come from.

    In a window of several documents a record belongs to those that hold its names, and one whose two
    names no document holds to none.

    An entity belongs to every passage that it was found in, by the model or by its name; the
    strength of a relationship is shared out among its passages.
    """
    return _Checker(window, instructions or Instructions("")).check(found)


def share_in_text(text: str, found: GraphReply) -> float:
    """Of the entities of a reply, the share that a text has a telling word of; 1 if there are none."""
    folded = fold_text(text)
    known = [any(_is_in(folded, word) for word in _telling(fold(row[0]))) for row in found.entities]
    return sum(known) / len(known) if known else 1.0


class _Checker:
    def __init__(self, window: Window, instructions: Instructions) -> None:
        self._instructions = instructions
        self._units = [passage.text_unit_id for passage in window.passages]
        self._documents = [passage.document_id for passage in window.passages]
        self._texts = [fold_text(f"{passage.about} {passage.text}") for passage in window.passages]
        self._text = " ".join(self._texts)
        self._places: dict[str, tuple[int, ...]] = {}

    def check(self, found: GraphReply) -> Grounded:
        entities = [list[ExtractedEntity]() for _ in self._units]
        relationships = [list[ExtractedRelationship]() for _ in self._units]
        claims = [list[ExtractedClaim]() for _ in self._units]
        dropped = 0
        for name, kind, passages, description in found.entities:
            places = self._places_of_entity(name, passages)
            dropped += not places
            for place in places:
                entities[place].append(
                    ExtractedEntity(_tidy(name), self._label(kind).lower(), self._told(description, name))
                )
        for source, target, strength, passages, description in found.relationships:
            places = self._places_of_pair(source, target, passages)
            dropped += not places
            weight = _strength(strength) / max(1, len(places))
            for place in places:
                edge = ExtractedRelationship(_tidy(source), _tidy(target), self._told(description, source), weight)
                relationships[place].append(edge)
        for subject, object_, kind, status, date, passages, description in found.claims:
            places = self._places_of_entity(subject, passages)
            dropped += not places
            for place in places[:1]:
                object_ = _tidy(object_) if self._find(object_) else ""
                labels = (self._label(kind), self._label(status), self._label(date))
                claims[place].append(ExtractedClaim(_tidy(subject), object_, *labels, self._told(description, subject)))
        return Grounded(
            tuple(
                Extraction(unit, tuple(entities[i]), tuple(relationships[i]), claims=tuple(claims[i]))
                for i, unit in enumerate(self._units)
            ),
            dropped,
        )

    def _places_of_entity(self, name: str, passages: str) -> tuple[int, ...]:
        """Where the model says and where the name stands; nowhere if the text has no word of it."""
        found = self._find(name)
        if not found:
            return ()
        named = [place for place in found if holds_name(self._texts[place], fold(name))]
        return tuple(sorted({*self._of_same(found, self._cited(passages)), *named})) or found

    def _places_of_pair(self, source: str, target: str, passages: str) -> tuple[int, ...]:
        """Where the model says; else the passages that name both, or either."""
        a, b = self._find(source), self._find(target)
        if not a or not b or fold(source) == fold(target):
            return ()
        both = tuple(sorted(set(a) & set(b)))
        cited = self._of_same(a, self._of_same(b, self._cited(passages)))
        return tuple(cited) or both or tuple(self._of_same(b, a)[:1])

    def _of_same(self, found: Sequence[int], places: Sequence[int]) -> list[int]:
        """The places in documents that hold one of those found: what a model says of one document is not
        put down to another, which may stay when that one is taken out."""
        documents = {self._documents[place] for place in found}
        return [place for place in places if self._documents[place] in documents]

    def _find(self, name: str) -> tuple[int, ...]:
        """The passages that hold a telling word of a name."""
        if _is_pronoun(name):
            return ()
        key = fold(name)
        if key not in self._places:
            is_name = len(key) <= LONGEST_NAME and not _is_sentence(key)
            words = _telling(key) if is_name and not self._instructions.echoed(key, self._text) else []
            self._places[key] = tuple(
                place for place, text in enumerate(self._texts) if any(_is_in(text, word) for word in words)
            )
        return self._places[key]

    def _told(self, description: str, about: str) -> str:
        told = self._instructions.without_echoes(description.strip(), self._text, fold(about))
        if not _is_foreign(told, self._text):
            return told
        parts = [told[span.start : span.end].strip() for span in sentences(told)]
        return " ".join(part for part in parts if not _is_foreign(part, self._text))

    def _label(self, text: str) -> str:
        return "" if self._instructions.echoed(text, self._text) else _tidy(text)[:LONGEST_LABEL]

    def _cited(self, passages: str) -> list[int]:
        return sorted({number - 1 for number in _numbers(passages) if 1 <= number <= len(self._units)})


def _telling(name: str) -> list[str]:
    words: list[str] = WORD.findall(name)
    telling = [word for word in words if len(word) >= TELLING or not word.isascii()]
    return [word for word in telling if word not in FUNCTION_WORDS] or ([name] if name else [])


def _is_sentence(name: str) -> bool:
    """Small models give whole sentences for names."""
    return name.endswith(_ENDS) and len(name.split()) >= SENTENCE


def _is_pronoun(name: str) -> bool:
    """Written as one: "IT" and "WHO" may be names."""
    return fold(name) in PRONOUNS and (len(name) == 1 or not name.isupper())


def _is_foreign(told: str, text: str) -> bool:
    """Whether something names a year, or by several words somebody, of whom the text has no word and
    no initials: models tell what they know by heart."""
    years = any(year not in text for year in _YEAR.findall(told))
    return years or any(not _has_word(text, name) for name in _FULL_NAME.findall(told))


def _has_word(text: str, name: str) -> bool:
    words = [word for word in name.split() if word.casefold() not in FUNCTION_WORDS]
    initials = "".join(word[0] for word in words)
    return len(words) < 2 or any(_is_in(text, word) for word in (*_telling(fold(name)), fold(initials)))


def _is_in(text: str, word: str) -> bool:
    if word not in text or len(word) >= SHORT or not word.isascii():
        return word in text
    return holds_name(text, word) or holds_name(text, f"{word}s")


def _numbers(passages: str) -> Iterator[int]:
    for first, last in _RANGE.findall(passages):
        if len(first) < 6 and len(last) < 6:
            yield from range(int(first), min(int(last or first), int(first) + 99) + 1)


def _strength(text: str) -> float:
    score = to_score(text, *STRENGTHS)
    return MIDDLING if score is None else min(max(score, STRENGTHS[0]), STRENGTHS[1])


def _tidy(name: str) -> str:
    return " ".join(name.split())


def merge(extractions: Sequence[Extraction], unit_ids: Sequence[str]) -> tuple[Extraction, ...]:
    """One Extraction a text unit, in the order of `unit_ids`, from any number of each."""
    of_unit: dict[str, list[Extraction]] = {unit: [] for unit in unit_ids}
    for extraction in extractions:
        of_unit[extraction.text_unit_id].append(extraction)
    return tuple(
        Extraction(
            unit,
            tuple(entity for found in parts for entity in found.entities),
            tuple(edge for found in parts for edge in found.relationships),
            claims=tuple(claim for found in parts for claim in found.claims),
        )
        for unit, parts in of_unit.items()
    )
