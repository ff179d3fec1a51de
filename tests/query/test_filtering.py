import json
from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrag.errors import QueryError
from graphrag.query.filtering import matching, parse
from graphrag.records import Document
from graphrag.storage.schema import to_table

DOYLE = {
    "author": "Arthur Conan  DOYLE",
    "year": 1890,
    "tags": ["crime", "London"],
    "publisher": {"name": "Lippincott", "city": "Philadelphia"},
    "Straße": "Baker Street",
    "price": 1.5,
    "printed": "1890-02-15",
    "code": "007",
    "read": True,
}
POE = {"author": "Poe", "year": "1841", "printed": "1841-04", "tags": [], "price": None, "note": ""}
WELLS = {
    "author": "Wells|Herbert",
    "year": 1895.0,
    "printed": "1895-05-07T10:30:00+02:00",
    "people": [{"name": "Weena"}],
}


class Documents:
    """A reader that has documents, d0 and so on, and nothing else."""

    def __init__(self, metadata: Sequence[dict[str, object]]) -> None:
        self.documents = [
            Document(
                f"d{n}", f"Title {n}", "", f"{n}.txt", f"own-{n}" if n else "", True, "2026-11-21T08:00:00+00:00", m
            )
            for n, m in enumerate(metadata)
        ]

    def table(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        assert name == "documents"
        return to_table("documents", self.documents).select(list(columns or ()))


def found(*filters: str, metadata: Sequence[dict[str, object]] = (DOYLE, POE, WELLS)) -> set[int]:
    reader = Documents(metadata)
    return {int(id_[1:]) for id_ in matching(reader, parse(filters))}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        ("author=arthur conan doyle", {0}),
        (" AUTHOR = Poe ", {1}),
        ("author!=poe", {0, 2}),
        ("author~O", {0, 1}),
        ("author=poe|ARTHUR conan doyle", {0, 1}),
        ("author!=poe|arthur conan doyle", {2}),
        ("author~conan|herb", {0, 2}),
        ("tags=london", {0}),
        ("tags!=london", {1, 2}),
        ("publisher.name=lippincott", {0}),
        ("people.name=weena", {2}),
        ("STRASSE=baker street", {0}),
        ("read=true", {0}),
        ("price=1.50", {0}),
        ("price!=2", {0, 1, 2}),
        ("price<2", {0}),
        ("code=007", {0}),
        ("year=1895", {2}),
        ("year>=1890", {0, 2}),
        ("year>1890", {2}),
        ("year<1890", {1}),
        ("year=1841..1890", {0, 1}),
        ("year=1890..", {0, 2}),
        ("year=..1890", {0, 1}),
        ("year!=..1890", {2}),
        ("year=1841|1891..", {1, 2}),
        ("printed=1890", {0}),
        ("printed=1890-02", {0}),
        ("printed=1841-04-01", None),
        ("printed>=1890-02-15", {0, 2}),
        ("printed>1890-02-15", {2}),
        ("printed<1890-02-15", {1}),
        ("printed<=1890-02-15", {0, 1}),
        ("printed>1841", {0, 2}),
        ("printed=1841..1890", {0, 1}),
        ("printed=1895-05-07T08:30:00Z", {2}),
        ("printed>1895-05-07T08:29", {2}),
        ("printed>1895-05-07T08:30:00Z", None),
        ("year>=1890-06", {2}),
        ("title=title 1", {1}),
        ("source~.TXT", {0, 1, 2}),
        ("id=own-2", {2}),
        ("id!=own-2", {0, 1}),
        ("creation_date=2026-11", {0, 1, 2}),
    ],
)
def test_conditions(filter_: str, expected: set[int] | None):
    if expected is None:
        with pytest.raises(QueryError, match="no document matches the filter"):
            found(filter_)
    else:
        assert found(filter_) == expected


def test_all_conditions_must_hold():
    assert found("author!=poe", "year<1895") == {0}
    assert found() == {0, 1, 2}
    with pytest.raises(QueryError, match=r"^no document matches the filters 'author=poe' and 'year>1850' together"):
        found("author=poe", "year>1850")


@pytest.mark.parametrize(
    "text", ["", "author", "=Poe", "author=", "author=|Poe", "a=b|", "!=x", "~", "author: Poe", "\n"]
)
def test_what_cannot_be_read_says_how_to_write_it(text: str):
    with pytest.raises(QueryError) as error:
        parse([text])
    assert repr(text) in str(error.value)
    assert "KEY=VALUE" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["author>=Doyle", "year<", "date>1890-13", "date>2026-02-30", "a<1|x"])
def test_order_needs_numbers_or_dates(text: str):
    with pytest.raises(QueryError):
        parse([text])


@pytest.mark.parametrize(
    ("text", "nearest"),
    [("autor=Poe", "author"), ("yaer!=1", "year"), ("strase=x", "Straße"), ("publisher=x", "publisher.city")],
)
def test_a_key_that_no_document_has_is_no_empty_result(text: str, nearest: str):
    with pytest.raises(QueryError, match=f"did you mean '{nearest}'"):
        found(text)


def test_metadata_goes_before_what_every_document_has():
    assert found("source=wire", metadata=[{"source": "Wire"}, {}]) == {0}
    assert found("source=1.txt", metadata=[{"source": "Wire"}, {}]) == {1}


def test_an_index_without_documents():
    with pytest.raises(QueryError, match="no document matches"):
        found("title=x", metadata=[])
    assert found(metadata=[]) == set()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.text(), st.lists(st.dictionaries(st.text(), json_values, max_size=3), max_size=3))
def test_anything_is_an_answer_or_an_error_of_one_line(text: str, metadata: list[dict[str, object]]):
    metadata = json.loads(json.dumps(metadata).encode("utf-8", "replace"))
    for filter_ in (text, f"title{text}", f"title={text}", f"{text}!=1890"):
        try:
            assert found(filter_, metadata=metadata) <= set(range(len(metadata)))
        except QueryError as error:
            assert len(str(error).splitlines()) == 1


@given(st.integers(1, 9999), st.integers(1, 12), st.integers(1, 28), st.integers(1, 9999))
def test_periods_are_ordered_and_nested(year: int, month: int, day: int, other: int):
    whole = f"{year:04}-{month:02}-{day:02}"
    metadata: list[dict[str, object]] = [{"date": whole}, {"date": f"{other:04}-06-15"}]
    for period in (whole, whole[:7], whole[:4]):
        assert 0 in found(f"date={period}", metadata=metadata)
        assert 0 in found(f"date={period}..{period}", metadata=metadata)
        later = {1} if other > year else set[int]()
        assert {1} & (found(f"date>{whole[:4]}", "title~title", metadata=metadata) if later else set()) == later
