import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrag.query import wording
from graphrag.query.wording import CHINESE, ENGLISH, JAPANESE, KOREAN, RUSSIAN, nothing_found

GERMAN, FRENCH, SPANISH = (sentence for _, sentence in wording.LATIN[1:])
QUESTIONS = {
    ENGLISH: [
        *("Who is Scrooge?", "What's up", "Why?", "Tell me more.", "Who is 홍길동?", "What did 宮本武蔵 write?"),
        *(
            "",
            "?!",
            "12345",
            "Scrooge",
            "Who is Иван Грозный?",
            "Where did Otto Veit die?",
            "Who said 'la vie en rose'?",
        ),
        *("Qual è la capitale della Francia?", "Quem é o dono do moinho?"),
        *("Хто такий Тарас Шевченко і де він жив?", "Wat is de hoofdstad van het land?", "Τι είναι αυτό;", "من هو؟"),
    ],
    GERMAN: [
        *("Wer ist Marley?", "Wo lehrte Otto Veit?", "Warum?", "Was sagt Scrooge zu seinem Neffen?"),
        "Wo lehrte Otto Veit Chemie, bevor er nach Dresden zog?",
        *("Wann wurde die Mühle gebaut?", "Worum geht es in dieser Geschichte?", "Wem gehört The Corvane Group?"),
    ],
    FRENCH: [
        *("Qui est Scrooge ?", "Pourquoi ?", "De quoi parle cette histoire ?", "Qu'en est-il de Marley ?"),
        *("Où habite-t-il ?", "Quand le moulin a-t-il été construit ?", "Que dit l’auteur ?"),
    ],
    SPANISH: ["¿Quién es Scrooge?", "¿Dónde enseñó Otto Veit?", "quién es el dueño del molino", "¿Y Bob?"],
    KOREAN: [
        "스크루지는 누구야?",
        "왜?",
        "The Corvane Group는 어디에 있나?",
        "Ebenezer Scrooge는 누구?",
        "金氏는 누구인가?",
    ],
    CHINESE: ["马利是谁？", "谁?", "谁是The Beatles的主唱？", "《ドラゴンボール》的作者是谁？", "誰擁有這座磨坊？"],
    JAPANESE: ["磨坊の持ち主は誰ですか？", "なぜ？", "Scroogeとは誰ですか", "ドラゴンボール？"],
    RUSSIAN: ["Кто такой Скрудж?", "Почему?", "Кто основал Corvane Group?"],
}


@pytest.mark.parametrize(
    ("question", "sentence"), [(question, sentence) for sentence, asked in QUESTIONS.items() for question in asked]
)
def test_the_sentence_is_in_the_language_of_the_question(question: str, sentence: str):
    assert nothing_found(question) == sentence


def test_the_english_sentence_is_as_it_was():
    assert nothing_found("Who is Scrooge?") == "Nothing in the collection answers this."


@given(st.text(max_size=200))
def test_whatever_is_asked_is_answered_by_one_of_the_sentences(question: str):
    assert nothing_found(question) in QUESTIONS
