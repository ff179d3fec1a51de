import json
import random
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrag import language, tokens
from graphrag.indexer import chunking, headings
from graphrag.records import Document, TextUnit, content_id
from graphrag.settings import ChunkingSettings

SHARED = Path(__file__).parents[3] / "shared" / "data"

# Texts made of what chunking looks at: sentences, headings, fences, long words, odd scripts.
fragments = st.sampled_from(
    [
        *(
            "One sentence. ",
            "And another one! ",
            "Is it? ",
            "no end ",
            "\n\n",
            "\n",
            "   ",
            "\t",
            "한국어 문장입니다. ",
        ),
        *("Set\n===\n", "\n\nUnder\n-----\n", "\n\n* * *\n\n", "\n\n---\n", "- item\n", "1. first\n  more\n"),
        *("|a|b|\n|-|-|\n", "|1|2|\n", "a | b\n--|--\n", "~~~\n", "[source]\n----\n", "----\n", "<h2>In\nHTML</h2>\n"),
        *("# Top\n", "\n## Part ##\n\n", "\n### Deep\n", "== Title\n", "\n=== Sub ===\n", "```\n", "# not\n", "#\n"),
        *("x" * 300, "👩‍👩‍👧" * 20, "北京是中华人民共和国的首都。" * 3, "“a " * 10, "\u2028", "\x0b\x85", "Ǆ̈́" * 30),
    ]
)
texts = st.one_of(st.text(), st.lists(st.one_of(fragments, st.text(max_size=20)), max_size=40).map("".join))


def document(text: str, title: str = "T", titled: bool = False) -> Document:
    return Document(content_id("document", title, text), title, text, titled=titled)


def split(text: str, size: int = 300, overlap: int = 0) -> list[TextUnit]:
    return chunking.split(document(text), ChunkingSettings(size=size, overlap=overlap))


# --- Properties --------------------------------------------------------------------------


@given(texts, st.sampled_from([16, 17, 40, 300]))
@settings(deadline=None, max_examples=150)
def test_units_partition_the_text(text: str, size: int):
    units = split(text, size)
    assert "".join(unit.text for unit in units) == ("" if not text.strip() else text)
    assert all(unit.text == text[unit.start : unit.end] for unit in units)
    assert all(before.end == after.start for before, after in pairwise(units))


@given(texts, st.sampled_from([16, 17, 40]), st.sampled_from([0, 5, 20, 1000]))
@settings(deadline=None, max_examples=150)
def test_the_limit_holds(text: str, size: int, overlap: int):
    for unit in split(text, size, overlap):
        assert unit.n_tokens == tokens.count(unit.text)
        assert 0 < unit.n_tokens <= size


