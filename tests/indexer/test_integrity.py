"""What is wrong with an index is found, by table and id; what follows from the rest is mended."""

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from extractor import build, configured, town
from fakes import WordEmbedder
from hypothesis import given
from hypothesis import strategies as st
from integrity import assert_whole
from samples import INCUMBENT, MILLS, indexed, write_rows

from graphrag import GraphRAG, Settings
from graphrag.errors import StorageError
from graphrag.indexer.faults import Fault
from graphrag.indexer.integrity import check, examine, examine_summary, examine_vectors, mended, read
from graphrag.indexer.repairing import repair
from graphrag.records import Index
from graphrag.storage import schema
from graphrag.storage.base import Build
from graphrag.storage.interchange import read_parquet
from graphrag.storage.lance import LanceStore

SMALL = {"chunking": {"size": 40}, "communities": {"max_size": 4}}
PARK = " ".join(
    f"{a} Park met {b} Park in {c}."
    for a, b, c in (
        ("Ada", "Ben", "Lund"),
        ("Ben", "Cid", "Lund"),
        ("Cid", "Dan", "Bonn"),
        ("Dan", "Eva", "Bonn"),
        ("Eva", "Fay", "Metz"),
        ("Fay", "Ada", "Metz"),
    )
)


@pytest.fixture(scope="module")
def rag(tmp_path_factory: pytest.TempPathFactory) -> GraphRAG:
    """A small index with communities at several levels."""
    root = tmp_path_factory.mktemp("whole")
    return indexed(root, [*MILLS, ("Park", PARK)], settings=Settings.model_validate(SMALL))


@pytest.fixture(scope="module")
def fast(rag: GraphRAG) -> Index:
    return opened(rag.root)


