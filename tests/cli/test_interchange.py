import json
from collections.abc import Callable
from pathlib import Path

import networkx as nx
import pyarrow.parquet as pq
from commands import Command
from samples import INCUMBENT, check_citations

from graphrag import GraphRAG
from graphrag.storage.schema import MS_COLUMNS

METHODS = ["local", "global", "drift", "basic"]


def test_export_of_the_book_as_parquet(book: Path, tmp_path: Path, graphrag: Command):
    outcome = graphrag("export", tmp_path / "tables", "--root", book, "--json")

    exported = json.loads(outcome.out)
    assert (exported["format"], exported["target"]) == ("parquet", str(tmp_path / "tables"))
    assert set(exported["rows"]) == set(MS_COLUMNS) - {"covariates"}
    for name, rows in exported["rows"].items():
        table = pq.read_table(tmp_path / "tables" / f"{name}.parquet")
        assert (table.num_rows, table.column_names) == (rows, MS_COLUMNS[name])
        assert table.num_rows > 0


def test_export_of_the_book_as_graphml(book: Path, tmp_path: Path, graphrag: Command):
    outcome = graphrag("export", "--format", "graphml", tmp_path / "book.graphml", "--root", book)

    assert outcome.out == f"Wrote {tmp_path / 'book.graphml'}\n"
    written, graph = nx.read_graphml(tmp_path / "book.graphml"), GraphRAG(book).graph()
    assert (set(written.nodes), written.number_of_edges()) == (set(graph.nodes), graph.number_of_edges())


def test_export_says_how_much_it_wrote_if_asked(book: Path, tmp_path: Path, graphrag: Command):
    outcome = graphrag("export", tmp_path / "tables", "--root", book, "--verbose")

    assert "community_reports" in outcome.out


def test_import_of_the_incumbents_index(imported: Path):
    summary = json.loads((imported / "stdout").read_text("utf-8"))

    assert (summary["changed"], summary["method"], summary["failures"]) == (True, "import", [])
    assert (summary["text_units"], summary["entities"], summary["relationships"]) == (42, 529, 978)
    assert sum(summary["communities"].values()) == summary["reports"] == 122


def test_every_method_answers_from_the_imported_index(imported: Path, graphrag: Command):
    rag = GraphRAG(imported)

    for method in METHODS:
        answer = rag.query("How does Scrooge treat Bob Cratchit?", method)
        check_citations(answer, rag)
        assert answer.citations
        assert "Scrooge" in answer.text
    assert "Cratchit" in graphrag("query", "Who is Bob Cratchit?", "--method", "local", "--root", imported).out


def test_the_imported_index_exports_as_it_was(imported: Path, tmp_path: Path, graphrag: Command):
    assert graphrag("export", "--format", "parquet", tmp_path, "--root", imported).code == 0

    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in INCUMBENT.iterdir()}
    for path in INCUMBENT.iterdir():
        theirs, ours = pq.read_table(path), pq.read_table(tmp_path / path.name)
        assert ours.schema.types == theirs.schema.types, path.name
        assert ours.column_names == theirs.column_names
        assert ours["id"].to_pylist() == theirs["id"].to_pylist()


def test_import_of_a_folder_that_is_no_index(root: Path, graphrag: Command, still_answers: Callable[[], bool]):
    outcome = graphrag("import", root / "input", "--root", root)

    assert outcome.code == 1
    assert outcome.err.splitlines()[-1].startswith(f"Error: {root / 'input' / 'documents.parquet'} is missing")
    assert still_answers()
