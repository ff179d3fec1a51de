"""Rows of an index as they were last read: the steps of one question come to much the same ones."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

from graphrag.storage.base import Reader

MOST_ROWS = 2000
"""Of one table: at some 2 kB a text unit, a few MB."""

Row = Mapping[str, Any]


class RowCache:
    """Rows by their ids, of one version of an index. For any thread."""

    def __init__(self, reader: Reader, capacity: int = MOST_ROWS) -> None:
        """Keep at most `capacity` rows of each table, for each choice of its columns."""
        self._reader = reader
        self._capacity = capacity
        self._kept: dict[tuple[str, ...], OrderedDict[str, Row]] = {}
        self._lock = Lock()

    def rows(self, table: str, ids: Sequence[str], columns: Sequence[str]) -> list[Row]:
        """The rows with these ids, in the order of `ids`; unknown ids are left out. Not to be changed.

        `columns` hold `id`. Raises as `Reader.rows` does.
        """
        with self._lock:
            kept = self._kept.setdefault((table, *columns), OrderedDict())
            found = {id_: kept[id_] for id_ in ids if id_ in kept}
        missing = [id_ for id_ in dict.fromkeys(ids) if id_ not in found]
        read = self._reader.rows(table, missing, columns).to_pylist() if missing else []
        found |= {row["id"]: row for row in read}
        with self._lock:
            for id_, row in found.items():
                kept[id_] = row
                kept.move_to_end(id_)
            while len(kept) > self._capacity:
                kept.popitem(last=False)
        return [found[id_] for id_ in ids if id_ in found]
