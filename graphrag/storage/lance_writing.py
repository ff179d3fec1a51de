"""Write a table of a build: whole, or by the rows that differ from the version before.

A version that a killed build left behind is never built upon: what counts is the version that the
manifest names.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import time
import warnings
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from graphrag.storage.arrays import take
from graphrag.storage.differences import Difference, difference
from graphrag.storage.lance_reader import FLAT_ROWS
from graphrag.storage.order import ascending, in_order
from graphrag.storage.schema import VECTOR_OF

if TYPE_CHECKING:
    import pyarrow as pa
    from lancedb import DBConnection
    from lancedb.table import Table

SCANNED_ROWS = 100_000
"""Below this many rows ids are looked up by a scan of their column, in less than 10 ms. At 300,000, a
lookup of ten takes 17 ms by a scan and 3 by an index, which is built in .14 s."""
MOST_CHANGED = 0.5
"""If more of a table's rows differ, it is written whole."""
IDS = 1000
"""Ids in a condition."""
CLOCK_SLACK = timedelta(minutes=1)
"""LanceDB takes the age of what to remove and reads the clock later than we do."""
FOREVER = timedelta(days=36500)
FULL_TEXT, VECTOR = "search_text", "vector"


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a table."""

    version: int
    patched: bool = False
    """Whether it was changed row by row: rows are in another order, and files may hold some that are no more."""


@dataclass(frozen=True, slots=True)
class Writer:
    """The tables of a database, for one writer at a time. Methods raise what LanceDB does: OSError,
    RuntimeError, ValueError."""

    database: "DBConnection"
    existing: Set[str]
    """The tables there are, whether a published build has them or not."""

    def whole(self, name: str, data: "pa.Table") -> Written:
        """Write all rows of a table anew."""
        # Overwriting what does not exist works too, but puts a warning on the terminal.
        table = self.database.create_table(name, data, mode="overwrite" if name in self.existing else "create")
        _index(table, data)
        return Written(table.version)

    def changes(self, name: str, data: "pa.Table", before: int) -> Written:
        """Make a table, which is at the version `before` in the published build, hold these rows."""
        try:
            table = self.database.open_table(name)
            latest = table.version
            table.checkout(before)
            found = _difference(table, data)
        except (OSError, RuntimeError, ValueError):
            # What cannot be read is replaced.
            return self.whole(name, data)
        if found is None or found.rows > MOST_CHANGED * data.num_rows:
            return self.whole(name, data)
        return Written(_apply(table, data, found, latest), patched=True) if found.rows else Written(before)

    def anew(self, name: str, version: int) -> int:
        """Write what a version of a table holds into new files; the new version."""
        table = self.database.open_table(name)
        table.checkout(version)
        return self.whole(name, in_order(table.search().to_arrow())).version

    def discard(self, name: str, keep: Set[int]) -> None:
        """Remove the versions of a table before the oldest of `keep`."""
        table = self.database.open_table(name)
        times = [version["timestamp"].timestamp() for version in table.list_versions() if version["version"] in keep]
        table.optimize(cleanup_older_than=timedelta(seconds=time.time() - min(times)) + CLOCK_SLACK)

    def discard_all(self, name: str) -> None:
        """Remove all versions of a table but the last, and what killed builds have left."""
        with warnings.catch_warnings():
            # That readers of other versions fail is what was asked for.
            warnings.simplefilter("ignore", UserWarning)
            self.database.open_table(name).optimize(cleanup_older_than=timedelta(0), delete_unverified=True)


def _difference(table: "Table", data: "pa.Table") -> Difference | None:
    """What of the rows differs; None if the table has to be written whole."""
    if table.schema != data.schema or not ascending(data):
        return None
    # The vectors of equal texts are equal: the model is the same.
    told = VECTOR_OF in data.column_names and not data[VECTOR_OF].null_count
    compared = data.drop_columns(VECTOR) if told else data
    if table.count_rows() < FLAT_ROWS:
        old = table.search().select(compared.column_names).to_arrow()
        return difference(lambda column: old[column], compared)
    return difference(lambda column: table.search().select([column]).to_arrow()[column], compared)


def _apply(table: "Table", data: "pa.Table", found: Difference, latest: int) -> int:
    """Change a table, which is checked out at the version to build upon; the new version."""
    if table.version == latest:
        table.checkout_latest()
    else:
        table.restore()
    ids: list[Any] = data["id"].to_pylist()
    _delete(table, [*found.gone, *(ids[row] for row in found.changed)])
    put_in = sorted([*found.changed, *found.added])
    if put_in:
        table.add(take(data, put_in))
    _index_changes(table, data)
    return table.version


def _delete(table: "Table", ids: Sequence[str]) -> None:
    from lancedb.expr import col

    for start in range(0, len(ids), IDS):
        table.delete(col("id").isin(ids[start : start + IDS]))


def _index(table: "Table", data: "pa.Table") -> None:
    from lancedb.index import BTree, IvfRq

    if FULL_TEXT in data.column_names:
        _index_text(table)
    # RabitQ packs eight dimensions into a byte and takes no others.
    if data.num_rows >= FLAT_ROWS and VECTOR in data.column_names and not data.schema.field(VECTOR).type.list_size % 8:
        table.create_index(VECTOR, config=IvfRq(distance_type="cosine"))
    if data.num_rows >= SCANNED_ROWS:
        table.create_index("id", config=BTree())


def _index_changes(table: "Table", data: "pa.Table") -> None:
    """Bring new rows into the indexes of a table."""
    # Nothing may go that readers are on.
    table.optimize(cleanup_older_than=FOREVER)
    if data.num_rows < FLAT_ROWS and FULL_TEXT in data.column_names:
        _index_text(table)


def _index_text(table: "Table") -> None:
    from lancedb.index import FTS

    # The text is analysed by `language.search_terms`: only stems and accents are left to do.
    table.create_index(FULL_TEXT, config=FTS(base_tokenizer="whitespace", lower_case=False, remove_stop_words=False))
