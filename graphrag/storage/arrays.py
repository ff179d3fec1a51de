"""Between Arrow and NumPy, by what is loaded already: this is on the way of every cold query.

pyarrow's own `pa.array` and `to_numpy` import pandas wherever it is installed, to ask whether it is
a pandas object that they were given: a quarter of a second, and 20 MB. `Table.take` and `flatten`
import `pyarrow.compute`, 30 ms and more.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


FEW = 500
"""Rows; more are taken in less time than `pyarrow.compute` takes to import."""


def matrix(column: Any) -> "NDArray[np.float32]":
    """A column of vectors, none of them null, shape (rows, dimensions). Read only if it is in one piece."""
    import numpy as np

    dimensions = column.type.list_size
    parts = [chunk.values.slice(chunk.offset * dimensions, len(chunk) * dimensions) for chunk in column.chunks]
    whole: list[Any] = [np.from_dlpack(part).reshape(-1, dimensions) for part in parts if len(part)]
    return whole[0] if len(whole) == 1 else np.concatenate([np.empty((0, dimensions), np.float32), *whole])


def take(table: "pa.Table", rows: Sequence[int]) -> "pa.Table":
    """The rows of a table at these positions, in their order."""
    import numpy as np
    import pyarrow as pa

    if len(rows) > FEW:
        return table.take(to_arrow(np.array(rows, dtype=np.int64)))
    slices = [table.slice(row, 1) for row in rows]
    return pa.concat_tables([table.slice(0, 0), *slices]).combine_chunks()


def to_arrow(array: "NDArray[np.int64] | NDArray[np.float32]") -> "pa.Array[Any]":
    """A vector of numbers as Arrow sees it, without a copy."""
    import numpy as np
    import pyarrow as pa

    values: Any = np.ascontiguousarray(array)
    return pa.Array.from_buffers(pa.from_numpy_dtype(array.dtype), len(array), [None, pa.py_buffer(values)])


def from_values(values: "Sequence[Any] | NDArray[np.int64]", type_: Any) -> "pa.Array[Any]":
    """Values as an Arrow array of a type: texts, numbers and lists of these without pandas; None is null."""
    import numpy as np
    import pyarrow as pa

    if (pa.types.is_integer(type_) or pa.types.is_floating(type_)) and None not in values:
        numbers: Any = np.array(values, np.int64 if pa.types.is_integer(type_) else np.float64)
        return to_arrow(numbers).cast(type_)
    if not (pa.types.is_list(type_) or pa.types.is_string(type_)):
        return pa.array(values, type_)
    nulls = np.array([value is None for value in values], bool)
    valid = _bits(~nulls) if nulls.any() else None
    if pa.types.is_list(type_):
        items = from_values([item for value in values for item in value or ()], type_.value_type)
        offsets = _offsets([len(value or ()) for value in values])
        return pa.Array.from_buffers(type_, len(values), [valid, offsets], children=[items])
    texts = [(value or "").encode() for value in values]
    offsets = _offsets(list(map(len, texts)))
    return pa.Array.from_buffers(type_, len(texts), [valid, offsets, pa.py_buffer(b"".join(texts))])


def from_mask(mask: "NDArray[np.bool_]") -> "pa.Array[Any]":
    """Truth values as an Arrow array."""
    import pyarrow as pa

    return pa.Array.from_buffers(pa.bool_(), len(mask), [None, _bits(mask)])


def whole(column: Any) -> Any:
    """A column, or an array as it is, in one piece."""
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        return column.combine_chunks() if column.num_chunks else pa.nulls(0, column.type)
    return column


def to_mask(array: Any) -> "NDArray[np.bool_]":
    """An Arrow array of truth values, none of them null."""
    import pyarrow as pa

    return to_numbers(array.cast(pa.uint8())).astype(bool)


def to_numbers(array: Any) -> "NDArray[Any]":
    """An Arrow array of numbers, none of them null; read only."""
    import numpy as np

    return np.from_dlpack(array) if len(array) else np.empty(0, np.int64)


def _offsets(lengths: Sequence[int]) -> Any:
    import numpy as np
    import pyarrow as pa

    offsets: Any = np.cumsum([0, *lengths]).astype(np.int32)
    return pa.py_buffer(offsets)


def _bits(mask: "NDArray[np.bool_]") -> Any:
    import numpy as np
    import pyarrow as pa

    packed: Any = np.packbits(mask, bitorder="little")
    return pa.py_buffer(packed)
