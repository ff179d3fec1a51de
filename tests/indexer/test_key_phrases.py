from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrag.indexer.key_phrases import count_phrases, find_key_phrases

pieces = st.sampled_from(
    [
        "the door knocker ",
        "door ",
        "of ",
        "서울은 ",
        "서울",
        "东京大学",
        "の",
        "ひらがな",
        "القاهرة ",
        "สวัสดี",
        "İ",
        "ﷺ",
        ". ",
    ]
)
sentences = st.one_of(st.text(), st.lists(pieces, max_size=12).map("".join))


def phrases(sentences: Sequence[str], minimum: int = 2) -> list[list[str]]:
    """The key phrases of each sentence of a collection of one text unit."""
    counts = count_phrases([sentences])
    return [
        [sentence[span.start : span.end] for span in find_key_phrases(sentence, counts, minimum)]
        for sentence in sentences
    ]


@pytest.mark.parametrize(
    ("sentences", "expected"),
    [
        (["He saw the door knocker.", "It was a door knocker."], [["door knocker"], ["door knocker"]]),
        (["He saw the door, knocker.", "It was a door, knocker."], [["door"], ["door"]]),
        (["the very slowly is", "the very slowly was"], [[], []]),
        (["He saw the door.", "Nothing."], [[], []]),
        (["서울은 크다.", "서울에는 한강이 흐른다."], [["서울"], ["서울"]]),
        (["그리고 밥을 먹었다.", "밥은 맛있다."], [[], []]),
        (["데버러 스미스가 왔다.", "데버러 스미스를 보았다."], [["데버러 스미스"], ["데버러 스미스"]]),
        (["1945년에 책을 냈다.", "1945년의 책을 읽었다."], [[], []]),
        (["“간다.”라고 마을에서 말했다.", "“온다.”라고 했다는 것으로 안다."], [["마을"], []]),
        (["이탈리아를 보았다.", "이탈리아 북부에 갔다."], [["이탈리아"], ["이탈리아", "북부"]]),
        (["한반도에 눈이 왔다.", "한반도 전체가 춥다."], [["한반도"], ["한반도"]]),
        (["민주주의를 원했다.", "민주주의 국가가 되었다."], [["민주주의"], ["민주주의"]]),
        (["제주를 보았다.", "제주도 좋았다."], [["제주"], ["제주"]]),
        (["東京は日本の首都である。", "日本の東京は大きい。"], [["東京", "日本"], ["日本", "東京"]]),
        (["カメラは高い。", "カメラを買う。"], [["カメラ"], ["カメラ"]]),
        (["北京是中国的首都。", "北京很大。"], [["北京"], ["北京"]]),
        (["القاهرة عاصمة مصر.", "القاهرة مدينة."], [["القاهرة"], ["القاهرة"]]),
        (["हिन्दी भाषा", "हिन्दी लिपि"], [["हिन्दी"], ["हिन्दी"]]),
        (["", " "], [[], []]),
    ],
    ids=(
        "English,mark,adverb,rare,Korean,one syllable,two words,number,quotation,no josa,noun that ends in a josa,"
        "another,a josa for sure,Japanese,kana,Chinese,Arabic,Hindi,nothing"
    ).split(","),
)
def test_phrases_by_script(sentences: list[str], expected: list[list[str]]):
    assert phrases(sentences) == expected


def test_a_korean_noun_needs_no_repetition_if_its_particle_says_so():
    assert phrases(["한강을 보았다."], minimum=3) == [["한강"]]


def test_what_is_everywhere_is_no_key_phrase():
    collection = [f"He saw the door of number {number}." for number in range(300)]

    assert not any(phrases(collection))


@given(st.lists(sentences, max_size=6), st.integers(1, 3))
@settings(deadline=None, max_examples=300)
def test_phrases_of_any_text_are_in_order_and_apart(collection: list[str], minimum: int):
    counts = count_phrases([collection])
    for sentence in collection:
        spans = list(find_key_phrases(sentence, counts, minimum))
        assert all(0 <= span.start < span.end <= len(sentence) for span in spans)
        assert all(left.end <= right.start for left, right in pairwise(spans))
