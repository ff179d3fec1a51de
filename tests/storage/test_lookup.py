from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrag.storage import lookup as lookups
from graphrag.storage.lookup import Few, Many, Texts, flat, join, join_as, lookup, texts

words = st.lists(st.text(max_size=3), max_size=20)
columns = st.lists(st.none() | st.text(max_size=3), max_size=20)


def column(values: list[str | None], pieces: int = 2) -> Any:
    cut = len(values) // pieces
    return pa.chunked_array([pa.array(part, pa.string()) for part in (values[:cut], values[cut:])])


@given(words.filter(bool), words, st.integers(0, 9))
def test_many_texts_are_found_as_few_are(known: list[str], asked: list[str], first: int):
    few, many = lookup(known, len(known), first), Many(known, len(known), first)

    assert isinstance(few, Few)
    assert len(known) == len(many) >= len(few)
    for text in [*known, *asked]:
        assert (text in many) == (text in few)
        assert text not in many or many[text] == few[text]
    assert many.find(asked).tolist() == few.find(asked).tolist()


def test_what_is_unknown_has_no_row():
    with pytest.raises(KeyError):
        Many(["a"], 1, 0)["b"]


@given(columns)
def test_a_large_column_reads_as_a_small_one(values: list[str | None]):
    large = Texts(column(values))

    assert list(large) == texts(column(values)) == [value or "" for value in values]
    assert len(large) == len(values)
    assert [large[row] for row in range(len(values))] == list(large)
    assert large[1:3] == list(large)[1:3]


@pytest.mark.parametrize("few", [0, 1000])
@given(values=columns, known=words)
def test_a_join_finds_the_row_of_each_text(few: int, values: list[str | None], known: list[str]):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lookups, "FEW", few)
        rows = join(column(values), lookup(known, len(known)))
        folded = join_as(str.casefold, column(values), lookup(known, len(known)))

    last = {text: row for row, text in enumerate(known)}
    assert rows.tolist() == [last.get(value or "", -1) for value in values]
    assert folded.tolist() == [last.get((value or "").casefold(), -1) for value in values]


@given(st.lists(st.none() | words, max_size=8), st.integers(0, 4))
def test_lists_lie_flat_with_the_rows_they_are_from(lists: list[list[str] | None], start: int):
    array = pa.array(lists, pa.list_(pa.string())).slice(start)

    values, rows = flat(pa.chunked_array([array]))

    wanted = [(row, value) for row, values in enumerate(lists[start:]) for value in values or ()]
    assert list(zip(rows.tolist(), values.to_pylist(), strict=True)) == wanted
