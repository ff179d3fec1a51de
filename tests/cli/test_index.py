import json
from pathlib import Path

from commands import Command
from samples import MILLS, write_rows

from graphrag import GraphRAG
from graphrag.query.context import NOTHING_FOUND

HINT = "No language model is configured (llm.provider: none), so the method is fast."


def test_the_index_of_a_book(book: Path):
    summary = json.loads((book / "stdout").read_text("utf-8"))

    rag = GraphRAG(book)
    assert (summary["changed"], summary["method"], summary["documents"], summary["failures"]) == (True, "fast", 5, [])
    for name in ("text_units", "entities", "relationships"):
        assert summary[name] == rag.table(name).num_rows > 50
    assert summary["reports"] == sum(summary["communities"].values()) == rag.table("community_reports").num_rows
    assert len(summary["communities"]) > 1
    assert {"Scrooge", "Bob", "Tiny Tim", "Fezziwig"} <= {row["title"] for row in rag.table("entities").to_pylist()}


def test_what_a_first_run_says_beside_its_result(book: Path):
    lines = (book / "stderr").read_text("utf-8").splitlines()

    assert lines[0].startswith(HINT)
    assert "llm.provider, llm.model and llm.base_url in settings.yaml" in lines[0]
    assert lines[1] == "Reading documents"
    assert lines[-1] == "Publishing"


def test_a_second_run_says_that_nothing_changed(book: Path, graphrag: Command):
    manifest = (book / "output" / "manifest.json").read_bytes()

    plain, for_programs = graphrag("index", "--root", book), graphrag("index", "--root", book, "--json")

    assert plain.code == for_programs.code == 0
    assert plain.out.startswith("Nothing changed: the index matches its input (")
    first = json.loads((book / "stdout").read_text("utf-8"))
    again = json.loads(for_programs.out)
    assert {**again, "seconds": 0, "changed": True} == {**first, "seconds": 0}
    assert (book / "output" / "manifest.json").read_bytes() == manifest


def test_the_closing_table_counts_everything(tmp_path: Path, graphrag: Command):
    write_rows(tmp_path, MILLS)

    outcome = graphrag("index", "--root", tmp_path, "--method", "fast", "--verbose")

    assert outcome.code == 0
    assert HINT not in outcome.err
    rows = {cells[0].strip(): cells[1].strip() for line in outcome.out.splitlines() if (cells := line.split("│")[1:3])}
    assert (rows["method"], rows["documents"], rows["text units"], rows["failed"]) == ("fast", "7", "7", "0")
    rag = GraphRAG(tmp_path)
    assert int(rows["entities"]) == rag.table("entities").num_rows
    assert int(rows["relationships"]) == rag.table("relationships").num_rows
    assert int(rows["communities, level 0"]) == int(rows["reports"]) == rag.table("communities").num_rows


def test_a_change_of_the_input_is_indexed(root: Path, graphrag: Command):
    (root / "input" / "new.md").write_text("# Hollow Mill\n\nHollow Mill burned down.")

    outcome = graphrag("index", "--root", root, "--json")

    assert json.loads(outcome.out)["documents"] == len(MILLS) + 1
    assert "Hollow Mill burned down." in graphrag("query", "What burned down?", "--root", root).out


def test_a_removed_document_is_gone(root: Path, graphrag: Command):
    write_rows(root, MILLS[:2])

    assert json.loads(graphrag("index", "--root", root, "--json").out)["documents"] == 2
    answer = json.loads(graphrag("query", "Who is Otto Veit?", "--root", root, "--json").out)
    assert (answer["text"], answer["citations"]) == (NOTHING_FOUND, [])
