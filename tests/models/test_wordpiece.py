import json
import unicodedata
from importlib.resources import as_file, files
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import BertWordPieceTokenizer

from graphrag.models.wordpiece import WordPiece

SHARED = Path(__file__).parents[3] / "shared" / "data"


def make_tokenizers() -> tuple[WordPiece, BertWordPieceTokenizer]:
    with as_file(files("graphrag").joinpath("data/all-MiniLM-L6-v2/vocab.txt")) as path:
        return WordPiece(path), BertWordPieceTokenizer(str(path), lowercase=True, strip_accents=True)


OURS, LIBRARY = make_tokenizers()


def library_ids(text: str) -> list[int]:
    return LIBRARY.encode(text, add_special_tokens=False).ids


def is_settled(character: str) -> bool:
    """Whether its category is that of 2002: the library's Unicode is older than Python's."""
    category = unicodedata.category(character)
    return category not in ("Cn", "Cs") and unicodedata.ucd_3_2_0.category(character) == category


characters = st.characters(exclude_categories=("Cn", "Cs")).filter(is_settled)
fragments = st.sampled_from(
    [
        "Ω ΟΔΟΣ",
        "İIıi",
        "é",
        "e\u0301",
        "ﬁ",
        "ß",
        "한국어",
        "漢字かな",
        "##ing",
        "\x00",
        "\u200d",
        "\u00ad",
        " ",
        "x" * 101,
    ]
)
texts = st.lists(st.one_of(characters, fragments), max_size=60).map("".join)


@given(texts)
@settings(deadline=None, max_examples=500)
def test_any_text_is_read_as_the_library_reads_it(text: str):
    assert OURS.encode(text) == library_ids(text)


@pytest.mark.parametrize(
    "text",
    [
        "Scrooge's counting-house, naïve façade; e-mail: a.b@c.de (1843–1870)!",
        "Ebenezer  Scrooge\tand\r\nMarley\x00\x07",
        "Die Straße führt über Österreich nach Łódź.",
        "Ο ΣΙΣΥΦΟΣ ΚΑΙ Ο ΛΟΓΟΣ",
        "Москва — столица России, ёж и йод",
        "İstanbul'da ığdır",
        "한국어 문장은 띄어쓰기가 있다. 서울에서는",
        "東京は日本の首都である。カタカナ、ひらがな",
        "北京是中国的首都，故宫",
        "القاهرة عاصمة مصر، مَدِينَة",
        "ירושלים שָׁלוֹם",
        "नमस्ते दुनिया, हिन्दी",
        "สวัสดีชาวโลก",
        "Việt Nam, Hà Nội",
        "👩‍👩‍👧 🏴‍☠️ ☃️ 1½ ² ™ €5 $6 ‰",
        "ＦＵＬＬ　ＷＩＤＴＨ ｶﾀｶﾅ",
        "a" * 100,
        "a" * 101,
        "é" * 101,
        "\u2028\u2029\u3000\u00a0\u200b\ufeff\ufffd",
        "",
        " \n ",
    ],
)
def test_many_scripts_and_odd_characters(text: str):
    assert OURS.encode(text) == library_ids(text)


def test_the_names_of_markers_in_a_text_are_plain_text():
    assert not {OURS.start, OURS.end} & set(OURS.encode("[CLS] and [SEP]"))
    assert OURS.encode("[CLS]") == [OURS.encode(piece)[0] for piece in ("[", "cl", "]")][:1] + OURS.encode("CLS]")


@pytest.mark.parametrize("name", ["hotpotqa_train100", "musique_train100"])
def test_real_passages(name: str):
    path = SHARED / "retrieval" / name / "corpus.jsonl"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    with path.open(encoding="utf-8") as lines:
        passages = [json.loads(line)["text"] for line in islice(lines, 400)]

    assert [OURS.encode(text) for text in passages] == [library_ids(text) for text in passages]
