from collections.abc import Sequence

import pytest
from fakes import WordEmbedder
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import retrieved

from graphrag.answers import Citation
from graphrag.language import DATA_REFERENCE
from graphrag.query.citing import Evidence, Numbering, Statement, locate, passages, support

SCROOGE, SNOW = retrieved("Marley was dead.\n\nScrooge\n  knew it.", "Snow fell on London. It was cold.")


@given(st.text())
@settings(deadline=None, max_examples=200)
def test_passages_are_the_sentences_of_any_text(text: str):
    (unit,) = retrieved(text)

    found = list(passages(unit))

    assert all(passage.quote == text[passage.start : passage.end] for passage in found)
    assert all(passage.quote == passage.quote.strip() != "" for passage in found)
    assert "".join("".join(passage.quote.split()) for passage in found) == "".join(text.split())


# --- Finding the place -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("Marley was dead.", "Marley was dead."),
        ("Scrooge knew it.", "Scrooge\n  knew it."),
        ("  dead. Scrooge  ", "dead.\n\nScrooge"),
        ("It was cold.", "It was cold."),
    ],
)
def test_a_text_is_located_whatever_its_white_space(text: str, quote: str):
    found = locate(text, [SCROOGE, SNOW])

    assert found is not None
    assert found.quote == quote


@pytest.mark.parametrize("text", ["Marley lives.", "marley was dead.", "M.rley was dead.", "", " \n"])
def test_what_stands_nowhere_is_not_located(text: str):
    assert locate(text, [SCROOGE, SNOW]) is None


def test_the_first_place_is_taken():
    twice = retrieved("No. Yes. Yes.", "Yes.")

    assert locate("Yes.", twice) == Evidence(twice[0], 4, 8)


def test_support_is_the_place_itself_or_the_nearest_sentence():
    units, model = [SCROOGE, SNOW], WordEmbedder()

    exact = support("Scrooge knew it.", units, model)
    near = support("On London there fell much snow.", units, model)

    assert exact is not None
    assert exact.quote == "Scrooge\n  knew it."
    assert near is not None
    assert near.quote == "Snow fell on London."


def test_a_sentence_about_something_else_supports_nothing():
    assert support("Ignorance and Want are children.", [SNOW], WordEmbedder()) is None


@pytest.mark.parametrize("texts", [[], [" \n "]])
def test_nothing_supports_where_there_is_nothing(texts: Sequence[str]):
    assert support("Anything.", retrieved(*texts), WordEmbedder()) is None


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("50 guests came.", "150 guests came."),
        ("500 men died.", "In all 2,500 men died."),
        ("art made him", "His heart made him"),
    ],
)
def test_parts_of_words_and_of_numbers_are_no_place(text: str, source: str):
    assert locate(text, retrieved(source)) is None


# --- Numbering ---------------------------------------------------------------------------


def statement(text: str, *evidence: Evidence) -> Statement:
    return Statement(text, evidence, 1.0)


def test_numbers_are_given_in_order_and_the_same_place_keeps_its_number():
    dead, cold = next(passages(SCROOGE)), next(passages(SNOW))
    numbering = Numbering()

    marks = [numbering.marks(each) for each in (statement("A", dead), statement("C.", cold, dead), statement("D."))]

    assert marks == [(1,), (2, 1), ()]
    assert numbering.marks(statement("E.", cold)) == (2,)
    assert numbering.citations() == (
        Citation(1, "Title 0", "d0", "", "u0", 0, 16, "Marley was dead."),
        Citation(2, "Title 1", "d1", "", "u1", 0, 20, "Snow fell on London."),
    )


def test_two_places_of_one_text_unit_have_two_numbers():
    numbering = Numbering()

    assert [numbering.marks(statement("", passage)) for passage in passages(SNOW)] == [(1,), (2,)]


def test_what_was_cited_can_be_taken_back():
    numbering = Numbering()
    numbering.marks(statement("A", next(passages(SCROOGE))))
    numbering.clear()

    assert numbering.citations() == ()
    assert numbering.marks(statement("B", next(passages(SNOW)))) == (1,)


def test_nothing_cited():
    assert Numbering().citations() == ()


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("He fled [Data: Sources (1, 2)].", "He fled."),
        ("He fled [Data: Entities (1); Reports (2, +more)]", "He fled"),
        ("He fled [1].", "He fled [1]."),
    ],
)
def test_data_references(text: str, bare: str):
    assert DATA_REFERENCE.sub("", text) == bare