@given(texts, st.sampled_from([16, 40]), st.sampled_from([5, 20, 1000]))
@settings(deadline=None, max_examples=150)
def test_overlap_repeats_only_the_end_of_the_unit_before(text: str, size: int, overlap: int):
    units = split(text, size, overlap)
    assert all(unit.text == text[unit.start : unit.end] for unit in units)
    for before, after in pairwise(units):
        assert before.start <= after.start <= before.end < after.end
        # The tokens of a whole are now and then one more than those of its sentences.
        assert tokens.count(text[after.start : before.end]) <= min(overlap, size // 2) + 1
    if units:
        assert (units[0].start, units[-1].end) == (0, len(text))


@given(texts, st.sampled_from([16, 40]))
@settings(deadline=None, max_examples=100)
def test_headings_are_those_above(text: str, size: int):
    for unit in split(text, size):
        above = [heading for heading in headings.find(text) if heading.start <= unit.start]
        path: list[str] = []
        level = 7
        for heading in reversed(above):
            if heading.level < level:
                path.insert(0, heading.title)
                level = heading.level
        assert unit.headings == tuple(path)


@given(st.lists(texts, max_size=6, unique=True), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=100)
def test_ids_are_unique_and_do_not_depend_on_the_order_of_the_input(parts: list[str], shuffler: random.Random):
    documents = [document(text, f"T{number % 2}", titled=number % 3 == 0) for number, text in enumerate(parts)]
    shuffled = shuffler.sample(documents, len(documents))
    limits = ChunkingSettings(size=16)
    units, others = chunking.split_all(documents, limits), chunking.split_all(shuffled, limits)
    assert len({unit.id for unit in units}) == len(units)
    assert {(unit.id, unit.document_id, unit.start) for unit in units} == {
        (unit.id, unit.document_id, unit.start) for unit in others
    }
    assert [unit.human_readable_id for unit in units] == list(range(len(units)))


# --- Sentences and size ------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", " ", "\n\n\t\u3000", "\n" * 10_000])
def test_blank_text_has_no_units(text: str):
    assert split(text) == []


def test_a_short_text_is_one_unit():
    (unit,) = split("  One. Two.\n")
    assert (unit.text, unit.start, unit.end, unit.headings) == ("  One. Two.\n", 0, 12, ())


def test_units_are_whole_sentences():
    text = " ".join(f"This is sentence number {number}." for number in range(100))
    units = split(text, 50)
    assert len(units) > 10
    assert all(unit.text.startswith("This") and unit.text.rstrip().endswith(".") for unit in units)
    assert all(unit.n_tokens > 25 for unit in units)


def test_no_tiny_unit_is_left_at_the_end():
    text = "This is one of the sentences here. " * 11
    first, second = split(text, tokens.count(text) - 3)
    assert abs(first.n_tokens - second.n_tokens) < 20


def test_sentences_stay_whole_in_a_long_line():
    text = " ".join(f"This is sentence number {number}." for number in range(2000))
    assert all(unit.text.rstrip().endswith(".") for unit in split(text, 16))


@pytest.mark.parametrize("overlap", [0, 20])
def test_the_limit_holds_where_a_whole_has_more_tokens_than_its_parts(monkeypatch: pytest.MonkeyPatch, overlap: int):
    """Which is so of o200k_base for some sequences of punctuation."""
    text = " ".join(f"This is sentence number {number}." for number in range(100))
    monkeypatch.setattr(chunking.tokens, "count", lambda text: 5 * text.count(".") ** 2)
    units = chunking.split(document(text), ChunkingSettings(size=40, overlap=overlap))
    assert max(unit.n_tokens for unit in units) <= 40


def test_a_long_sentence_is_cut_between_words():
    words = [f"word{number}" for number in range(500)]
    units = split(" ".join(words), 40)
    assert [word for unit in units for word in unit.text.split()] == words
    assert sum(unit.n_tokens for unit in units) / len(units) > 30


def test_a_long_word_is_cut_only_if_it_does_not_fit():
    fitting = "abcdefgh" * 10
    units = split(f"some words before {fitting} " * 5, 60)
    assert sum(unit.text.count(fitting) for unit in units) == 5
    units = split("before " + "abcdefgh" * 1000 + " after", 60)
    assert units[0].text.startswith("before abcdefgh")
    assert units[-1].text.endswith("abcdefgh after")
    assert all(unit.n_tokens > 30 for unit in units)


@pytest.mark.parametrize(
    "character",
    [
        *("x", "가", "👩‍👩‍👧", "𒐫", "`", "'", " x", "“ ", "a\n", "# H\n", "```\n", "Mr. "),
        *(" ", "\n \n", "-", "- ", "= ", "~~~\n", "|", "|a|\n", "a|b\n--|--\n", "|a\n|-", "a\n---\n", "\n\na\n---\n"),
        *(
            "* * *\n\n",
            "- a\n",
            "1. ",
            "<h2>",
            "<h2 ",
            "<h2>a</h2>\n",
            "[a]\n----\n",
            "# [a](b)\n",
            "# <a>\n",
            "_\t",
            "\f",
        ),
    ],
)
def test_time_is_linear(character: str):
    """It takes no time if it is, and minutes if it is not."""
    text = "a" + character * (100_000 // len(character))
    assert "".join(unit.text for unit in split(text)) == text


# --- Headings ----------------------------------------------------------------------------

SENTENCES = "This sentence has about ten tokens in it, perhaps. " * 8


def test_headings_start_units():
    text = f"# Book\n\n{SENTENCES}\n## One\n\n{SENTENCES}\n### Deep\n{SENTENCES}\n## Two ##\n{SENTENCES}"
    units = split(text)
    assert [unit.text.split("\n")[0] for unit in units] == ["# Book", "## One", "### Deep", "## Two ##"]
    assert [unit.headings for unit in units] == [
        ("Book",),
        ("Book", "One"),
        ("Book", "One", "Deep"),
        ("Book", "Two"),
    ]


def test_asciidoc_headings():
    units = split(f"= Carol\nBy Dickens\n\n== Stave One. Marley's Ghost. \n\n{SENTENCES}\n== Stave Two\n{SENTENCES}")
    assert [unit.headings for unit in units] == [("Carol",), ("Carol", "Stave Two")]


def test_tiny_sections_stay_together():
    text = "".join(f"## Part {number}\nShort.\n" for number in range(5))
    (unit,) = split(text)
    assert unit.headings == ("Part 0",)


def test_a_heading_is_never_the_end_of_a_unit():
    text = "".join(f"## Part {number}\nTiny.\n### Sub\n{'so many words ' * 12}.\n" for number in range(20))
    for size in range(40, 60):
        for unit in split(text, size)[:-1]:
            assert not unit.text.rstrip().split("\n")[-1].startswith("#")


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("#hashtag\n#\n# \n ## indented\n= 5 apples\n", []),
        ("Text\n= Not at the start\n== At any place\n", ["At any place"]),
        ("```sh\n# comment\n```\n# C#\n```\n# open", ["C#"]),
        ("\n \n# First\n\n  # indented\n## Second ##  \n", ["First", "Second"]),
        ("####### seven\n###### six", ["six"]),
        ("# " + "long " * 1000 + "\n# 제목", ["제목"]),
        ("Title\n=====\nText.\n\nPart one\n---\nText.\n\n제목\n------\n", ["Title", "Part one", "제목"]),
        ("Two lines\nof prose\n-----\n\nBest,\n-- \nAnn\n\n- item\n---\n\n***\n---\n", []),
        ("=======\n Title\n=======\n\nDeep\n~~~~\n\nNo\n~~~~~~~~~\n\n1. One\n^^^^^^\n", ["Title", "Deep", "1. One"]),
        ("---\na: b\n---\n\n----\ncode\n----\n\n[source,sh]\n----\n# comment\n----\n\n~~~\n# no\n~~~\n", []),
        ("a | b\n--- | ---\n# C | D\n\n# E\n", ["E"]),
        ("<h1 a='b'>\n <img src='x'>\n The <b>Tool</b> &amp; Co\n</h1>\n<h2></h2>\n<h3>a</h2>\n", ["The Tool & Co"]),
        ("## [Linked](http://x) {#id}\n## **Bold** <a name='x'></a>\n# {1, 2}\n", ["Linked", "Bold", "{1, 2}"]),
        ("``` in ``` line\n# Yes\n", ["Yes"]),
    ],
)
def test_what_is_a_heading(text: str, titles: list[str]):
    assert [heading.title for heading in headings.find(text)] == titles


