from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrag import language

pieces = st.sampled_from(
    ["A. ", "b! ", "\n\n", "\n", "“Quoted.” ", "Mr. X ", "한국은 좋다. ", "北京。", "…", "  ", "\x85", "'"]
)
texts = st.one_of(st.text(), st.lists(pieces, max_size=30).map("".join))


@given(texts)
@settings(deadline=None, max_examples=200)
def test_sentences_partition_any_text(text: str):
    spans = language.sentences(text)
    assert "".join(text[span.start : span.end] for span in spans) == text
    assert all(span.start < span.end for span in spans)
    assert all(before.end == after.start for before, after in pairwise(spans))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Marley was dead. Scrooge knew it!", ["Marley was dead. ", "Scrooge knew it!"]),
        ("Mr. Scrooge met Dr. Cratchit. They left.", ["Mr. Scrooge met Dr. Cratchit. ", "They left."]),
        ("No full stop\n\nNew paragraph", ["No full stop\n\n", "New paragraph"]),
        ("  Led by blanks. End.  ", ["  Led by blanks. ", "End.  "]),
        ("서울은 수도이다. 한강이 흐른다.", ["서울은 수도이다. ", "한강이 흐른다."]),
        (" \n ", [" \n "]),
        ("", []),
    ],
)
def test_sentences(text: str, expected: list[str]):
    assert [text[span.start : span.end] for span in language.sentences(text)] == expected


@given(st.text())
@settings(deadline=None, max_examples=200)
def test_words_of_any_text(text: str):
    terms = language.search_terms(text)
    assert terms == " ".join(terms.split())
    assert text.startswith(language.without_josa(text))
    assert language.fold(text) == " ".join(language.fold(text).split())


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Scrooge's counting-house", "scrooge counting house"),
        ("ＦＵＬＬ width", "full width"),
        ("삼성전자는 서울에서", "삼성전자 서울"),
        ("東京都 ABC東京", "東京 京都 abc 東京"),
        ("C++ & 東", "c 東"),
        ("हिन्दी भाषा", "हिन्दी भाषा"),
        ("தமிழ், বাংলা!", "தமிழ் বাংলা"),
        ("مَدِينَة", "مَدِينَة"),
        ("ไทย2", "ไท ทย 2"),
        ("", ""),
    ],
)
def test_search_terms(text: str, terms: str):
    assert language.search_terms(text) == terms


@pytest.mark.parametrize(
    ("word", "stem"),
    [("서울에서는", "서울"), ("서울은", "서울"), ("나는", "나는"), ("한국", "한국"), ("Seoul", "Seoul"), ("", "")],
)
def test_without_josa(word: str, stem: str):
    assert language.without_josa(word) == stem


def test_fold():
    assert language.fold("  STRASSE \n Ａ") == language.fold("straße a")
