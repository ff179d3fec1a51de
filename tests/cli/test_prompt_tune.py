import json
from pathlib import Path

import pytest
from commands import Command
from samples import MILLS, write_rows

from graphrag.prompts import Prompts

REPLY = {
    "domain": "mills and rivers",
    "persona": "a local historian of mills",
    "language": "English",
    "entity_types": ["mill", "river"],
    "entities": [
        ["Brightwell Mill", "mill", "1", "Brightwell Mill stands on the Aune."],
        ["Aune", "river", "1", "The Aune is a river."],
        ["Corvane Group", "organization", "1", "The Corvane Group owns a mill."],
        ["Dresden", "place", "1", "Dresden is a city."],
        ["Ilse Tarnow", "person", "1", "Ilse Tarnow is a chemist."],
    ],
    "relationships": [["Brightwell Mill", "Aune", "8", "1", "Brightwell Mill stands on the Aune."]],
    "claims": [],
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A collection, and a model that always says the same."""
    write_rows(tmp_path, MILLS[:2])
    (tmp_path / "rules.json").write_text(json.dumps([{"reply": REPLY}]))
    (tmp_path / "settings.yaml").write_text("llm: {provider: fake, model: rules.json}")
    return tmp_path


def test_it_writes_prompts_for_the_collection(root: Path, graphrag: Command):
    done = graphrag("prompt-tune", "--root", root)

    assert done.code == 0, done.err
    assert f"Wrote {root / 'prompts' / 'extract.txt'}" in done.out
    assert "entity_types: [mill, river]" in done.out
    assert "mills and rivers" in done.out
    assert "1 of 2 examples are the shipped ones" in done.err
    text = Prompts(root / "prompts").render("extract", types="", claims="", passages="[1] x")[0].content
    assert text.startswith("You are a local historian of mills.")
    assert "# Brightwell Mill\n[1] Brightwell Mill stands on the river Aune." in text


def test_for_programs(root: Path, graphrag: Command):
    done = graphrag("prompt-tune", "--root", root, "--json", "--domain", "water", "--output", root / "mine")

    said = json.loads(done.out)
    assert said["domain"] == "water"
    assert said["entity_types"] == ["mill", "river"]
    assert said["files"] == [str(root / "mine" / "extract.txt"), str(root / "mine" / "report.txt")]
    assert [example["entities"] for example in said["examples"]] == [3]


def test_options_of_the_sample_and_the_types(root: Path, graphrag: Command):
    options = ("--limit", 1, "--selection-method", "top", "--language", "Welsh", "--no-discover-entity-types")
    done = graphrag("prompt-tune", "--root", root, "--json", *options)

    said = json.loads(done.out)
    assert (said["language"], said["entity_types"]) == ("Welsh", [])


def test_prompts_that_were_edited_are_kept_without_force_and_no_model_is_asked(root: Path, graphrag: Command):
    (root / "prompts").mkdir()
    edited = root / "prompts" / "extract.txt"
    edited.write_text("Mine: {{types}} {{claims}}\n--- user ---\n{{passages}}", "utf-8")

    refused = graphrag("prompt-tune", "--root", root)

    assert (refused.code, refused.out) == (1, "")
    assert refused.err == (
        f"Error: {edited} is not the shipped prompt: use --force to overwrite it, or another --output\n"
    )
    assert not (root / "cache").exists()
    assert graphrag("prompt-tune", "--root", root, "--force").code == 0
    assert "local historian" in edited.read_text("utf-8")


def test_without_a_model_it_says_how_to_configure_one(root: Path, graphrag: Command):
    (root / "settings.yaml").write_text("llm: {provider: none}")

    refused = graphrag("prompt-tune", "--root", root)

    assert refused.code == 1
    assert "llm.provider" in refused.err
    assert len(refused.err.strip().splitlines()[-1:]) == 1
