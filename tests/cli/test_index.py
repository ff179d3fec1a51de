import json
from itertools import combinations
from pathlib import Path

import pytest
from commands import Command
from samples import MILLS, write_rows

from graphrag import GraphRAG
from graphrag.query.answering import NOTHING_FOUND

HINT = "No language model is configured (llm.provider: none), so the method is fast, which needs none."


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


# --- With a language model ---------------------------------------------------------------

ENTITIES = ["Brightwell Mill", "Corvane Group", "Ilse Tarnow", "Dresden", "Otto Veit", "Aune", "Trout"]
GRAPH = {
    "entities": [[name, "thing", f"{name} is named."] for name in ENTITIES],
    "relationships": [[a, b, "5", "1", f"{a} and {b} are named together."] for a, b in combinations(ENTITIES, 2)],
    "claims": [],
}
REPORT = {"id": "C1", "title": "On mills", "summary": "Mills are owned.", "rank": "5", "why": "So.", "findings": []}
RULES = [
    {"match": r"(?m)^\[1\] ", "reply": GRAPH},
    {"match": r"^C1 \(", "reply": {"reports": [REPORT, {**REPORT, "id": "C2"}]}},
    {"match": "^Pairs:", "reply": {"same": []}},
]
SETTINGS = """
llm: {provider: fake, model: rules.json, prompt_price: 2, completion_price: 10}
chunking: {size: 16}
extraction: {window: 64}
reports: {max_findings: 1}
"""


@pytest.fixture
def read(tmp_path: Path) -> Path:
    """A folder whose model is a file of rules."""
    write_rows(tmp_path, MILLS)
    (tmp_path / "rules.json").write_text(json.dumps(RULES), "utf-8")
    (tmp_path / "settings.yaml").write_text(SETTINGS, "utf-8")
    return tmp_path


def by_stage(out: str) -> dict[str, list[str]]:
    """The rows of a table, by their first cell."""
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if line.startswith("│")]
    return {row[0]: row[1:] for row in rows}


def test_a_run_with_a_model_says_what_it_asked(read: Path, graphrag: Command):
    done = graphrag("index", "--root", read)

    assert done.code == 0
    assert HINT not in done.err
    assert "Extracting entities and relationships" in done.err
    rows = by_stage(done.out)
    assert rows["method"] == ["standard"]
    calls, known, prompt, cached, completion = (int(cell.replace(",", "")) for cell in rows["extraction"])
    assert (calls > 1, known, cached, prompt > completion > 0) == (True, 0, 0, True)
    assert int(rows["all"][0]) == sum(int(row[0]) for stage, row in rows.items() if len(row) == 5 and stage != "all")
    assert "Nothing changed" in graphrag("index", "--root", read).out


def test_usage_for_programs(read: Path, graphrag: Command):
    done = json.loads(graphrag("index", "--root", read, "--json", "--method", "standard").out)
    again = json.loads(graphrag("index", "--root", read, "--json").out)

    assert done["usage"][0]["stage"] == "extraction"
    assert {"calls", "remembered", "failed", "prompt_tokens", "completion_tokens", "cached_tokens", "seconds"} < set(
        done["usage"][0]
    )
    assert (again["changed"], again["usage"]) == (False, [])


def test_a_dry_run_says_what_it_would_ask_and_does_nothing(read: Path, graphrag: Command):
    files = set(read.rglob("*"))

    plain, for_programs = (
        graphrag("index", "--root", read, "--dry-run"),
        graphrag("index", "--root", read, "--dry-run", "--json"),
    )

    assert plain.code == for_programs.code == 0
    assert set(read.rglob("*")) == files
    rows, estimate = by_stage(plain.out), json.loads(for_programs.out)
    assert rows["extraction"][1] == "0"
    assert "community reports (about)" in rows
    assert [stage["exact"] for stage in estimate["stages"]] == [True, False, False, False]
    assert int(rows["extraction"][0]) == estimate["stages"][0]["calls"] > 1
    assert estimate["cost"] == pytest.approx(sum(stage["cost"] for stage in estimate["stages"]))
    assert f"About {estimate['cost']:.2f} by the prices" in plain.out
    done = json.loads(graphrag("index", "--root", read, "--json").out)
    assert done["usage"][0]["calls"] == estimate["stages"][0]["calls"]
    after = json.loads(graphrag("index", "--root", read, "--dry-run", "--json").out)
    assert [(stage["calls"], stage["exact"]) for stage in after["stages"]] == [(0, True)] * 4


def test_a_dry_run_of_fast_and_one_without_prices(read: Path, graphrag: Command):
    assert "asks no model" in graphrag("index", "--root", read, "--dry-run", "--method", "fast").out
    (read / "settings.yaml").write_text(SETTINGS.replace("prompt_price: 2, completion_price: 10", ""), "utf-8")
    assert "llm.prompt_price" in graphrag("index", "--root", read, "--dry-run").out


def test_a_budget_in_money_needs_prices(read: Path, graphrag: Command):
    (read / "settings.yaml").write_text(SETTINGS.replace("prompt_price: 2, completion_price: 10", ""), "utf-8")

    refused = graphrag("index", "--root", read, "--max-cost", 1)

    assert (refused.code, refused.out) == (1, "")
    assert refused.err.endswith("Error: --max-cost needs prices: set llm.prompt_price and llm.completion_price\n")


def test_a_budget_stops_it_cleanly_and_the_next_run_goes_on(read: Path, graphrag: Command):
    stopped = graphrag("index", "--root", read, "--max-tokens", 6000)
    costly = graphrag("index", "--root", read, "--max-cost", 0.001)

    for outcome in (stopped, costly):
        assert (outcome.code, outcome.out) == (1, "")
        assert outcome.err.splitlines()[-1].startswith("Error: spent ")
    assert "larger --max-tokens" in stopped.err
    assert "larger --max-cost" in costly.err
    assert not (read / "output" / "manifest.json").exists()
    usage = json.loads(graphrag("index", "--root", read, "--json").out)["usage"]
    assert (usage[0]["stage"], usage[0]["remembered"] > 0) == ("extraction", True)


def test_names_are_compared_unless_told_not_to(read: Path, graphrag: Command):
    apart = json.loads(graphrag("index", "--root", read, "--no-resolve", "--json").out)
    merged = json.loads(graphrag("index", "--root", read, "--json").out)

    assert (apart["changed"], merged["changed"]) == (True, True)
    assert "resolution" not in {used["stage"] for used in apart["usage"]}


def test_failures_of_the_model_are_printed_and_counted(read: Path, graphrag: Command):
    (read / "rules.json").write_text(json.dumps([{"match": "Otto Veit", "reply": "No."}, *RULES]), "utf-8")

    done = graphrag("index", "--root", read)

    assert done.code == 0
    failed = [line for line in done.err.splitlines() if line.startswith("Failed (extraction): ")]
    assert len(failed) == int(by_stage(done.out)["failed"][0]) > 0
    assert all("text unit" in line for line in failed)


def test_a_model_that_knows_no_answer_is_an_error_of_one_line(read: Path, graphrag: Command):
    (read / "rules.json").write_text("[]", "utf-8")

    done = graphrag("index", "--root", read)

    assert (done.code, done.out) == (1, "")
    assert "no rule of" in done.err.splitlines()[-1]