# --- Sections and blocks -----------------------------------------------------------------


def test_underlined_titles_start_units():
    text = f"Book\n====\n\n{SENTENCES}\n\nOne\n---\n\n{SENTENCES}\n\n### Deep\n\n{SENTENCES}\n\nTwo\n---\n{SENTENCES}"
    units = split(text)
    assert [unit.text.split("\n")[0] for unit in units] == ["Book", "One", "### Deep", "Two"]
    assert [unit.headings for unit in units] == [("Book",), ("Book", "One"), ("Book", "One", "Deep"), ("Book", "Two")]


@pytest.mark.parametrize("rule", ["* * *", "---", "_____", "'''"])
def test_a_rule_parts_a_text_under_one_heading(rule: str):
    first, second = split(f"# Tale\n\n{SENTENCES}\n\n{rule}\n\n{SENTENCES}")
    assert second.text.startswith(rule)
    assert first.headings == second.headings == ("Tale",)


def test_the_edge_of_a_quotation_is_no_rule():
    (unit,) = split(f"{SENTENCES}\n\n[quote]\n____\nWords.\n____\n\n{SENTENCES}")
    assert unit.text.count("____") == 2


ROWS = "".join(f"| Item {number}. Of steel | costs more. Perhaps {number} |\n" for number in range(60))
CODE = "".join(f"def f{number}(): return 'One. Two.'\n" for number in range(6))


@pytest.mark.parametrize(
    "block", [f"| Name | Cost |\n|---|---|\n{ROWS[:300]}\n", f"```\n{CODE}```\n", f"[source]\n----\n{CODE}----\n"]
)
def test_a_block_that_fits_is_whole(block: str):
    for words in range(0, 60, 7):
        units = split(f"{'Some words are here. ' * words}\n\n{block}\n{SENTENCES}", 160)
        assert sum(block.strip() in unit.text for unit in units) == 1


def test_a_long_table_is_cut_between_rows_and_its_columns_are_known():
    table = f"| Name | Cost  in \t pounds |\n|:--|--:|\n{ROWS}"
    units = split(f"{SENTENCES}\n\n{table}\nAfter the table. {SENTENCES}", 120)
    rows = [line for unit in units for line in unit.text.splitlines() if line.startswith("|")]
    assert rows[2:] == ROWS.splitlines()
    inside = [unit.text.startswith("| Item") for unit in units]
    assert [unit.context for unit in units] == ["Columns: Name, Cost in pounds" if each else None for each in inside]
    assert sum(inside) > 5


def test_items_of_a_list_are_whole_where_they_are_short():
    items = [f"- The {number}th thing. It has its reasons! Does it?\n  And more.\n" for number in range(40)]
    units = split("".join(items), 100)
    assert len(units) > 5
    assert all(unit.text.startswith("- The") and unit.text.endswith("And more.\n") for unit in units)


