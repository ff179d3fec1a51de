"""The edges of the graph that local search walks, each kind a function over whole columns."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

from graphrag.language import fold_text
from graphrag.query.transition import ranges
from graphrag.storage.arrays import to_numbers, whole
from graphrag.storage.base import Reader
from graphrag.storage.lookup import Lookup, flat, join, join_as, lookup, texts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Nodes:
    """What is joined: text units, then entities, in table order; a node is its position among them."""

    unit_ids: Sequence[str]
    entity_ids: Sequence[str]
    entity_titles: Sequence[str]

    @cached_property
    def position(self) -> Lookup:
        """Of each id."""
        return lookup(chain(self.unit_ids, self.entity_ids), len(self))

    @cached_property
    def named(self) -> Lookup:
        """Of the entity of each folded title."""
        return lookup(map(fold_text, self.entity_titles), len(self.entity_titles), len(self.unit_ids))

    def __len__(self) -> int:
        return len(self.unit_ids) + len(self.entity_ids)


@dataclass(frozen=True, slots=True)
class Edges:
    """Pairs of nodes, and what each weighs: above 0."""

    rows: "NDArray[np.int64]"
    columns: "NDArray[np.int64]"
    weights: "NDArray[np.float64]"

    def weighing(self, weight: float) -> "Edges":
        """The same edges, if they are to weigh so much on average; none, if nothing."""
        if not weight or not len(self.weights):
            return Edges(self.rows[:0], self.columns[:0], self.weights[:0])
        return replace(self, weights=self.weights * (weight / self.weights.mean()))

    def known(self) -> "Edges":
        """Those of nodes that there are, with a weight."""
        kept = (self.rows >= 0) & (self.columns >= 0) & (self.weights > 0)
        return Edges(self.rows[kept], self.columns[kept], self.weights[kept])


@dataclass(frozen=True, slots=True)
class Facts:
    """Which entities each fact is about."""

    rows: Lookup
    starts: "NDArray[np.int64]"
    entities: "NDArray[np.int32]"

    def __getitem__(self, fact_id: str) -> list[int]:
        """The nodes of a fact's entities. Raises KeyError for what is no fact."""
        row = self.rows[fact_id]
        return self.entities[self.starts[row] : self.starts[row + 1]].tolist()


def read_nodes(reader: Reader) -> Nodes:
    """The nodes of an index."""
    entities = reader.table("entities", ["id", "title"])
    units = reader.table("text_units", ["id"])
    return Nodes(texts(units["id"]), texts(entities["id"]), texts(entities["title"]))


def mentioned(reader: Reader, nodes: Nodes) -> Edges:
    """Text units and the entities that they mention."""
    import numpy as np

    entities, units = flat(reader.table("text_units", ["entity_ids"])["entity_ids"])
    return Edges(units, join(entities, nodes.position), np.ones(len(units))).known()


def related(reader: Reader, nodes: Nodes) -> Edges:
    """Entities and what they are related to: one edge for each row of the table, known or not."""
    import numpy as np
    import pyarrow as pa

    table = reader.table("relationships", ["source", "target", "weight"])
    names = pa.chunked_array([*table["source"].chunks, *table["target"].chunks], pa.string())
    source, target = np.split(join_as(fold_text, names, nodes.named), 2)
    weights = whole(table["weight"])
    return Edges(source, target, to_numbers(weights.fill_null(0) if weights.null_count else weights))


def alike(reader: Reader, nodes: Nodes) -> Edges:
    """Entities and those of nearly the same name, each pair of weight 1; none in an older index."""
    import numpy as np

    others, rows = flat(reader.table("entities", ["synonym_ids"])["synonym_ids"])
    first = len(nodes.unit_ids)
    return Edges(rows + first, join(others, nodes.position), np.ones(len(rows))).known()


def stated(reader: Reader, nodes: Nodes) -> tuple[Facts, Edges]:
    """The facts; and text units and their entities: every further fact that a unit states about an
    entity ties the two more closely."""
    import numpy as np

    table = reader.table("facts", ["id", "entity_ids", "text_unit_ids"])
    ids, about = flat(table["entity_ids"])
    entities = join(ids, nodes.position)
    about, entities = about[entities >= 0], entities[entities >= 0]
    sizes = np.bincount(about, minlength=len(table))
    starts = np.concatenate([[0], np.cumsum(sizes)])
    facts = Facts(lookup(texts(table["id"]), len(table)), starts, entities.astype(np.int32))
    ids, states = flat(table["text_unit_ids"])
    units = np.repeat(join(ids, nodes.position), sizes[states])
    ends = entities[ranges(starts[states], sizes[states])]
    pairs, times = _counted((units * len(nodes) + ends)[units >= 0])
    return facts, Edges(*np.divmod(pairs, max(len(nodes), 1)), (times - 1).astype(np.float64)).known()


def _counted(numbers: "NDArray[np.int64]") -> "tuple[NDArray[np.int64], NDArray[np.int64]]":
    """The numbers once each, and how often each is there: `np.unique` imports masked arrays."""
    import numpy as np

    ordered = np.sort(numbers)
    starts = np.flatnonzero(np.concatenate([np.ones(min(len(ordered), 1), bool), ordered[1:] != ordered[:-1]]))
    return ordered[starts], np.diff(starts, append=len(ordered))
