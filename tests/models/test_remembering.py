"""Names that are compared are embedded once in the life of a memo."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from fakes import WordEmbedder

from graphrag.errors import StorageError
from graphrag.models.memo import Memo
from graphrag.models.remembering import RememberingEmbedder


class Counting(WordEmbedder):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]):
        self.asked += texts
        return super().embed(texts)


def test_what_was_embedded_once_is_not_again(tmp_path: Path):
    behind = Counting()
    first = RememberingEmbedder(behind, lambda: Memo(tmp_path / "memo.sqlite"))
    second = RememberingEmbedder(behind, lambda: Memo(tmp_path / "memo.sqlite"))

    first.embed(["Scrooge", "Marley", "Scrooge"])
    found = second.embed(["Marley", "Cratchit", "Scrooge"])

    assert behind.asked == ["Scrooge", "Marley", "Cratchit"]
    np.testing.assert_array_equal(found, WordEmbedder().embed(["Marley", "Cratchit", "Scrooge"]))
    assert second.embed([]).shape == (0, second.dimensions)


def test_a_memo_that_cannot_be_used_is_told(tmp_path: Path):
    (tmp_path / "memo.sqlite").write_text("no database, but long enough to look like one" * 9)

    with pytest.raises(StorageError):
        RememberingEmbedder(WordEmbedder(), lambda: Memo(tmp_path / "memo.sqlite")).embed(["Scrooge"])
