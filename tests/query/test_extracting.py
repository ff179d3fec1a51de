from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from fakes import WordEmbedder
from numpy.typing import NDArray
from samples import retrieved

from graphrag.models.embedded import EmbeddedEmbedder
from graphrag.query.citing import Statement
from graphrag.query.extracting import MOST_SENTENCES, quote

UNITS = retrieved(
    "The mill stands by the river. It was built by Otto Veit of Dresden.",
    "# Otto Veit and the mill\n\nAlas! Nobody has seen the miller since. Otto Veit built the mill himself.",
    "Trout live in cold water. Bread is baked from grain.",
)
QUESTION = "Who built the mill?"


def answer(question: str, *texts: str, limit: int = 3) -> list[Statement]:
    units = retrieved(*texts) if texts else UNITS
    return quote(question, units, limit, WordEmbedder())


def test_the_sentences_that_answer_best_are_chosen():
    assert [statement.text for statement in answer(QUESTION, limit=1)] == ["Otto Veit built the mill himself."]
    assert [statement.text for statement in answer("What is baked?", limit=1)] == ["Bread is baked from grain."]


def test_words_decide_between_sentences_of_one_meaning():
    class OneMeaning(WordEmbedder):
        def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
            return super().embed(["the same"] * len(texts))

    (statement,) = quote("What is baked of grain?", UNITS, 1, OneMeaning())

    assert statement.text == "Bread is baked from grain."


def test_of_many_sentences_only_the_likeliest_are_embedded():
    class Counting(WordEmbedder):
        asked = 0

        def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
            Counting.asked = len(texts)
            return super().embed(texts)

    other = " ".join(f"Trout number {n} lives in water." for n in range(MOST_SENTENCES))

    (statement,) = quote(QUESTION, retrieved(other, other, "Otto Veit built the mill himself."), 1, Counting())

    assert statement.text == "Otto Veit built the mill himself."
    assert Counting.asked == MOST_SENTENCES + 1


def test_a_title_counts_as_part_of_its_sentences():
    others = retrieved(*(f"The mill {n} was built of stone." for n in range(MOST_SENTENCES)))
    told = replace(retrieved("It burnt down in the year 1901.")[0], document_title="Aune mill, built")

    found = quote("When was the Aune mill built?", [*others, told], MOST_SENTENCES, WordEmbedder())

    assert "It burnt down in the year 1901." in {statement.text for statement in found}


def test_a_statement_is_its_evidence_word_for_word():
    for statement in answer(QUESTION, limit=9):
        (evidence,) = statement.evidence
        assert statement.text == evidence.quote == evidence.unit.text[evidence.start : evidence.end]


def test_at_most_so_many_statements():
    assert [len(answer(QUESTION, limit=limit)) for limit in (1, 2, 9)] == [1, 2, 6]


def test_headings_and_cries_answer_nothing():
    texts = {statement.text for statement in answer(QUESTION, limit=9)}

    assert not {"Alas!", "# Otto Veit and the mill"} & texts


def test_sentences_of_one_passage_stand_together_in_its_order():
    found = [(s.evidence[0].unit.text_unit_id, s.evidence[0].start) for s in answer(QUESTION, limit=9)]

    units = [unit for unit, _ in found]
    assert units == sorted(units, key=units.index)
    assert all(found[i][1] < found[i + 1][1] for i in range(len(found) - 1) if units[i] == units[i + 1])


def test_a_repetition_is_not_chosen_over_something_new():
    same = "Otto Veit built the mill in May."

    found = answer(QUESTION, same, same, "The mill was built of stone and oak.", limit=2)

    assert {statement.text for statement in found} == {same, "The mill was built of stone and oak."}


def test_a_korean_question():
    found = answer(
        "이순신은 거북선을 언제 만들었나?", "한강은 서울을 지나 흐른다. 이순신은 그때 거북선을 만들었다.", limit=1
    )

    assert [statement.text for statement in found] == ["이순신은 그때 거북선을 만들었다."]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("이순신은 무엇을 만들었나?", ["이순신은 거북선을 만들었다."]),
        ("비트코인은 누가 발명했나?", []),
    ],
    ids=["answered", "about something else"],
)
def test_words_alone_count_where_the_model_does_not_read_the_question(question: str, expected: list[str]):
    class Unread(WordEmbedder):
        def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
            raise AssertionError("the vectors say nothing")

    units = retrieved("한강은 서울을 지나 흐른다. 이순신은 거북선을 만들었다. 설악산에는 눈이 많이 내린다.")
    found = quote(question, units, 3, Unread(EmbeddedEmbedder.name))

    assert [statement.text for statement in found] == expected


def test_nothing_to_answer_from():
    assert quote(QUESTION, [], 3, WordEmbedder()) == []
    assert answer(QUESTION, "Alas!", "# Heading", "") == []
