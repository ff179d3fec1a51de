from importlib.resources import files
from pathlib import Path

import pytest

from graphrag import prompts
from graphrag.errors import PromptError
from graphrag.prompts import PLACEHOLDERS, Prompts


def test_every_prompt_has_its_placeholders_and_no_others():
    shipped = {path.name.removesuffix(".txt") for path in files("graphrag.prompts").iterdir() if ".txt" in path.name}

    assert shipped == set(PLACEHOLDERS)
    for name in PLACEHOLDERS:
        text = files("graphrag.prompts").joinpath(f"{name}.txt").read_text("utf-8")
        assert not list(prompts._problems(text, PLACEHOLDERS[name])), name


def test_what_differs_between_calls_comes_last():
    a = Prompts().render("extract", types="t", claims="c", passages="[1] One.")
    b = Prompts().render("extract", types="t", claims="c", passages="[1] Two.")

    assert [message.role for message in a] == ["system", "user"]
    assert a[0] == b[0]
    assert (a[1].content, b[1].content) == ("[1] One.", "[1] Two.")


def test_values_are_not_searched_for_placeholders():
    rendered = Prompts().render("extract", types="{{claims}}", claims=r"\1 {{types}}", passages="{{passages}}")

    assert "{{claims}}" in rendered[0].content
    assert r"\1 {{types}}" in rendered[0].content
    assert rendered[1].content == "{{passages}}"


def test_a_file_of_the_users_own_replaces_the_shipped_one(tmp_path: Path):
    (tmp_path / "summarize.txt").write_text("Shorten.\n--- user ---\nThese: {{ entities }}", "utf-8")

    messages = Prompts(tmp_path).render("summarize", entities="[1] a")

    assert [message.content for message in messages] == ["Shorten.", "These: [1] a"]
    assert Prompts(tmp_path).render("resolve", pairs="p") == Prompts().render("resolve", pairs="p")


def test_a_prompt_may_have_no_system_part(tmp_path: Path):
    (tmp_path / "summarize.txt").write_text("--- user ---\n{{entities}}", "utf-8")

    assert [m.role for m in Prompts(tmp_path).render("summarize", entities="a")] == ["user"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Shorten.\n--- user ---\nThese.", r"placeholder \{\{entities\}\} is missing"),
        ("Shorten.\n--- user ---\n{{entities}} {{entites}}", r"unknown placeholder \{\{entites\}\}"),
        ("Shorten.\n--- user ---\n{{entities}}\n--- user ---\nb", "more than one line"),
        ("Shorten.\n-- user --\n{{entities}}", "no line '--- user ---'"),
        ("{{entities}}\n--- user ---\n", "nothing follows"),
    ],
)
def test_a_wrong_prompt_is_refused_at_the_start(tmp_path: Path, text: str, problem: str):
    (tmp_path / "summarize.txt").write_text(text, "utf-8")

    with pytest.raises(PromptError, match=problem) as caught:
        Prompts(tmp_path)
    assert "summarize.txt" in str(caught.value)


def test_a_prompt_that_is_not_text_is_refused(tmp_path: Path):
    (tmp_path / "report.txt").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(PromptError, match="cannot read"):
        Prompts(tmp_path)


def test_copies_are_for_editing_and_never_overwritten(tmp_path: Path):
    written = prompts.copy(tmp_path / "prompts")
    written[0].write_text(written[0].read_text("utf-8") + "\nMine.", "utf-8")

    assert {path.name for path in written} == {f"{name}.txt" for name in PLACEHOLDERS}
    assert prompts.copy(tmp_path / "prompts") == []
    assert written[0].read_text("utf-8").endswith("Mine.")
    Prompts(tmp_path / "prompts")


def test_a_file_of_another_name_is_refused_with_the_nearest(tmp_path: Path):
    (tmp_path / "extrakt.txt").write_text("Extract.", "utf-8")
    (tmp_path / "notes.md").write_text("Mine.", "utf-8")

    with pytest.raises(PromptError, match=r"extrakt\.txt is no prompt; did you mean extract\.txt\?"):
        Prompts(tmp_path)


def test_blanks_around_the_divider_do_no_harm(tmp_path: Path):
    (tmp_path / "summarize.txt").write_text("Shorten.\n---  user ---  \n{{entities}}", "utf-8")

    assert [message.role for message in Prompts(tmp_path).render("summarize", entities="a")] == ["system", "user"]
