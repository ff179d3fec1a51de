import csv
import json
import os
import re
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from graphrag.errors import InputError
from graphrag.indexer import loading
from graphrag.records import Document, Failure, content_id
from graphrag.settings import InputSettings

RETRIEVAL = Path(__file__).parents[3] / "shared" / "data" / "retrieval"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "input"
    path.mkdir()
    return path


def read(folder: Path, **settings: str) -> loading.Loaded:
    return loading.read(folder, InputSettings(**settings))


def write(folder: Path, name: str, content: str | bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def only(folder: Path, name: str, content: str | bytes, **settings: str) -> Document:
    write(folder, name, content)
    loaded = read(folder, **settings)
    assert not loaded.failures
    (document,) = loaded.documents
    return document


def failures(folder: Path, name: str, content: str | bytes) -> list[tuple[str, str]]:
    """What fails beside a good file."""
    write(folder, "zzz good.txt", "A good file.")
    write(folder, name, content)
    loaded = read(folder)
    assert loaded.documents[-1].source == "zzz good.txt"
    assert all(failure.stage == "loading" for failure in loaded.failures)
    return [(failure.item, failure.reason) for failure in loaded.failures]


# --- The folder --------------------------------------------------------------------------


def test_missing_folder(tmp_path: Path):
    with pytest.raises(InputError, match=r"there is no folder .*nowhere: run `graphrag init`"):
        read(tmp_path / "nowhere")
    with pytest.raises(InputError, match="there is no folder"):
        loading.fingerprint(tmp_path / "nowhere")


def test_empty_folder(folder: Path):
    write(folder, "picture.xyz", "?")
    with pytest.raises(InputError, match=r"holds no documents.*\.txt"):
        read(folder)


def test_not_one_readable_document(folder: Path):
    write(folder, "a.txt", b"\0\1\2")
    with pytest.raises(InputError, match=r"a\.txt: looks binary"):
        read(folder)


def test_reading_order_and_sources(folder: Path):
    write(folder, "b.txt", "Second.")
    write(folder, "a/z.txt", "First.")
    write(folder, "c.jsonl", '{"text": "Third."}\n{"text": "Fourth."}\n')
    documents = read(folder).documents
    assert [document.source for document in documents] == ["a/z.txt", "b.txt", "c.jsonl#1", "c.jsonl#2"]
    assert [document.human_readable_id for document in documents] == [0, 1, 2, 3]
    assert [document.title for document in documents] == ["z", "b", "c.jsonl#1", "c.jsonl#2"]
    assert not any(document.titled for document in documents)


def test_hidden_files_are_skipped_and_unknown_ones_named(folder: Path):
    write(folder, "a.txt", "Seen.")
    write(folder, ".hidden.txt", "Not seen.")
    write(folder, ".git/b.txt", "Not seen.")
    write(folder, "UPPER.TXT", "Seen too.")
    for number in range(7):
        write(folder, f"{number}.xyz", "?")
    loaded = read(folder)
    assert [document.source for document in loaded.documents] == ["UPPER.TXT", "a.txt"]
    assert loaded.notices == ("skipped 7 files of unknown type: 0.xyz, 1.xyz, 2.xyz, 3.xyz, 4.xyz, ...",)


def test_links_out_of_the_folder_are_not_followed(folder: Path, tmp_path: Path):
    write(tmp_path, "secret/passwords.txt", "Secret.")
    write(folder, "a.txt", "Public.")
    (folder / "inside.txt").symlink_to(folder / "a.txt")
    (folder / "link.txt").symlink_to(tmp_path / "secret" / "passwords.txt")
    (folder / "linked").symlink_to(tmp_path / "secret")
    (folder / "loop.txt").symlink_to(folder / "loop.txt")
    loaded = read(folder)
    assert [document.text for document in loaded.documents] == ["Public."]
    assert loaded.notices == (
        "skipped 3 links to nothing inside the folder: link.txt, linked, loop.txt",
        "inside.txt is an exact copy of a.txt; indexed once",
    )


def test_unreadable_file(folder: Path, monkeypatch: pytest.MonkeyPatch):
    read_bytes = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == "locked.txt":
            raise PermissionError(13, "Permission denied", str(path))
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert failures(folder, "locked.txt", "Locked.") == [("locked.txt", "Permission denied")]


def test_unreadable_folder(folder: Path, monkeypatch: pytest.MonkeyPatch):
    write(folder, "a.txt", "Seen.")

    def walk(top: Path, onerror):
        onerror(PermissionError(13, "Permission denied", str(top / "locked")))
        yield str(top), ["locked"], ["a.txt"]

    monkeypatch.setattr("graphrag.indexer.loading.os.walk", walk)
    assert read(folder).failures == (Failure("loading", "locked", "Permission denied"),)


# --- Identity ----------------------------------------------------------------------------


def test_duplicates_are_indexed_once(folder: Path):
    write(folder, "a.txt", "The same.")
    write(folder, "b.txt", "The same.")
    write(folder, "c.txt", "Another.")
    loaded = read(folder)
    assert [document.source for document in loaded.documents] == ["a.txt", "c.txt"]
    assert [document.human_readable_id for document in loaded.documents] == [0, 1]
    assert loaded.notices == ("b.txt is an exact copy of a.txt; indexed once",)


def test_near_duplicates(folder: Path):
    words = [f"word{number}" for number in range(300)]
    for name, last in (("a.txt", "one"), ("b.txt", "two"), ("c.txt", "one")):
        write(folder, name, " ".join([*words, last]))
    write(folder, "d.txt", "Another.")
    copy = "c.txt is an exact copy of a.txt; indexed once"
    assert [document.source for document in read(folder).documents] == ["a.txt", "b.txt", "d.txt"]
    reported = read(folder, dedupe="report")
    assert reported.documents == read(folder).documents
    assert reported.notices == (copy, "b.txt is 99 % the same as a.txt")
    skipped = read(folder, dedupe="skip")
    assert [(document.source, document.human_readable_id) for document in skipped.documents] == [
        ("a.txt", 0),
        ("d.txt", 1),
    ]
    assert skipped.notices == (copy, "b.txt is 99 % the same as a.txt; left out (input.dedupe: skip)")


def test_a_touched_file_is_the_same_document(folder: Path):
    before = only(folder, "a.txt", "The same.")
    os.utime(folder / "a.txt", (0, 0))
    (after,) = read(folder).documents
    assert after == replace(before, creation_date="1970-01-01T00:00:00+00:00")


def test_renaming_keeps_the_id_and_a_given_title_is_part_of_it(folder: Path):
    before = only(folder, "a.txt", "The same.")
    (folder / "a.txt").rename(folder / "b.txt")
    after = read(folder).documents[0]
    assert (after.id, after.title) == (before.id, "b")
    assert after.id == content_id("document", "The same.")
    rows = '{"title": "One", "text": "The same."}\n{"title": "Two", "text": "The same."}'
    write(folder, "c.jsonl", rows)
    assert len({document.id for document in read(folder).documents}) == 3


def test_fingerprint_sees_content_and_names_only(folder: Path):
    write(folder, "a.txt", "One.")
    first = loading.fingerprint(folder)
    (folder / "a.txt").touch()
    write(folder, "ignored.xyz", "?")
    assert loading.fingerprint(folder) == first
    write(folder, "a.txt", "Two.")
    second = loading.fingerprint(folder)
    (folder / "a.txt").rename(folder / "b.txt")
    assert len({first, second, loading.fingerprint(folder)}) == 3


def test_creation_date_is_that_of_the_file_in_utc(folder: Path):
    document = only(folder, "a.txt", "Now.")
    written = datetime.fromtimestamp((folder / "a.txt").stat().st_mtime, UTC)
    assert document.creation_date == written.isoformat(timespec="seconds")
    assert document.creation_date.endswith("+00:00")


# --- Encodings ---------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode(folder: Path, encoding: str):
    document = only(folder, "a.txt", "Grüße, 서울!\r\nZeile 2\rZeile 3\n".encode(encoding))
    assert document.text == "Grüße, 서울!\nZeile 2\nZeile 3\n"
    assert read(folder).notices == ()


@pytest.mark.parametrize(
    ("text", "encoding", "name"),
    [
        ("서울은 대한민국의 수도이다. 한강이 도시를 가로질러 흐른다.", "cp949", "cp949"),
        ("Samsung Electronics (삼성전자) is a company.", "cp949", "cp949"),
        ("Le café était fermé; l'élève s'est assis à côté.", "latin-1", "cp1252"),
        ("El niño comió una piña en España; ¿dónde está?", "latin-1", "cp1252"),
        ("Zażółć gęślą jaźń, Łódź jest dużym miastem.", "cp1250", "cp1250"),
        ("Москва является столицей России.", "cp1251", "cp1251"),
        ("東京は日本の首都です。人口は多い。", "shift_jis", "cp932"),
    ],
)
def test_other_encodings_are_detected_and_named(folder: Path, text: str, encoding: str, name: str):
    assert only(folder, "a.txt", text.encode(encoding)).text == text
    assert read(folder).notices == (f"a.txt is not UTF-8: read as {name}",)


def test_a_broken_character_does_not_change_the_encoding(folder: Path):
    data = ("서울은 대한민국의 수도이다. " * 3).encode()
    assert only(folder, "a.txt", data[:-3]).text.startswith("서울은 대한민국의 수도이다. 서울은")
    assert "broken" in read(folder).notices[0]


@pytest.mark.parametrize("content", [b"PK\3\4\0\0\0", b"\x89PNG\r\n\x1a\n" + bytes(range(1, 256)) * 4, b"a\0b"])
@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.json", "a.html"])
def test_binary_content(folder: Path, content: bytes, name: str):
    assert failures(folder, name, content) == [(name, "looks binary")]


@pytest.mark.parametrize("content", ["", " \n\t\n"])
@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.jsonl", "a.json"])
def test_empty_file(folder: Path, content: str, name: str):
    assert failures(folder, name, content) == [(name, "is empty")]


def test_a_huge_line(folder: Path):
    assert len(only(folder, "a.txt", "x" * 1_000_000).text) == 1_000_000
    write(folder, "a.csv", "text\n" + "y" * 1_000_000)
    write(folder, "a.jsonl", json.dumps({"text": "z" * 1_000_000}))
    assert [document.text[0] for document in read(folder).documents] == ["y", "z", "x"]


# --- Markdown and HTML -------------------------------------------------------------------


def test_front_matter(folder: Path):
    document = only(
        folder, "a.md", "---\ntitle: Named\ndate: 2024-05-06\ntags: [a, b]\nx: .nan\n---\n\n# Other\n\nText.\n"
    )
    assert (document.title, document.titled) == ("Named", True)
    assert document.text == "\n# Other\n\nText.\n"
    assert document.metadata == {"date": "2024-05-06", "tags": ["a", "b"], "x": None}


def test_front_matter_in_toml(folder: Path):
    block = 'title = "Named"\ndate = 2024-05-06\ntags = ["a", "b"]\nyear = 1843\n[place]\ncity = "London"\n'
    document = only(folder, "a.md", f"+++\n{block}+++\nText.\n")
    assert (document.title, document.text) == ("Named", "Text.\n")
    assert document.metadata == {
        "date": "2024-05-06",
        "tags": ["a", "b"],
        "year": 1843,
        "place": {"city": "London"},
    }


@pytest.mark.parametrize("block", ["title: Named", "a = " + "[" * 5000, "just words", "when = 2024-99-99"])
def test_what_is_not_toml_stays_in_the_text(folder: Path, block: str):
    text = f"+++\n{block}\n+++\nText.\n"
    document = only(folder, "a.md", text)
    assert (document.text, document.titled, document.metadata) == (text, False, {})


@pytest.mark.parametrize(
    "block",
    [
        "title: [unclosed",
        "just words",
        "when: 2024-99-99",
        "a: " + "[" * 5000,
        "a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]",
    ],
)
def test_what_is_not_plain_yaml_stays_in_the_text(folder: Path, block: str):
    text = f"---\n{block}\n---\nText.\n"
    document = only(folder, "a.md", text)
    assert (document.text, document.titled, document.metadata) == (text, False, {})


@pytest.mark.parametrize(
    ("name", "text", "title"),
    [
        ("a.md", "Words.\n\n```\n# comment\n```\n## Section\n# Title #\n", "Title"),
        ("a.markdown", "# 제목\n글.", "제목"),
        ("a.adoc", "= A Christmas Carol\nCharles Dickens\n\n== Stave One\n", "A Christmas Carol"),
        ("a.html", "<h1>Inner</h1><title> Outer\n title </title>", "Outer title"),
        ("a.htm", "<title></title><h1>Inner</h1><p>Text.", "Inner"),
    ],
)
def test_titles(folder: Path, name: str, text: str, title: str):
    document = only(folder, name, text)
    assert (document.title, document.titled) == (title, True)


def test_plain_text_is_taken_as_it_is(folder: Path):
    document = only(folder, "my_notes-1.txt", "---\na: b\n---\n# Not a title\n")
    assert (document.title, document.titled) == ("my_notes-1", False)
    assert document.text == "---\na: b\n---\n# Not a title\n"


def test_html_becomes_markdown(folder: Path):
    document = only(
        folder,
        "a.html",
        "<html><head><title>T</title><style>p {}</style><script>alert(1)</script></head><body><h2>Part</h2>"
        "<p>See <a href='http://evil.example/x'>the snake_case page</a><img src='http://evil.example/y' alt='pic'>.</p>"
        "<ul><li>one</li><li>two</li></ul></body></html>",
    )
    assert document.text == "## Part\n\nSee the snake_case page.\n\n* one\n* two"


def test_what_a_web_page_says_of_itself(folder: Path):
    document = only(
        folder,
        "a.html",
        "<html lang='en-GB'><meta charset='utf-8'><meta name='Author' content=' Ann\n Doe '><meta name=keywords "
        "content='one, two,,'><meta property='article:published_time' content='2024-05-06'><meta name=date content=x>"
        "<meta name=viewport content=y><meta name=description><p>Text.",
    )
    assert document.text == "Text."
    assert document.metadata == {
        "author": "Ann Doe",
        "keywords": ["one", "two"],
        "date": "2024-05-06",
        "language": "en-GB",
    }


def test_html_that_looks_like_a_path_gives_no_warning(folder: Path):
    assert only(folder, "a.html", "folder/file.txt").text == "folder/file.txt"


def test_html_nested_too_deeply(folder: Path):
    assert failures(folder, "a.html", "<div>" * 5000 + "x") == [("a.html", "is nested too deeply")]


# --- Tables ------------------------------------------------------------------------------

COLUMNS = {"id": 7, "title": "T", "text": "Words,\nand more.", "year": 1843, "tags": ["a"]}


def test_jsonl_columns(folder: Path):
    document = only(folder, "a.jsonl", json.dumps(COLUMNS))
    assert (document.source, document.source_id, document.title, document.titled) == ("a.jsonl#1", "7", "T", True)
    assert document.text == "Words,\nand more."
    assert document.metadata == {"year": 1843, "tags": ["a"]}


def test_csv_and_tsv_columns(folder: Path):
    document = only(folder, "a.csv", 'id,title,text,year\r\n7,T,"Words,\r\nand more.",1843\r\n')
    assert (document.source, document.source_id, document.text) == ("a.csv#1", "7", "Words,\nand more.")
    assert document.metadata == {"year": "1843"}
    write(folder, "b.tsv", "\ntext\tid\nTabs, and commas.\t8\n")
    other = read(folder).documents[1]
    assert (other.text, other.source_id, other.title, other.titled) == ("Tabs, and commas.", "8", "8", False)


def test_parquet_columns(folder: Path):
    table = pa.table(
        {
            "id": [7],
            "title": ["T"],
            "text": ["Words."],
            "day": [date(2024, 5, 6)],
            "at": pa.array([1_700_000_000_000_000_001], pa.timestamp("ns", "UTC")),
            "score": [float("nan")],
            "raw": [b"\0\1"],
            "nested": [{"a": [1.5]}],
        }
    )
    pq.write_table(table, folder / "a.parquet")
    (document,) = read(folder).documents
    assert (document.source, document.source_id, document.title) == ("a.parquet#1", "7", "T")
    assert document.metadata == {
        "day": "2024-05-06",
        "at": "2023-11-14T22:13:20+00:00",
        "score": None,
        "raw": "<2 bytes>",
        "nested": {"a": [1.5]},
    }
    json.dumps(document.metadata)


@pytest.mark.parametrize(
    ("value", "sources"),
    [
        ([{"text": "One."}, {"text": "Two."}], ["a.json#1", "a.json#2"]),
        ({"text": "One.", "authors": [{"name": "A"}]}, ["a.json#1"]),
        ({"version": 1, "documents": [{"text": "One."}, {"text": "Two."}]}, ["a.json#1", "a.json#2"]),
    ],
)
def test_shapes_of_json(folder: Path, value: object, sources: list[str]):
    write(folder, "a.json", json.dumps(value))
    assert [document.source for document in read(folder).documents] == sources


def test_columns_can_be_named_in_the_settings(folder: Path):
    rows = json.dumps({"key": "k1", "head": "H", "body": "Words.", "text": "other"})
    document = only(folder, "a.jsonl", rows, id_column="key", title_column="head", text_column="body")
    assert (document.source_id, document.title, document.text) == ("k1", "H", "Words.")
    assert document.metadata == {"text": "other"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "id,body\n1,Words.\n2,Words.\n"),
        ("a.jsonl", '{"id": 1}\n{"body": "Words."}\n'),
        ("a.json", '{"id": 1, "body": "Words."}'),
    ],
)
def test_table_without_the_text_column(folder: Path, name: str, content: str):
    reason = "has no column 'text': set input.text_column to one of id, body"
    assert failures(folder, name, content) == [(name, reason)]


