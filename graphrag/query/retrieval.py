"""Retrieval: which text units, entities and reports a question is about. No model is asked.

`hybrid` fuses vector and full-text search by reciprocal ranks; `local` spreads what it finds
over the graph of passages and entities.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice
from typing import TYPE_CHECKING

from graphrag.answers import RetrievedUnit
from graphrag.language import UNSPACED, WORD, fold, without_josa
from graphrag.models.base import Embedder
from graphrag.names import WordCase, find_names
from graphrag.query import passage_graph, surroundings
from graphrag.query.passage_graph import PassageGraph
from graphrag.query.row_cache import RowCache
from graphrag.query.surroundings import Surroundings
from graphrag.settings import LocalSettings
from graphrag.storage.base import Hit, Reader

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RRF_CONSTANT = 60
"""Cormack, Clarke and Büttcher 2009."""
SEED_CONSTANT = 3
"""The same for the passages that seed the walk: small, for the walk should start from few."""
FULL_TEXT = 0.5
"""What full-text search weighs there against vector search."""
DEPTH = 100
"""How far down each ranking fusion looks, and how many passages seed the walk."""
LONGEST_NAME = 8
"""Words of an entity's name looked for in a question."""
LOOKED_THROUGH = 2000
"""Characters of a question without capitals that are looked through for names: each of its words might begin one."""
MOST_QUESTIONS = 64
"""Whose names are kept: the steps of a search ask for those of the same few."""


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """What a local search found, best first."""

    text_units: list[Hit]
    entities: list[Hit]


def fuse(rankings: Iterable[Sequence[Hit]], constant: int = RRF_CONSTANT, decay: float = 1.0) -> list[Hit]:
    """Reciprocal rank fusion: score = sum over rankings of weight / (constant + rank), best first.

    The first ranking weighs 1, each later one `decay` times the one before it.
    """
    scores: defaultdict[str, float] = defaultdict(float)
    for place, ranking in enumerate(rankings):
        for rank, hit in enumerate(ranking, start=1):
            scores[hit.id] += decay**place / (constant + rank)
    return [Hit(id_, score) for id_, score in sorted(scores.items(), key=lambda item: (-item[1], item[0]))]


