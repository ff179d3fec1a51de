from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrag.names import count_case, find_names

words = st.sampled_from(
    ["The", "of", "Mr.", "Scrooge", "O'Brien", "AT&T", "'s", "1843", "the", "Élan", "Ω", "서울", "."]
)
sentences = st.one_of(st.text(), st.lists(words, max_size=12).map(" ".join))


def names(sentence: str, *collection: str) -> list[str]:
    """The names in a sentence of a collection that it is part of."""
    case = count_case([sentence, *collection])
    return [sentence[span.start : span.end] for span in find_names(sentence, case)]


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("there met Ebenezer Scrooge, then Bob Cratchit.", ["Ebenezer Scrooge", "Bob Cratchit"]),
        ("there met Ebenezer Scrooge and Bob Cratchit.", ["Ebenezer Scrooge", "Bob Cratchit"]),
        ("It was Scrooge's nephew.", ["Scrooge"]),
        ("It was Scrooge’s nephew.", ["Scrooge"]),
        ("He saw the University of Oxford today.", ["University of Oxford"]),
        ("Here lives Mr. Fezziwig.", ["Mr. Fezziwig"]),
        ("It was J. R. R. Tolkien himself.", ["J. R. R. Tolkien"]),
        ("She joined Procter & Gamble early.", ["Procter & Gamble"]),
        ("He left for the Rio de Janeiro of old.", ["Rio de Janeiro"]),
        ("мы видели Льва Толстого в Москве.", ["Льва Толстого", "Москве"]),
        ("είδαμε την Αθήνα χθες.", ["Αθήνα"]),
        ("elle habite à Évreux depuis longtemps.", ["Évreux"]),
        ("sie traf Ludwig van Beethoven gestern.", ["Ludwig van Beethoven"]),
        ("東京とUNESCOは違う。", []),
        ("القاهرة عاصمة مصر.", []),
        ("दिल्ली राजधानी है।", []),
        ("กรุงเทพเป็นเมืองหลวง", []),
        ("nothing here has a capital.", []),
        ("I said that I would.", []),
        ("서울은 수도이다.", []),
        ("", []),
    ],
)
def test_names_of_a_sentence(sentence: str, expected: list[str]):
    assert names(sentence) == expected


def test_a_capital_that_only_starts_sentences_is_no_name():
    collection = ("We saw snow.", "It was the snow of old.")

    assert names("Snow fell.", *collection) == []
    assert names("Marley fell.", *collection) == ["Marley"]


def test_a_word_written_small_elsewhere_may_be_a_name_inside_a_sentence():
    assert names("We met Mr. Snow.", "The snow fell.") == ["Mr. Snow"]


def test_a_whole_shouted_heading_is_no_name():
    assert names("THE END OF IT ALL AND OF EVERYTHING ELSE THERE EVER WAS") == []


@given(sentences)
@settings(deadline=None, max_examples=300)
def test_names_of_any_text_are_in_order_and_apart(sentence: str):
    spans = list(find_names(sentence, count_case([sentence])))

    assert all(0 <= span.start < span.end <= len(sentence) for span in spans)
    assert all(left.end <= right.start for left, right in pairwise(spans))
    assert all(sentence[span.start : span.end].strip() for span in spans)
