"""The graph that local search walks: text units and entities, joined by mention and by relation.

Personalised PageRank over it ranks passages by how they hang together with what a question names,
not by likeness alone (HippoRAG, arXiv:2405.14831; LinearRAG, arXiv:2510.10114).
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphrag.query.edges import Facts, alike, mentioned, read_nodes, related, stated
from graphrag.query.transition import Transition, transition
from graphrag.settings import RetrievalSettings
from graphrag.storage.base import Reader
from graphrag.storage.lookup import Lookup

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class PassageGraph:
    """Nodes are the text units, then the entities, in table order."""

    unit_ids: Sequence[str]
    entity_ids: Sequence[str]
    entity_titles: Sequence[str]
    position: Lookup
    """Of each id, text unit or entity, among the nodes."""
    named: Lookup
    """Position of the entity of each folded title."""
    stated: Facts
    """Of each fact id, the positions of its entities."""
    mentions: "NDArray[np.float64]"
    """In how many text units each node is mentioned, at least 1."""
    ends: "tuple[NDArray[np.int32], NDArray[np.int32]]"
    """Source and target of each row of the relationships, -1 for what is no entity."""
    transition: Transition

    def walk(self, seeds: "NDArray[np.float64]", damping: float) -> "NDArray[np.float64]":
        """Personalised PageRank of every node. `seeds` are non-negative and not all zero."""
        return self.transition.walk(seeds, damping)


def load(reader: Reader, settings: RetrievalSettings) -> PassageGraph:
    """The graph of an index: read once, then kept by whoever queries.

    A mention weighs 1. Other programs weigh relationships from 1 to 10, or count them: theirs are
    scaled to the mean of the settings.
    """
    import numpy as np

    nodes = read_nodes(reader)
    mentions = mentioned(reader, nodes)
    facts, repeated = stated(reader, nodes)
    relations = related(reader, nodes)
    synonyms = alike(reader, nodes).weighing(settings.synonyms)
    edges = [mentions, repeated, relations.known().weighing(settings.relationships), synonyms]
    rows, columns, weights = (
        np.concatenate([getattr(part, name) for part in edges]) for name in ("rows", "columns", "weights")
    )
    return PassageGraph(
        unit_ids=nodes.unit_ids,
        entity_ids=nodes.entity_ids,
        entity_titles=nodes.entity_titles,
        position=nodes.position,
        named=nodes.named,
        stated=facts,
        mentions=np.maximum(np.bincount(mentions.columns, minlength=len(nodes)), 1).astype(np.float64),
        ends=(relations.rows.astype(np.int32), relations.columns.astype(np.int32)),
        transition=transition(rows, columns, weights, len(nodes)),
    )
