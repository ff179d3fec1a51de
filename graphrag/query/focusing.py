"""The second walk of a local search: among what the first came to, towards what is asked.

The first walk does not know the question: from "Kansas" it goes to every passage that mentions
Kansas alike. Here an entity passes its rank on to passages by how near each is to what the question
asks beside its names, so that of those passages the one about the population gets most. That the
weights of a walk depend on the question is topic-sensitive PageRank (Haveliwala 2002) by edges
rather than by seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphrag.models.base import Embedder
from graphrag.query import decomposing
from graphrag.query.comparing import products
from graphrag.query.passage_graph import PassageGraph
from graphrag.query.ranked import highest
from graphrag.query.seeding import Asked
from graphrag.settings import RetrievalSettings
from graphrag.storage.base import Reader

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LOOKED_AT = 30
"""Entities of which those that the question does not name are bridges."""
STEPS = 12
"""Of the power iteration; at a damping of .65 the rest is below a hundredth, and ranks no passage."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some nodes of a graph and the edges among them, each in both directions."""

    nodes: "NDArray[np.int64]"
    """Their places in the graph: text units first."""
    units: int
    """How many of them are text units."""
    sources: "NDArray[np.int64]"
    """Places in `nodes`."""
    targets: "NDArray[np.int64]"
    weights: "NDArray[np.float64]"

    def walk(
        self, seeds: "NDArray[np.float64]", likeness: "NDArray[np.floating]", sharpness: float, damping: float
    ) -> "NDArray[np.float64]":
        """Personalised PageRank of every node of this part.

        `seeds`, shape (nodes,), are those of the first walk; `likeness`, shape (units,), cosines. What
        an entity passes on to text units, all together, stays what it was; each of them gets a share
        in proportion to weight · exp(sharpness · likeness).
        """
        import numpy as np

        size = len(self.nodes)
        shares = self._sharpened(likeness, sharpness)
        shares /= np.maximum(np.bincount(self.sources, shares, size), np.finfo(float).tiny)[self.sources]
        restart = seeds / seeds.sum()
        rank = restart
        for _ in range(STEPS):
            flowed = np.bincount(self.targets, shares * rank[self.sources], size)
            rank = (1 - damping) * restart + damping * flowed
        return rank

    def _sharpened(self, likeness: "NDArray[np.floating]", sharpness: float) -> "NDArray[np.float64]":
        """The weights, those from entities to text units by likeness."""
        import numpy as np

        size = len(self.nodes)
        told = self.targets < self.units
        plain = np.where(told, self.weights, 0)
        factors = np.zeros(len(plain))
        factors[told] = np.exp(sharpness * (likeness - likeness.max()))[self.targets[told]]
        before = np.bincount(self.sources, plain, size)
        after = np.maximum(np.bincount(self.sources, plain * factors, size), np.finfo(float).tiny)
        return np.where(told, plain * factors * (before / after)[self.sources], self.weights)


@dataclass(frozen=True, slots=True)
class Focusing:
    """Makes the second walk of one question after the other."""

    reader: Reader
    graph: PassageGraph
    embedder: Embedder
    settings: RetrievalSettings

    def rank(
        self, asked: Asked, seeds: "NDArray[np.float64]", rank: "NDArray[np.float64]", k: int
    ) -> "NDArray[np.float64]":
        """The rank of every node by a second walk, among the best text units of the first, at least `k`,
        and their entities; 0 for all others. `rank` is that of the first, shape (nodes,) as `seeds`."""
        import numpy as np

        graph, settings = self.graph, self.settings
        units = highest(rank[: len(graph.unit_ids)], max(settings.focus, k))
        if not len(units):
            return rank
        around = part(graph, units, seeds)
        vectors = self.reader.vectors("text_units", _at(graph.unit_ids, units))
        likeness = products(vectors, asked.left)
        start = seeds[around.nodes]
        if not start.any():
            return rank
        found = around.walk(start, likeness, settings.sharpness, settings.damping)
        if settings.bridges:
            bridges = self._bridges(asked, around.nodes[around.units :], found[around.units :])
            likeness = np.maximum(likeness, self._likeness(bridges, asked, vectors))
            found = around.walk(start, likeness, settings.sharpness, settings.damping)
        focused = np.zeros_like(rank)
        focused[around.nodes] = found
        return focused

    def _bridges(self, asked: Asked, entities: "NDArray[np.int64]", rank: "NDArray[np.float64]") -> list[str]:
        """The names of the best entities that the question does not name itself."""
        known = set(decomposing.content_words(asked.text))
        best = entities[highest(rank, LOOKED_AT)] - len(self.graph.unit_ids)
        names = _at(self.graph.entity_titles, best)
        new = [name for name in names if not known.issuperset(decomposing.content_words(name))]
        return new[: self.settings.bridges]

    def _likeness(self, names: Sequence[str], asked: Asked, vectors: "NDArray[np.float32]") -> "NDArray[np.float32]":
        """The most that each vector is like the question asked of one of these names, shape (vectors,)."""
        import numpy as np

        asked_of = self.embedder.embed([f"{name}. {asked.rest}" for name in names]) if names else ()
        return np.max([np.zeros(len(vectors), np.float32), *(products(vectors, each) for each in asked_of)], axis=0)


def part(graph: PassageGraph, units: "NDArray[np.int64]", seeds: "NDArray[np.float64]") -> Part:
    """What some text units (nodes of the graph, at least one) and their entities are joined by, and the
    entities that `seeds`, shape (nodes of the graph,), start from."""
    import numpy as np

    first = len(graph.unit_ids)
    around = graph.transition.neighbours(units)
    entities = np.flatnonzero(seeds[first:] > 0) + first
    nodes = np.concatenate([units, _distinct(np.concatenate([around[around >= first], entities]))])
    sources, targets, weights = graph.transition.among(nodes)
    return Part(nodes, len(units), sources, targets, weights)


def _distinct(numbers: "NDArray[np.int64]") -> "NDArray[np.int64]":
    import numpy as np

    ordered = np.sort(numbers)
    return ordered[np.concatenate([np.ones(min(len(ordered), 1), bool), ordered[1:] != ordered[:-1]])]


def _at(texts: Sequence[str], places: "NDArray[np.int64]") -> list[str]:
    wanted: list[int] = places.tolist()
    return [texts[place] for place in wanted]
