from collections.abc import Callable
from pathlib import Path
from typing import Any

import igraph
import networkx as nx
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from graphrag.errors import InterchangeError
from graphrag.records import Index
from graphrag.storage import interchange
from graphrag.storage.base import Reader
from graphrag.storage.interchange import export_graphml, export_parquet, read_parquet, to_networkx
from graphrag.storage.lance import LanceStore
from graphrag.storage.schema import MS_COLUMNS, TABLES, Searchable, to_table

from .samples import TEXTS, empty_tables, make_build, make_tables

INDEXES = Path(__file__).parents[3] / "shared" / "data" / "graphrag_index"
needs_indexes = pytest.mark.skipif(not INDEXES.is_dir(), reason=f"the indexes of {INDEXES} are not here")


def publish(folder: Path, tables: dict[str, pa.Table]) -> Reader:
    store = LanceStore(folder)
    store.publish(tables, make_build("interchange"))
    return store.open()


def tables_of(index: Index) -> dict[str, pa.Table]:
    records = {name: getattr(index, name) for name in TABLES}
    search = {
        name: Searchable([""] * len(records[name]), np.ones((len(records[name]), 4), np.float32)) for name in TABLES
    }
    return {name: to_table(name, records[name], search[name], index.text_units) for name in TABLES}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    return publish(tmp_path_factory.mktemp("sample"), make_tables())


@pytest.fixture
def exported(reader: Reader, tmp_path: Path) -> Path:
    """A small index as Parquet files, for tests to spoil."""
    export_parquet(reader, tmp_path / "parquet")
    return tmp_path / "parquet"


# --- Export ------------------------------------------------------------------------------


def test_export_has_the_incumbents_columns_and_pandas_reads_it(exported: Path) -> None:
    for name, columns in MS_COLUMNS.items():
        frame = pd.read_parquet(exported / f"{name}.parquet")
        assert list(frame.columns) == columns
        assert list(frame["id"]) == make_tables()[name]["id"].to_pylist()
    assert pd.read_parquet(exported / "documents.parquet")["raw_data"][0] == '{"tags": ["x", 1]}'


def test_export_counts_rows(reader: Reader, tmp_path: Path) -> None:
    assert export_parquet(reader, tmp_path / "a" / "b") == {
        "documents": 1,
        "text_units": 3,
        "entities": 3,
        "relationships": 3,
        "communities": 2,
        "community_reports": 1,
        "covariates": 1,
    }


def test_export_without_claims_leaves_no_covariates_behind(exported: Path, tmp_path: Path) -> None:
    counts = export_parquet(publish(tmp_path / "empty", empty_tables()), exported)

    assert set(counts) == set(MS_COLUMNS) - {"covariates"}
    assert {path.stem for path in exported.iterdir()} == set(counts)
    assert pq.read_schema(exported / "documents.parquet").field("raw_data").type == pa.null()


def test_export_to_where_nothing_can_be_written(reader: Reader, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InterchangeError, match="cannot write to"):
        export_parquet(reader, tmp_path / "file")
    with pytest.raises(InterchangeError, match=r"cannot write .*graph\.graphml"):
        export_graphml(reader, tmp_path / "file" / "graph.graphml")


# --- Import ------------------------------------------------------------------------------


def test_what_was_exported_is_imported(exported: Path) -> None:
    tables = make_tables()

    again = tables_of(read_parquet(exported))

    for name, columns in MS_COLUMNS.items():
        assert again[name].select(columns).equals(tables[name].select(columns))


def test_text_units_are_found_in_their_document(exported: Path) -> None:
    index = read_parquet(exported)
    assert [index.documents[0].text[unit.start : unit.end] for unit in index.text_units] == list(TEXTS)
    assert index.documents[0].titled


