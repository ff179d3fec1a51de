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
