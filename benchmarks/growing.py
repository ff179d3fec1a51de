"""A large index made from a small one: copies of its tables with other ids, names, words and vectors.

To embed hundreds of thousands of texts takes hours, and speed does not need it. What decides speed
is kept: the lengths of lists, the frequencies of words and of entities, how close vectors are to
each other. The first copy is the index itself, so that real questions find what they ask for.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from graphrag.query.transition import ranges
from graphrag.storage.arrays import matrix, whole
from graphrag.storage.base import Reader

NEAR, FAR = 0.6, 0.9
"""Cosine between a vector and its copies, at least and at most."""
SWAPPED, COINED = 0.4, 0.05
"""Share of a copy's words that are other words of the index, as often as they are there; and that are new."""
SYLLABLES = ("ba", "do", "fen", "gar", "hul", "kir", "lom", "mar", "nev", "ost", "pel", "rin", "sul", "tam", "vos")
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Lists:
    """A column of lists of row numbers."""

    lengths: Integers
    values: Integers


@dataclass
class Growth:
    """The tables of `copies` copies of an index."""

    reader: Reader
    copies: int
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))

    def tables(self) -> Mapping[str, pa.Table]:
        """What a store publishes. Communities, their reports and claims are those of the small index."""
        thin = ("communities", "community_reports", "covariates")
        return {
            "documents": self._documents(),
            "text_units": self._text_units(),
            "entities": self._entities,
            "relationships": self._relationships(),
            "facts": self._facts(),
            **{name: self.reader.table(name) for name in thin},
        }

    # --- Which entity of the large index each mention is of -------------------------------

    @cached_property
    def _shared(self) -> Integers:
        """By how many copies each entity is shared: what is everywhere stays everywhere, what is rare is new."""
        frequency = np.diff(whole(self._column("entities", "text_unit_ids")).offsets.to_numpy())
        return np.minimum(np.maximum(frequency, 1) ** 2, self.copies)

    @cached_property
    def _first(self) -> Integers:
        """The first row of each entity's variants."""
        return np.concatenate([[0], np.cumsum(-(-self.copies // self._shared))])

    def _variant(self, entities: Integers, copy: int | Integers) -> Integers:
        return self._first[entities] + copy // self._shared[entities]

    def _spread(self, lists: Lists, to: int | None = None) -> Lists:
        """The lists of all copies: of entities, or of rows of a table of `to` rows."""
        values = [
            self._variant(lists.values, copy) if to is None else lists.values + copy * to for copy in range(self.copies)
        ]
        return Lists(np.tile(lists.lengths, self.copies), np.concatenate(values))

    @cached_property
    def _ids(self) -> Mapping[str, Any]:
        rows = {name: self.copies * len(self._column(name, "id")) for name in ("documents", "text_units", "facts")}
        rows |= {"entities": int(self._first[-1])}
        return {name: _made_ids(self.random, count) for name, count in rows.items()}

    # --- Tables --------------------------------------------------------------------------

    def _documents(self) -> pa.Table:
        units = self._lists("documents", "text_unit_ids", "text_units")
        changed = {"text_unit_ids": self._listed(self._spread(units, self._rows("text_units")), "text_units")}
        return self._table("documents", changed)

    def _text_units(self) -> pa.Table:
        mentions = self._spread(self._lists("text_units", "entity_ids", "entities"))
        documents = self._places("text_units", "document_id", "documents")
        texts = self._texts()
        none = _array([[]] * len(texts), pa.list_(pa.string()))
        changed = {
            "text": texts,
            "search_text": texts,
            "document_id": self._ids["documents"].take(_array(self._copied(documents, self._rows("documents")))),
            "entity_ids": self._listed(mentions, "entities"),
            "relationship_ids": none,
        }
        return self._table("text_units", changed)

    @cached_property
    def _entities(self) -> pa.Table:
        table = self.reader.table("entities")
        entity = np.repeat(np.arange(len(table)), np.diff(self._first))
        number = np.arange(len(entity)) - self._first[entity]
        titles: list[Any] = table["title"].to_pylist()
        named = [
            titles[row] if not n else f"{titles[row]} {_coined(n)}"
            for row, n in zip(entity.tolist(), number.tolist(), strict=True)
        ]
        vectors = self._turned(matrix(table["vector"])[entity], number == 0)
        none = _array([[]] * len(entity), pa.list_(pa.string()))
        rows = table.drop_columns(["vector", "text_unit_ids", "description"]).take(_array(entity))
        changed = {
            "id": self._ids["entities"],
            "title": _array(named),
            "search_text": _array([name.lower() for name in named]),
            "description": _array([""] * len(entity)),
            "text_unit_ids": none,
            "vector": vectors,
        }
        if "synonym_ids" in table.column_names:
            changed["synonym_ids"] = self._synonyms(entity, number * self._shared[entity])
        return self._made("entities", rows, changed)

    def _synonyms(self, entities: Integers, copies: Integers) -> Any:
        """Of entities as they are in a copy each: the variants that are in the same copy."""
        lists = self._lists("entities", "synonym_ids", "entities")
        sizes = lists.lengths[entities]
        starts = np.cumsum(lists.lengths) - lists.lengths
        others = lists.values[ranges(starts[entities], sizes)]
        return self._listed(Lists(sizes, self._variant(others, np.repeat(copies, sizes))), "entities")

    def _relationships(self) -> pa.Table:
        """One for each pair of entities, as a build has it."""
        ends = [self._places("relationships", end, "entities", "title") for end in ("source", "target")]
        source, target = (np.concatenate([self._variant(rows, copy) for copy in range(self.copies)]) for rows in ends)
        _, kept = np.unique(source * self._first[-1] + target, return_index=True)
        kept.sort()
        units = self._lists("relationships", "text_unit_ids", "text_units")
        spread = self._listed(self._spread(units, self._rows("text_units")), "text_units")
        titles = whole(self._entities["title"])
        table = self.reader.table("relationships", ["weight", "combined_degree"])
        changed = {
            "id": _made_ids(self.random, len(kept)),
            "source": titles.take(_array(source[kept])),
            "target": titles.take(_array(target[kept])),
            "description": _array([""] * len(kept)),
            "text_unit_ids": spread.take(_array(kept)),
        }
        return self._made("relationships", table.take(_array(kept % len(table))), changed)

    def _facts(self) -> pa.Table:
        units = self._spread(self._lists("facts", "text_unit_ids", "text_units"), self._rows("text_units"))
        changed = {
            "entity_ids": self._listed(self._spread(self._lists("facts", "entity_ids", "entities")), "entities"),
            "text_unit_ids": self._listed(units, "text_units"),
        }
        return self._table("facts", changed)

    def _table(self, name: str, changed: Mapping[str, Any]) -> pa.Table:
        """The table, copied, with its own ids and vectors, and with some columns changed."""
        table = self.reader.table(name)
        kept = table.drop_columns([column for column in ("vector", *changed) if column in table.column_names])
        rows = pa.concat_tables([kept] * self.copies)
        if "vector" in table.column_names:
            vectors = matrix(table["vector"])
            parts = [self._turned(vectors, np.full(len(vectors), copy == 0)) for copy in range(self.copies)]
            changed = {**changed, "vector": pa.chunked_array(parts)}
        return self._made(name, rows, {"id": self._ids[name], **changed})

    def _made(self, name: str, rows: pa.Table, changed: Mapping[str, Any]) -> pa.Table:
        wanted = self.reader.table(name).schema
        numbers = _array(np.arange(len(rows)))
        columns = {"human_readable_id": numbers, **changed}
        arrays = [columns[field.name] if field.name in columns else rows[field.name] for field in wanted]
        return pa.Table.from_arrays(
            [array.cast(field.type) for array, field in zip(arrays, wanted, strict=True)], schema=wanted
        )

    # --- Columns -------------------------------------------------------------------------

    def _column(self, name: str, column: str) -> Any:
        return self.reader.table(name, [column])[column]

    def _rows(self, name: str) -> int:
        return len(self._column(name, "id"))

    def _places(self, name: str, column: str, of: str, by: str = "id") -> Integers:
        found = pc.index_in(whole(self._column(name, column)), value_set=whole(self._column(of, by)))
        return found.to_numpy(zero_copy_only=False).astype(np.int64)

    def _lists(self, name: str, column: str, of: str) -> Lists:
        values = whole(self._column(name, column))
        found = pc.index_in(pc.list_flatten(values), value_set=whole(self._column(of, "id")))
        return Lists(pc.list_value_length(values).to_numpy().astype(np.int64), found.to_numpy().astype(np.int64))

    def _copied(self, rows: Integers, size: int) -> Integers:
        return np.concatenate([rows + copy * size for copy in range(self.copies)])

    def _listed(self, lists: Lists, of: str) -> Any:
        offsets = np.concatenate([[0], np.cumsum(lists.lengths)]).astype(np.int32)
        ids = self._ids[of].cast(pa.large_string()).take(_array(lists.values))
        return pa.ListArray.from_arrays(_array(offsets), ids.cast(pa.string()))

    def _turned(self, vectors: NDArray[np.float32], same: NDArray[np.bool_]) -> Any:
        """Vectors turned by a random angle in a random direction, but those that stay the same."""
        noise = self.random.standard_normal(vectors.shape, np.float32)
        noise /= np.linalg.norm(noise, axis=1, keepdims=True)
        cosine = np.where(same, 1, self.random.uniform(NEAR, FAR, len(vectors))).astype(np.float32)[:, None]
        turned = cosine * vectors + np.sqrt(1 - cosine**2) * noise
        turned /= np.linalg.norm(turned, axis=1, keepdims=True)
        return pa.FixedSizeListArray.from_arrays(_array(turned.ravel()), vectors.shape[1])

    def _texts(self) -> Any:
        """The text units' words, some of them others in each copy but the first."""
        rows = [text.split() for text in self._column("text_units", "search_text").to_pylist()]
        ends = np.cumsum([len(row) for row in rows]).tolist()
        words = np.array([word for row in rows for word in row], dtype=object)
        parts = [_joined(words, ends)]
        for copy in range(1, self.copies):
            changed = words.copy()
            chance = self.random.random(len(words))
            swapped = np.flatnonzero(chance < SWAPPED)
            changed[swapped] = words[self.random.integers(0, len(words), len(swapped))]
            for place in np.flatnonzero(chance > 1 - COINED).tolist():
                changed[place] = f"{changed[place]}{_coined(copy)}"
            parts.append(_joined(changed, ends))
        return pa.chunked_array(parts)


def _array(values: Any, type_: Any = None) -> Any:
    return pa.array(values, type_)


def _joined(words: NDArray[Any], ends: Sequence[int]) -> Any:
    values = words.tolist()
    return _array([" ".join(values[start:end]) for start, end in zip([0, *ends], ends, strict=False)], pa.string())


def _coined(number: int) -> str:
    """A made-up word, another for each number from 1."""
    word = ""
    while number:
        number, place = divmod(number, len(SYLLABLES))
        word += SYLLABLES[place]
    return word.capitalize()


def _made_ids(random: np.random.Generator, count: int) -> Any:
    offsets: Any = np.arange(count + 1, dtype=np.int32) * 32
    data = random.bytes(16 * count).hex().encode()
    return pa.Array.from_buffers(pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(data)])
