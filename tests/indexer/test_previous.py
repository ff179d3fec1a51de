"""What a build takes over from the index before it."""

from pathlib import Path

import numpy as np
import pytest
from fakes import WordEmbedder
from samples import MILLS, indexed

from graphrag.errors import StorageError
from graphrag.indexer.previous import KnownVectors, Previous, look_back
from graphrag.records import Entity
from graphrag.storage.lance import LanceStore
from graphrag.storage.schema import key_of


def entity(name: str, number: int = 0) -> Entity:
    return Entity(name, name, "", "", human_readable_id=number)


def test_what_stays_keeps_its_number_and_what_is_new_gets_a_higher_one():
    previous = Previous(numbers={"entities": {"a": 4, "gone": 9, "b": 2}})

    found = previous.numbered("entities", [entity(name, n) for n, name in enumerate("xbya")])

    assert [(each.id, each.human_readable_id) for each in found] == [("x", 10), ("b", 2), ("y", 11), ("a", 4)]


def test_without_an_index_before_records_are_counted():
    found = Previous().numbered("entities", [entity(name, 7) for name in "abc"])

    assert [each.human_readable_id for each in found] == [0, 1, 2]


class Counting(WordEmbedder):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def embed(self, texts):
        self.asked += texts
        return super().embed(texts)


def test_only_texts_without_a_vector_are_embedded():
    behind = Counting()
    vectors = WordEmbedder().embed(["one", "two"]) * 0.5

    found = KnownVectors(behind, [([key_of("one"), key_of("two")], vectors)]).embed(["two", "three", "two", "one"])

    assert behind.asked == ["three"]
    np.testing.assert_array_equal(found, [vectors[1], WordEmbedder().embed(["three"])[0], vectors[1], vectors[0]])


def test_an_update_embeds_what_is_new_and_nothing_else(tmp_path: Path):
    indexed(tmp_path, MILLS)
    embedder = Counting()
    rag = indexed(tmp_path, [*MILLS, ("", "Quentin Oak sold a heron to Ruth Ash.")], embedder)

    assert rag.table("documents").num_rows == len(MILLS) + 1
    assert "Quentin Oak sold a heron to Ruth Ash." in embedder.asked
    assert not any(text in asked for asked in embedder.asked for _, text in MILLS)


def test_a_damaged_index_is_made_anew_but_for_what_is_nowhere_else(tmp_path: Path):
    rag = indexed(tmp_path, MILLS)
    rag.remove("rows.jsonl#2")
    damage(tmp_path)
    rag.index(purge=True)
    assert rag.table("documents").num_rows == len(MILLS) - 1, "what was removed stays removed"

    rag.add("The heron eats the trout of the Aune.")
    damage(tmp_path)
    with pytest.raises(StorageError):
        look_back(LanceStore(tmp_path / "output"), WordEmbedder(), "fast")
    with pytest.raises(StorageError):
        rag.index(purge=True)


def damage(root: Path) -> None:
    for path in (root / "output" / "lancedb" / "documents.lance" / "data").iterdir():
        path.write_bytes(b"xx")
