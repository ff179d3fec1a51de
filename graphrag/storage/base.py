"""What the package asks of a store: whole builds in, searches and tables out.

A build publishes all its tables at once; a reader sees the last complete build for as long as
it lives, never half of one. Every backend must pass `tests/storage/test_contract.py`.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Build:
    """What a published build says of itself."""

    fingerprint: str
    """A hash of everything the build was made from; equal means there is nothing to do."""
    method: str
    """`fast`, `standard` or `import`."""
    embedding_model: str
    dimensions: int
    """Length of every vector in the index."""
    created: str
    """ISO 8601, UTC."""
    summary: Mapping[str, object]
    """The run's IndexSummary as JSON can hold it, failures included."""
    added: tuple[str, ...] = ()
    """Ids of documents that were added by hand."""
    excluded: tuple[str, ...] = ()
    """Ids of documents of the input that were taken out by hand."""


@dataclass(frozen=True, slots=True)
class Version:
    """A build that is published or can be gone back to."""

    number: int
    """Counted from the first build of the folder."""
    build: Build
    published: bool


@dataclass(frozen=True, slots=True)
class Hit:
    """A row found by a search. Scores compare within one result only."""

    id: str
    score: float


class Reader(Protocol):
    """The last complete build, as it was when the reader was opened."""

    @property
    def build(self) -> Build:
        """What the build says of itself."""
        ...

    def table(self, name: str, columns: Sequence[str] | None = None) -> "pa.Table":
        """A whole table in the order it was published in, or some columns of it."""
        ...

    def rows(self, name: str, ids: Sequence[str], columns: Sequence[str] | None = None) -> "pa.Table":
        """The rows with these ids, in the order of `ids`; unknown ids are left out."""
        ...

    def vectors(self, name: str, ids: Sequence[str]) -> "NDArray[np.float32]":
        """The vectors of the rows with these ids, at length 1, shape (ids, dimensions); zeros for unknown ids."""
        ...

    def nearest(self, name: str, vector: "NDArray[np.float32]", k: int) -> list[Hit]:
        """The k rows whose vectors are nearest, best first; score is the cosine similarity."""
        ...

    def matching(self, name: str, text: str, k: int) -> list[Hit]:
        """The k rows that BM25 ranks best for any of the words of `text`, best first.

        `text` is plain: it is analysed by `language.search_terms` here, as the index was, and
        no character in it has a meaning.
        """
        ...


class Store(Protocol):
    """One index: where builds are published and read."""

    def current(self) -> Build | None:
        """The published build, or None. Cheap: opens no table."""
        ...

    def open(self) -> Reader:
        """A reader of the published build.

        Raises IndexNotFoundError if nothing has been published, StorageError if it is damaged.
        """
        ...

    def lock(self) -> AbstractContextManager[None]:
        """Hold the right to publish; freed when the holder dies.

        Raises BuildInProgressError at once if another process or thread holds it.
        """
        ...

    def publish(self, tables: Mapping[str, "pa.Table"], build: Build, *, whole: bool = False) -> None:
        """Replace the index by these tables, all at once; readers opened before keep theirs.

        `tables` has every table of `schema.TABLES`, with its exact schema. Only rows that differ are
        written, unless `whole`, of tables whose rows are in the order of `human_readable_id`. On any
        failure the build published before stays. Call it inside `lock`.
        """
        ...

    def versions(self) -> list[Version]:
        """The builds that can be gone back to, oldest first; the published one is the last. May be empty."""
        ...

    def rollback(self, number: int) -> Version:
        """Publish a build of before again. Raises StorageError where it is not kept. Call it inside `lock`."""
        ...

    def is_due(self) -> bool:
        """Whether `clean` would do anything. Cheap."""
        ...

    def clean(self, *, everything: bool = False) -> None:
        """Remove what was replaced before the retention, or everything that was; rows that were taken
        out leave the files with it. Nothing happens where nothing is due. Call it inside `lock`."""
        ...
