import json
from pathlib import Path

from commands import Command, run


def test_init_makes_a_folder_ready_and_asks_nothing(tmp_path: Path):
    done = run("init", "--root", tmp_path / "new")

    assert (done.code, done.err) == (0, "")
    assert (tmp_path / "new" / "settings.yaml").read_text("utf-8").startswith("#")
    assert (tmp_path / "new" / "input").is_dir()
    assert f"graphrag index --root {tmp_path / 'new'}" in done.out


def test_init_refuses_to_overwrite_without_force(tmp_path: Path, graphrag: Command):
    settings = tmp_path / "settings.yaml"
    settings.write_text("chunking: {size: 99}")

    refused = graphrag("init", "--root", tmp_path)

    assert (refused.code, refused.out) == (1, "")
    assert refused.err == f"Error: {settings} exists already; use --force to overwrite it\n"
    assert settings.read_text() == "chunking: {size: 99}"
    assert graphrag("init", "--root", tmp_path, "--force").code == 0
    assert "size: 99" not in settings.read_text("utf-8")


def test_init_keeps_what_is_in_the_input_folder(tmp_path: Path, graphrag: Command):
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "a.txt").write_text("Mine.")

    assert graphrag("init", "--root", tmp_path, "--force").code == 0
    assert (tmp_path / "input" / "a.txt").read_text() == "Mine."


def test_init_for_programs(tmp_path: Path, graphrag: Command):
    outcome = graphrag("init", "--root", tmp_path, "--json")

    assert json.loads(outcome.out) == {"settings": str(tmp_path / "settings.yaml"), "input": str(tmp_path / "input")}


def test_init_can_show_what_it_wrote(tmp_path: Path, graphrag: Command):
    assert (tmp_path / "settings.yaml").exists() is False
    assert "provider: none" in graphrag("init", "--root", tmp_path, "--verbose").out


def test_init_copies_the_prompts_for_editing_and_keeps_edited_ones(tmp_path: Path, graphrag: Command):
    first = graphrag("init", "--root", tmp_path, "--prompts")
    mine = tmp_path / "prompts" / "report.txt"
    mine.write_text(mine.read_text("utf-8") + "\nMine.", "utf-8")
    second = graphrag("init", "--root", tmp_path, "--prompts", "--json")

    assert (first.code, second.code) == (0, 0)
    assert "used instead of the shipped ones" in first.out
    assert json.loads(second.out) == {"prompts": str(tmp_path / "prompts"), "written": []}
    assert mine.read_text("utf-8").endswith("Mine.")
    assert not (tmp_path / "settings.yaml").exists()


def test_a_misspelt_placeholder_is_said_before_anything_is_read(tmp_path: Path, graphrag: Command):
    graphrag("init", "--root", tmp_path, "--prompts")
    (tmp_path / "prompts" / "extract.txt").write_text("Extract.\n--- user ---\n{{passages}} {{types}} {{claim}}")
    (tmp_path / "settings.yaml").write_text("llm: {provider: openai, model: m, base_url: 'http://127.0.0.1:9/v1'}")

    refused = graphrag("index", "--root", tmp_path)

    assert refused.code == 1
    assert "extract.txt: unknown placeholder {{claim}}" in refused.err
