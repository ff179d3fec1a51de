import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrag import tokens


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", 0),
        ("Hello", 1),
        ("Hello, world!", 4),
        ("안녕하세요", 2),
        ("1234567", 3),
        ("<|endoftext|>", 7),
        ("\n\n\n", 1),
    ],
)
def test_counts_are_those_of_o200k_base(text: str, number: int):
    assert tokens.count(text) == number


@given(st.text())
@settings(deadline=None, max_examples=200)
def test_any_text_can_be_counted(text: str):
    assert (tokens.count(text) == 0) == (text == "")
    assert tokens.count(text) <= len(text.encode())


def test_lone_surrogates_can_be_counted():
    assert tokens.count("a\ud800b") > 1


@pytest.mark.parametrize("character", [" ", "a", "\n", "가", "'"])
def test_long_runs_can_be_counted(character: str):
    """tiktoken alone overflows its stack on some of these."""
    assert 0 < tokens.count(character * 300_000) <= 300_000
