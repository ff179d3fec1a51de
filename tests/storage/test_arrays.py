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


TEXTS = st.one_of(st.none(), st.text())
VALUES = st.one_of(
    st.tuples(st.just(pa.string()), st.lists(TEXTS)),
    st.tuples(st.just(pa.list_(pa.string())), st.lists(st.one_of(st.none(), st.lists(TEXTS)))),
    st.tuples(st.just(pa.int32()), st.lists(st.integers(-9, 9))),
    st.tuples(st.just(pa.int64()), st.lists(st.one_of(st.none(), st.integers(-9, 9)))),
    st.tuples(st.just(pa.list_(pa.int64())), st.lists(st.lists(st.integers(-9, 9)))),
    st.tuples(st.just(pa.float64()), st.lists(st.floats(allow_nan=False))),
    st.tuples(st.just(pa.struct([("n", pa.int64())])), st.lists(st.fixed_dictionaries({"n": st.integers(-9, 9)}))),
)


@given(VALUES)
def test_values_as_arrow(typed: tuple[pa.DataType, list]) -> None:
    kind, values = typed

    array = arrays.from_values(values, kind)

    array.validate(full=True)
    assert array.type == kind
    assert array.to_pylist() == values


@given(st.lists(st.booleans()), st.integers(0, 9))
def test_truth_values_there_and_back(values: list[bool], start: int) -> None:
    array = arrays.from_mask(np.array(values, bool))

    assert array.to_pylist() == values
    assert arrays.to_mask(array.slice(min(start, len(values)))).tolist() == values[start:]


@given(st.lists(st.integers(-9, 9)), st.integers(0, 9))
def test_numbers_of_an_array(values: list[int], start: int) -> None:
    array = pa.array(values, pa.int64()).slice(min(start, len(values)))

    assert arrays.to_numbers(array).tolist() == values[start:]


def test_values_and_masks_import_no_pandas() -> None:
    program = (
        "import sys, numpy as np, pyarrow as pa; from graphrag.storage import arrays\n"
        "arrays.from_values([['a', None], None], pa.list_(pa.string()))\n"
        "for kind in (pa.int64(), pa.float64()): arrays.from_values([1, 2], kind)\n"
        "print(arrays.to_mask(arrays.from_mask(np.array([True, False]))).tolist(), 'pandas' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "[True, False] False\n"


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
