"""A reader of some of the documents of an index, as if the others had never been in it.

All that is read and searched through it is from them alone, so that nothing that uses a reader
can show what is hidden: see `visible_graph` and `visible_reports` for what is left of rows that were made from both.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from graphrag.language import search_terms
from graphrag.query.comparing import products
from graphrag.query.views import MADE, View
from graphrag.query.visible_graph import VisibleGraph
from graphrag.query.visible_reports import VisibleReports
from graphrag.query.word_index import WordIndex
from graphrag.storage import schema
from graphrag.storage.arrays import from_mask, from_values, to_arrow, to_numbers, whole
from graphrag.storage.base import Build, Hit, Reader

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

EXACT_ROWS = 50_000
"""Up to this many rows shown, the vectors of all are kept and compared; beyond, the index is asked."""
FEW = 0.25
"""Of a table that shows less than this share of its rows, only those are read."""
BATCH = 20_000
"""Text units whose vectors are read at once."""
SURPLUS = 4
"""Hits asked for at first, for each that is wanted: hidden ones are among them."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """Vectors that are compared here, at length 1."""

    ids: Sequence[str]
    matrix: "NDArray[np.float32]"
    asked: frozenset[str]
    """The rows shown whose vectors are not here: the index is asked for them."""

    def nearest(self, vector: "NDArray[np.float32]", k: int) -> Iterator[Hit]:
        """The best by cosine similarity, in no order. A vector of zeros finds nothing and is not found."""
        import numpy as np

        length = float(np.linalg.norm(vector))
        if length and len(self.ids):
            scores = np.where(self.matrix.any(axis=1), products(self.matrix, vector / length), -np.inf)
            best: list[int] = np.argpartition(-scores, min(k, len(self.ids)) - 1)[:k].tolist()
            yield from (Hit(self.ids[row], float(scores[row])) for row in best if scores[row] > -np.inf)


class FilteredReader:
    """What a reader shows when only some of its documents may be seen. Safe to use from several threads.

    Full-text scores are those of the whole index; all else depends on the documents shown alone. What
    was sifted is kept, so one serves many questions.
    """

    def __init__(self, reader: Reader, document_ids: frozenset[str]) -> None:
        self._reader = reader
        self._graph = VisibleGraph(reader, document_ids)
        self._reports = VisibleReports(reader, self._graph)
        self._kept: dict[str, _Kept] = {}
        self._directions: dict[str, NDArray[np.float32]] = {}
        self._words: dict[str, WordIndex] = {}

    @property
    def build(self) -> Build:
        """The build, without its summary, which names files and counts what is hidden."""
        return self._reader.build if self._graph.whole else replace(self._reader.build, summary={})

    def _view(self, table: str) -> View:
        views = self._reports if table in ("communities", "community_reports") else self._graph
        return getattr(views, table)

    # --- Tables and rows -----------------------------------------------------------------

    def table(self, name: str, columns: Sequence[str] | None = None) -> "pa.Table":
        """What is shown of a table, in the order it was published in, or some columns of it."""
        import numpy as np

        if self._graph.whole:
            return self._reader.table(name, columns)
        view = self._view(name)
        if len(view.ids) < FEW * len(view.shown):
            return self.rows(name, view.ids, columns)
        stored = self._reader.table(name, self._stored(name, columns)).filter(from_mask(view.shown))
        return self._finish(name, stored, np.arange(len(view.ids)), columns)

    def rows(self, name: str, ids: Sequence[str], columns: Sequence[str] | None = None) -> "pa.Table":
        """The rows with these ids, in the order of `ids`; unknown and hidden ones are left out."""
        import numpy as np

        if self._graph.whole:
            return self._reader.rows(name, ids, columns)
        position = self._view(name).position
        known = [id_ for id_ in ids if id_ in position]
        stored = self._reader.rows(name, known, self._stored(name, columns))
        return self._finish(name, stored, np.array([position[id_] for id_ in known], np.int64), columns)

    def _stored(self, name: str, columns: Sequence[str] | None) -> list[str]:
        """The columns that are to be read to make some, or all: never none."""
        changed = self._view(name).changed
        wanted = schema.schema(name, self.build.dimensions).names if columns is None else columns
        return [column for column in dict.fromkeys(wanted) if column not in changed] or ["id"]

    def _finish(
        self, name: str, stored: "pa.Table", positions: "NDArray[np.int64]", columns: Sequence[str] | None
    ) -> "pa.Table":
        """The columns of some rows, by their positions among those shown, from what is stored of them."""
        import pyarrow as pa

        view = self._view(name)
        full = schema.schema(name, self.build.dimensions)
        fields = [full.field(column) for column in (full.names if columns is None else columns)]
        taken = to_arrow(positions)
        arrays = [
            view.changed[field.name].take(taken)
            if field.name in view.changed
            else self._without_hidden(name, field, whole(stored[field.name]), positions)
            for field in fields
        ]
        return pa.Table.from_arrays(arrays, schema=pa.schema(fields))

    def _without_hidden(self, name: str, field: Any, values: Any, positions: "NDArray[np.int64]") -> Any:
        """A stored column with what the rows among it that are cut still say."""
        import pyarrow as pa
        import pyarrow.compute as pc

        view = self._view(name)
        which = view.places[positions]
        cut = from_mask(which >= 0)
        if field.name in MADE.get(name, ()):
            return pc.if_else(cut, "", values)
        if field.name == "search_text":
            texts = [view.cut[place].terms for place in which[which >= 0].tolist()]
            return pc.replace_with_mask(values, cut, from_values(texts, pa.string()))
        if field.name == "vector" and view.cut:
            matrix = _matrix(values, self.build.dimensions).copy()
            matrix[which >= 0] = self._directions_of(name)[which[which >= 0]]
            return pa.FixedSizeListArray.from_arrays(to_arrow(matrix.ravel()), self.build.dimensions).cast(field.type)
        return values

    # --- Searches ------------------------------------------------------------------------

    def vectors(self, name: str, ids: Sequence[str]) -> "NDArray[np.float32]":
        """The vectors of rows that are shown, at length 1, shape (ids, dimensions); zeros for all others.

        A row that is cut has the mean of its text units that are shown.
        """
        if self._graph.whole:
            return self._reader.vectors(name, ids)
        view = self._view(name)
        shown = [view.position.get(id_, -1) for id_ in ids]
        found = self._reader.vectors(name, [id_ if place >= 0 else "" for id_, place in zip(ids, shown, strict=True)])
        for row, place in enumerate(shown):
            if place >= 0 and (which := int(view.places[place])) >= 0:
                found[row] = self._directions_of(name)[which]
        return found

    def nearest(self, name: str, vector: "NDArray[np.float32]", k: int) -> list[Hit]:
        """The k rows shown whose vectors are nearest, best first; score is the cosine similarity.

        What is cut is found by the mean of its text units that are shown. Raises IndexMismatchError
        if `vector` has another length than those of the index.
        """
        if self._graph.whole:
            return self._reader.nearest(name, vector, k)
        self._reader.nearest(name, vector, 0)  # Refuses what has another length.
        if k < 1:
            return []
        kept = self._kept_of(name)
        hits = self._ask(lambda depth: self._reader.nearest(name, vector, depth), name, kept.asked, k)
        if len(hits) < min(k, len(kept.asked)):
            # An approximate index looks at a part of its rows: those shown may all be in the others.
            kept, hits = self._keep(name, exact=True), []
        return _best([*hits, *kept.nearest(vector, k)], k)

    def matching(self, name: str, text: str, k: int) -> list[Hit]:
        """The k rows shown that BM25 ranks best for any of the words of `text`, best first.

        What is cut is found by what it still says.
        """
        if self._graph.whole:
            return self._reader.matching(name, text, k)
        if k < 1:
            return []
        view = self._view(name)
        if name not in self._words:
            self._words[name] = WordIndex([cut.terms for cut in view.cut])
        found = self._words[name].score(search_terms(text))
        hits = [Hit(view.ids[view.cut[place].position], score) for place, score in found.items()]
        hits += self._ask(lambda depth: self._reader.matching(name, text, depth), name, view.intact, k)
        return _best(hits, k)

    def _ask(self, search: Callable[[int], Sequence[Hit]], name: str, wanted: frozenset[str], k: int) -> list[Hit]:
        """The best k of those wanted, or all there are: as deep as it takes."""
        if not wanted:
            return []
        rarity = len(self._view(name).shown) / len(wanted)
        depth = int(SURPLUS * k * max(rarity / 2, 1))
        while True:
            hits = search(depth)
            found = [hit for hit in hits if hit.id in wanted]
            if len(found) >= k or len(hits) < depth:
                return found[:k]
            depth *= SURPLUS

    def _kept_of(self, name: str) -> _Kept:
        kept = self._kept.get(name)
        return kept or self._keep(name, exact=len(self._view(name).ids) <= EXACT_ROWS)

    def _keep(self, name: str, exact: bool) -> _Kept:
        """Read the vectors of all rows shown, or only those that the index does not have."""
        view = self._view(name)
        if exact:
            vectors = whole(self.rows(name, view.ids, ["vector"])["vector"])
            kept = _Kept(view.ids, _directed(_matrix(vectors, self.build.dimensions)), frozenset())
        else:
            ids = [view.ids[cut.position] for cut in view.cut]
            kept = _Kept(ids, self._directions_of(name), view.intact)
        self._kept[name] = kept
        return kept

    def _directions_of(self, name: str) -> "NDArray[np.float32]":
        """Of each row that is cut, the mean of the vectors of its text units that are shown, at length 1."""
        if name not in self._directions:
            self._directions[name] = _directed(self._means([cut.text_unit_ids for cut in self._view(name).cut]))
        return self._directions[name]

    def _means(self, groups: Sequence[Sequence[str]]) -> "NDArray[np.float32]":
        import numpy as np
        from scipy.sparse import csr_array

        column = {id_: number for number, id_ in enumerate(dict.fromkeys(id_ for ids in groups for id_ in ids))}
        ids = list(column)
        pointers = np.cumsum([0, *map(len, groups)])
        members = np.array([column[id_] for group in groups for id_ in group], np.int64)
        weights = np.ones(len(members), np.float32)
        belongs = csr_array((weights, members, pointers), shape=(len(groups), len(ids))).tocsc()
        sums = np.zeros((len(groups), self.build.dimensions), np.float32)
        for start in range(0, len(ids), BATCH):
            vectors = self._reader.rows("text_units", ids[start : start + BATCH], ["vector"])["vector"]
            sums += belongs[:, start : start + BATCH] @ _matrix(whole(vectors), self.build.dimensions)
        return sums


def _matrix(vectors: Any, dimensions: int) -> "NDArray[np.float32]":
    return to_numbers(vectors.values.slice(vectors.offset * dimensions, len(vectors) * dimensions)).reshape(
        -1, dimensions
    )


def _directed(matrix: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Rows at length 1; rows of zeros as they are."""
    import numpy as np

    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return (matrix / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def _best(hits: Sequence[Hit], k: int) -> list[Hit]:
    return sorted(hits, key=lambda hit: (-hit.score, hit.id))[:k]