def test_rows_without_text(folder: Path):
    rows = ['{"text": " "}', '{"text": null}', '{"other": 1}', '{"text": "Kept."}']
    assert failures(folder, "a.jsonl", "\n".join(rows)) == [(f"a.jsonl#{row}", "has no text") for row in (1, 2, 3)]
    assert read(folder).documents[0].text == "Kept."


def test_a_broken_json_line_does_not_take_the_others_with_it(folder: Path):
    lines = ['{"text": "One.\u2028Still one."}', '{"text": "Tw', "", "[1]", "[" * 100_000, '{"text": "Six.\\ud800"}']
    found = failures(folder, "a.jsonl", "\n".join(lines))
    assert [item for item, _ in found] == ["a.jsonl#2", "a.jsonl#4", "a.jsonl#5"]
    assert found[0][1].startswith("is not valid JSON: ")
    assert [reason for _, reason in found[1:]] == ["is not a JSON object", "is nested too deeply"]
    assert [document.text for document in read(folder).documents[:2]] == ["One.\u2028Still one.", "Six.\ufffd"]


def test_broken_csv_rows(folder: Path):
    content = 'text,id\nOne.,1\nTwo, and more, than cells\n"Three"x,3\nFour.,4\n"never closed,5\n'
    found = failures(folder, "a.csv", content)
    assert [item for item, _ in found] == ["a.csv#2", "a.csv#3", "a.csv#5"]
    assert found[0][1] == "has 3 cells where the header has 2"
    assert [document.text for document in read(folder).documents[:2]] == ["One.", "Four."]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json", "{", "is not valid JSON: "),
        ("a.json", "[" * 100_000, "is nested too deeply"),
        ("a.json", "[]", "has no rows"),
        ("a.csv", "text\n", "has no rows"),
        ("a.parquet", "not parquet", "is not readable as Parquet: "),
    ],
)
def test_broken_tables(folder: Path, name: str, content: str, reason: str):
    ((item, found),) = failures(folder, name, content)
    assert item == name
    assert found.startswith(reason)
    assert "\n" not in found


