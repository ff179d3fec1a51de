"""What differs between two tables, by whole columns, is what differs row by row."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrag.storage.differences import difference, unequal

FINDING = pa.struct([("summary", pa.string()), ("explanation", pa.string())])
TEXTS = st.none() | st.sampled_from(["", "a", "b", "ä\0"])
KINDS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "text": (pa.string(), TEXTS),
    "number": (pa.int64(), st.none() | st.integers(-2, 2)),
    "share": (pa.float64(), st.none() | st.sampled_from([0.0, 1.5, float("nan")])),
    "flag": (pa.bool_(), st.none() | st.booleans()),
    "key": (pa.binary(2), st.none() | st.sampled_from([b"ab", b"ac"])),
    "texts": (pa.list_(pa.string()), st.none() | st.lists(TEXTS, max_size=3)),
    "lists": (
        pa.list_(pa.list_(pa.int64())),
        st.none() | st.lists(st.none() | st.lists(st.integers(0, 1)), max_size=2),
    ),
    "vector": (pa.list_(pa.float32(), 2), st.lists(st.sampled_from([0.0, 1.0]), min_size=2, max_size=2)),
    "findings": (
        pa.list_(FINDING),
        st.none() | st.lists(st.fixed_dictionaries({"summary": TEXTS, "explanation": TEXTS}), max_size=2),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_values_differ_where_they_are_not_the_same(kind: str, data: st.DataObject) -> None:
    type_, values = KINDS[kind]
    pairs = data.draw(st.lists(st.tuples(values, values), max_size=8))
    first, second = (pa.array([pair[side] for pair in pairs], type_) for side in (0, 1))

    found = unequal(first, second)

    # As text, NaN is the same as NaN.
    assert found.tolist() == [str(a) != str(b) for a, b in zip(first.to_pylist(), second.to_pylist(), strict=True)]


ROWS = st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(TEXTS, st.lists(st.integers(0, 2), max_size=2)))


@given(old=ROWS, new=ROWS)
def test_taking_out_and_putting_in_makes_the_new_table(
    old: dict[str, tuple[str | None, list[int]]], new: dict[str, tuple[str | None, list[int]]]
) -> None:
    schema = pa.schema([("id", pa.string()), ("text", pa.string()), ("numbers", pa.list_(pa.int64()))])
    before, after = (
        pa.Table.from_pylist([{"id": key, "text": text, "numbers": n} for key, (text, n) in rows.items()], schema)
        for rows in (old, new)
    )

    found = difference(lambda column: before[column], after)

    ids = list(new)
    assert set(found.gone) == old.keys() - new.keys()
    assert {ids[row] for row in found.added} == new.keys() - old.keys()
    assert {ids[row] for row in found.changed} == {key for key in old.keys() & new.keys() if old[key] != new[key]}
