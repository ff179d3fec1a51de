"""Columns of ids and of lists of ids, sifted: which are in a set, how many, and lists of just those."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from graphrag.storage.arrays import from_mask, from_values, to_arrow, to_mask, to_numbers, whole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def is_in(column: Any, wanted: Collection[str] | Collection[int]) -> "NDArray[np.bool_]":
    """Of each value of a column, whether it is one of those wanted; null is not."""
    import pyarrow.compute as pc

    return to_mask(pc.is_in(whole(column), from_values(list(wanted), column.type), skip_nulls=True))


def counts(column: Any, wanted: Collection[str]) -> "tuple[NDArray[np.int64], NDArray[np.int64]]":
    """Of each list of a column, how many of its values are wanted, and how many there are."""
    import numpy as np

    values, parents = _flat(column)
    inside = parents[is_in(values, wanted)]
    return np.bincount(inside, minlength=len(column)), np.bincount(parents, minlength=len(column))


def all_in(column: Any, wanted: Collection[str]) -> "NDArray[np.bool_]":
    """Of each list of a column, whether all of its values are wanted; so they are if there are none."""
    inside, total = counts(column, wanted)
    return inside == total


def only(column: Any, wanted: Collection[str] | Collection[int]) -> Any:
    """The lists of a column with only those of their values that are wanted; null becomes empty."""
    import numpy as np
    import pyarrow as pa

    values, parents = _flat(column)
    keep = is_in(values, wanted)
    sizes = np.bincount(parents[keep], minlength=len(column))
    offsets: Any = to_arrow(np.cumsum([0, *sizes])).cast(pa.int32())
    return pa.ListArray.from_arrays(offsets, values.filter(from_mask(keep))).cast(column.type)


def lengths(column: Any) -> "NDArray[np.int64]":
    """The length of each list of a column; null has none."""
    import numpy as np

    return np.bincount(_flat(column)[1], minlength=len(column))


def _flat(column: Any) -> "tuple[Any, NDArray[np.int64]]":
    """All values of a column of lists in one array, and the row that each is from."""
    import pyarrow.compute as pc

    values = whole(column)
    return pc.list_flatten(values), to_numbers(pc.list_parent_indices(values))
