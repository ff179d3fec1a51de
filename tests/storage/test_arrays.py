import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrag.storage import arrays

ROWS = st.lists(st.tuples(st.floats(width=32, allow_nan=False), st.floats(width=32, allow_nan=False)), max_size=8)


def column(rows: list[tuple[float, float]]) -> pa.Array:
    return pa.array(rows, pa.list_(pa.float32(), 2))


@given(ROWS, st.integers(0, 3), ROWS)
def test_a_column_in_pieces_as_a_matrix(first: list, offset: int, second: list) -> None:
    pieces = [column(first).slice(offset), column(second)]

    found = arrays.matrix(pa.chunked_array(pieces, column([]).type))

    assert found.shape == (len(first[offset:]) + len(second), 2)
    assert found.tolist() == [list(row) for row in [*first[offset:], *second]]


@pytest.mark.parametrize("few", [0, 500], ids=["many", "few"])
@given(order=st.lists(st.integers(0, 4)))
def test_rows_are_taken_in_their_order(few: int, order: list[int]) -> None:
    table = pa.table({"id": list("abcde"), "values": [[1], [], [2, 3], None, [4]]})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "FEW", few)

        taken = arrays.take(table, order)

    assert taken.schema == table.schema
    assert taken.to_pylist() == [table.to_pylist()[row] for row in order]


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
@pytest.mark.parametrize("step", [1, -2])
def test_a_vector_as_arrow(dtype: type, step: int) -> None:
    vector = np.arange(6).astype(dtype)[::step]

    array = arrays.to_arrow(vector)

    assert array.to_pylist() == vector.tolist()
    assert array.type == pa.from_numpy_dtype(dtype)


def test_neither_pandas_nor_compute_is_imported() -> None:
    program = (
        "import sys, numpy as np, pyarrow as pa; from graphrag.storage import arrays\n"
        "flat = arrays.to_arrow(np.arange(6, dtype=np.float32))\n"
        "vectors = pa.FixedSizeListArray.from_arrays(flat, 2)\n"
        "table = pa.Table.from_arrays([vectors], ['vector'])\n"
        "print(arrays.matrix(arrays.take(table, [2, 0])['vector']).tolist())\n"
        "print({'pandas', 'pyarrow.compute'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "[[4.0, 5.0], [0.0, 1.0]]\nset()\n"
