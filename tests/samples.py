"""Small collections and records that several tests are about."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from fakes import WordEmbedder

from graphrag import GraphRAG, Settings
from graphrag.answers import Answer, RetrievedUnit
from graphrag.models.base import Embedder
from graphrag.query.answering import NOTHING_FOUND
from graphrag.records import Document, TextUnit

INCUMBENT = Path(__file__).parents[2] / "shared" / "data" / "graphrag_index" / "christmas_carol_ms"
"""An index of A Christmas Carol that Microsoft GraphRAG made."""

Texts = Sequence[tuple[str, str]]
"""Titles and texts of documents; an empty title is none."""

MILLS: Texts = (
    ("Brightwell Mill", "Brightwell Mill stands on the river Aune. The mill is owned by the Corvane Group."),
    ("Corvane Group", "The Corvane Group bakes bread. It was started by the chemist Ilse Tarnow in Dresden."),
    ("", "Most mills are owned by whoever started them. Who owns a mill is written over its door."),
    ("", "The owner of a mill is called a miller, and so is a person who only works there."),
    ("", "Anybody who started a mill long ago had to ask the owner of the river first."),
    ("Otto Veit", "Otto Veit taught chemistry in Dresden. He wrote three books about colours."),
    ("Aune", "The Aune is a short river. Trout live in the Aune."),
)
TWO_HOPS = "Who started the owner of Brightwell Mill?"
"""Said nowhere in one passage: it takes the first two."""


def write_rows(root: Path, documents: Texts) -> Path:
    """An input folder with a table of these documents; their own ids are row-1, row-2 and so on."""
    folder = root / "input"
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"id": f"row-{n}", "title": title, "text": text} for n, (title, text) in enumerate(documents, start=1)]
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return folder


def indexed(
    root: Path, documents: Texts, embedder: Embedder | None = None, settings: Settings | None = None
) -> GraphRAG:
    """An index of these documents."""
    write_rows(root, documents)
    rag = GraphRAG(root, settings, embedder=embedder or WordEmbedder())
    rag.index()
    return rag


def text_units(*texts: str) -> list[TextUnit]:
    """One text unit a text: u0 of document d0, and so on."""
    return [TextUnit(f"u{n}", text, 5, f"d{n}", 0, len(text), human_readable_id=n) for n, text in enumerate(texts)]


def documents(*texts: str, titles: Sequence[str] = ()) -> list[Document]:
    """The documents of `text_units`."""
    return [
        Document(f"d{n}", titles[n] if titles else f"file {n}", text, titled=bool(titles))
        for n, text in enumerate(texts)
    ]


def retrieved(*texts: str) -> list[RetrievedUnit]:
    """One retrieved text unit a text: u0 of document d0, and so on."""
    return [RetrievedUnit(f"u{n}", 1.0, text, f"d{n}", f"Title {n}", "") for n, text in enumerate(texts)]


def check_citations(answer: Answer, rag: GraphRAG) -> None:
    """As `check_marks`, and there are marks where anything was found."""
    check_marks(answer, rag)
    assert re.search(r"\[\d+\]", answer.text) or answer.text == NOTHING_FOUND


def check_marks(answer: Answer, rag: GraphRAG) -> None:
    """Every quote is the text it says it is, and every mark in the answer has its citation."""
    units = {row["id"]: row for row in rag.table("text_units").to_pylist()}
    titles = {row["id"]: (row["title"], row["source_id"]) for row in rag.table("documents").to_pylist()}
    assert [citation.number for citation in answer.citations] == list(range(1, len(answer.citations) + 1))
    for citation in answer.citations:
        unit = units[citation.text_unit_id]
        assert citation.quote.strip()
        assert citation.quote == unit["text"][citation.start : citation.end]
        assert citation.document_id == unit["document_id"]
        assert (citation.document_title, citation.source_id) == titles[citation.document_id]
    marks = {int(mark) for mark in re.findall(r"\[(\d+)\]", answer.text)}
    assert marks <= {citation.number for citation in answer.citations}
