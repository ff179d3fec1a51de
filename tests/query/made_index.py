"""Indexes of a few passages whose every tie is made by hand, to see what each part of retrieval does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from made_reports import MadeReader

from graphrag.language import search_terms
from graphrag.query.retrieval import Retriever
from graphrag.records import Document, Entity, Fact, Relationship, TextUnit
from graphrag.settings import RetrievalSettings
from graphrag.storage.base import Build
from graphrag.storage.schema import EMBEDDED, TABLES, Record, Searchable, to_table

NOTHING = RetrievalSettings(
    full_text=0, names=0, facts=0, passages=0, relationships=0, synonyms=0, focus=0, clauses=False, bridges=0
)
"""Every part turned off."""


class AxisEmbedder:
    """Every word has an axis of its own: cosines are exact. Words of another vocabulary are refused."""

    name = "axes"

    def __init__(self, vocabulary: str) -> None:
        self._axes = {word: axis for axis, word in enumerate(dict.fromkeys(search_terms(vocabulary).split()))}
        self.dimensions = len(self._axes)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in enumerate(texts):
            np.add.at(vectors[row], [self._axes[word] for word in search_terms(text).split()], 1)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


@dataclass(frozen=True)
class Passage:
    """A text unit, the names in it, and what its vector is made of if not its text."""

    text: str
    names: tuple[str, ...] = ()
    meaning: str = ""


class MadeIndex(MadeReader):
    """A `Reader` of passages u0, u1, …, the entities that they name, and what ties these.

    `facts`: texts, each with the names of the entities that it is about. `related`: pairs of names.
    `synonyms`: of a name, those that mean nearly the same.
    """

    def __init__(
        self,
        passages: Sequence[Passage],
        embedder: AxisEmbedder,
        facts: Mapping[str, tuple[str, ...]] | None = None,
        related: Sequence[tuple[str, str]] = (),
        synonyms: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self.embedder = embedder
        facts, ids = facts or {}, {name: f"e {name}" for passage in passages for name in passage.names}
        ids |= {name: f"e {name}" for about in facts.values() for name in about}
        tied = {name: tuple(ids[other] for other in others) for name, others in (synonyms or {}).items()}
        units = [
            TextUnit(f"u{n}", passage.text, 9, "d", entity_ids=tuple(ids[name] for name in passage.names))
            for n, passage in enumerate(passages)
        ]
        where = {name: tuple(u.id for u, p in zip(units, passages, strict=True) if name in p.names) for name in ids}
        records: dict[str, Sequence[Record]] = {
            "documents": [Document("d", "", "")],
            "text_units": units,
            "entities": [Entity(ids[n], n, "", "", where[n], synonym_ids=tied.get(n, ())) for n in ids],
            "relationships": [Relationship(f"r{n}", *ends, "", 1.0) for n, ends in enumerate(related)],
            "facts": [
                Fact(f"f{n}", text, tuple(ids[name] for name in about), ())
                for n, (text, about) in enumerate(facts.items())
            ],
        }
        said = {"text_units": [(p.text, p.meaning or p.text) for p in passages], "facts": [(f, f) for f in facts]}
        said["entities"] = [("", "")] * len(ids)
        self.build = Build("", "import", embedder.name, embedder.dimensions, "", {})
        self._tables = {
            name: to_table(
                name, records.get(name, []), self._searchable(said.get(name, [])) if name in EMBEDDED else None
            )
            for name in TABLES
        }

    def _searchable(self, said: Sequence[tuple[str, str]]) -> Searchable:
        return Searchable([text for text, _ in said], self.embedder.embed([meaning for _, meaning in said]))

    def found(self, question: str, k: int = 9, **switched_on: object) -> list[str]:
        """The ids of the text units that local search comes to, best first, with only some parts turned on."""
        settings = RetrievalSettings.model_validate(NOTHING.model_dump() | switched_on)
        return [hit.id for hit in self.retriever(settings).local(question, k).text_units]

    def retriever(self, settings: RetrievalSettings) -> Retriever:
        """One for this index."""
        return Retriever(self, self.embedder, settings)
