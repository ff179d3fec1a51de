from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrag.query import row_cache
from graphrag.query.context import Tools
from graphrag.query.row_cache import RowCache

KNOWN = [f"id{number}" for number in range(6)]


class Reader:
    """Knows some ids, and what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def rows(self, name: str, ids: Sequence[str], columns: Sequence[str]) -> pa.Table:
        self.asked.append(list(ids))
        rows = [{"id": id_, "name": f"{name} {id_}"} for id_ in ids if id_ in KNOWN]
        return pa.Table.from_pylist(rows, pa.schema([("id", pa.string()), ("name", pa.string())])).select(columns)

    def table(self, name: str, columns: Sequence[str]) -> pa.Table:
        self.asked.append(["all", *columns])
        rows = [{"id": id_, "name": f"{name} {id_}"} for id_ in KNOWN]
        return pa.Table.from_pylist(rows, pa.schema([("id", pa.string()), ("name", pa.string())])).select(columns)


@given(st.lists(st.lists(st.sampled_from([*KNOWN, "unknown"]), unique=True), max_size=8), st.integers(0, 4))
def test_rows_are_those_of_the_reader_whatever_was_asked_before(asked: list[list[str]], capacity: int):
    cache, reader = RowCache(Reader(), capacity), Reader()  # pyright: ignore[reportArgumentType]

    for ids in asked:
        assert cache.rows("t", ids, ["id", "name"]) == reader.rows("t", ids, ["id", "name"]).to_pylist()


def test_a_small_table_is_read_whole_when_rows_are_missed_again():
    reader = Reader()
    cache = RowCache(reader)  # pyright: ignore[reportArgumentType]

    for ids in (["id1"], ["id2", "unknown"], ["id3"], ["id4", "id0"]):
        cache.rows("t", ids, ["id", "name"])

    assert reader.asked == [["id1"], ["all", "id"], ["all", "id", "name"]]


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """No table is small."""
    monkeypatch.setattr(row_cache, "SMALL", 0)


@pytest.mark.usefixtures("large")
def test_what_is_kept_is_not_read_again():
    reader = Reader()
    cache = RowCache(reader)  # pyright: ignore[reportArgumentType]

    for ids in (["id1", "id2"], ["id2", "id3"], ["id3", "id1"], []):
        cache.rows("t", ids, ["id"])
    assert reader.asked == [["id1", "id2"], ["all", "id"], ["id3"]]

    cache.rows("other", ["id1"], ["id"])
    assert cache.rows("t", ["id1"], ["id", "name"]) == [{"id": "id1", "name": "t id1"}]
    assert reader.asked[3:] == [["id1"], ["id1"]]


@pytest.mark.usefixtures("large")
def test_only_so_many_rows_are_kept():
    reader = Reader()
    cache = RowCache(reader, capacity=2)  # pyright: ignore[reportArgumentType]

    for ids in (["id1", "id2"], ["id1", "id3"], ["id1"], ["id2"]):
        cache.rows("t", ids, ["id"])

    assert reader.asked == [["id1", "id2"], ["all", "id"], ["id3"], ["id2"]]


def test_a_retriever_reads_a_text_unit_once(tools: Tools, monkeypatch: pytest.MonkeyPatch):
    retriever = tools.retriever
    hits = retriever.hybrid("text_units", "Who built the mill?", 3)
    units = retriever.units(hits)

    monkeypatch.setattr(retriever.reader, "rows", None)

    assert retriever.units(hits) == units