@pytest.fixture(scope="module")
def claimed(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """One that a model made, with claims."""
    root = tmp_path_factory.mktemp("claimed")
    write_rows(root, town(4))
    build(root, settings=configured(extraction={"claims": True}))
    return opened(root)


def opened(root: Path) -> Index:
    return read(LanceStore(root / "output").open())


def changed(index: Index, table: str, at: int, **fields: Any) -> Index:
    """The index with other fields in one record."""
    records = getattr(index, table)
    at %= len(records)
    return replace(index, **{table: (*records[:at], replace(records[at], **fields), *records[at + 1 :])})


def without(index: Index, table: str, at: int) -> Index:
    records = getattr(index, table)
    at %= len(records)
    return replace(index, **{table: (*records[:at], *records[at + 1 :])})


def places(faults: Sequence[Fault]) -> set[tuple[str, str]]:
    return {(fault.table, fault.item) for fault in faults}


# --- Builds ------------------------------------------------------------------------------


def test_a_fast_build_is_whole(rag: GraphRAG, fast: Index):
    checked = assert_whole(rag)

    assert len({community.level for community in fast.communities}) > 1
    assert checked.rows == {name: len(getattr(fast, name)) for name in schema.TABLES}
    assert checked.vectors == {name: checked.rows[name] for name in schema.TABLES if name in schema.EMBEDDED}
    named = sum(1 + len(u.entity_ids) + len(u.relationship_ids) + len(u.covariate_ids) for u in fast.text_units)
    assert (checked.references["text_units"], checked.references["documents"]) == (named, 0)
    assert repair(fast) == fast


def test_a_build_with_a_model_is_whole(claimed: Index):
    assert claimed.covariates
    assert examine(claimed) == []
    assert repair(claimed) == claimed


def test_overlapping_text_units_are_whole(tmp_path: Path):
    settings = Settings.model_validate({"chunking": {"size": 40, "overlap": 8}})

    assert_whole(indexed(tmp_path, [("Park", PARK)], settings=settings))


@pytest.mark.parametrize("name", ["christmas_carol_ms", "operation_dulce_ms"])
def test_an_index_of_another_program_is_judged_by_its_own_rules(name: str):
    if not (INCUMBENT.parent / name).exists():
        pytest.skip(f"{name} is not here")
    index = read_parquet(INCUMBENT.parent / name)

    assert examine(index, foreign=True) == []
    assert repair(index, foreign=True) == index
    assert {fault.table for fault in examine(index)} >= {"relationships", "communities"}


def test_an_import_is_whole(mills: GraphRAG, tmp_path: Path):
    mills.export_parquet(tmp_path / "tables")
    imported = GraphRAG(tmp_path / "root", embedder=WordEmbedder())
    imported.import_parquet(tmp_path / "tables")

    assert_whole(imported)


# --- What is mended ----------------------------------------------------------------------

MENDED: list[tuple[str, int, Callable[[Any], dict[str, Any]], str]] = [
    ("text_units", 1, lambda r: {"start": r.start + 1, "end": r.end + 1}, "start is"),
    ("text_units", 1, lambda r: {"end": r.end - 1}, "end is"),
    ("text_units", 0, lambda r: {"entity_ids": r.entity_ids[1:]}, "entity_ids has 1 too few"),
    ("text_units", 0, lambda r: {"entity_ids": (*r.entity_ids, "x")}, "1 that are not in entities, such as 'x'"),
    ("text_units", 0, lambda r: {"entity_ids": r.entity_ids[:1] + r.entity_ids}, "1 more than once"),
    ("text_units", 0, lambda r: {"relationship_ids": ()}, "relationship_ids has"),
    ("text_units", 0, lambda r: {"covariate_ids": ("x",)}, "not in covariates"),
    ("entities", 0, lambda r: {"text_unit_ids": (*r.text_unit_ids, "x")}, "not in text_units, such as 'x'"),
    ("entities", 0, lambda r: {"synonym_ids": ("x",)}, "synonym_ids has 1 that are not in entities, such as 'x'"),
    ("entities", 0, lambda r: {"synonym_ids": (r.id,)}, "synonym_ids has 1 too many"),
    ("entities", 0, lambda r: {"frequency": r.frequency + 1}, "frequency is"),
    ("entities", 0, lambda r: {"degree": r.degree + 1}, "degree is"),
    ("relationships", 0, lambda r: {"combined_degree": 0}, "combined_degree is 0, not"),
    ("relationships", 0, lambda r: {"text_unit_ids": (*r.text_unit_ids, "x")}, "not in text_units"),
    ("relationships", 0, lambda r: {"source": r.source.swapcase()}, "source is"),
    ("relationships", 0, lambda r: {"target": r.target.swapcase()}, "target is"),
    ("facts", 0, lambda r: {"entity_ids": (*r.entity_ids, "x")}, "not in entities"),
    ("facts", 0, lambda r: {"text_unit_ids": (*r.text_unit_ids, "x")}, "not in text_units"),
    ("communities", 0, lambda r: {"entity_ids": (*r.entity_ids, "x")}, "not in entities"),
    ("communities", 0, lambda r: {"relationship_ids": ()}, "relationship_ids has"),
    ("communities", 0, lambda r: {"text_unit_ids": r.text_unit_ids[1:]}, "text_unit_ids has 1 too few"),
    ("communities", 0, lambda r: {"size": 99}, "size is 99"),
    ("communities", 0, lambda r: {"parent": 3}, "parent is 3, not -1"),
    ("communities", -1, lambda r: {"parent": 99}, "parent is 99"),
    ("communities", 0, lambda r: {"children": (*r.children, 99)}, "children has 1 too many, such as 99"),
    ("community_reports", 0, lambda r: {"level": 7}, "level is 7, not 0"),
    ("community_reports", 0, lambda r: {"parent": 7}, "parent is 7"),
    ("community_reports", 0, lambda r: {"children": (99,)}, "children has"),
    ("community_reports", 0, lambda r: {"size": 99}, "size is 99"),
    (
        "community_reports",
        0,
        lambda r: {"findings": (replace(r.findings[0], text_unit_ids=("x", *r.findings[0].text_unit_ids)),)},
        "findings rest on 1 that are not in text_units, such as 'x'",
    ),
]


@pytest.mark.parametrize(("table", "at", "change", "what"), MENDED, ids=[f"{m[0]}: {m[3]}" for m in MENDED])
def test_what_follows_from_the_rest_is_found_and_mended(
    fast: Index, table: str, at: int, change: Callable[[Any], dict[str, Any]], what: str
):
    record = getattr(fast, table)[at]
    broken = changed(fast, table, at, **change(record))

    found = [fault for fault in examine(broken) if (fault.table, fault.item) == (table, record.id)]

    assert any(what in fault.what for fault in found), found
    assert all(fault.repairable for fault in examine(broken))
    assert examine(repair(broken)) == []


def test_claims_are_tied_to_entities_and_text_units(claimed: Index):
    claim = claimed.covariates[0]
    named = changed(claimed, "covariates", 0, subject_id=(claim.subject_id or "").upper())
    dangling = changed(claimed, "covariates", 0, text_unit_id="x")

    assert [f.what.split(",")[0] for f in examine(named)] == [f"subject_id is {(claim.subject_id or '').upper()!r}"]
    assert repair(named) == claimed
    assert ("text_unit_id 'x' is not in text_units", True) in {(f.what, f.repairable) for f in examine(dangling)}
    assert [(f.table, f.item, f.repairable) for f in examine(repair(dangling))] == [("covariates", claim.id, False)]


# --- What cannot be mended ---------------------------------------------------------------

LASTING: list[tuple[str, int, Callable[[Any, Index], dict[str, Any]], str]] = [
    ("documents", 0, lambda _, i: {"id": i.documents[1].id}, "the id is that of 2 records"),
    ("documents", 0, lambda r, _: {"text": r.text + " And more."}, "are in no text unit"),
    ("documents", 1, lambda _, i: {"human_readable_id": i.documents[0].human_readable_id}, "human_readable_id"),
    ("text_units", 0, lambda _, __: {"id": ""}, "the id is empty"),
    ("text_units", 0, lambda _, __: {"document_id": "x"}, "document_id 'x' is not in documents"),
    ("text_units", 0, lambda r, _: {"text": r.text + "!"}, "of its document"),
    ("text_units", 0, lambda _, __: {"n_tokens": 0}, "n_tokens cannot be 0"),
    ("entities", 1, lambda _, i: {"title": i.entities[0].title.upper()}, "is that of"),
    ("entities", 0, lambda _, __: {"title": " "}, "the title is empty"),
    ("entities", 0, lambda _, __: {"text_unit_ids": ("x",)}, "no text unit of the index bears it out"),
    ("relationships", 0, lambda _, __: {"source": "Nobody"}, "source 'Nobody' is the title of no entity"),
    ("relationships", 0, lambda _, __: {"target": "Nobody"}, "target 'Nobody' is the title of no entity"),
    ("relationships", 0, lambda r, _: {"target": r.source}, "to itself"),
    (
        "relationships",
        1,
        lambda _, i: {"source": i.relationships[0].target, "target": i.relationships[0].source},
        "ties the same entities",
    ),
    ("relationships", 0, lambda _, __: {"weight": math.nan}, "the weight is nan"),
    ("relationships", 0, lambda _, __: {"weight": 0.0}, "the weight is 0.0"),
    ("relationships", 0, lambda _, __: {"text_unit_ids": ()}, "no text unit of the index bears it out"),
    ("facts", 0, lambda _, __: {"text_unit_ids": ()}, "no text unit of the index bears it out"),
    ("facts", 0, lambda _, __: {"entity_ids": ("x",)}, "it is about no entity"),
    ("communities", 1, lambda _, i: {"community": i.communities[0].community}, "is that of"),
    ("communities", 0, lambda _, __: {"level": -1}, "the level is -1"),
    ("communities", -1, lambda _, __: {"entity_ids": ("x",), "parent": 99}, "99 does not exist"),
    ("communities", -1, lambda _, __: {"level": 9}, "is not one level up"),
    ("communities", 0, lambda r, _: {"entity_ids": r.entity_ids[1:]}, ""),
    ("communities", -1, lambda _, __: {"entity_ids": ()}, "it has no entities"),
    ("community_reports", 0, lambda _, __: {"community": 99}, "the community 99 does not exist"),
    ("community_reports", 1, lambda _, i: {"community": i.communities[0].community}, "as well"),
    ("community_reports", 0, lambda _, __: {"rank": math.inf}, "the rank is inf"),
    ("community_reports", 0, lambda _, __: {"rank": 10.5}, "the rank is 10.5"),
    (
        "community_reports",
        0,
        lambda r, _: {"findings": (replace(r.findings[0], explanation="So. [Data: Sources (999)]"),)},
        "finding 1 cites number 999 of text_units, which does not exist",
    ),
    (
        "community_reports",
        0,
        lambda r, _: {"findings": (replace(r.findings[0], explanation="So."),)},
        "finding 1 rests on text units that nothing it cites is from",
    ),
]


@pytest.mark.parametrize(("table", "at", "change", "what"), LASTING, ids=[f"{m[0]}: {m[3]}" for m in LASTING])
def test_what_cannot_be_mended_is_found_and_stays(
    fast: Index, table: str, at: int, change: Callable[[Any, Index], dict[str, Any]], what: str
):
    broken = changed(fast, table, at, **change(getattr(fast, table)[at], fast))
    record = getattr(broken, table)[at]

    found = examine(broken)

    assert any(what in fault.what for fault in found if (fault.table, fault.item) == (table, record.id)), found
    lasting = [fault for fault in found if not fault.repairable]
    assert lasting
    assert examine(repair(broken)) == lasting


@pytest.mark.parametrize(
    ("table", "at", "told_of"),
    [
        ("documents", 0, "text_units"),
        ("text_units", 0, "documents"),
        ("entities", 0, "relationships"),
        ("communities", -1, "community_reports"),
        ("community_reports", 0, "communities"),
    ],
)
def test_a_record_that_is_missing_is_missed(fast: Index, table: str, at: int, told_of: str):
    lasting = [fault for fault in examine(without(fast, table, at)) if not fault.repairable]

    assert told_of in {fault.table for fault in lasting}


def test_an_entity_in_no_community_or_in_two(fast: Index):
    first, second = fast.communities[:2]
    (lost, *_) = first.entity_ids
    none = changed(fast, "communities", 0, entity_ids=first.entity_ids[1:])
    two = changed(fast, "communities", 1, entity_ids=(*second.entity_ids, lost))

    assert Fault("entities", lost, "it is in no community of level 0", False) in examine(none)
    assert Fault("entities", lost, "it is in 2 communities of level 0", False) in examine(two)


def test_less_is_asked_of_foreign_indexes(fast: Index):
    for table, change in [
        ("relationships", {"source": "Nobody"}),
        ("communities", {"relationship_ids": ()}),
        ("entities", {"text_unit_ids": (), "frequency": 3}),
        ("facts", {"entity_ids": ()}),
    ]:
        broken = changed(fast, table, 0, **change)
        assert (table, getattr(fast, table)[0].id) in places(examine(broken))
        assert (table, getattr(fast, table)[0].id) not in places(
            examine(broken, foreign=True)
        ) or table == "relationships"
    assert ("communities", fast.communities[0].id) not in places(
        examine(without(fast, "community_reports", 0), foreign=True)
    )


# --- Any damage --------------------------------------------------------------------------

REFERENCES = ["text_unit_ids", "entity_ids", "relationship_ids", "covariate_ids", "children"]
NUMBERS = ["start", "end", "degree", "frequency", "combined_degree", "level", "parent", "size", "community"]
TEXTS = ["id", "document_id", "source", "target", "title", "text", "subject_id", "text_unit_id"]


@st.composite
def damage(draw: st.DrawFn, index: Index) -> Index:
    """An index with a record gone, doubled or spoilt, several times over."""
    for _ in range(draw(st.integers(1, 6))):
        table = draw(st.sampled_from([name for name in schema.TABLES if getattr(index, name)]))
        records = getattr(index, table)
        at, other = (draw(st.integers(0, len(records) - 1)) for _ in range(2))
        kind = draw(st.sampled_from(["gone", "doubled", "spoilt", "spoilt", "spoilt"]))
        if kind == "gone":
            index = without(index, table, at)
        elif kind == "doubled":
            index = replace(index, **{table: (*records, records[at])})
        else:
            field = draw(st.sampled_from([f for f in (*REFERENCES, *NUMBERS, *TEXTS) if hasattr(records[at], f)]))
            index = changed(
                index, table, at, **{field: spoilt(draw, getattr(records[at], field), records[other], field)}
            )
    return index


def spoilt(draw: st.DrawFn, value: Any, other: Any, field: str) -> Any:
    """A reference more or less, a number that is off, or what another record has there."""
    made = {tuple: lambda: (*value[1:], *value[:1], "x"), int: lambda: value + draw(st.integers(-3, 3))}
    wrong = made.get(type(value), lambda: "x")()
    if field == "children":
        wrong = (*value, 99)
    return draw(st.sampled_from([getattr(other, field), wrong, value[1:] if isinstance(value, tuple) else wrong]))


@pytest.mark.parametrize("foreign", [False, True])
@given(data=st.data())
def test_after_a_repair_only_what_cannot_be_mended_is_left(
    fast: Index, claimed: Index, foreign: bool, data: st.DataObject
):
    broken = data.draw(damage(data.draw(st.sampled_from([fast, claimed]))))
    found = examine(broken, foreign)

    mended = repair(broken, foreign)

    assert examine(mended, foreign) == [fault for fault in found if not fault.repairable]
    assert repair(mended, foreign) == mended
    assert (mended == broken) == (not any(fault.repairable for fault in found))
    for table in schema.TABLES:  # vectors and texts of searches stay those of their rows
        kept = [(r.id, getattr(r, "text", "")) for r in getattr(mended, table)]
        assert kept == [(r.id, getattr(r, "text", "")) for r in getattr(broken, table)]


# --- Beside the records ------------------------------------------------------------------


def test_vectors_are_finite_and_one_a_row():
    vectors = np.ones((3, 2), np.float32)
    spoiled = vectors.copy()
    spoiled[1, 0] = np.nan

    assert examine_vectors("facts", 3, vectors) == []
    assert [fault.what for fault in examine_vectors("facts", 4, vectors)] == ["there are 3 vectors for 4 rows"]
    assert [fault.what for fault in examine_vectors("facts", 3, spoiled)] == ["1 vectors hold what is no finite number"]


def test_a_summary_that_counts_otherwise(rag: GraphRAG, fast: Index):
    summary = LanceStore(rag.root / "output").open().build.summary

    assert examine_summary(fast, summary) == []
    assert {fault.item for fault in examine_summary(fast, {**summary, "entities": 1, "communities": {"0": 1}})} == {
        "entities",
        "communities",
    }


def test_a_repaired_build_has_the_vectors_and_texts_that_it_had(rag: GraphRAG, tmp_path: Path):
    store = LanceStore(shutil.copytree(rag.root, tmp_path / "root") / "output")
    whole = {name: store.open().table(name) for name in schema.TABLES}
    broken = {**whole, "entities": with_column(whole["entities"], "degree", 0)}
    broken["documents"] = with_column(whole["documents"], "text_unit_ids", ["x"])
    store.publish(broken, store.open().build)
    faults = check(store.open()).faults

    store.publish(mended(store.open()), store.open().build)

    assert {fault.table for fault in faults} == {"documents", "entities"}
    assert all(fault.repairable for fault in faults)
    assert check(store.open()).faults == ()
    assert {name: store.open().table(name) for name in schema.TABLES} == whole
    assert store.open().matching("text_units", "chemistry in Dresden", 1)


def with_column(table: pa.Table, column: str, value: Any) -> pa.Table:
    field = table.schema.field(column)
    values = pa.array([value] * table.num_rows, field.type)
    return table.set_column(table.column_names.index(column), field, values)


class Spoilt:
    """A reader of an index whose facts have lost a vector."""

    def __init__(self, root: Path) -> None:
        self._reader = LanceStore(root / "output").open()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    @property
    def build(self) -> Build:
        return self._reader.build

    def table(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        table = self._reader.table(name, columns)
        if name != "facts" or columns != ["vector"]:
            return table
        column = table["vector"].to_pylist()
        return pa.table({"vector": pa.array([None, *column[1:]], table.schema.field("vector").type)})


def test_a_vector_that_is_null(rag: GraphRAG):
    checked = check(Spoilt(rag.root))

    assert [(fault.table, fault.repairable) for fault in checked.faults] == [("facts", False)]
    assert checked.vectors["facts"] == checked.rows["facts"] - 1


def test_without_an_index(tmp_path: Path):
    with pytest.raises(StorageError):
        check(LanceStore(tmp_path / "output").open())
