"""Tie entities that the model related to nothing to those named in the same sentence.

A model leaves out what it takes to be of little weight, and an entity without a relationship is
lost to every walk over the graph. That a sentence names two entities costs no model to see, and
the sentence itself says what they have to do with each other.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from graphrag.language import fold, fold_text, holds_name, sentences
from graphrag.records import ExtractedRelationship, Extraction, TextUnit

PARTNERS = 2
"""Entities that a lonely one is tied to at most: those it shares most sentences with."""
WEIGHT = 1.0
"""Of such a relationship: that of the weakest a model writes."""


@dataclass(frozen=True, slots=True)
class _Meeting:
    """Two names, folded, in a sentence of a text unit."""

    lonely: str
    partner: str
    text_unit_id: str
    sentence: str


def connect(extractions: Sequence[Extraction], text_units: Sequence[TextUnit]) -> list[Extraction]:
    """The extractions, with a relationship for every entity that had none and shares a sentence with
    another of its text unit. Its description is that sentence."""
    tied = {fold(end) for found in extractions for edge in found.relationships for end in (edge.source, edge.target)}
    shown: dict[str, str] = {}
    for found in extractions:
        for entity in found.entities:
            shown.setdefault(fold(entity.name), entity.name)
    lonely = shown.keys() - tied
    texts = {unit.id: unit.text for unit in text_units}
    meetings = [meeting for found in extractions for meeting in _meetings(found, texts[found.text_unit_id], lonely)]
    added: defaultdict[str, list[ExtractedRelationship]] = defaultdict(list)
    for meeting in _chosen(meetings):
        edge = ExtractedRelationship(shown[meeting.lonely], shown[meeting.partner], meeting.sentence, WEIGHT)
        added[meeting.text_unit_id].append(edge)
    return [replace(found, relationships=(*found.relationships, *added[found.text_unit_id])) for found in extractions]


def _meetings(found: Extraction, text: str, lonely: set[str]) -> Iterator[_Meeting]:
    names = sorted({fold(entity.name) for entity in found.entities})
    if lonely.isdisjoint(names):
        return
    for span in sentences(text):
        sentence = " ".join(text[span.start : span.end].split())
        folded = fold_text(sentence)
        present = [name for name in names if holds_name(folded, name)]
        for name in present:
            if name in lonely:
                # "Scrooge's nephew" does not meet "Scrooge": they are one mention.
                yield from (
                    _Meeting(name, partner, found.text_unit_id, sentence)
                    for partner in present
                    if partner not in name and name not in partner
                )


def _chosen(meetings: Sequence[_Meeting]) -> Iterator[_Meeting]:
    """Of each lonely name the first meeting with each of its PARTNERS, whatever the order of text
    units; of partners met as often, the one that is met least by others says most."""
    often = Counter((meeting.lonely, meeting.partner) for meeting in meetings)
    known = Counter(partner for _, partner in often)
    partners: defaultdict[str, list[str]] = defaultdict(list)
    for lonely, partner in sorted(often, key=lambda pair: (-often[pair], known[pair[1]], pair)):
        if len(partners[lonely]) < PARTNERS and lonely not in partners[partner]:
            partners[lonely].append(partner)
    first: dict[tuple[str, str], _Meeting] = {}
    for meeting in sorted(meetings, key=lambda meeting: (meeting.text_unit_id, meeting.sentence)):
        first.setdefault((meeting.lonely, meeting.partner), meeting)
    for lonely in sorted(partners):
        yield from (first[lonely, partner] for partner in partners[lonely])
