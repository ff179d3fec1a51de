"""Replies of a real model, recorded, through the whole indexer: examples/llm_demo."""

import json
import shutil
from pathlib import Path

import pytest

from graphrag import GraphRAG
from graphrag.errors import ModelRefusedError
from graphrag.language import fold_text
from graphrag.records import IndexSummary

EXAMPLE = Path(__file__).parents[1] / "examples" / "llm_demo"
STALE = (
    "the prompts, the settings or the input of examples/llm_demo are no longer those of its recording: "
    "make it anew with scripts/record_llm_demo.py (see examples/llm_demo/README.md)"
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("llm_demo")
    shutil.copytree(EXAMPLE / "input", folder / "input")
    for name in ("settings.yaml", "recording.jsonl"):
        shutil.copy(EXAMPLE / name, folder)
    return folder


@pytest.fixture(scope="module")
def summary(root: Path) -> IndexSummary:
    try:
        return GraphRAG(root).index("standard")
    except ModelRefusedError as error:
        pytest.fail(f"{STALE}: {error}", pytrace=False)


def test_everything_the_build_asks_is_recorded_and_nothing_else(root: Path, summary: IndexSummary):
    recorded = [json.loads(line) for line in (root / "recording.jsonl").read_text("utf-8").splitlines()]

    assert sum(used.calls for used in summary.usage) == len(recorded) - 1, STALE
    assert recorded[0].keys() == {"format", "model", "parameters"}
    assert all(line.keys() == {"key", "stage", "text", "finish", "usage"} for line in recorded[1:])


def test_nothing_is_lost(summary: IndexSummary):
    assert summary.failures == ()


def test_what_a_small_model_found_is_worth_having(root: Path, summary: IndexSummary):
    rag = GraphRAG(root)
    entities = {row["title"]: row for row in rag.table("entities").to_pylist()}
    text = fold_text((root / "input" / "marleys-ghost.md").read_text("utf-8"))

    assert summary.entities >= 15
    assert summary.relationships >= 15
    assert all(any(word in text for word in fold_text(title).split()) for title in entities)
    assert sum(bool(row["description"]) for row in entities.values()) >= 0.9 * len(entities)


def test_reports_cite_what_they_rest_on(root: Path, summary: IndexSummary):
    reports = GraphRAG(root).table("community_reports").to_pylist()

    assert len(reports) == summary.reports > 0
    assert all("[Data: " in finding["explanation"] for row in reports for finding in row["findings"])
    assert any("Marley" in row["title"] and row["findings"] for row in reports)


def test_a_second_run_asks_nothing(root: Path, summary: IndexSummary):
    again = GraphRAG(root).index("standard")

    assert (again.changed, sum(used.calls for used in again.usage)) == (False, 0)


def test_a_dry_run_knows_that_everything_is_paid_for(root: Path, summary: IndexSummary):
    estimate = GraphRAG(root).estimate("standard")

    assert all(stage.exact and stage.calls == 0 for stage in estimate.stages)
