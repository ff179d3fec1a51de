"""Rows of an index as they were last read: the steps of one question come to much the same ones."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from graphrag.storage.arrays import take
from graphrag.storage.base import Reader

if TYPE_CHECKING:
    import pyarrow as pa

MOST_ROWS = 2000
"""Of one table: at some 2 kB a text unit, a few MB."""
SMALL = 20_000_000
"""Bytes of the columns asked for up to which a table is read whole when rows of it are missed a second time:
to find a few rows takes the store as long as to give them all."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Whole:
    """Some columns of a table, all its rows, and where each is."""

    table: "pa.Table"
    position: Mapping[str, int]

    def rows(self, ids: Sequence[str]) -> Sequence[Row]:
        return take(self.table, [self.position[id_] for id_ in ids if id_ in self.position]).to_pylist()


class RowCache:
    """Rows by their ids, of one version of an index. For any thread."""

    def __init__(self, reader: Reader, capacity: int = MOST_ROWS) -> None:
        """Keep at most `capacity` rows of each table, for each choice of its columns."""
        self._reader = reader
        self._capacity = capacity
        self._kept: dict[tuple[str, ...], OrderedDict[str, Row]] = {}
        self._size: dict[tuple[str, ...], float] = {}
        """Bytes of a row, of the tables that were read from before."""
        self._whole: dict[tuple[str, ...], _Whole | None] = {}
        """None for a table that is not small."""
        self._lock = Lock()

    def rows(self, table: str, ids: Sequence[str], columns: Sequence[str]) -> list[Row]:
        """The rows with these ids, in the order of `ids`; unknown ids are left out. Not to be changed.

        `columns` hold `id`. Raises as `Reader.rows` does.
        """
        with self._lock:
            kept = self._kept.setdefault((table, *columns), OrderedDict())
            found = {id_: kept[id_] for id_ in ids if id_ in kept}
        missing = [id_ for id_ in dict.fromkeys(ids) if id_ not in found]
        read = self._read(table, missing, columns) if missing else ()
        found |= {row["id"]: row for row in read}
        with self._lock:
            for id_, row in found.items():
                kept[id_] = row
                kept.move_to_end(id_)
            while len(kept) > self._capacity:
                kept.popitem(last=False)
        return [found[id_] for id_ in ids if id_ in found]

    def _read(self, table: str, ids: Sequence[str], columns: Sequence[str]) -> Sequence[Row]:
        key = (table, *columns)
        # A second miss says that there will be more. Threads that come to it at once read the same.
        if key in self._size and key not in self._whole:
            self._whole[key] = self._read_whole(table, columns, self._size[key])
        if whole := self._whole.get(key):
            return whole.rows(ids)
        found = self._reader.rows(table, ids, columns)
        if found.num_rows:
            self._size[key] = found.nbytes / found.num_rows
        return found.to_pylist()

    def _read_whole(self, table: str, columns: Sequence[str], size: float) -> _Whole | None:
        if self._reader.table(table, ["id"]).num_rows * size > SMALL:
            return None
        whole = self._reader.table(table, columns).combine_chunks()
        ids: list[Any] = whole["id"].to_pylist()
        return _Whole(whole, {id_: row for row, id_ in enumerate(ids)})
