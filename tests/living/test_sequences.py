"""Any sequence of changes ends in the index that a first build of the same collection makes."""

import os
from pathlib import Path
from typing import Literal

import pytest
from comparing import comparable
from hypothesis import given
from hypothesis import settings as examples
from integrity import assert_whole
from living.changing import SENTENCES, Changing, Edit, edits, settings

SEQUENCES = int(os.environ.get("GRAPHRAG_SEQUENCES", "3"))
"""Set it to try more."""
CLUSTERED = ("communities", "community_reports")
START = {
    "doc-a.md": "Anna Harlow lives at Harlow Hall and mends clocks there. Elias Thorn was born in Aston.",
    "doc-b.md": "# The clocks of Aston\n\nHanna Quill met Clara Pember at the harbour of Aston.",
}


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("method", ["fast", "standard"])
@examples(max_examples=SEQUENCES, derandomize=True)
@given(steps=edits())
def test_it_is_the_index_of_a_first_build(
    tmp_path_factory: pytest.TempPathFactory, method: Literal["fast", "standard"], warm: bool, steps: list[list[Edit]]
):
    root = tmp_path_factory.mktemp("changing")
    living = Changing(root / "living", method, settings(communities={"warm_start": warm}), dict(START))
    living.index()
    for number, step in enumerate(steps):
        for edit in step:
            living.apply(edit)
        if living.missing():
            return
        living.index()
        fresh = living.fresh(root / f"fresh-{number}")

        assert_whole(living.rag)
        mine, other = comparable(living.tables()), comparable(fresh.tables())
        for name in mine:
            if not warm or name not in CLUSTERED:
                assert mine[name] == other[name], name
        if not warm:
            assert living.cited() == fresh.cited()
        assert living.clustered() == fresh.clustered()
        assert living.found() == fresh.found()


def test_text_that_stays_is_listed_behind_what_is_new_before_it(tmp_path: Path):
    living = Changing(tmp_path, files={**START, "doc-c.md": f"{SENTENCES[0]}\n\n{SENTENCES[4]} {SENTENCES[8]}"})
    living.index()
    living.apply(("edit", 2 * len(living.files) + 2, (SENTENCES[3], SENTENCES[5]), ""))

    living.index()

    units = {row["id"]: row for row in living.tables()["text_units"]}
    listed = {row["source"]: [units[id_] for id_ in row["text_unit_ids"]] for row in living.tables()["documents"]}
    found = listed["doc-c.md"]
    assert [unit["start"] for unit in found] == sorted(unit["start"] for unit in found)
    assert found[0]["human_readable_id"] > found[-1]["human_readable_id"]
    assert_whole(living.rag)
