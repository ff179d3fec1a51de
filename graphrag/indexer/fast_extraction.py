"""Extract entities and relationships from text units without a model.

Entities are the names and key phrases of each sentence. Two of them are related if a sentence
holds both, and the relation weighs what that says: their normalised pointwise mutual
information (Bouma 2009), so that a pair that keeps company by choice outweighs a pair of words
that are simply everywhere. The title of a document is taken as the subject of its first text
unit, which is how encyclopedias, web pages and reports are written.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from graphrag.indexer.key_phrases import PhraseCounts, count_phrases, find_key_phrases
from graphrag.language import Span, fold, sentences
from graphrag.names import WordCase, count_case, find_names
from graphrag.records import Document, ExtractedEntity, ExtractedRelationship, ExtractedStatement, Extraction, TextUnit
from graphrag.settings import ExtractionSettings

NAME = "NAME"
KEY_PHRASE = "KEY PHRASE"
TITLE = "TITLE"
WINDOW = 2
"""In a sentence that lists many names, each is related to the next few only."""
LEAST_WEIGHT = 0.05


@dataclass(frozen=True, slots=True)
class Mention:
    """A name or key phrase in a sentence."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class MentionSentence:
    """A sentence, what it mentions in order, and the title it is about (or None)."""

    text_unit_id: str
    text: str
    mentions: tuple[Mention, ...]
    topic: str | None


def extract(
    documents: Sequence[Document], text_units: Sequence[TextUnit], settings: ExtractionSettings
) -> list[Extraction]:
    """One Extraction a text unit, in order; empty where a text unit names nothing."""
    found = read_sentences(documents, text_units, settings)
    weigh = _Association(found)
    by_unit: dict[str, list[MentionSentence]] = {unit.id: [] for unit in text_units}
    for sentence in found:
        by_unit[sentence.text_unit_id].append(sentence)
    return [_extraction(unit_id, group, weigh) for unit_id, group in by_unit.items()]


def read_sentences(
    documents: Sequence[Document], text_units: Sequence[TextUnit], settings: ExtractionSettings
) -> list[MentionSentence]:
    """Every sentence of the text units with what it mentions.

    Two passes: the collection is counted before any phrase is judged.
    """
    split = [(unit, [unit.text[s.start : s.end] for s in sentences(unit.text)]) for unit in text_units]
    case = count_case(sentence for _, group in split for sentence in group)
    counts = count_phrases(group for _, group in split)
    topics = _topics(documents, text_units)
    return [
        MentionSentence(
            unit.id, " ".join(text.split()), tuple(_mentions(text, case, counts, settings)), topics.get(unit.id)
        )
        for unit, group in split
        for text in group
    ]


def _topics(documents: Sequence[Document], text_units: Iterable[TextUnit]) -> dict[str, str]:
    """The title that each document's first text unit is about, where the input gave one."""
    titles = {document.id: document.title for document in documents if document.titled}
    topics: dict[str, str] = {}
    for unit in text_units:
        title = titles.pop(unit.document_id, None)
        if title:
            topics[unit.id] = title
    return topics


def _mentions(sentence: str, case: WordCase, counts: PhraseCounts, settings: ExtractionSettings) -> Iterator[Mention]:
    names = list(find_names(sentence, case))
    phrases = find_key_phrases(sentence, counts, settings.min_phrase_count)
    spans = [(span, NAME) for span in names]
    spans += [(span, KEY_PHRASE) for span in phrases if not any(_overlap(span, name) for name in names)]
    seen: set[str] = set()
    for span, kind in sorted(spans, key=lambda item: item[0].start):
        name = " ".join(sentence[span.start : span.end].split())
        if fold(name) not in seen:
            seen.add(fold(name))
            yield Mention(name, kind)


def _overlap(a: Span, b: Span) -> bool:
    return a.start < b.end and b.start < a.end


def _pairs(sentence: MentionSentence) -> Iterator[tuple[str, str]]:
    names = [mention.name for mention in sentence.mentions]
    topic = sentence.topic
    if topic:
        yield from ((topic, name) for name in names if fold(name) != fold(topic))
    for distance in range(1, WINDOW + 1):
        for a, b in zip(names, names[distance:], strict=False):
            if not (topic and fold(topic) in (fold(a), fold(b))):
                yield a, b


class _Association:
    """Normalised pointwise mutual information of two names over the sentences of a collection."""

    def __init__(self, found: Sequence[MentionSentence]) -> None:
        self._total = len(found)
        self._single: Counter[str] = Counter()
        self._pair: Counter[frozenset[str]] = Counter()
        for sentence in found:
            names = {fold(mention.name) for mention in sentence.mentions}
            if sentence.topic:
                names.add(fold(sentence.topic))
            self._single.update(names)
            self._pair.update(frozenset((fold(a), fold(b))) for a, b in _pairs(sentence))

    def __call__(self, a: str, b: str) -> float:
        """What one meeting of two names weighs, so that all n of them weigh npmi * log2(1 + n).

        NPMI is between LEAST_WEIGHT (they meet no more than chance has it) and 1 (never apart).
        """
        count = self._pair[frozenset((fold(a), fold(b)))]
        together = count / self._total
        if together >= 1:
            npmi = 1.0
        else:
            apart = (self._single[fold(a)] / self._total) * (self._single[fold(b)] / self._total)
            npmi = max(LEAST_WEIGHT, math.log(together / apart) / -math.log(together))
        return npmi * math.log2(1 + count) / count


def _extraction(unit_id: str, group: Sequence[MentionSentence], weigh: _Association) -> Extraction:
    entities: list[ExtractedEntity] = []
    relationships: list[ExtractedRelationship] = []
    for sentence in group:
        entities += [ExtractedEntity(mention.name, mention.type, sentence.text) for mention in sentence.mentions]
        relationships += [ExtractedRelationship(a, b, sentence.text, weigh(a, b)) for a, b in _pairs(sentence)]
    if group and group[0].topic:
        entities.insert(0, ExtractedEntity(group[0].topic, TITLE, group[0].text))
    return Extraction(unit_id, tuple(entities), tuple(relationships), tuple(_statements(group)))


def _statements(group: Iterable[MentionSentence]) -> Iterator[ExtractedStatement]:
    """The sentences that are about something, with all that they mention."""
    for sentence in group:
        names = [mention.name for mention in sentence.mentions]
        if sentence.topic:
            names.insert(0, sentence.topic)
        if names and sentence.text:
            yield ExtractedStatement(sentence.text, tuple(names))
