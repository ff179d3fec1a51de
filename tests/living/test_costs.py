"""A change costs what changed: what a model is asked for after documents came, went, moved or were edited."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from extractor import FAMILIES, PASSAGE, Built, build, configured, town

from graphrag.indexer import extraction, reporting, resolution

SETTINGS = configured(communities={"warm_start": True})
NEW = "Quentin Oak met Ruth Oak in Oakton.\n\nRuth Oak built a boat there, and Quentin Oak sank it."


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A town, a file a family, a paragraph every two sentences."""
    (tmp_path / "input").mkdir()
    for family, (_, text) in zip(FAMILIES, town(), strict=True):
        parts = re.split(r"(?<=\.) ", text)
        text = "\n\n".join(" ".join(parts[start : start + 2]) for start in range(0, len(parts), 2))
        (tmp_path / "input" / f"{family}.txt").write_text(text, "utf-8")
    return tmp_path


def index(root: Path) -> Built:
    return build(root, settings=SETTINGS)


def read(built: Built) -> set[str]:
    """The passages that the model was asked to read."""
    prompts = [asked.messages[1].content for asked in built.asked(extraction.STAGE)]
    return {passage for prompt in prompts for _, passage in PASSAGE.findall(prompt)}


def units(built: Built) -> dict[str, str]:
    """Texts of text units on one line, by id."""
    return {row["id"]: " ".join(row["text"].split()) for row in built.tables["text_units"]}


def reported(built: Built) -> Iterator[str]:
    """What the model was asked to report on, a community each, without its name."""
    for asked in built.asked(reporting.STAGE):
        for part in re.split(r"\n\n(?=C\d+ \()", asked.messages[1].content):
            yield part.partition("\n")[2]


def new(before: Built, after: Built) -> set[str]:
    """The texts of text units that there were none of before."""
    known = units(before)
    return {text for id_, text in units(after).items() if id_ not in known}


def test_of_a_new_document_only_its_own_text_is_read(root: Path):
    before = index(root)
    (root / "input" / "Oak.txt").write_text(NEW, "utf-8")

    after = index(root)

    assert read(after) == new(before, after)
    assert " ".join(read(after)).count("Oak") == NEW.count("Oak")
    assert len(after.asked(extraction.STAGE)) == 1
    assert units(before).keys() < units(after).keys()


def test_of_an_edited_document_only_the_paragraph_is_read_again(root: Path):
    before = index(root)
    path = root / "input" / "Quill.txt"
    path.write_text(path.read_text("utf-8").replace("once sailed", "often sailed"), "utf-8")

    after = index(root)

    assert read(after) == new(before, after)
    assert len(read(after)) == 1
    assert "often sailed" in read(after).pop()
    assert len(units(before).keys() - units(after).keys()) == 1


def test_for_a_document_that_goes_nothing_is_read_and_only_changed_reports_are_written(root: Path):
    before = index(root)
    (root / "input" / "Tarn.txt").unlink()

    after = index(root)

    assert after.asked(extraction.STAGE) == []
    assert units(after).items() <= units(before).items()
    first, again = [*reported(before)], [*reported(after)]
    assert 0 < len(again) < len(first) / 2
    assert not {*first} & {*again}


def test_a_document_that_comes_back_costs_nothing(root: Path):
    first = index(root)
    path = root / "input" / "Tarn.txt"
    text = path.read_text("utf-8")
    path.unlink()
    index(root)
    path.write_text(text, "utf-8")

    again = index(root)

    assert again.asked(extraction.STAGE) == []
    assert units(again) == units(first)


@pytest.mark.parametrize("name", ["Harlow House.txt", "A.txt"])
def test_for_a_new_name_nothing_is_asked(root: Path, name: str):
    before = index(root)
    (root / "input" / "Harlow.txt").rename(root / "input" / name)

    after = index(root)

    assert after.requests == []
    assert after.summary.changes
    assert after.summary.changes.renamed == (f"Harlow.txt -> {name}",)
    assert units(after) == units(before)


def test_for_another_place_among_the_documents_nothing_is_read_again(root: Path):
    before = index(root)
    (root / "input" / "Harlow.txt").rename(root / "input" / "Zeal.txt")

    after = index(root)

    assert not {request.stage for request in after.requests} & {extraction.STAGE, resolution.STAGE}
    assert units(after) == units(before)