@pytest.mark.parametrize(
    ("texts", "spans"),
    [
        (["ab ab", "ab c"], [(0, 5), (3, 7)]),
        (["ab", "ab", "c"], [(0, 2), (3, 5), (6, 7)]),
        (["c", "ab"], [(6, 7), (0, 2)]),
        (["title: x.txt.\nauthor: me.\nab c"], [(3, 7)]),
        (["gone", "c"], [(0, 4), (6, 7)]),
    ],
    ids=["overlapping", "repeated", "unordered", "with metadata before it", "not there"],
)
def test_places_of_text_units(exported: Path, texts: list[str], spans: list[tuple[int, int]]) -> None:
    units = pa.table({"id": [str(i) for i in range(len(texts))], "text": texts})
    units = units.append_column("n_tokens", pa.array([1] * len(texts)))
    pq.write_table(units.append_column("document_id", pa.array(["d"] * len(texts))), exported / "text_units.parquet")
    rewrite(exported, "documents", lambda table: with_column(table, "text", ["ab ab c"]))

    assert [(unit.start, unit.end) for unit in read_parquet(exported).text_units] == spans


@pytest.mark.parametrize(
    ("explanation", "evidence"),
    [
        ("Plain.", ("u0", "u1", "u2")),
        ("Source. [Data: Sources (2, 0)]", ("u2", "u0")),
        ("Graph. [Data: Entities (0); Relationships (1, +more)]", ("u0", "u1")),
        ("Other case. [data: sources(1)] And [Data: Claims (0); Sources (1)]", ("u1", "u0")),
        ("A report. [Data: Reports (1)]", ("u0",)),
        ("Unknown. [Data: Entities (99), Weather (1)]", ("u0", "u1", "u2")),
        ("Not a reference: sources (1). [Data: Sources (" + "9" * 5000 + ")]", ("u0", "u1", "u2")),
    ],
)
def test_references_lead_to_text_units(exported: Path, explanation: str, evidence: tuple[str, ...]) -> None:
    finding = [[{"explanation": explanation, "summary": "s"}]]
    rewrite(exported, "community_reports", lambda table: with_column(table, "findings", finding))

    assert read_parquet(exported).community_reports[0].findings[0].text_unit_ids == evidence


def test_only_the_needed_columns_are_needed(exported: Path) -> None:
    for name, columns in interchange.REQUIRED.items():
        rewrite(exported, name, lambda table, columns=columns: table.select(columns))
    index = read_parquet(exported)

    assert [entity.human_readable_id for entity in index.entities] == [0, 1, 2]
    assert [edge.weight for edge in index.relationships] == [1.0, 1.0, 1.0]
    assert index.documents[0].metadata == {}
    assert index.covariates[0].source_text is None
    assert index.community_reports[0].parent == -1


@pytest.mark.parametrize(("name", "column"), [(n, c) for n, columns in interchange.REQUIRED.items() for c in columns])
def test_a_needed_column_that_is_missing_is_named(exported: Path, name: str, column: str) -> None:
    rewrite(exported, name, lambda table: table.drop_columns(column))

    with pytest.raises(InterchangeError, match=rf"{name}\.parquet has no column '{column}'"):
        read_parquet(exported)


def test_nulls_are_tolerated(exported: Path) -> None:
    for name in MS_COLUMNS:
        rewrite(exported, name, nulls_but_ids)
    index = read_parquet(exported)

    assert index.entities[0].description == ""
    assert index.communities[0].parent == -1
    assert index.communities[1].entity_ids == ()
    assert index.community_reports[0].findings == ()
    assert index.covariates[0].description is None


@pytest.mark.parametrize(
    ("value", "metadata"),
    [
        ('{"a": [1]}', {"a": [1]}),
        ("[1]", {"raw_data": "[1]"}),
        ("plain", {"raw_data": "plain"}),
        ("", {}),
        ({"a": 1, "b": None}, {"a": 1, "b": None}),
        (None, {}),
    ],
)
@pytest.mark.parametrize("column", ["raw_data", "metadata"])
def test_metadata_of_any_version(exported: Path, column: str, value: object, metadata: dict[str, Any]) -> None:
    def change(table: pa.Table) -> pa.Table:
        return table.drop_columns("raw_data").append_column(column, pa.array([value]))

    rewrite(exported, "documents", change)
    assert read_parquet(exported).documents[0].metadata == metadata


