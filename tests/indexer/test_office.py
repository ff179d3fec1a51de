import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrag.indexer import headings, loading, office, office_properties
from graphrag.records import Document
from graphrag.settings import InputSettings

CORE = (
    '<cp:coreProperties xmlns:cp="urn:cp" xmlns:dc="urn:dc" xmlns:dcterms="urn:terms">'
    "<dc:creator>Ann\n Doe</dc:creator><dc:title>Not this</dc:title><dc:subject/>"
    "<cp:keywords>one; two, three,</cp:keywords><dcterms:created>2024-01-02T03:04:05Z</dcterms:created>"
    "</cp:coreProperties>"
)


@pytest.fixture
def converted(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the converter makes of each file, by name."""
    texts: dict[str, str] = {}

    class MarkItDown:
        def __init__(self, enable_builtins: bool, enable_plugins: bool):
            pass

        def register_converter(self, converter: object):
            pass

        def convert_local(self, path: Path) -> SimpleNamespace:
            return SimpleNamespace(markdown=texts[path.name], title=None)

    converters = SimpleNamespace(**dict.fromkeys(office.CONVERTERS.values(), object))
    monkeypatch.setitem(sys.modules, "markitdown", SimpleNamespace(MarkItDown=MarkItDown, converters=converters))
    return texts


def extracted(monkeypatch: pytest.MonkeyPatch, text: str, info: Mapping[str, object] | None = None) -> None:
    """What the reader of PDF finds in any file."""
    modules = {
        "pdfminer.high_level": SimpleNamespace(extract_text=lambda path: text),
        "pdfminer.pdftypes": SimpleNamespace(resolve1=lambda value: value),
        "pdfminer.utils": SimpleNamespace(decode_text=bytes.decode),
        "pdfminer.pdfparser": SimpleNamespace(PDFParser=lambda file: file),
        "pdfminer.pdfdocument": SimpleNamespace(PDFDocument=lambda parser: SimpleNamespace(info=[info or {}])),
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)


def only(folder: Path, name: str) -> Document:
    (folder / name).write_bytes(b"content")
    loaded = loading.read(folder, InputSettings())
    assert not loaded.failures
    return loaded.documents[0]


# --- Pages -------------------------------------------------------------------------------


def test_slides_are_pages(tmp_path: Path, converted: dict[str, str]):
    slide = "<!-- Slide number: {} -->\n# Title {}\nBody.\n\n"
    converted["a.pptx"] = "".join(slide.format(number, number) for number in (1, 2, 3)).strip()
    document = only(tmp_path, "a.pptx")
    assert document.text == "# Title 1\nBody.\n\n\f\n# Title 2\nBody.\n\n\f\n# Title 3\nBody."
    assert document.title == "Title 1"


def test_form_feeds_of_a_pdf_are_kept(tmp_path: Path, converted: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    extracted(monkeypatch, "not looked at")
    converted["a.pdf"] = "One.\n\n\fTwo."
    assert only(tmp_path, "a.pdf").text == "One.\n\n\fTwo."


def test_pages_of_a_pdf_with_tables(tmp_path: Path, converted: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    extracted(monkeypatch, "Words of\none.\n\na b\n1 2\n\n\f\fThe third.\n\n\fThe last.\n\n\f")
    converted["a.pdf"] = "Words of one.\n\n| a | b |\n| - | - |\n| 1 | 2 |\n\nThe third.\n\nThe last."
    text = only(tmp_path, "a.pdf").text
    assert text == "Words of one.\n\n| a | b |\n| - | - |\n| 1 | 2 |\n\n\f\fThe third.\n\n\fThe last."


words = st.lists(st.text("abc", min_size=1, max_size=5), min_size=1, max_size=9)


@given(st.lists(st.just([]) | words, min_size=1, max_size=9))
def test_pages_of_the_same_letters_are_found_exactly(pages: list[list[str]]):
    kept = [" ".join(page) for page in pages if page]
    found = office.with_page_breaks("\n\n".join(kept), ["\n".join(page) for page in pages])
    if pages[-1]:
        assert [page.split() for page in found.split("\f")] == pages
    assert found.replace("\f", "") == "\n\n".join(kept)


@given(st.text("ab \n"), st.lists(st.text("ab \n"), max_size=5))
def test_breaks_change_nothing_else(text: str, pages: list[str]):
    assert office.with_page_breaks(text, pages).replace("\f", "") == text


def test_what_one_page_is_off_by_is_not_handed_on():
    texts = [" ".join([f"page{number}word"] * 50) for number in range(30)]
    other = [text + " lost" * 8 for text in texts]
    assert office.with_page_breaks("\n\n".join(texts), other).split("\f") == [
        *(f"{text}\n\n" for text in texts[:-1]),
        texts[-1],
    ]


# --- Properties --------------------------------------------------------------------------


def test_properties_of_office_files(tmp_path: Path, converted: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    # The safe one comes with the extra; this file is ours.
    monkeypatch.setitem(sys.modules, "defusedxml.ElementTree", ElementTree)
    converted["a.docx"] = "Text."
    with zipfile.ZipFile(tmp_path / "a.docx", "w") as archive:
        archive.writestr("docProps/core.xml", CORE)
    (document,) = loading.read(tmp_path, InputSettings()).documents
    assert document.metadata == {
        "author": "Ann Doe",
        "keywords": ["one", "two", "three"],
        "created": "2024-01-02T03:04:05Z",
    }


@pytest.mark.parametrize(
    ("date", "read"),
    [
        (b"D:20240102030405+02'00'", "2024-01-02T03:04:05+02:00"),
        (b"D:20240102030405Z", "2024-01-02T03:04:05+00:00"),
        (b"D:2024", "2024-01-01T00:00:00+00:00"),
        (b"D:20241399", "D:20241399"),
        (b"May 2024", "May 2024"),
    ],
)
def test_properties_of_pdf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, date: bytes, read: str):
    extracted(monkeypatch, "", {"Author": b"Ann", "CreationDate": date, "Producer": b"x", "Subject": 7})
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    assert office_properties.read(tmp_path / "a.pdf") == {"author": "Ann", "created": read}


def test_broken_properties_are_left_out(tmp_path: Path, converted: dict[str, str]):
    converted["a.docx"] = "Text."
    assert only(tmp_path, "a.docx").metadata == {}


# --- Headings ----------------------------------------------------------------------------

PROSE = "Some words that stand below a heading, and say what it promised. " * 6


def test_numbered_headings_of_a_text_without_marks():
    text = f"Title\n\n1 Introduction\n\n{PROSE}\n\n1.1 Scope\n\n{PROSE}\n\n\f2. 방법\n\n{PROSE}"
    marked = office.with_headings(text)
    assert [(heading.level, heading.title) for heading in headings.find(marked)] == [
        (2, "1 Introduction"),
        (3, "1.1 Scope"),
        (2, "2. 방법"),
    ]
    assert marked.replace("### ", "").replace("## ", "") == text


@pytest.mark.parametrize(
    "text",
    [
        f"1 Introduction\n\n{PROSE}",
        f"3 Results\n\n{PROSE}\n\n4 Discussion\n\n{PROSE}",
        f"1 A sentence, with its end.\n\n{PROSE}\n\n2 And another one.\n\n{PROSE}",
        "1. Milk\n\n2. Bread\n\n3. Butter\n",
        f"{PROSE}\n1 Inside\n{PROSE}\n2 a paragraph\n{PROSE}",
        f"{PROSE}\n\n12\n\n{PROSE}",
        "",
    ],
)
def test_what_is_no_numbered_heading(text: str):
    assert office.with_headings(text) == text


@given(st.text(alphabet="1. 2\n\fAb#", max_size=80).map(lambda part: part + "\n\n" + PROSE * 3))
def test_marks_are_all_that_is_added(text: str):
    assert sum(map(str.isalnum, office.with_headings(text))) == sum(map(str.isalnum, text))


@pytest.mark.parametrize("part", ["\f", " ", "\n\n", "1.", "1 A\n\n", "\f  \n"])
def test_time_is_linear(part: str):
    """It takes no time if it is, and minutes if it is not."""
    assert len(office.with_headings(part * 100_000)) >= len(part) * 100_000