def test_the_limit_of_csv_fields_is_put_back(folder: Path):
    limit = csv.field_size_limit(1000)
    try:
        only(folder, "a.csv", "text\n" + "Words. " * 1000)
        assert csv.field_size_limit() == 1000
    finally:
        csv.field_size_limit(limit)


@pytest.mark.skipif(not RETRIEVAL.is_dir(), reason="the shared retrieval data is not on this machine")
@pytest.mark.parametrize("name", ["hotpotqa_train100", "musique_train100", "musique_train200"])
def test_retrieval_corpora_load_as_they_are(folder: Path, name: str):
    corpus = RETRIEVAL / name / "corpus.jsonl"
    (folder / "corpus.jsonl").write_bytes(corpus.read_bytes())
    rows = [json.loads(line) for line in corpus.read_text("utf-8").splitlines()]
    loaded = read(folder)
    assert not loaded.failures
    assert len(loaded.documents) + len(loaded.notices) == len(rows)
    texts = {row["id"]: (row["title"], row["text"]) for row in rows}
    for document in loaded.documents:
        title, text = texts[document.source_id]
        assert (document.title, document.text) == (" ".join(title.split()), text.replace("\r", "\n"))


# --- Office documents --------------------------------------------------------------------


def test_office_documents_without_markitdown(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "markitdown", None)
    ((item, reason),) = failures(folder, "a.pdf", b"%PDF-1.7")
    assert item == "a.pdf"
    assert "pip install 'graphrag-drift[documents]'" in reason


