"""Retrieval: which text units, entities and reports a question is about. No model is asked.

`hybrid` fuses vector and full-text search by reciprocal ranks. `local` spreads what it finds over the
graph of passages and entities, and walks a second time, among the best, towards what is asked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from graphrag.answers import RetrievedUnit
from graphrag.models.base import Embedder
from graphrag.models.embedded import reads
from graphrag.query import decomposing, mentions, passage_graph, surroundings
from graphrag.query.focusing import Focusing
from graphrag.query.fusing import fuse
from graphrag.query.mentions import Mentions
from graphrag.query.passage_graph import PassageGraph
from graphrag.query.ranked import highest
from graphrag.query.row_cache import RowCache
from graphrag.query.seeding import Asked, Seeding
from graphrag.query.surroundings import Surroundings
from graphrag.settings import RetrievalSettings
from graphrag.storage.base import Hit, Reader

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DEPTH = 100
"""How far down each ranking fusion looks, and how many passages seed the walk."""
CONSTANT = 3
"""Of reciprocal rank fusion: small, so that the first of each ranking count most. With 60, fusing was worse
than vectors alone on two-hop questions."""
MOST_QUESTIONS = 64
"""Whose names are kept: the steps of a search ask for those of the same few."""


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """What a local search found, best first."""

    text_units: list[Hit]
    entities: list[Hit]


class Retriever:
    """Searches one version of an index."""

    def __init__(self, reader: Reader, embedder: Embedder, settings: RetrievalSettings) -> None:
        self.reader = reader
        self.kept = RowCache(reader)
        """For rows that are read by their ids."""
        self.embedder = embedder
        self._settings = settings
        self._mentions = lru_cache(MOST_QUESTIONS)(self._find_mentions)

    def vector(self, question: str) -> "NDArray[np.float32]":
        """The question's embedding."""
        return self.embedder.embed([question])[0]

    def hybrid(self, table: str, question: str, k: int) -> list[Hit]:
        """The k best rows of a searchable table by vector and full-text search, fused."""
        return self._fused(table, question, self.vector(question), max(k, DEPTH))[:k]

    def local(self, question: str, k: int, focus: Iterable[str] = ()) -> Neighbourhood:
        """The k text units and the k entities that a walk from the question comes to most.

        The walk starts from the entities that the question names, those of the facts nearest to
        it, those in `focus` (entity ids), and the passages most like it. A second one, among the
        best text units of the first, goes towards what the question asks beside its names.
        """
        asked = self._take_apart(question)
        seeds = self._seeds(asked, focus)
        if not seeds.any():
            return Neighbourhood([], [])
        rank = self.graph.walk(seeds, self._settings.damping)
        if self._settings.focus and self._reads(question):
            rank = Focusing(self.reader, self.graph, self.embedder, self._settings).rank(asked, seeds, rank, k)
        split = len(self.graph.unit_ids)
        return Neighbourhood(_best(self.graph.unit_ids, rank[:split], k), _best(self.graph.entity_ids, rank[split:], k))

    def names_in(self, question: str) -> list[int]:
        """Positions in the graph of the entities that a question names, without repeats."""
        return list(self._mentions(question).entities)

    def entity_ids_in(self, question: str) -> list[str]:
        """Ids of the entities that a question names."""
        return [self.graph.entity_ids[place - len(self.graph.unit_ids)] for place in self.names_in(question)]

    def units(self, hits: Sequence[Hit]) -> list[RetrievedUnit]:
        """The text units of some hits, in their order, with the documents they are from."""
        rows = self.kept.rows("text_units", [hit.id for hit in hits], ["id", "text", "document_id"])
        documents = self._documents([row["document_id"] for row in rows])
        scores = {hit.id: hit.score for hit in hits}
        return [
            RetrievedUnit(
                text_unit_id=row["id"],
                score=scores[row["id"]],
                text=row["text"],
                document_id=row["document_id"],
                document_title=documents.get(row["document_id"], ("", ""))[0],
                source_id=documents.get(row["document_id"], ("", ""))[1],
            )
            for row in rows
        ]

    @cached_property
    def graph(self) -> PassageGraph:
        """The graph of passages and entities, read at first use."""
        return passage_graph.load(self.reader, self._settings)

    @cached_property
    def surroundings(self) -> Surroundings:
        """What lies around every entity, read at first use."""
        return surroundings.load(self.reader, self.graph)

    def _documents(self, ids: Iterable[str]) -> dict[str, tuple[str, str]]:
        rows = self.kept.rows("documents", list(dict.fromkeys(ids)), ["id", "title", "source_id"])
        return {row["id"]: (row["title"], row["source_id"]) for row in rows}

    def _find_mentions(self, question: str) -> Mentions:
        return mentions.find(question, self.graph.named)

    def _take_apart(self, question: str) -> Asked:
        """The question as the searches see it, all that is embedded of it in one go."""
        named = self._mentions(question)
        rest = decomposing.rest(question, named.spans)
        clauses = decomposing.clauses(question) if self._settings.clauses else []
        texts = list(dict.fromkeys([question, rest, *clauses]))
        vectors = dict(zip(texts, self.embedder.embed(texts), strict=True))
        return Asked(
            question, named.entities, rest, vectors[question], vectors[rest], tuple(vectors[text] for text in clauses)
        )

    def _seeds(self, asked: Asked, focus: Iterable[str]) -> "NDArray[np.float64]":
        passages = self._fused("text_units", asked.text, asked.between, DEPTH)
        settings = self._settings if self._reads(asked.text) else self._settings.model_copy(update={"facts": 0})
        return Seeding(self.reader, self.graph, settings).seeds(asked, focus, passages)

    def _reads(self, text: str) -> bool:
        """Whether the embedder knows the script of a text; if not, its words alone say what it is about."""
        return reads(self.embedder.name, text)

    def _fused(self, table: str, text: str, vector: "NDArray[np.float32]", depth: int) -> list[Hit]:
        """Vector and full-text search fused so that only the first of each count."""
        matching = self.reader.matching(table, text, depth) if self._settings.full_text else []
        if matching and not self._reads(text):
            return matching
        nearest = self.reader.nearest(table, vector, depth)
        return fuse([nearest, matching], CONSTANT, self._settings.full_text) if matching else nearest


def _best(ids: Sequence[str], scores: "NDArray[np.float64]", k: int) -> list[Hit]:
    best = highest(scores, k)
    places: list[int] = best.tolist()
    return [Hit(ids[place], float(score)) for place, score in zip(places, scores[best], strict=True)]