@pytest.mark.parametrize("name", [name for name in MS_COLUMNS if name != "covariates"])
def test_a_missing_or_broken_file_is_named(exported: Path, name: str) -> None:
    path = exported / f"{name}.parquet"
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(InterchangeError, match=rf"{name}\.parquet is not a Parquet file"):
        read_parquet(exported)
    path.unlink()
    with pytest.raises(InterchangeError, match=rf"{name}\.parquet is missing"):
        read_parquet(exported)


def test_a_column_of_another_kind_is_named(exported: Path) -> None:
    rewrite(exported, "entities", lambda table: with_column(table, "human_readable_id", ["a", "b", "c"]))

    with pytest.raises(InterchangeError, match=r"entities\.parquet: column 'human_readable_id' has the type string"):
        read_parquet(exported)


def test_an_id_that_is_there_twice_is_named(exported: Path) -> None:
    rewrite(exported, "entities", lambda table: pa.concat_tables([table, table]))

    with pytest.raises(InterchangeError, match=r"entities\.parquet has 3 ids more than once, such as"):
        read_parquet(exported)


def test_numbers_and_texts_of_other_widths_are_taken(exported: Path) -> None:
    rewrite(
        exported,
        "entities",
        lambda table: table.cast(
            pa.schema([(f.name, pa.int32() if f.type == pa.int64() else large(f.type)) for f in table.schema])
        ),
    )
    assert read_parquet(exported).entities[1].degree == 1


# --- Real indexes ------------------------------------------------------------------------


@needs_indexes
@pytest.mark.parametrize("name", ["christmas_carol_ms", "operation_dulce_ms"])
def test_a_real_index_comes_out_as_it_went_in(name: str, tmp_path: Path) -> None:
    index = read_parquet(INDEXES / name)
    counts = export_parquet(publish(tmp_path / "store", tables_of(index)), tmp_path)

    for table, rows in counts.items():
        original = pq.read_table(INDEXES / name / f"{table}.parquet")
        original = original.rename_columns([{"metadata": "raw_data"}.get(c, c) for c in original.column_names])
        ours = pq.read_table(tmp_path / f"{table}.parquet")
        assert ours.schema.equals(original.schema)
        assert rows == original.num_rows
        if (name, table) == ("operation_dulce_ms", "documents"):
            # Its document lists text units that its own table does not have.
            units = pq.read_table(INDEXES / name / "text_units.parquet")["id"].to_pylist()
            assert ours["text_unit_ids"].to_pylist() == [units]
            assert not {*units} & {*original["text_unit_ids"][0].as_py()}
            ours, original = ours.drop_columns("text_unit_ids"), original.drop_columns("text_unit_ids")
        assert ours.equals(original)


@needs_indexes
@pytest.mark.parametrize("name", ["christmas_carol_ms", "operation_dulce_ms"])
def test_a_real_index_is_linked_to_its_texts(name: str) -> None:
    index = read_parquet(INDEXES / name)
    text = index.documents[0].text
    findings = [finding for report in index.community_reports for finding in report.findings]

    # The Carol's units begin with "title: a-christmas-carol.txt.", which is not in the document.
    assert all(unit.text.removeprefix("title: a-christmas-carol.txt.\n") == text[unit.start : unit.end]
               for unit in index.text_units)  # fmt: skip
    assert all(finding.text_unit_ids for finding in findings)
    assert {unit for finding in findings for unit in finding.text_unit_ids} <= {unit.id for unit in index.text_units}


@needs_indexes
def test_real_findings_rest_on_what_they_cite() -> None:
    index = read_parquet(INDEXES / "operation_dulce_ms")
    report = next(report for report in index.community_reports if report.community == 7)
    finding = report.findings[0]

    # "[Data: Entities (4); Relationships (4, 23, 29, 30, +more)]"
    entity = next(entity for entity in index.entities if entity.human_readable_id == 4)
    assert "Entities (4)" in finding.explanation
    assert finding.text_unit_ids[: len(entity.text_unit_ids)] == entity.text_unit_ids