def test_office_documents_with_markitdown(folder: Path, monkeypatch: pytest.MonkeyPatch):
    class MarkItDown:
        def __init__(self, enable_builtins: bool, enable_plugins: bool):
            assert not enable_builtins and not enable_plugins

        def register_converter(self, converter: str):
            assert converter == "for docx"

        def convert_local(self, path: Path) -> SimpleNamespace:
            if path.name == "broken.docx":
                raise ValueError("File is not\na zip file")
            return SimpleNamespace(markdown="# Report\r\n\r\nWords.", title=None)

    converters = SimpleNamespace(DocxConverter=lambda: "for docx")
    monkeypatch.setitem(sys.modules, "markitdown", SimpleNamespace(MarkItDown=MarkItDown, converters=converters))
    write(folder, "a.docx", b"PK\0")
    write(folder, "broken.docx", b"PK\0")
    loaded = read(folder)
    assert [(document.title, document.text) for document in loaded.documents] == [("Report", "# Report\n\nWords.")]
    assert loaded.failures == (Failure("loading", "broken.docx", "cannot be read: File is not a zip file"),)


# --- What must not take the build down -----------------------------------------------------


@pytest.mark.parametrize("tag", ["p", "li", "td", "dd"])
def test_end_tags_that_html_lets_a_page_leave_out(tmp_path: Path, tag: str):
    (tmp_path / "page.html").write_text("".join(f"<{tag}>item {n}" for n in range(3_000)), "utf-8")

    (document,) = loading.read(tmp_path, InputSettings()).documents

    assert re.findall(r"item \d+", document.text) == [f"item {n}" for n in range(3_000)]


