"""An index of an older release has not the columns that came later, all of which may be null."""

from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import WordEmbedder
from samples import MILLS, TWO_HOPS, indexed

from graphrag import GraphRAG
from graphrag.query.filtered_reader import FilteredReader
from graphrag.storage.base import Reader
from graphrag.storage.lance import LanceStore
from graphrag.storage.schema import TABLES, optional, to_records

from .public_lance import PublicLanceStore

STORES: list[Callable[[Path], LanceStore]] = [LanceStore, PublicLanceStore]


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("newer")
    indexed(root, MILLS)
    return root / "output"


@pytest.fixture(scope="module")
def older(newer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of the same index without any column that may be missing."""
    root = tmp_path_factory.mktemp("older")
    indexed(root, MILLS)
    reader, store = LanceStore(newer).open(), LanceStore(root / "output")
    tables = {name: reader.table(name).drop_columns(sorted(optional(name))) for name in TABLES}
    store.publish(tables, reader.build, whole=True)
    return root


@pytest.mark.parametrize("open_store", STORES)
def test_what_is_not_there_is_null(older: Path, open_store: Callable[[Path], LanceStore]):
    reader = open_store(older / "output").open()
    ids = reader.table("entities", ["id"])["id"].to_pylist()

    assert reader.table("entities", ["synonym_ids", "id"]).to_pydict() == {"synonym_ids": [None] * len(ids), "id": ids}
    assert reader.table("text_units", ["context"])["context"].null_count == len(MILLS)
    assert reader.rows("entities", ids[1:3], ["synonym_ids"]).to_pylist() == [{"synonym_ids": None}] * 2


def test_records_are_those_of_the_newer_one_but_for_what_is_not_there(newer: Path, older: Path):
    def known(reader: Reader) -> list[tuple[str, ...]]:
        return [(entity.title, *entity.text_unit_ids) for entity in to_records("entities", reader.table("entities"))]

    assert known(LanceStore(older / "output").open()) == known(LanceStore(newer).open())


def test_it_answers(older: Path):
    answer = GraphRAG(older, embedder=WordEmbedder()).query(TWO_HOPS, method="local")

    assert "Corvane Group" in answer.text
    assert answer.citations


def test_some_of_its_documents_can_be_shown(older: Path):
    plain = LanceStore(older / "output").open()
    rows = plain.table("documents", ["id", "title"]).to_pylist()
    reader = FilteredReader(plain, frozenset(row["id"] for row in rows if row["title"] == "Corvane Group"))

    assert reader.table("text_units", ["context"])["context"].to_pylist() == [None]
    assert {tuple(ids or ()) for ids in reader.table("entities", ["synonym_ids"])["synonym_ids"].to_pylist()} == {()}