class Retriever:
    """Searches one version of an index."""

    def __init__(self, reader: Reader, embedder: Embedder, settings: LocalSettings) -> None:
        self.reader = reader
        self.kept = RowCache(reader)
        """For rows that are read by their ids."""
        self.embedder = embedder
        self._settings = settings
        self._named = lru_cache(MOST_QUESTIONS)(self._find_named)

    def vector(self, question: str) -> "NDArray[np.float32]":
        """The question's embedding."""
        return self.embedder.embed([question])[0]

    def hybrid(self, table: str, question: str, k: int) -> list[Hit]:
        """The k best rows of a searchable table by vector and full-text search, fused."""
        depth = max(k, DEPTH)
        nearest = self.reader.nearest(table, self.vector(question), depth)
        return fuse([nearest, self.reader.matching(table, question, depth)])[:k]

    def local(self, question: str, k: int, focus: Iterable[str] = ()) -> Neighbourhood:
        """The k text units and the k entities that a walk from the question comes to most.

        The walk starts from the entities that the question names, those of the facts nearest to
        it, those in `focus` (entity ids), and the passages most like it.
        """
        seeds = self._seeds(question, focus)
        if not seeds.any():
            return Neighbourhood([], [])
        rank = self.graph.walk(seeds, self._settings.damping)
        split = len(self.graph.unit_ids)
        return Neighbourhood(_best(self.graph.unit_ids, rank[:split], k), _best(self.graph.entity_ids, rank[split:], k))

    def names_in(self, question: str) -> list[int]:
        """Positions in the graph of the entities that a question names, without repeats.

        A capital marks a name; a question that has none may name anything in it, as far as it is
        looked through.
        """
        return list(self._named(question))

    def entity_ids_in(self, question: str) -> list[str]:
        """Ids of the entities that a question names."""
        return [self.graph.entity_ids[place - len(self.graph.unit_ids)] for place in self.names_in(question)]

    def _find_named(self, question: str) -> tuple[int, ...]:
        capitalised = [question[span.start : span.end] for span in find_names(question, WordCase())]
        found = [self.graph.named[fold(name)] for name in capitalised if fold(name) in self.graph.named]
        return tuple(dict.fromkeys(found or self._any_named(question[:LOOKED_THROUGH])))

    def _any_named(self, question: str) -> Iterator[int]:
        taken: set[int] = set()
        for first, last, name in _spans(question):
            if name in self.graph.named and taken.isdisjoint(range(first, last)):
                taken.update(range(first, last))
                yield self.graph.named[name]

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
        return passage_graph.load(self.reader)

    @cached_property
    def surroundings(self) -> Surroundings:
        """What lies around every entity, read at first use."""
        return surroundings.load(self.reader)

    def _documents(self, ids: Iterable[str]) -> dict[str, tuple[str, str]]:
        rows = self.kept.rows("documents", list(dict.fromkeys(ids)), ["id", "title", "source_id"])
        return {row["id"]: (row["title"], row["source_id"]) for row in rows}

    def _seeds(self, question: str, focus: Iterable[str]) -> "NDArray[np.float64]":
        import numpy as np

        graph, settings = self.graph, self._settings
        vector = self.vector(question)
        seeds = np.zeros(len(graph.position))
        for position, score in self._facts(vector):
            seeds[position] += score
        for position in self.names_in(question):
            seeds[position] += 1.0
        for entity in focus:
            if entity in graph.position:
                seeds[graph.position[entity]] += 1.0
        # An entity that is everywhere leads nowhere in particular.
        seeds /= graph.mentions
        hits = self._passages(question, vector)
        for hit, share in zip(hits, _shares(hits), strict=True):
            seeds[graph.position[hit.id]] += settings.passage_weight * share
        return seeds

    def _passages(self, question: str, vector: "NDArray[np.float32]") -> list[Hit]:
        """Passages by vector and full-text search, fused so that only the first of each count."""
        nearest = self.reader.nearest("text_units", vector, DEPTH)
        return fuse([nearest, self.reader.matching("text_units", question, DEPTH)], SEED_CONSTANT, FULL_TEXT)

    def _facts(self, vector: "NDArray[np.float32]") -> Iterator[tuple[int, float]]:
        """The entities of the nearest facts, each with the likeness of its fact."""
        if not self._settings.facts:
            return
        for hit in self.reader.nearest("facts", vector, self._settings.facts):
            yield from ((position, max(hit.score, 0.0)) for position in self.graph.stated[hit.id])


def _shares(hits: Sequence[Hit]) -> list[float]:
    """Scores scaled to 0..1 within their list, then squared: the first hits count most."""
    scores = [hit.score for hit in hits]
    low, high = min(scores, default=0.0), max(scores, default=0.0)
    return [((score - low) / (high - low)) ** 2 if high > low else 1.0 for score in scores]


def _best(ids: list[str], scores: "NDArray[np.float64]", k: int) -> list[Hit]:
    import numpy as np

    above = np.flatnonzero(scores > 0)
    if 0 < k < len(above):
        # Most are far below: only what may be among the k is sorted.
        above = above[scores[above] >= np.partition(scores[above], len(above) - k)[len(above) - k]]
    order: list[int] = above[np.argsort(-scores[above], kind="stable")][:k].tolist()
    return [Hit(ids[index], float(scores[index])) for index in order]


def _spans(question: str) -> Iterator[tuple[int, int, str]]:
    """Every run of a question's words or unspaced characters that might be a name, longest first."""
    spans: dict[tuple[int, int], list[str]] = {}
    words = list(WORD.finditer(question))
    for first, start in enumerate(words):
        for end in islice(words, first, first + LONGEST_NAME):
            whole = question[start.start() : end.end()]
            spans[start.start(), end.end()] = [fold(whole), fold(_bare(whole))]
    for run in UNSPACED.finditer(question):
        for start in range(run.start(), run.end()):
            for end in range(start + 2, min(run.end(), start + LONGEST_NAME) + 1):
                spans.setdefault((start, end), [fold(question[start:end])])
    for (start, end), names in sorted(spans.items(), key=lambda item: (item[0][0] - item[0][1], item[0])):
        yield from ((start, end, name) for name in dict.fromkeys(names))


def _bare(name: str) -> str:
    return without_josa(name.removesuffix("'s").removesuffix("’s"))