def test_list_items_without_end_tags_are_lines_of_their_own(tmp_path: Path):
    (tmp_path / "page.html").write_text("<ul><li>one<li>two<ul><li>inner</ul><li>three</ul>", "utf-8")

    (document,) = loading.read(tmp_path, InputSettings()).documents

    assert [line.strip(" *+-") for line in document.text.splitlines() if line.strip()] == [
        "one",
        "two",
        "inner",
        "three",
    ]


def test_broken_tags_and_comments_are_read_in_linear_time(tmp_path: Path):
    (tmp_path / "tags.html").write_text("<p>kept" + "<a " * 200_000, "utf-8")
    (tmp_path / "comments.html").write_text("<p>kept too<!-- a <b> --> too" + "<!--" * 200_000, "utf-8")

    texts = {document.source: document.text for document in loading.read(tmp_path, InputSettings()).documents}

    assert texts["tags.html"].startswith("kept")
    assert texts["comments.html"] == "kept too too"


def test_keys_and_numbers_that_json_cannot_hold(tmp_path: Path):
    (tmp_path / "a.jsonl").write_text('{"\\ud800": 1, "text": "Hello"}\n', "utf-8")
    (tmp_path / "b.md").write_text(f"---\nn: 0x{'f' * 5_000}\n---\nHello there", "utf-8")

    first, second = loading.read(tmp_path, InputSettings()).documents

    assert first.metadata == {"\ufffd": 1}
    assert second.metadata == {"n": None}


def test_a_title_is_cut_where_it_is_no_title(tmp_path: Path):
    (tmp_path / "a.csv").write_text(f"title,text\n{'long ' * 1_000},Hello\n", "utf-8")

    (document,) = loading.read(tmp_path, InputSettings()).documents

    assert 300 <= len(document.title) <= 301
