"""What a model copied from its instructions is told from what it found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrag.indexer.echoes import RUN, Instructions
from graphrag.language import fold_text

TOLD = Instructions(
    "You turn passages of text into a knowledge graph.\nWrite only what the passages say. Never write a row twice.\n\n"
    "Example 1\n[1] Mira Okafor has been harbour master of Port Selwyn since 2019.\n"
)
GIVEN = fold_text("Anna waits. Bruno was there, and you turn passages of text over.")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Anna waits.", "Anna waits."),
        ("Anna waits. You turn passages of text into a knowledge graph.", "Anna waits."),
        ("YOU TURN  passages\nof text into a Knowledge Graph", ""),
        ("turn passages of text into a knowledge", ""),
        ("You turn passages of text over.", "You turn passages of text over."),  # so says the text
        ("Anna waits. Write only what the passages say. Never write a row twice. Done.", "Anna waits. Done."),
        ("Never write a row twice.", "Never write a row twice."),  # five words alone may be chance
        ("Mira Okafor has been harbour master of Port Selwyn since 2019.", ""),
        ("", ""),
    ],
)
def test_sentences_that_are_copies_are_left_out(text: str, kept: str):
    assert TOLD.without_echoes(text, GIVEN) == kept


def test_an_example_of_the_collection_itself_may_say_the_same():
    text = "Mira Okafor has been harbour master of Port Selwyn since 2019."

    assert TOLD.without_echoes(text, GIVEN, "mira okafor") == text
    assert TOLD.without_echoes(text, GIVEN, "anna") == ""
    rule = "You turn passages of text into a knowledge graph."
    assert TOLD.without_echoes(rule, GIVEN, "knowledge graph") == ""


@given(st.lists(st.sampled_from("a b c d e f g".split()), max_size=30), st.integers(0, 30), st.integers(0, 30))
def test_any_run_of_words_that_is_long_enough_is_a_copy(words: list[str], start: int, size: int):
    copied = words[start : start + size]

    assert Instructions(" ".join(words)).echoed(" ".join(copied), "") == (len(copied) >= RUN)


@given(st.text(), st.text(), st.text())
def test_nothing_is_made_up(told: str, text: str, given_text: str):
    kept = Instructions(told).without_echoes(text, fold_text(given_text))

    assert "".join(kept.split()) in "".join(text.split()) or len(kept) < len(text)
    assert not Instructions("").echoed(text, "")
