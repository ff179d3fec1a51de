"""Where the walk of a local search starts: what the question names, the facts nearest to it, the
passages most like it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphrag.query.fusing import shares
from graphrag.query.passage_graph import PassageGraph
from graphrag.settings import RetrievalSettings
from graphrag.storage.base import Hit, Reader

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CLAUSE = 0.95
"""What a fact's likeness to a clause counts against that to the whole question."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as the searches see it."""

    text: str
    named: tuple[int, ...]
    """Nodes of the entities that it names."""
    rest: str
    """What it asks beside the names in it."""
    whole: "NDArray[np.float32]"
    left: "NDArray[np.float32]"
    """The vector of `rest`."""
    clauses: "tuple[NDArray[np.float32], ...]"

    @property
    def between(self) -> "NDArray[np.float32]":
        """The vector between those of the question and of its rest: as near to what it asks as to what it names."""
        import numpy as np

        both = self.whole + self.left
        return both / max(float(np.linalg.norm(both)), 1e-9)


@dataclass(frozen=True, slots=True)
class Seeding:
    """Makes the seeds of one question after the other."""

    reader: Reader
    graph: PassageGraph
    settings: RetrievalSettings

    def seeds(self, asked: Asked, focus: Iterable[str], passages: list[Hit]) -> "NDArray[np.float64]":
        """The seed of each node, shape (nodes,): of entities by how few text units mention them, for one
        that is everywhere leads nowhere in particular. `focus`: ids of further entities."""
        import numpy as np

        graph, settings = self.graph, self.settings
        seeds = np.zeros(len(graph.mentions))
        for node, score in self._facts(asked):
            seeds[node] += score
        seeds[list(asked.named)] += settings.names
        seeds[[graph.position[entity] for entity in focus if entity in graph.position]] += 1.0
        named = np.flatnonzero(seeds > 0)
        seeds[named] /= graph.mentions[named] ** settings.hubs
        for hit, share in zip(passages, shares([hit.score for hit in passages]), strict=True):
            seeds[graph.position[hit.id]] += settings.passages * share
        return seeds

    def _facts(self, asked: Asked) -> Iterator[tuple[int, float]]:
        """The entities of the nearest facts, each with what its fact counts."""
        hits = self._nearest_facts(asked) if self.settings.facts else []
        for hit, share in zip(hits, shares([hit.score for hit in hits]), strict=True):
            score = share * max(hits[0].score, 0.0)
            yield from ((node, score) for node in self.graph.stated[hit.id])

    def _nearest_facts(self, asked: Asked) -> list[Hit]:
        hits = {hit.id: hit for hit in self.reader.nearest("facts", asked.whole, self.settings.facts)}
        for clause in asked.clauses:
            for hit in self.reader.nearest("facts", clause, self.settings.facts):
                score = max(CLAUSE * hit.score, hits[hit.id].score if hit.id in hits else 0.0)
                hits[hit.id] = Hit(hit.id, score)
        return sorted(hits.values(), key=lambda hit: (-hit.score, hit.id))[: self.settings.facts]
