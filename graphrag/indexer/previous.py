"""What a build takes over from the index before it: numbers, communities and vectors of what stayed.

Nothing of it decides what is in the index. Without it a build makes the same records; only numbers,
and the communities that are followed (`clustering`), depend on what was there before.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from graphrag.errors import IndexNotFoundError, StorageError
from graphrag.models.base import Embedder
from graphrag.models.fronting import FrontingEmbedder
from graphrag.records import Claim, Community, Document, Entity, Fact, Relationship, TextUnit
from graphrag.storage import schema
from graphrag.storage.arrays import matrix
from graphrag.storage.base import Build, Reader, Store
from graphrag.storage.schema import EMBEDDED, VECTOR_OF, key_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Numbered = TypeVar("Numbered", Document, TextUnit, Entity, Relationship, Fact, Claim)

NUMBERED = ("documents", "text_units", "entities", "relationships", "facts", "covariates")
IMPORT = "import"
"""The method of an index that another program made."""


@dataclass(frozen=True, slots=True)
class Previous:
    """The index that was published when a build began; empty if there was none that can be used."""

    build: Build | None = None
    documents: tuple[Document, ...] = ()
    """Without their text, which may be large."""
    added: tuple[Document, ...] = ()
    """The documents that were added by hand."""
    numbers: Mapping[str, Mapping[str, int]] = field(default_factory=dict[str, Mapping[str, int]])
    """`human_readable_id` by id, by table."""
    communities: tuple[Community, ...] = ()
    vectors: tuple[tuple[Sequence[bytes], "NDArray[np.float32]"], ...] = ()
    """Keys of texts and, row by row, their vectors."""

    def numbered(self, table: str, records: Iterable[Numbered]) -> tuple[Numbered, ...]:
        """The records, those of before under their numbers and new ones under numbers after all of these."""
        known = self.numbers.get(table, {})
        following = max(known.values(), default=-1) + 1
        result: list[Numbered] = []
        for record in records:
            number = known.get(record.id, following)
            following += number == following
            same = number == record.human_readable_id
            result.append(record if same else replace(record, human_readable_id=number))
        return tuple(result)

    def remembering(self, embedder: Embedder) -> Embedder:
        """The embedder, which is not asked for what the index has vectors of."""
        return KnownVectors(embedder, self.vectors) if self.vectors else embedder


def look_back(store: Store, embedder: Embedder, method: str) -> Previous:
    """What a build by this method with this embedder can use. What cannot be read is made anew.

    Raises StorageError where the index is damaged and holds documents that are in no input folder.
    """
    try:
        reader = store.open()
        build = reader.build
        if build.method == IMPORT:
            return Previous(build)
        alike = (build.embedding_model, build.dimensions) == (embedder.name, embedder.dimensions)
        return Previous(
            build,
            tuple(_documents(reader)),
            tuple(schema.to_records("documents", reader.rows("documents", build.added))),
            {name: _numbers(reader, name) for name in NUMBERED},
            tuple(schema.to_records("communities", reader.table("communities"))) if build.method == method else (),
            tuple(_vectors(reader)) if alike else (),
        )
    except IndexNotFoundError:
        return Previous()
    except StorageError:
        build = store.current()
        if build and build.added:
            # They are nowhere else.
            raise
        return Previous(build)


class KnownVectors(FrontingEmbedder):
    """An `Embedder` in front of another, for texts whose vectors an index has."""

    def __init__(self, embedder: Embedder, vectors: Iterable[tuple[Sequence[bytes], "NDArray[np.float32]"]]) -> None:
        """Keys of texts and, row by row, their vectors."""
        super().__init__(embedder)
        self._places = {key: (rows, row) for keys, rows in vectors for row, key in enumerate(keys)}

    def known(self, texts: Sequence[str]) -> "Mapping[str, NDArray[np.float32]]":
        """The vectors that the index has."""
        places = {text: self._places.get(key_of(text)) for text in texts}
        return {text: place[0][place[1]] for text, place in places.items() if place}


def _documents(reader: Reader) -> Iterable[Document]:
    names = ("id", "title", "source", "source_id")
    found = reader.table("documents", names)
    columns: list[list[Any]] = [found[name].to_pylist() for name in names]
    for id_, title, source, source_id in zip(*columns, strict=True):
        yield Document(id_, title, "", source, source_id)


def _numbers(reader: Reader, table: str) -> dict[str, int]:
    found = reader.table(table, ["id", "human_readable_id"])
    ids: list[Any] = found["id"].to_pylist()
    numbers: list[Any] = found["human_readable_id"].to_pylist()
    return dict(zip(ids, numbers, strict=True))


def _vectors(reader: Reader) -> Iterable[tuple[Sequence[bytes], "NDArray[np.float32]"]]:
    for table in sorted(EMBEDDED):
        found = reader.table(table, [VECTOR_OF, "vector"])
        keys: list[Any] = found[VECTOR_OF].to_pylist()
        yield keys, matrix(found["vector"])
