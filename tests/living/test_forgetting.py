"""Of a document that is taken out nothing is left, in whatever form it was kept."""

import os
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fakes import WordEmbedder
from integrity import assert_whole
from living.changing import Changing, settings

from graphrag import GraphRAG
from graphrag.storage import lance_writing

SENTINEL = "zyxomorr"
"""The stem of a word that only one document has: in its text, title, name, as an entity and in a claim."""
NAME = "zyxomorra.md"
PAPERS = (
    "# The Zyxomorra papers\n\nZyxomorra Quandle stole a clock from Anna Harlow. Anna Harlow met Zyxomorra Quandle.\n\n"
    "Zyxomorra Quandle lives in Aston with Bruno Harlow. In Aston the zyxomorra grows."
)
TEXTS = {
    "a.md": "Anna Harlow lives at Harlow Hall. Anna Harlow stole a boat from Bruno Harlow.",
    "b.md": "Bruno Harlow sailed to Aston with Clara Pember. Clara Pember was born in Aston.",
    # All of a common length, or a table is written whole.
    **{f"c{n}.md": f"Dora Vane{n} met Elias Thorn{n} in Norton. Elias Thorn{n} paid Dora Vane{n}." for n in range(9)},
}
QUESTIONS = ("Who stole a clock from Anna Harlow?", "Who is Zyxomorra Quandle?", "What grows in Aston?")
METHODS = ("local", "basic", "global", "drift")

Removal = Callable[[Changing, bool], None]


def by_the_folder(living: Changing, purge: bool) -> None:
    """Delete the file, and index."""
    living.unlink(NAME)
    living.rag.index(living.method, purge=purge)


def by_hand(living: Changing, purge: bool) -> None:
    """Take it out of the index; the file stays."""
    living.rag.remove(NAME, purge=purge)


@pytest.fixture(params=["fast", "standard"])
def living(tmp_path: Path, request: pytest.FixtureRequest) -> Changing:
    """An index with the document, which was not there at first: so it has versions and changed rows."""
    living = Changing(tmp_path / "root", request.param, settings(communities={"warm_start": True}), dict(TEXTS))
    living.index()
    living.write(NAME, PAPERS)
    living.index()
    return living


def has(data: bytes) -> bool:
    return SENTINEL.encode() in data.lower()


def holding(root: Path) -> set[str]:
    """The parts of a folder in which the word is: as bytes of a file, in its name, or as what it says."""
    files = [path for path in root.rglob("*") if path.is_file()]
    found = {str(path.relative_to(root)) for path in files if has(path.read_bytes()) or has(os.fsencode(path))}
    return found | {f"version {place}" for place in versions(root)} | set(remembered(root))


def versions(root: Path) -> Iterator[str]:
    """The versions of tables that say it; files may be compressed."""
    import lancedb

    database = lancedb.connect(root / "output" / "lancedb")
    for name in sorted(path.stem for path in (root / "output" / "lancedb").iterdir()):
        table = database.open_table(name)
        for version in table.list_versions():
            table.checkout(version["version"])
            if has(str(table.to_arrow().to_pylist()).encode()):
                yield f"{name} {version['version']}"


def remembered(root: Path) -> Iterator[str]:
    """The replies in the memo that say it; long ones are compressed."""
    path = root / "cache" / "memo.sqlite"
    connection = sqlite3.connect(path) if path.exists() else None
    for text, compressed in connection.execute("SELECT text, compressed FROM replies") if connection else ():
        if has(zlib.decompress(text) if compressed else text.encode() if isinstance(text, str) else text):
            yield "memo"
    if connection:
        connection.close()


def told(root: Path) -> Iterator[str]:
    """The manifest, if nothing there says it but that a file of that name, which is there, is left out."""
    if not has((root / "output" / "manifest.json").read_text("utf-8").replace(f"by hand: {NAME}", "").encode()):
        yield "output/manifest.json"


def published(living: Changing, exports: Path) -> set[str]:
    """The tables, exports and answers in which the word is."""
    rag = GraphRAG(living.root, living.settings, embedder=WordEmbedder())
    rag.export_parquet(exports)
    rag.export_graphml(exports / "graph.graphml")
    found = {name for name, rows in living.tables().items() if has(str(rows).encode())}
    found |= {path.name for path in exports.iterdir() if has(path.read_bytes())}
    for question in QUESTIONS:
        answers = {method: repr(rag.query(question, method)).replace(question, "") for method in METHODS}
        found |= {method for method, answer in answers.items() if has(answer.encode())}
    return found


def test_the_word_is_found_where_it_is(living: Changing, tmp_path: Path):
    found = published(living, tmp_path / "exports")

    assert {"documents", "text_units", "entities", "facts", "community_reports"} <= found
    assert {"graph.graphml", "text_units.parquet", "documents.parquet", "local", "basic"} <= found
    assert ("covariates" in found) == (living.method == "standard")
    kept = holding(living.root)
    assert f"input/{NAME}" in kept
    assert any(place.startswith("output/lancedb/text_units") for place in kept)
    assert any(place.startswith("version documents") for place in kept)
    assert ("memo" in kept) == (living.method == "standard")
    assert "cache/memo.sqlite" in kept or "cache/memo.sqlite-wal" in kept or living.method == "fast"


@pytest.mark.parametrize("removal", [by_the_folder, by_hand])
def test_it_is_in_no_table_no_export_and_no_answer(living: Changing, removal: Removal, tmp_path: Path):
    removal(living, False)

    assert published(living, tmp_path / "exports") == set()
    assert_whole(living.rag)
    # It can be gone back to.
    assert any(place.startswith("version") for place in holding(living.root))


@pytest.mark.parametrize("removal", [by_the_folder, by_hand])
def test_after_a_purge_it_is_in_no_byte_of_any_file(living: Changing, removal: Removal, tmp_path: Path):
    removal(living, True)

    kept = holding(living.root)
    if removal is by_hand:
        kept -= {f"input/{NAME}", *told(living.root)}
    assert kept == set()
    assert published(living, tmp_path / "exports") == set()
    assert_whole(living.rag)


def test_a_purge_may_come_later(living: Changing):
    by_the_folder(living, False)

    living.rag.index(living.method, purge=True)

    assert holding(living.root) == set()


def test_what_was_added_by_hand_is_purged_as_well(living: Changing):
    by_the_folder(living, True)
    living.rag.add(PAPERS, title="Zyxomorra", metadata={"author": "Zyxomorra Quandle"})
    assert holding(living.root)

    living.rag.remove("Zyxomorra", purge=True)

    assert holding(living.root) == set()


@pytest.mark.parametrize("removal", [by_the_folder, by_hand])
def test_after_the_retention_it_is_not_in_the_store(
    living: Changing, removal: Removal, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(lance_writing, "CLOCK_SLACK", timedelta(0))
    living.settings = settings(communities={"warm_start": True}, storage={"retention": 0})

    removal(living, False)
    living.write("d.md", "Fay Winter met Gus Winter in Norton.")
    living.index()

    kept = {place for place in holding(living.root) if place.startswith(("output", "version"))}
    assert kept - set(told(living.root) if removal is by_hand else ()) == set()
