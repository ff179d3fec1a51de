import time
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
        ("서울은 크다.한강이 흐른다.", ["서울은 크다.", "한강이 흐른다."]),
        ("그는 “안녕.” 하고 말했다. 그리고 떠났다.", ["그는 “안녕.” 하고 말했다. ", "그리고 떠났다."]),
        ("1.5도 올랐다.) 다음 날.", ["1.5도 올랐다.) ", "다음 날."]),
        (
            "東京は首都である。「はい。」と彼は言った。終わり！",
            ["東京は首都である。", "「はい。」と彼は言った。", "終わり！"],
        ),
        ("北京很大。他说：“你好。我来了。”然后走了？", ["北京很大。", "他说：“你好。我来了。”", "然后走了？"]),
        ("दिल्ली राजधानी है। यह बड़ा है।", ["दिल्ली राजधानी है। ", "यह बड़ा है।"]),
        ("القاهرة عاصمة مصر. هل تعرف؟ نعم!", ["القاهرة عاصمة مصر. ", "هل تعرف؟ ", "نعم!"]),
        ("لاہور شہر ہے۔ بڑا ہے۔", ["لاہور شہر ہے۔ ", "بڑا ہے۔"]),
        ("ភ្នំពេញ។ ធំ។", ["ភ្នំពេញ។ ", "ធំ។"]),
        ("Πού είναι; Εδώ.", ["Πού είναι; ", "Εδώ."]),
        ("Она родилась в 1867 г. в Варшаве. А. С. Пушкин?", ["Она родилась в 1867 г. в Варшаве. ", "А. С. Пушкин?"]),
        (
            "Berlin ist die Stadt, die z. B. am 3. Oktober feiert und tanzt. Dr. Müller ist da.",
            ["Berlin ist die Stadt, die z. B. am 3. Oktober feiert und tanzt. ", "Dr. Müller ist da."],
        ),
        ("", []),
    ],
)
def test_sentences(text: str, expected: list[str]):
    assert [text[span.start : span.end] for span in language.sentences(text)] == expected


def test_thai_clauses_make_sentences():
    clauses = ["กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย ", "มีประชากรมากกว่าสิบล้านคน ", "อากาศร้อนตลอดทั้งปี "]
    text = "".join(clauses * 4)
    spans = language.sentences(text)

    assert len(spans) > 3
    assert all(text[span.end - 1] == " " and span.end - span.start < 2 * language.CLAUSE for span in spans)


@pytest.mark.parametrize(
    "text", ["北京是中国的首都。", "「東京」は首都！", "「", "“（「。", "(((。", "ก ", "한강이.”라고 "]
)
def test_no_text_takes_the_square_of_the_time(text: str):
    def seconds(times: int) -> float:
        started = time.process_time()
        language.sentences(text * times)
        return time.process_time() - started

    seconds(10)

    def fastest(times: int) -> float:
        return min(seconds(times) for _ in range(3))

    # Of eight times the text: 64 times the time, for what squares.
    assert fastest(16_000) < 30 * max(fastest(2_000), 0.01)


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
        ("삼성전자는 서울에서", "삼성전자 삼성 성전 전자 서울"),
        ("노벨 문학상", "노벨 문학상 문학 학상"),
        ("노벨문학상을", "노벨문학상 노벨 벨문 문학 학상"),
        ("Москва столица", "москва столица"),
        ("القاهرة؟ مصر", "القاهرة مصر"),
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
    [
        ("서울에서는", "서울"),
        ("서울은", "서울"),
        ("서울로부터", "서울"),
        ("나는", "나는"),
        ("한국", "한국"),
        ("UN의", "UN"),
        ("2024년에", "2024년"),
        ("배우이자", "배우"),
        # Ends as a particle does, which could not stand after such a syllable.
        ("이탈리아", "이탈리아"),
        ("이탈리아의", "이탈리아"),
        ("우크라이나", "우크라이나"),
        ("하회마을", "하회마을"),
        ("소설가", "소설가"),
        ("소설가가", "소설가"),
        ("박지은", "박지은"),
        ("Seoul", "Seoul"),
        ("", ""),
    ],
)
def test_without_josa(word: str, stem: str):
    assert language.without_josa(word) == stem


def test_fold():
    assert language.fold("  STRASSE \n Ａ") == language.fold("straße a")
