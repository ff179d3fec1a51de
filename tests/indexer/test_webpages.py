import pytest

from graphrag.indexer import chunking
from graphrag.indexer.headings import find
from graphrag.indexer.webpages import to_markdown
from graphrag.records import Document
from graphrag.settings import ChunkingSettings

WORDS = "<p>" + "This sentence has about ten tokens in it, perhaps. " * 8 + "</p>"


def text(body: str) -> str:
    return to_markdown(f"<html><body>{body}</body></html>").text


@pytest.mark.parametrize(
    "body",
    [
        "<h2>Part</h2><p>Text.",
        "<div><div><h2>Part</h2></div>Text.</div>",
        "<table><tr><td><h2>Part</h2><p>Text.</td><td>Aside</td></tr></table>",
        "<table><tbody><tr><td><table><tr><td><div><h2>Part</h2></div></td></tr></table>Text.</td></tr></table>",
        "<ul class=cards><li><a href=x><h2>Part</h2></a><p>Text.</li><li>More</ul>",
        "<div role=heading aria-level=2>Part</div>Text.",
        "<p role=heading>Part</p>Text.",
    ],
)
def test_a_heading_is_a_line_of_its_own_wherever_it_stands(body: str):
    markdown = text(body)
    assert [(heading.level, heading.title) for heading in find(markdown)] == [(2, "Part")]
    assert "Text." in markdown
    assert "|" not in markdown


def test_tables_and_lists_proper_stay_what_they_are():
    body = "<ul><li>one<li>two</ul><table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td>2</td></tr></table>"
    assert text(body) == "* one\n* two\n\n| A | B |\n| --- | --- |\n| 1 | 2 |"


def test_a_table_around_tables_is_layout():
    assert "| --- |\n| inner |" in text("<table><tr><td>outer<table><tr><td>inner</td></tr></table></td></tr></table>")


def test_sections_without_headings_are_set_apart():
    body = "<p>Before</p><section>One</section><section>Two</section><article><h2>Three</h2>x</article><p>After</p>"
    assert text(body) == "Before\n\n---\n\nOne\n\n---\n\nTwo\n\n## Three\n\nx\n\nAfter"
    assert text("<section><section>Alone</section></section>") == "Alone"
    assert text("<h1>H</h1><section>Below</section>After") == "# H\n\nBelow\n\nAfter"


def test_text_units_begin_with_sections():
    body = f"<h1>Page</h1>{WORDS}<section>{WORDS}</section><section>{WORDS}</section>"
    markdown = text(body)
    units = chunking.split(Document("id", "Page", markdown), ChunkingSettings())
    assert len(units) == 3
    assert "".join(unit.text for unit in units) == markdown
    assert {unit.headings for unit in units} == {("Page",)}


def test_a_summary_is_a_line_of_its_own():
    assert text("<details><summary>Why</summary>Because.</details>") == "Why\n\nBecause."


@pytest.mark.parametrize("part", ["<section>a</section>", "<section>a", "<ul><li>x", "<h2>a</h2>", "<table><tr><td>x"])
def test_many_parts_or_deep_ones_take_little_time(part: str):
    """Seconds, not minutes; what is nested too deeply is refused by the reader of files."""
    assert "a" in text(part * 100 + "a")
    if part.endswith(("</section>", "</h2>")):
        assert text(part * 3000).count("a") == 3000
