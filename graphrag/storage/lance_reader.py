"""A published build as LanceDB's tables give it."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Generator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphrag.errors import IndexMismatchError
from graphrag.language import search_terms
from graphrag.storage.arrays import matrix, take
from graphrag.storage.base import Build, Hit
from graphrag.storage.lance_errors import storage_errors
from graphrag.storage.lance_tables import TableReader
from graphrag.storage.lookup import Lookup, lookup, texts
from graphrag.storage.order import NUMBER, in_order

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

FLAT_ROWS = 20_000
"""Below this many rows every vector is compared: exact, and as fast as an index. Readers keep the
vectors of such tables, 30 MB each at most."""


class LanceReader:
    """The build that was published when the reader was opened. Safe to use from several threads."""

    def __init__(
        self, where: str, build: Build, tables: Mapping[str, TableReader], unordered: Set[str] = frozenset()
    ) -> None:
        """`unordered` are the tables whose rows are not in the order that they were published in."""
        self._where = where
        self._unordered = unordered
        self._build = build
        self._tables = tables
        self._vectors: dict[str, _Kept | None] = {}
        self._places: dict[str, Lookup] = {}
        self._columns: dict[str, frozenset[str]] = {}
        """That a table lacks, of those that it may."""

    @property
    def build(self) -> Build:
        """What the build says of itself."""
        return self._build

    def table(self, name: str, columns: Sequence[str] | None = None) -> "pa.Table":
        """A whole table in the order it was published in, or some columns of it, in their order."""
        if name not in self._unordered:
            return self._read(name, columns)
        wanted = None if columns is None else [*dict.fromkeys([*columns, NUMBER])]
        found = in_order(self._read(name, wanted))
        return found if columns is None else found.select(list(columns))

    def rows(self, name: str, ids: Sequence[str], columns: Sequence[str] | None = None) -> "pa.Table":
        """The rows with these ids, in the order of `ids`; unknown ids are left out."""
        wanted = None if columns is None else [*dict.fromkeys(["id", *columns])]
        found = self._read(name, wanted, ids)
        position = {found_id: row for row, found_id in enumerate(found["id"].to_pylist())}
        ordered = take(found, [position[row_id] for row_id in ids if row_id in position])
        return ordered if columns is None else ordered.select(list(columns))

    def vectors(self, name: str, ids: Sequence[str]) -> "NDArray[np.float32]":
        """The vectors of the rows with these ids, at length 1; zeros for unknown ids."""
        import numpy as np

        kept = self._kept_vectors(name) or self._read_vectors(name, ids)
        found = np.zeros((len(ids), self._build.dimensions), np.float32)
        known = {place: row for place, id_ in enumerate(ids) if (row := kept.row.get(id_)) is not None}
        found[list(known)] = kept.vectors[list(known.values())]
        return found

    def nearest(self, name: str, vector: "NDArray[np.float32]", k: int) -> list[Hit]:
        """The k rows whose vectors are nearest, best first; score is the cosine similarity.

        A vector of zeros has no direction: it finds nothing and is never found. Raises
        IndexMismatchError if `vector` has another length than those of the index.
        """
        if vector.shape != (self._build.dimensions,):
            raise IndexMismatchError(
                f"the index has vectors of length {self._build.dimensions} ({self._build.embedding_model}), "
                f"the question one of {vector.size}: use the same embedding model, or rebuild with `graphrag index`"
            )
        if k < 1:
            return []
        kept = self._kept_vectors(name)
        if kept:
            return kept.nearest(vector, k)
        with self._reading():
            found: Any = self._tables[name].nearest(vector, k)
        return _hits(found["id"].to_pylist(), [1 - distance for distance in found["_distance"].to_pylist()])

    def _kept_vectors(self, name: str) -> "_Kept | None":
        """The vectors of a small table at length 1, and their ids: read once. None for a large one."""
        if name not in self._vectors:
            with self._reading():
                small = self._tables[name].count() < FLAT_ROWS
            self._vectors[name] = _directed(self.table(name, ["id", "vector"])) if small else None
        return self._vectors[name]

    def _read_vectors(self, name: str, ids: Sequence[str]) -> "_Kept":
        """Those of some rows of a large table, by their places: by their ids it takes three times as long."""
        if name not in self._places:
            known = texts(self._read(name, ["id"])["id"])
            self._places[name] = lookup(known, len(known))
        places = {place for place in self._places[name].find(ids).tolist() if place >= 0}
        with self._reading():
            return _directed(self._tables[name].at(sorted(places), ["id", "vector"]))

    def matching(self, name: str, text: str, k: int) -> list[Hit]:
        """The k rows that BM25 ranks best for any of the words of `text`, best first.

        `text` is plain: it is analysed as the index was, and no character in it has a meaning.
        """
        terms = search_terms(text)
        if not terms or k < 1:
            return []
        with self._reading():
            found: Any = self._tables[name].matching(terms, k)
        return _hits(found["id"].to_pylist(), found["_score"].to_pylist())

    def _read(self, name: str, columns: Sequence[str] | None, ids: Sequence[str] | None = None) -> "pa.Table":
        """Rows with these columns. Those that an index of an older release lacks are null."""
        with self._reading():
            lacking = self._lacking(name)
            if columns is None or lacking.isdisjoint(columns):
                return self._tables[name].rows(columns, ids)
            stored = [column for column in columns if column not in lacking] or ["id"]
            found = self._tables[name].rows(stored, ids)
        from graphrag.storage.schema import nulls

        for column in lacking.intersection(columns):
            found = found.append_column(*nulls(name, column, len(found)))
        return found.select(list(columns))

    def _lacking(self, name: str) -> frozenset[str]:
        from graphrag.storage.schema import optional

        if name not in self._columns:
            self._columns[name] = optional(name) - frozenset(self._tables[name].columns())
        return self._columns[name]

    @contextmanager
    def _reading(self) -> Generator[None]:
        with storage_errors(f"cannot read the index in {self._where}; open it again, or run `graphrag index`"):
            yield


@dataclass(frozen=True, slots=True)
class _Kept:
    """Vectors that have a direction, at length 1, and where each is."""

    row: Mapping[str, int]
    vectors: "NDArray[np.float32]"

    def nearest(self, vector: "NDArray[np.float32]", k: int) -> list[Hit]:
        """By one product with all vectors: exact, and quicker than to ask for a scan."""
        import numpy as np

        length = float(np.linalg.norm(vector))
        if not length or not len(self.vectors):
            return []
        # By this thread alone: those of BLAS spin for milliseconds after a product.
        scores = np.einsum("ij,j->i", self.vectors, vector / length)
        ids = list(self.row)
        best: list[int] = np.argpartition(-scores, min(k, len(ids)) - 1)[:k].tolist()
        return _hits([ids[row] for row in best], [float(scores[row]) for row in best])


def _directed(table: "pa.Table") -> _Kept:
    import numpy as np

    ids: list[Any] = table["id"].to_pylist()
    vectors = matrix(table["vector"])
    lengths = np.linalg.norm(vectors, axis=1)
    rows: list[int] = np.flatnonzero(lengths).tolist()
    return _Kept({ids[row]: place for place, row in enumerate(rows)}, vectors[rows] / lengths[rows, None])


def _hits(ids: Sequence[str], scores: Sequence[float]) -> list[Hit]:
    # Equal scores come in no particular order; by id, they come in the same one from every build.
    return sorted(map(Hit, ids, scores), key=lambda hit: (-hit.score, hit.id))