@needs_indexes
def test_a_real_graph_opens_everywhere(tmp_path: Path) -> None:
    index = read_parquet(INDEXES / "christmas_carol_ms")
    reader = publish(tmp_path / "store", tables_of(index))
    path = tmp_path / "graph.graphml"
    export_graphml(reader, path)

    ours, theirs = nx.read_graphml(path), igraph.Graph.Read_GraphML(str(path))
    pairs = {frozenset((edge.source, edge.target)) for edge in index.relationships}
    assert ours.number_of_edges() == theirs.ecount() == len(pairs)
    assert ours.number_of_nodes() == theirs.vcount()
    assert set(ours) >= {entity.title for entity in index.entities}
    assert sum(theirs.es["weight"]) == pytest.approx(sum(edge.weight for edge in index.relationships))


# --- Graphs ------------------------------------------------------------------------------


def test_networkx_graph(reader: Reader) -> None:
    graph = to_networkx(reader)

    assert graph.nodes["HOUND"] == {
        "id": "e0",
        "type": "ANIMAL",
        "description": "A grey hound",
        "frequency": 1,
        "degree": 2,
        "community": 1,
    }
    assert graph.nodes["SNOW"]["community"] == 0
    assert dict(graph.edges) == {
        ("HOUND", "CITY"): {"weight": 3.5, "description": "fears\nhunts"},
        ("HOUND", "SNOW"): {"weight": 1.0, "description": "likes"},
    }


@pytest.mark.parametrize("read", [nx.read_graphml, lambda path: igraph.Graph.Read_GraphML(str(path)).to_networkx()])
def test_graphml_holds_the_graph(reader: Reader, tmp_path: Path, read: Callable[[Path], "nx.Graph[str]"]) -> None:
    export_graphml(reader, tmp_path / "new" / "graph.graphml")
    graph = read(tmp_path / "new" / "graph.graphml")

    city = next(attributes for _, attributes in graph.nodes(data=True) if attributes["entity_id"] == "e1")
    assert city["description"] == "A quiet city\ufffd"
    assert (city["community"], city["degree"], city["type"]) == (1, 1, "GEO")
    assert sorted(weight for *_, weight in graph.edges(data="weight")) == [1.0, 3.5]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["graph.graphml"]


@pytest.mark.parametrize("code", [*range(32), 0x7F, 0x85, 0xD7FF, 0xE000, 0xFFFD, 0xFFFE, 0xFFFF, 0x10FFFF])
def test_every_character_can_be_in_a_title(tmp_path: Path, code: int) -> None:
    title = f"a{chr(code)}b"
    graph: nx.Graph[str] = nx.Graph()
    graph.add_node(interchange._xml_text(title))
    nx.write_graphml(graph, tmp_path / "graph.graphml")

    kept = chr(code) if code in (9, 10, 13) or (code > 31 and code not in (0xFFFE, 0xFFFF)) else "\ufffd"
    assert interchange._xml_text(title) == f"a{kept}b"
    assert len(nx.read_graphml(tmp_path / "graph.graphml")) == 1


def test_a_failed_graphml_leaves_the_file_before(
    reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "graph.graphml"
    path.write_text("before")

    def fail(graph: object, target: Path) -> None:
        target.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(nx, "write_graphml", fail)
    with pytest.raises(InterchangeError, match="No space left on device"):
        export_graphml(reader, path)
    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["graph.graphml"]


# --- Spoiling ----------------------------------------------------------------------------


def rewrite(folder: Path, name: str, change: Callable[[pa.Table], pa.Table]) -> None:
    path = folder / f"{name}.parquet"
    pq.write_table(change(pq.read_table(path)), path)


def with_column(table: pa.Table, name: str, values: list[Any]) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(values))


def nulls_but_ids(table: pa.Table) -> pa.Table:
    for column in set(table.column_names) - {"id"}:
        table = with_column(table, column, [None] * table.num_rows)
    return table


def large(kind: pa.DataType) -> pa.DataType:
    if kind == pa.string():
        return pa.large_string()
    return pa.large_list(pa.large_string()) if pa.types.is_list(kind) else kind