# --- Overlap -----------------------------------------------------------------------------


def test_overlap_is_of_whole_sentences():
    text = " ".join(f"This is sentence number {number}." for number in range(100))
    units = split(text, 50, 16)
    starts = {span.start for span in language.sentences(text)}
    for before, after in pairwise(units):
        assert after.start in starts
        assert text[after.start : before.end].count(".") == 2


def test_overlap_does_not_cross_a_heading():
    before, after = split(f"# One\n{SENTENCES}\n# Two\n{SENTENCES}", overlap=50)
    assert after.start == before.end
    assert after.headings == ("Two",)


# --- Ids ---------------------------------------------------------------------------------


def test_ids_survive_edits_elsewhere_and_renaming():
    end = f"# Two\n{SENTENCES}"
    before = chunking.split(document(f"# One\n{SENTENCES}\n{end}", "a"), ChunkingSettings())
    after = chunking.split(document(f"# One\nNew. {SENTENCES}\n{end}", "b"), ChunkingSettings())
    assert before[0].id != after[0].id
    assert before[1].id == after[1].id
    assert before[1].start != after[1].start


def test_ids_are_the_same_in_every_run():
    (unit,) = chunking.split_all([document("Once upon a time.", "Tale", titled=True)], ChunkingSettings())
    assert unit.id == content_id("text_unit", "Tale", "Once upon a time.")
    (unit,) = chunking.split_all([document("Once upon a time.", "tale")], ChunkingSettings())
    assert unit.id == content_id("text_unit", "", "Once upon a time.")


def test_one_passage_in_two_documents_has_two_ids():
    shared = f"# Licence\n{SENTENCES}"
    documents = [document(f"# {name}\n{SENTENCES}{name}\n{shared}", name) for name in ("a", "b", "c")]
    units = chunking.split_all(documents, ChunkingSettings())
    copies = [unit for unit in units if unit.text == shared]
    assert len({unit.id for unit in copies}) == 3
    first = min(copies, key=lambda unit: unit.document_id)
    assert first.id == content_id("text_unit", "", shared)


# --- Real texts --------------------------------------------------------------------------


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not on this machine")
def test_a_christmas_carol():
    text = (SHARED / "texts/a-christmas-carol.asciidoc").read_text("utf-8")
    units = split(text)
    assert "".join(unit.text for unit in units) == text
    staves = dict.fromkeys(stave.split(".")[0] for unit in units for stave in unit.headings[1:])
    assert list(staves) == ["Stave One", "Stave Two", "Stave Three", "Stave Four", "Stave Five"]
    assert sum(unit.n_tokens for unit in units) / len(units) > 240


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not on this machine")
def test_a_retrieval_corpus():
    lines = (SHARED / "retrieval/musique_train100/corpus.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    documents = [document(row["text"], row["title"], titled=True) for row in rows]
    units = chunking.split_all(documents, ChunkingSettings())
    assert len({unit.id for unit in units}) == len(units) >= len(rows)
    assert max(unit.n_tokens for unit in units) <= 300
    for passage in documents[:200]:
        assert "".join(unit.text for unit in units if unit.document_id == passage.id) == passage.text


# --- Pages -------------------------------------------------------------------------------


@given(st.lists(texts.filter(lambda text: "\f" not in text), min_size=1, max_size=5), st.sampled_from([16, 40]))
@settings(deadline=None, max_examples=100)
def test_the_page_is_that_of_the_first_character_that_can_be_seen(parts: list[str], size: int):
    text = "\f".join(parts)
    for unit in split(text, size):
        first = unit.start + len(unit.text) - len(unit.text.lstrip())
        # Of white space alone, the place after it counts.
        assert unit.page == (1 + text[:first].count("\f") if len(parts) > 1 else None)


def test_pages_of_units():
    page = "This sentence has about ten tokens in it, perhaps. "
    units = split(f"{page * 2}\f{page}{page}\f\n\f\n{page}{page}\f\n\f", 16)
    assert [unit.page for unit in units] == [1, 1, 2, 2, 4, 4]


def test_a_page_break_before_a_heading_belongs_to_it():
    units = split(f"{SENTENCES}\n\f# Part\n\n{SENTENCES}")
    assert [(unit.page, unit.headings, unit.text[0]) for unit in units] == [(1, (), "T"), (2, ("Part",), "\f")]


def test_pages_are_no_part_of_ids():
    before, after = split(f"One.\f{SENTENCES}\n# H\n{SENTENCES}"), split(f"One.\f\f{SENTENCES}\n# H\n{SENTENCES}")
    assert [unit.page for unit in after] == [1, 3]
    assert [unit.page for unit in before] == [1, 2]
    assert before[-1].id == after[-1].id
