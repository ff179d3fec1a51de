from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import documents, text_units

from graphrag.indexer import fast_extraction, graph
from graphrag.indexer.fast_extraction import KEY_PHRASE, NAME, TITLE
from graphrag.language import fold
from graphrag.records import Extraction
from graphrag.settings import ExtractionSettings

sentences = st.sampled_from(
    [
        "we met Bob Cratchit and Scrooge. ",
        "서울은 수도이다. ",
        "東京は首都である。",
        "in the door knocker, ",
        "\n\n",
        "İ ﷺ ",
    ]
)
texts = st.one_of(st.text(), st.lists(sentences, max_size=8).map("".join))


def extract(*texts: str, titles: Sequence[str] = (), minimum: int = 3) -> list[Extraction]:
    """What is found in text units, each of a document of its own."""
    settings = ExtractionSettings(min_phrase_count=minimum)
    return fast_extraction.extract(documents(*texts, titles=titles), text_units(*texts), settings)


def entities(found: Extraction) -> dict[str, str]:
    return {entity.name: entity.type for entity in found.entities}


def pairs(found: Extraction) -> dict[tuple[str, str], float]:
    return {(edge.source, edge.target): edge.weight for edge in found.relationships}


def test_names_and_key_phrases_with_the_sentences_that_mention_them():
    text = "there was the door knocker. it was\nthe door knocker of Scrooge. he hated the door knocker."

    (found,) = extract(text)

    assert entities(found) == {"door knocker": KEY_PHRASE, "Scrooge": NAME}
    assert [e.description for e in found.entities if e.name == "Scrooge"] == ["it was the door knocker of Scrooge."]
    assert [edge.description for edge in found.relationships] == ["it was the door knocker of Scrooge."]
    assert [(s.text, s.names) for s in found.statements][1:2] == [
        ("it was the door knocker of Scrooge.", ("door knocker", "Scrooge"))
    ]


def test_names_are_related_only_within_a_sentence():
    (found,) = extract("there stood Scrooge with Marley. there stood Fezziwig.")

    assert set(pairs(found)) == {("Scrooge", "Marley")}


def test_in_a_long_list_only_neighbours_are_related():
    (found,) = extract("there were Anna, Berta, Clara, Dora.")

    assert set(pairs(found)) == {
        ("Anna", "Berta"),
        ("Anna", "Clara"),
        ("Berta", "Clara"),
        ("Berta", "Dora"),
        ("Clara", "Dora"),
    }


def test_those_who_are_never_apart_weigh_more_than_those_who_are_everywhere():
    found = extract(
        "there was Holmes with Watson. there was Watson with Holmes.",
        *("there was London with Paris.", "there was London.", "there was Paris.", "there was Holmes, Watson, London."),
    )

    weights = {frozenset(pair): weight for extraction in found for pair, weight in pairs(extraction).items()}
    # Each of three meetings weighs its part of log2(1 + 3).
    assert weights[frozenset(("Holmes", "Watson"))] == pytest.approx(2 / 3)
    assert 0 < weights[frozenset(("London", "Paris"))] < 0.33


def test_a_given_title_is_what_the_first_text_unit_is_about():
    (found,) = extract("it lies on the Aune.", titles=["Brightwell Mill"])

    assert entities(found) == {"Brightwell Mill": TITLE, "Aune": NAME}
    assert set(pairs(found)) == {("Brightwell Mill", "Aune")}
    assert found.statements[0].names == ("Brightwell Mill", "Aune")


def test_a_title_made_from_a_file_name_says_nothing():
    assert "file 0" not in entities(extract("it lies on the Aune.")[0])


def test_korean_nouns_without_their_particles():
    text = "서울은 대한민국의 수도이다. 서울에는 한강이 흐른다. 한강은 서울을 지난다. 대한민국은 아시아에 있다."

    found = extract(text)
    titles = {entity.title for entity in graph.build(found, max_descriptions=3).entities}

    assert titles == {"서울", "대한민국", "수도", "한강", "아시아"}
    assert frozenset(("서울", "한강")) in map(frozenset, pairs(found[0]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("東京は日本の首都である。東京には皇居がある。東京は大きい。", "東京"),
        ("北京是中国的首都。北京有故宫。北京很大。", "北京"),
        ("القاهرة عاصمة مصر. القاهرة مدينة كبيرة. تقع القاهرة هنا.", "القاهرة"),
        ("हिन्दी भाषा है. हिन्दी लिपि है. हिन्दी सरल है.", "हिन्दी"),
        ("Мы были в Москве вчера.", "Москве"),
    ],
    ids=["Japanese", "Chinese", "Arabic", "Hindi", "Russian"],
)
def test_entities_of_other_scripts(text: str, expected: str):
    assert expected in entities(extract(text)[0])


@pytest.mark.parametrize("text", ["it rained and it was cold.", "1, 2, 3 … 4!", "\n \n", "😀😀", ""])
def test_a_text_that_names_nothing_has_an_empty_extraction(text: str):
    assert extract(text, "there was Scrooge.")[0] == Extraction("u0", (), ())


def test_no_text_units():
    assert extract() == []


@given(st.lists(texts, max_size=4))
@settings(deadline=None, max_examples=150)
def test_any_text(texts: list[str]):
    found = extract(*texts, minimum=1)

    assert [extraction.text_unit_id for extraction in found] == [unit.id for unit in text_units(*texts)]
    for extracted, text in zip(found, texts, strict=True):
        words = " ".join(text.split())
        assert all(fold(entity.name) and entity.name in words for entity in extracted.entities)
        assert all(entity.description in words for entity in extracted.entities)
        assert all(0 < edge.weight <= 1.0001 for edge in extracted.relationships)
        assert all(fold(edge.source) != fold(edge.target) for edge in extracted.relationships)
