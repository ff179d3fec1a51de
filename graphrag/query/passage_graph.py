"""The graph that local search walks: text units and entities, joined by mention and by relation.

Personalised PageRank over it ranks passages by how they hang together with what a question names,
not by likeness alone (HippoRAG, arXiv:2405.14831; LinearRAG, arXiv:2510.10114).
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphrag.language import fold
from graphrag.query.transition import Transition, transition
from graphrag.storage.base import Reader

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

STEPS = 20
"""Of the power iteration; at a damping of 0.5 the rest is below a millionth."""


@dataclass(frozen=True, slots=True)
class PassageGraph:
    """Nodes are the text units, then the entities, in table order."""

    unit_ids: list[str]
    entity_ids: list[str]
    entity_titles: list[str]
    position: dict[str, int]
    """Of each id, text unit or entity, among the nodes."""
    named: dict[str, int]
    """Position of the entity of each folded title."""
    stated: dict[str, list[int]]
    """Of each fact id, the positions of its entities."""
    mentions: "NDArray[np.float64]"
    """In how many text units each node is mentioned, at least 1."""
    transition: Transition

    def walk(self, seeds: "NDArray[np.float64]", damping: float) -> "NDArray[np.float64]":
        """Personalised PageRank of every node. `seeds` are non-negative and not all zero."""
        restart = seeds / seeds.sum()
        rank = restart
        for _ in range(STEPS):
            rank = (1 - damping) * restart + damping * self.transition.step(rank)
        return rank


def load(reader: Reader) -> PassageGraph:
    """The graph of an index: read once, then kept by whoever queries."""
    import numpy as np

    units = reader.table("text_units", ["id", "entity_ids"])
    entities = reader.table("entities", ["id", "title"])
    unit_ids, entity_ids, titles = strings(units["id"]), strings(entities["id"]), strings(entities["title"])
    position = {id_: index for index, id_ in enumerate([*unit_ids, *entity_ids])}
    named = {fold(title): len(unit_ids) + index for index, title in enumerate(titles)}
    mention_rows, mention_columns = _mentions(units, position)
    counts = np.bincount(mention_columns, minlength=len(position)).astype(np.float64)
    edges = [(mention_rows, mention_columns, np.ones(len(mention_rows)))]
    facts = reader.table("facts", ["id", "entity_ids", "text_unit_ids"]).to_pylist()
    edges += [_stated(facts, position), _related(reader, named)]
    rows, columns, weights = (np.concatenate(parts) for parts in zip(*edges, strict=True))
    return PassageGraph(
        unit_ids=unit_ids,
        entity_ids=entity_ids,
        entity_titles=titles,
        position=position,
        named=named,
        stated={fact["id"]: [position[id_] for id_ in fact["entity_ids"] if id_ in position] for fact in facts},
        mentions=np.maximum(counts, 1),
        transition=transition(rows, columns, weights, len(position)),
    )


Edges = tuple["NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.float64]"]


def strings(column: "pa.ChunkedArray[Any]") -> list[str]:
    """A column of texts as Python strings; null is empty."""
    return [value or "" for value in column.to_pylist()]


def _mentions(units: "pa.Table", position: dict[str, int]) -> tuple["NDArray[np.int64]", "NDArray[np.int64]"]:
    import numpy as np

    pairs = [
        (row, position[entity])
        for row, ids in enumerate(units["entity_ids"].to_pylist())
        for entity in ids or ()
        if entity in position
    ]
    array = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return array[:, 0], array[:, 1]


def _stated(facts: Sequence[dict[str, Any]], position: dict[str, int]) -> Edges:
    """Every further fact that a text unit states about an entity ties the two more closely."""
    import numpy as np

    seen: dict[tuple[int, int], float] = {}
    for fact in facts:
        for unit in fact["text_unit_ids"]:
            for entity in fact["entity_ids"]:
                if unit in position and entity in position:
                    pair = (position[unit], position[entity])
                    seen[pair] = seen.get(pair, -1.0) + 1.0
    pairs = np.array(list(seen), dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1], np.array(list(seen.values()), dtype=np.float64)


def _related(reader: Reader, named: dict[str, int]) -> Edges:
    import numpy as np

    table = reader.table("relationships", ["source", "target", "weight"])
    sources = [named.get(fold(name), -1) for name in table["source"].to_pylist()]
    targets = [named.get(fold(name), -1) for name in table["target"].to_pylist()]
    rows, columns = np.array(sources, dtype=np.int64), np.array(targets, dtype=np.int64)
    weights = np.array(table["weight"].to_pylist(), dtype=np.float64)
    known = (rows >= 0) & (columns >= 0) & (weights > 0)
    return rows[known], columns[known], weights[known]
