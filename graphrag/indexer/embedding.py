"""Embed what is searched: text units, facts, entities and reports.

What is embedded is a little more than what is stored: a passage with its title and headings, a
fact with the names that its sentence leaves out. A vector then says what its text is about even
where the text does not (contextual retrieval).
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from graphrag.language import DATA_REFERENCE, fold
from graphrag.models.base import Embedder
from graphrag.progress import Progress
from graphrag.records import Document, Entity, Fact, Index, TextUnit
from graphrag.storage.schema import Searchable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BATCH = 128
"""Texts embedded at once, for progress to show, unless an embedder says by `at_once` that it takes more."""
DESCRIPTION_CHARACTERS = 200
"""As much of an entity's description as its vector is made from."""


def of_facts(facts: Sequence[Fact], entities: Sequence[Entity], embedder: Embedder, progress: Progress) -> Searchable:
    """The facts as searches see them."""
    texts = list(_fact_texts(facts, entities))
    return Searchable(texts, _embed(texts, embedder, progress, "Embedding facts"), texts)


def of_rest(index: Index, embedder: Embedder, progress: Progress) -> dict[str, Searchable]:
    """Text units, entities and reports as searches see them, by table."""
    units = list(_text_unit_texts(index.text_units, index.documents))
    entities = [f"{e.title}: {e.description[:DESCRIPTION_CHARACTERS]}" for e in index.entities]
    reports = [f"{report.title}. {report.summary}" for report in index.community_reports]
    return {
        "text_units": Searchable(units, _embed(units, embedder, progress, "Embedding text units"), units),
        "entities": Searchable(
            [f"{entity.title} {entity.description}" for entity in index.entities],
            _embed(entities, embedder, progress, "Embedding entities"),
            entities,
        ),
        "community_reports": Searchable(
            # Numbers of records say nothing of what a report is about.
            [DATA_REFERENCE.sub("", report.full_content) for report in index.community_reports],
            _embed(reports, embedder, progress, "Embedding reports"),
            reports,
        ),
    }


def _embed(texts: Sequence[str], embedder: Embedder, progress: Progress, stage: str) -> "NDArray[np.float32]":
    """Unit vectors, shape (len(texts), dimensions); a text that occurs twice is embedded once."""
    import numpy as np

    unique = list(dict.fromkeys(texts))
    size = getattr(embedder, "at_once", BATCH)
    vectors = np.empty((len(unique), embedder.dimensions if unique else 0), dtype=np.float32)
    progress(stage, 0, len(unique))
    for start in range(0, len(unique), size):
        vectors[start : start + size] = embedder.embed(unique[start : start + size])
        progress(stage, min(start + size, len(unique)), len(unique))
    if len(unique) == len(texts):
        return vectors.reshape(len(texts), embedder.dimensions)
    row = {text: index for index, text in enumerate(unique)}
    return vectors[[row[text] for text in texts]]


def _text_unit_texts(text_units: Sequence[TextUnit], documents: Sequence[Document]) -> Iterator[str]:
    """Title, headings, context and text. A title made from a file name says nothing and is left out."""
    titles = {document.id: document.title for document in documents if document.titled}
    for unit in text_units:
        above = dict.fromkeys(filter(None, [titles.get(unit.document_id), *unit.headings, _ended(unit.context)]))
        yield ". ".join([*above, unit.text])


def _ended(context: str | None) -> str:
    return (context or "").removesuffix(".")


def _fact_texts(facts: Sequence[Fact], entities: Sequence[Entity]) -> Iterator[str]:
    """The statement, after the names of those of its entities that it does not spell out."""
    titles = {entity.id: entity.title for entity in entities}
    for fact in facts:
        text = fold(fact.text)
        names = [titles[id_] for id_ in fact.entity_ids if id_ in titles]
        yield ". ".join([*(name for name in names if fold(name) not in text), fact.text])
