"""Where texts are in a table: rows by id or by name, in little memory however many there are.

A dictionary of a million texts takes 200 MB and its making seconds; their hashes, sorted, take 16 MB.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, overload

from graphrag.storage.arrays import to_numbers, whole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEW = 100_000
"""Up to so many texts are Python's: what `pyarrow.compute` takes to import would pay for them."""
BATCH = 65_536
"""Texts of a large column that are Python's at once."""


class Lookup(Protocol):
    """The row of each of some texts; of equal ones the last."""

    def __len__(self) -> int: ...

    def __contains__(self, text: object, /) -> bool: ...

    def __getitem__(self, text: str, /) -> int: ...

    def find(self, texts: Sequence[str]) -> "NDArray[np.int64]":
        """The rows of some texts, -1 for those that are not known."""
        ...


def lookup(texts: Iterable[str], count: int, first: int = 0) -> Lookup:
    """That of so many texts in the order of their rows, counted from `first`."""
    if count <= FEW:
        return Few((text, row) for row, text in enumerate(texts, first))
    return Many(texts, count, first)


class Few(dict[str, int]):
    """It by a dictionary."""

    def find(self, texts: Sequence[str]) -> "NDArray[np.int64]":
        """The rows of some texts."""
        import numpy as np

        return np.array([self.get(text, -1) for text in texts], np.int64)


class Many:
    """It, of one text at least, by Python's hashes, which are of 64 bits and other ones in every process.

    The texts themselves are not kept: that one of a million takes another for its own happens once
    in 10^13 times.
    """

    def __init__(self, texts: Iterable[str], count: int, first: int) -> None:
        import numpy as np

        hashes = np.fromiter(map(hash, texts), np.int64, count)
        order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[order]
        self._rows = (order + first).astype(np.int32)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, text: object, /) -> bool:
        return isinstance(text, str) and self._find(text) >= 0

    def __getitem__(self, text: str, /) -> int:
        row = self._find(text)
        if row < 0:
            raise KeyError(text)
        return row

    def find(self, texts: Sequence[str]) -> "NDArray[np.int64]":
        """The rows of some texts."""
        import numpy as np

        wanted = np.fromiter(map(hash, texts), np.int64, len(texts))
        # In their order: six times as fast.
        order = np.argsort(wanted)
        wanted = wanted[order]
        places = np.searchsorted(self._hashes, wanted, side="right") - 1
        rows = np.empty(len(wanted), np.int64)
        rows[order] = np.where(self._hashes[places] == wanted, self._rows[places], -1)
        return rows

    def _find(self, text: str) -> int:
        wanted = hash(text)
        place = int(self._hashes.searchsorted(wanted, side="right")) - 1
        return int(self._rows[place]) if self._hashes[place] == wanted else -1


class Texts(Sequence[str]):
    """A column of texts, Python's only as they are asked for; null is empty."""

    def __init__(self, column: Any) -> None:
        self._array: Any = whole(column)

    def __len__(self) -> int:
        return len(self._array)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [value or "" for value in self._array[index].to_pylist()]
        return self._array[index].as_py() or ""

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), BATCH):
            yield from self[start : start + BATCH]


def texts(column: Any) -> Sequence[str]:
    """A column as texts; null is empty."""
    return strings(column) if len(column) <= FEW else Texts(column)


def strings(column: Any) -> list[str]:
    """All values of a column; null is empty."""
    return [value or "" for value in column.to_pylist()]


def join(column: Any, rows: Lookup) -> "NDArray[np.int64]":
    """The row of each text of a column; -1 for those that are not known. Null is empty."""
    return rows.find(texts(column))


def join_as(form: Callable[[str], str], column: Any, rows: Lookup) -> "NDArray[np.int64]":
    """`join` by a form of each text: it is made once of those that come several times."""
    distinct, places = _distinct(column)
    return rows.find([form(text or "") for text in distinct])[places]


def _distinct(column: Any) -> "tuple[list[Any], NDArray[np.int64]]":
    """The texts of a column once each, and which of them each value is."""
    import numpy as np

    if len(column) <= FEW:
        seen: dict[Any, int] = {}
        places = [seen.setdefault(text, len(seen)) for text in column.to_pylist()]
        return list(seen), np.array(places, np.int64)
    import pyarrow.compute as pc

    encoded: Any = pc.dictionary_encode(whole(column), null_encoding="encode")
    return encoded.dictionary.to_pylist(), to_numbers(encoded.indices).astype(np.int64)


def flat(column: Any) -> "tuple[Any, NDArray[np.int64]]":
    """All values of a column of lists in one array, and the row that each is from; null is an empty list."""
    import numpy as np

    lists = whole(column)
    if lists.null_count:
        import pyarrow.compute as pc

        return pc.list_flatten(lists), to_numbers(pc.list_parent_indices(lists)).astype(np.int64)
    offsets = to_numbers(lists.offsets)
    if not len(lists):
        return lists.values.slice(0, 0), np.empty(0, np.int64)
    first, last = int(offsets[0]), int(offsets[-1])
    return lists.values.slice(first, last - first), np.repeat(np.arange(len(lists)), np.diff(offsets))
