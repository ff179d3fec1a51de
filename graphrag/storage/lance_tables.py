"""The tables of a published build as LanceDB gives them to a reader, in two ways.

`import lancedb` costs more CPU than a question: it loads the models of a REST client, and pandas
where that is installed, of which reading a folder needs nothing. So tables are read by the
compiled module inside the package, which loads in milliseconds and which the package's own
queries are a thin layer over. Its interface is not a public one: it is used for the releases of
`KNOWN`, with which the tests run it; with any other, tables are read by `import lancedb`.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module, metadata
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from graphrag.storage.arrays import to_arrow

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from lancedb.table import Table
    from numpy.typing import NDArray

T = TypeVar("T")

KNOWN = "0.40."
"""Releases of LanceDB whose compiled module is used directly."""
NPROBES = 50
"""Parts of a vector index that are searched: cheap, and with 20 of them recall at 10 of 1,100,000 was .94 at best."""
REFINED, REFINE_FACTOR = 400, 3
"""Rows that are compared exactly where there is a vector index, and for each wanted at least: what takes the
time. Recall at 10 of 1,100,000 is .98 and at 100 of 300,000 .98; with 50 for 10 wanted it was .89."""

_MODULE = "lancedb._lancedb"


class TableReader(Protocol):
    """One version of a table. Every method raises what LanceDB does: OSError, RuntimeError, ValueError."""

    def count(self) -> int:
        """How many rows there are."""
        ...

    def columns(self) -> list[str]:
        """The names of its columns."""
        ...

    def rows(self, columns: Sequence[str] | None, ids: Sequence[str] | None = None) -> "pa.Table":
        """All rows, in table order; or those with these ids, in any order. `columns` None are all."""
        ...

    def at(self, places: Sequence[int], columns: Sequence[str]) -> "pa.Table":
        """The rows at these places of all, counted as `rows` gives them; in any order."""
        ...

    def nearest(self, vector: "NDArray[np.float32]", k: int) -> "pa.Table":
        """`id` and `_distance` (1 - cosine) of the k nearest rows."""
        ...

    def matching(self, terms: str, k: int) -> "pa.Table":
        """`id` and `_score` (BM25) of the k rows that match any of the terms best."""
        ...


def open_tables(
    where: Path | str, versions: Mapping[str, int], storage_options: Mapping[str, str] | None = None
) -> Mapping[str, TableReader]:
    """These tables of a database in a folder or at a URI, each at its version. Raises as `TableReader` does."""
    compiled = _compiled()
    options = dict(storage_options) if storage_options else None
    if compiled is not None:
        return _run(lambda: _open(compiled, str(where), versions, options))
    import lancedb

    database = lancedb.connect(where, storage_options=options)
    tables = {name: database.open_table(name) for name in versions}
    for name, table in tables.items():
        table.checkout(versions[name])
    return {name: PublicTable(table) for name, table in tables.items()}


@dataclass(frozen=True, slots=True)
class PublicTable:
    """A table read by the public interface."""

    table: "Table"

    def count(self) -> int:
        """How many rows there are."""
        return self.table.count_rows()

    def columns(self) -> list[str]:
        """The names of its columns."""
        return self.table.schema.names

    def rows(self, columns: Sequence[str] | None, ids: Sequence[str] | None = None) -> "pa.Table":
        """All rows, or those with these ids."""
        from lancedb.expr import col

        query: Any = self.table.search()
        if ids is not None:
            query = query.where(col("id").isin(ids))
        return (query if columns is None else query.select(list(columns))).to_arrow()

    def at(self, places: Sequence[int], columns: Sequence[str]) -> "pa.Table":
        """The rows at these places."""
        return self.table.take_offsets(list(places)).select(list(columns)).to_arrow()

    def nearest(self, vector: "NDArray[np.float32]", k: int) -> "pa.Table":
        """The k nearest rows."""
        query: Any = self.table.search(vector, vector_column_name="vector", query_type="vector")
        query = query.distance_type("cosine").nprobes(NPROBES).refine_factor(_refine_factor(k))
        return query.select(["id", "_distance"]).limit(k).to_arrow()

    def matching(self, terms: str, k: int) -> "pa.Table":
        """The k rows that match best."""
        from lancedb.query import MatchQuery

        words = MatchQuery(terms, "search_text")  # pyright: ignore[reportCallIssue]
        query: Any = self.table.search(words, query_type="fts")
        return query.select(["id", "_score"]).limit(k).to_arrow()


@dataclass(frozen=True, slots=True)
class CompiledTable:
    """A table read by the compiled module."""

    compiled: ModuleType
    table: Any

    def count(self) -> int:
        """How many rows there are."""
        return _run(lambda: self.table.count_rows(None))

    def columns(self) -> list[str]:
        """The names of its columns."""
        return _run(lambda: self.table.schema()).names

    def rows(self, columns: Sequence[str] | None, ids: Sequence[str] | None = None) -> "pa.Table":
        """All rows, or those with these ids."""
        query = self._query(columns)
        if ids is not None:
            column, literal = self.compiled.expr_col, self.compiled.expr_lit
            query.where_expr(column("id").isin([literal(row_id) for row_id in ids]))
        return _run(lambda: _read(query))

    def at(self, places: Sequence[int], columns: Sequence[str]) -> "pa.Table":
        """The rows at these places."""
        query = self.table.take_offsets(list(places))
        query.select_columns(list(columns))
        return _run(lambda: _read(query))

    def nearest(self, vector: "NDArray[np.float32]", k: int) -> "pa.Table":
        """The k nearest rows."""
        query = self._query(["id", "_distance"], k).nearest_to(to_arrow(vector))
        query.column("vector")
        query.distance_type("cosine")
        query.nprobes(NPROBES)
        query.refine_factor(_refine_factor(k))
        return _run(lambda: _read(query))

    def matching(self, terms: str, k: int) -> "pa.Table":
        """The k rows that match best."""
        words = {"query": terms, "columns": ["search_text"]}
        return _run(lambda: _read(self._query(["id", "_score"], k).nearest_to_text(words)))

    def _query(self, columns: Sequence[str] | None, limit: int | None = None) -> Any:
        query = self.table.query()
        if columns is not None:
            query.select_columns(list(columns))
        if limit is not None:
            query.limit(limit)
        return query


def _refine_factor(k: int) -> int:
    """How many rows are compared exactly for each that is wanted."""
    return max(-(-REFINED // k), REFINE_FACTOR)


def _compiled() -> ModuleType | None:
    """The compiled module of a known release, without the package around it."""
    try:
        known = metadata.version("lancedb").startswith(KNOWN)
    except metadata.PackageNotFoundError:
        return None
    package = find_spec("lancedb") if known else None
    spec = PathFinder.find_spec(_MODULE, package.submodule_search_locations) if package else None
    return _load(spec) if spec else None


def _load(spec: ModuleSpec) -> ModuleType:
    """Import a submodule without its package, which is imported later if anybody asks for it.

    What `import` does, lock included: the module can be loaded once in a process, and another
    thread may be at it by `import lancedb`.
    """
    importing: Any = import_module("importlib._bootstrap")
    with importing._ModuleLockManager(spec.name):
        return sys.modules.get(spec.name) or importing._load_unlocked(spec)


async def _open(
    compiled: Any, where: str, versions: Mapping[str, int], options: dict[str, str] | None
) -> dict[str, TableReader]:
    database = await compiled.connect(where, storage_options=options)

    async def opened(name: str, version: int) -> TableReader:
        table = await database.open_table(name)
        await table.checkout(version)
        return CompiledTable(compiled, table)

    # At once: each takes two requests where the database is far away.
    tables = await asyncio.gather(*(opened(name, version) for name, version in versions.items()))
    return dict(zip(versions, tables, strict=True))


async def _read(query: Any) -> "pa.Table":
    import pyarrow as pa

    stream = await query.execute()
    return pa.Table.from_batches([batch async for batch in stream], stream.schema)


def _run(call: Callable[[], Awaitable[T]]) -> T:
    """What a call of the compiled module, which is a coroutine, gives.

    By an event loop for each call, which takes a tenth of a millisecond: one that is kept needs a
    thread, which a fork would leave behind. Where this thread's own is running, in another thread.
    """
    if asyncio._get_running_loop() is None:  # pyright: ignore[reportPrivateUsage]
        return _complete(call)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_complete, call).result()


def _complete(call: Callable[[], Awaitable[T]]) -> T:
    async def awaited() -> T:
        return await call()

    # Without a factory it would take away the event loop that this thread's owner may have set.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(awaited())
