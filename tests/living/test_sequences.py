"""Any sequence of changes ends in the index that a first build of the same collection makes."""

import os
from typing import Literal

import pytest
from comparing import comparable
from hypothesis import given
from hypothesis import settings as examples
from integrity import assert_whole
from living.changing import Changing, Edit, edits, settings

SEQUENCES = int(os.environ.get("GRAPHRAG_SEQUENCES", "4"))
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
