"""Names that the passage before a text unit mentions and it does not, at no cost.

A passage in the middle of a document says "he" of whom the passage before it names. Those names are
taken that it mentions most and that few other passages of the document do (tf-idf within the
document): what other documents say changes nothing, so an edit costs the vector of one more passage.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise

from graphrag.language import fold, fold_text, holds_name
from graphrag.records import Entity, TextUnit

MOST = 3
"""Names for each text unit."""


def names_before(text_units: Sequence[TextUnit], entities: Iterable[Entity]) -> dict[str, str]:
    """The names by the id of the text unit, joined by commas, the most telling first. The first text
    unit of a document has none, nor has one that spells out all that the one before names.

    `text_units` are in reading order, with the ids of their entities.
    """
    called = {entity.id: (entity.title, *entity.aliases) for entity in entities}
    found: dict[str, str] = {}
    for _, group in groupby(text_units, key=lambda unit: unit.document_id):
        units = list(group)
        spread = Counter(id_ for unit in units for id_ in unit.entity_ids)
        weights = {id_: math.log(1 + len(units) / n) for id_, n in spread.items() if id_ in called}
        for before, unit in pairwise(units):
            others = [id_ for id_ in before.entity_ids if id_ in weights and id_ not in unit.entity_ids]
            names = _ranked(before, {name: weights[id_] for id_ in others if (name := _written(before, called[id_]))})
            if told := [*_unsaid(unit, names)][:MOST]:
                found[unit.id] = ", ".join(told)
    return found


def _written(unit: TextUnit, names: Iterable[str]) -> str | None:
    """The first of an entity's names that a text unit writes: others may be of other documents, which not
    everybody who reads this one may see."""
    text = fold_text(unit.text)
    return next((name for name in names if holds_name(text, fold(name))), None)


def _ranked(unit: TextUnit, weights: dict[str, float]) -> list[str]:
    """Names by how often a text unit mentions them times what a mention weighs."""
    text = fold_text(unit.text)
    worth = {name: weight * max(1, text.count(fold(name))) for name, weight in weights.items()}
    return sorted(worth, key=lambda name: (-worth[name], name))


def _unsaid(unit: TextUnit, names: Iterable[str]) -> Iterator[str]:
    said = fold_text(" ".join((unit.text, *unit.headings)))
    return (name for name in names if not holds_name(said, fold(name)))
