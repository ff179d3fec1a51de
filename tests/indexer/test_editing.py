"""Documents added and taken out by hand."""

import shutil
from pathlib import Path

import pytest
from fakes import WordEmbedder
from integrity import assert_whole
from samples import MILLS, indexed

from graphrag import GraphRAG
from graphrag.errors import IndexNotFoundError, InputError
from graphrag.indexer.editing import changes, find
from graphrag.records import Changes, Document

BOOKS = (
    Document("1", "Notes", "x", source="a.md"),
    Document("2", "Notes", "y", source="b.md"),
    Document("3", "Table", "z", source="t.csv#1", source_id="row-1"),
    Document("4", "Chair", "w", source="t.csv#2"),
)


@pytest.mark.parametrize(
    ("name", "ids"), [("1", ["1"]), ("a.md", ["1"]), ("t.csv", ["3", "4"]), ("row-1", ["3"]), ("Chair", ["4"])]
)
def test_a_document_is_known_by_many_names(name: str, ids: list[str]):
    assert [document.id for document in find(name, BOOKS)] == ids


@pytest.mark.parametrize(
    ("name", "told"),
    [("Notes", "several documents are called 'Notes': name one by a.md, b"), ("b.mb", "mean 'b.md'")],
)
def test_a_name_that_means_none_or_several_is_refused(name: str, told: str):
    with pytest.raises(InputError, match=told):
        find(name, BOOKS)


def test_what_happened_is_told_by_content():
    before = {"1": "a", "2": "b", "3": "c", "4": "d"}

    assert changes(before, before) == Changes()
    assert changes(before, {"1": "a", "5": "b", "3": "x", "6": "e"}) == Changes(("e",), ("b",), ("c -> x",), ("d",))


@pytest.fixture
def rag(tmp_path: Path) -> GraphRAG:
    return indexed(tmp_path, MILLS)


def sources(rag: GraphRAG) -> list[str]:
    return sorted(rag.table("documents")["source"].to_pylist())


def test_texts_and_files_are_added_without_a_folder(tmp_path: Path):
    file = tmp_path / "elsewhere.md"
    file.write_text("---\nyear: 1843\n---\n# A heron\n\nThe heron eats trout.", "utf-8")
    rag = GraphRAG(tmp_path / "root", embedder=WordEmbedder())

    rag.add(MILLS[0][1], "Another text.", metadata={"by": "me"})
    summary = rag.add(file, metadata={"by": "you"})

    assert (summary.documents, summary.changes) == (3, Changes(added=("elsewhere.md",)))
    found = rag.retrieve("What does the heron eat?", 1, filters=["by=you", "year>=1840"])
    assert [unit.document_title for unit in found] == ["A heron"]
    assert not rag.index().changed
    assert_whole(rag)


def test_what_was_added_stays_and_what_was_removed_stays_out(rag: GraphRAG):
    rag.add("The heron eats trout.", title="Heron")
    rag.remove("rows.jsonl#1", "Aune")

    rag.index("fast", purge=True)
    rag.settings = rag.settings.model_copy(update={"chunking": rag.settings.chunking.model_copy(update={"size": 32})})
    assert rag.index("fast").changed

    assert len(sources(rag)) == len(MILLS) - 1
    assert not {"rows.jsonl#1", "rows.jsonl#7"} & set(sources(rag))
    assert rag.retrieve("What does the heron eat?", 1)[0].document_title == "Heron"
    rag.remove("Heron")
    assert len(sources(rag)) == len(MILLS) - 2
    rag.add(MILLS[0][1], title=MILLS[0][0])
    assert "rows.jsonl#1" in sources(rag), "it is back, as what it is in the folder"


def test_a_folder_that_is_gone_takes_no_documents_with_it(rag: GraphRAG, tmp_path: Path):
    rag.add("The heron eats trout.")
    shutil.rmtree(tmp_path / "input")

    with pytest.raises(InputError, match="there is no folder"):
        rag.index()
    assert len(sources(rag)) == len(MILLS) + 1


def test_the_last_document_cannot_be_taken_out(rag: GraphRAG):
    with pytest.raises(InputError, match="no document would be left"):
        rag.remove("rows.jsonl")
    assert len(sources(rag)) == len(MILLS)


@pytest.mark.parametrize("text", ["", " \n"])
def test_nothing_is_no_document(rag: GraphRAG, text: str):
    with pytest.raises(InputError):
        rag.add(text)


def test_a_path_given_as_a_text_is_noticed(rag: GraphRAG, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "notes.md").write_text("Notes.", "utf-8")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(InputError, match="pass a Path to add the file"):
        rag.add("notes.md")


def test_there_must_be_an_index_to_take_something_out_of(tmp_path: Path):
    with pytest.raises(IndexNotFoundError):
        GraphRAG(tmp_path, embedder=WordEmbedder()).remove("a")
    assert not (tmp_path / "output").exists()
