from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_type_hints

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrag.language import search_terms
from graphrag.records import Document, Entity, Fact, Finding, TextUnit
from graphrag.storage.schema import (
    EMBEDDED,
    MS_COLUMNS,
    TABLES,
    Searchable,
    columns,
    optional,
    schema,
    to_records,
    to_table,
)

INTS = st.integers(-(2**63), 2**63 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)
VALUES: dict[object, st.SearchStrategy[Any]] = {
    str: st.text(),
    str | None: st.none() | st.text(),
    int: INTS,
    int | None: st.none() | INTS,
    float: st.floats(allow_nan=False),
    bool: st.booleans(),
    tuple[str, ...]: st.lists(st.text(), max_size=3).map(tuple),
    # A null list comes back as an empty one.
    tuple[str, ...] | None: st.lists(st.text(), max_size=3).map(tuple),
    tuple[int, ...]: st.lists(INTS, max_size=3).map(tuple),
    tuple[Finding, ...]: st.lists(
        st.builds(Finding, st.text(), st.text(), st.lists(st.text(), max_size=2).map(tuple)), max_size=2
    ).map(tuple),
    Mapping[str, object]: st.dictionaries(st.text(), JSON, max_size=2),
}


def records(name: str) -> st.SearchStrategy[list[Any]]:
    hints = get_type_hints(TABLES[name])
    return st.lists(st.builds(TABLES[name], **{field: VALUES[hint] for field, hint in hints.items()}), max_size=3)


@pytest.mark.parametrize("name", TABLES)
@given(data=st.data())
def test_records_come_back_as_they_went_in(name: str, data: st.DataObject) -> None:
    given_records = data.draw(records(name))
    search = Searchable([""] * len(given_records), np.ones((len(given_records), 3), np.float32))

    table = to_table(name, given_records, search)

    assert to_records(name, table) == given_records
    assert table.schema == schema(name, 3)


@pytest.mark.parametrize("name", MS_COLUMNS)
def test_incumbent_columns_come_first_in_its_order(name: str) -> None:
    assert schema(name, 3).names[: len(MS_COLUMNS[name])] == list(MS_COLUMNS[name])


def test_own_columns() -> None:
    own = {name: [c for c in columns(name).names if c not in MS_COLUMNS[name]] for name in MS_COLUMNS}

    assert {name: names for name, names in own.items() if names} == {
        "documents": ["source", "source_id", "titled"],
        "text_units": ["start", "end", "headings", "page", "context"],
        "entities": ["aliases", "synonym_ids"],
        "community_reports": ["finding_text_unit_ids"],
    }


def test_an_older_index_may_lack_a_column_that_can_be_null() -> None:
    units = [TextUnit("u", "Text.", 1, "d", page=3)]
    table = to_table("text_units", units, Searchable([""], np.ones((1, 3), np.float32)))

    assert to_records("text_units", table.drop_columns(["page"])) == [replace(units[0], page=None)]
    with pytest.raises(KeyError):
        to_records("text_units", table.drop_columns(["start"]))


def test_a_null_list_is_an_empty_one() -> None:
    entity = Entity("a", "A", "", "", synonym_ids=None)
    table = to_table("entities", [entity], Searchable([""], np.ones((1, 3), np.float32)))

    assert table["synonym_ids"].null_count == 1
    assert to_records("entities", table) == [replace(entity, synonym_ids=())]
    assert to_records("entities", table.drop_columns(["synonym_ids"])) == [entity]


def test_columns_that_can_be_null_are_those_that_an_older_index_may_lack() -> None:
    assert {"synonym_ids"} <= optional("entities")
    assert {"page", "context"} <= optional("text_units")
    assert not optional("entities") & {"id", "title", "text_unit_ids", "vector"}


def test_search_columns() -> None:
    found = {name: [c for c in schema(name, 3).names if c in ("search_text", "vector")] for name in TABLES}

    assert {name: names for name, names in found.items() if names} == {
        "text_units": ["search_text", "vector"],
        "entities": ["search_text", "vector"],
        "facts": ["vector"],
        "community_reports": ["search_text", "vector"],
    }
    assert schema("entities", 384).field("vector").type == pa.list_(pa.float32(), 384)


def test_search_text_is_analysed_and_vectors_keep_their_rows() -> None:
    vectors = np.arange(6, dtype=np.float32).reshape(2, 3)
    entities = [Entity("a", "A", "", ""), Entity("b", "B", "", "")]

    table = to_table("entities", entities, Searchable(["Ｓcrooge's Ghost", "삼성전자는 서울에서"], vectors))

    assert table["search_text"].to_pylist() == [search_terms("Scrooge's Ghost"), search_terms("삼성전자는 서울에서")]
    assert table["search_text"].to_pylist()[0] == "scrooge ghost"
    assert table["vector"].to_pylist() == vectors.tolist()


def test_vectors_of_another_type_or_layout_are_taken() -> None:
    vectors = np.arange(6, dtype=np.float64).reshape(3, 2).T

    table = to_table("facts", [Fact("a", "", (), ()), Fact("b", "", (), ())], Searchable([], vectors))

    assert table["vector"].to_pylist() == vectors.tolist()


def test_document_lists_its_text_units_in_their_order() -> None:
    documents = [Document("d1", "", ""), Document("d2", "", ""), Document("d3", "", "")]
    units = [TextUnit("u3", "", 0, "d2"), TextUnit("u1", "", 0, "d1"), TextUnit("u2", "", 0, "d2")]

    table = to_table("documents", documents, text_units=units)

    assert table["text_unit_ids"].to_pylist() == [["u1"], ["u3", "u2"], []]


def test_metadata_is_json_and_null_when_there_is_none() -> None:
    table = to_table("documents", [Document("a", "", "", metadata={"저자": "Kim"}), Document("b", "", "")])

    assert table["raw_data"].to_pylist() == ['{"저자": "Kim"}', None]


@pytest.mark.parametrize("name", sorted(EMBEDDED))
@pytest.mark.parametrize("search", [None, Searchable(["a", "b"], np.ones((2, 3), np.float32))])
def test_a_vector_for_each_record_is_demanded(name: str, search: Searchable | None) -> None:
    with pytest.raises(ValueError, match=f"{name}: one vector is needed for each of its 0 records"):
        to_table(name, [], search)
