import re
from collections.abc import Sequence

import pytest
from fakes import WordEmbedder
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import retrieved

from graphrag.models.embedded import EmbeddedEmbedder
from graphrag.query import numerals
from graphrag.query.checking import SUPPORTED, Checker, states_something
from graphrag.query.naming import Written, missing, names_in

CLERK = (
    "The door of Scrooge’s counting-house was open that he might keep his eye upon his clerk, who in a dismal little "
    "cell beyond was copying letters. Scrooge had a very small fire, but the clerk’s fire was so very much smaller "
    "that it looked like one coal. Bob Cratchit was paid fifteen shillings a week. Scrooge never painted out Old "
    "Marley’s name."
)
LAKE = "Lake Edward covers 2,325 square kilometres. It was first mapped in 1889. Five rivers flow into the lake."
UNITS = retrieved(CLERK, LAKE)


@pytest.fixture(scope="module")
def checker() -> Checker:
    return Checker(WordEmbedder())


@pytest.fixture(scope="module")
def real() -> Checker:
    return Checker(EmbeddedEmbedder())


# --- What is supported -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "quote"),
    [
        ("It was first mapped in 1889.", "It was first mapped in 1889."),
        ("- **It was first mapped in 1889.** [2]", "It was first mapped in 1889."),
        ("Cratchit earned 15 shillings a week.", "Bob Cratchit was paid fifteen shillings a week."),
        ("In the 1880s it was mapped for the first time.", "It was first mapped in 1889."),
        ("There are five rivers flowing into this lake.", "Five rivers flow into the lake."),
    ],
)
def test_a_sentence_is_supported_where_it_stands(checker: Checker, sentence: str, quote: str):
    found = checker.check(sentence, UNITS)

    assert found.supported
    assert found.reason == ""
    assert found.evidence[0].quote == quote


def test_what_stands_word_for_word_scores_one(checker: Checker):
    assert checker.check("It  was first\nmapped in 1889.", UNITS).score == 1.0


def test_a_statement_joined_of_two_sentences_quotes_both(checker: Checker):
    found = checker.check("Lake Edward was mapped in 1889 and covers 2325 square kilometres.", UNITS)

    assert found.supported
    assert found.evidence[0].quote == "Lake Edward covers 2,325 square kilometres. It was first mapped in 1889."


def test_each_unit_that_helps_has_its_quote(checker: Checker):
    units = retrieved("Bob Cratchit has a wife.", "Trout live in the Aune.", "Tiny Tim is the son of Bob Cratchit.")

    found = checker.check("Bob Cratchit has a wife and his son is Tiny Tim.", units)

    assert found.supported
    assert {evidence.unit.text_unit_id for evidence in found.evidence} == {"u0", "u2"}


def test_a_paraphrase_needs_the_embedding(real: Checker):
    units = retrieved(CLERK)

    assert real.check("The employee had almost no coal to burn and so little warmth from his fire.", units).supported
    assert not real.check("The dancers drank porter until the fiddler went home at night.", units).supported


# --- What is said of whom a passage names --------------------------------------------------

COLD = (
    "External heat and cold had little influence on Scrooge. No warmth could warm, no wintry weather chill him. "
    "“Why did you get married?” said Scrooge’s nephew. Scrooge signed it: and Scrooge’s name was good upon ’Change."
)


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        ("Scrooge is a miser.", "What kind of man is Scrooge?"),
        ("Scrooge is a miser.", ""),
        ("Scrooge works as a baker.", ""),
        ("Scrooge works as a clerk while his nephew is a baker.", "How do Scrooge and his nephew differ?"),
        ("Scrooge is a doctor.", "What does Scrooge do for a living?"),
        ("Scrooge's nephew is a priest.", "What does Scrooge's nephew do?"),
    ],
)
def test_a_name_alone_bears_nothing_out(real: Checker, sentence: str, question: str):
    found = real.check(sentence, retrieved(COLD), question)

    assert not found.supported
    assert found.reason == "the source says nothing of it"
    assert found.score < SUPPORTED


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        ("Scrooge had a good name.", ""),
        ("Heat and cold hardly affected Scrooge.", "What affected Scrooge?"),
        ("Scrooge was insensitive to the weather.", ""),
        ("Scrooge has a nephew.", "Has Scrooge a nephew?"),
    ],
)
def test_what_is_said_beside_the_name_may_be_in_other_words(real: Checker, sentence: str, question: str):
    assert real.check(sentence, retrieved(COLD), question).supported


def test_what_the_question_says_bears_nothing_out(real: Checker):
    units = retrieved("Lake Edward is fed by five rivers.")
    sentence = "The rivers that feed Lake Edward are polluted."

    assert not real.check(sentence, units, known="What are the rivers like that feed Lake Edward?").supported


# --- What is not -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("Bob Cratchit was paid sixteen shillings a week.", "the number sixteen is not in the source"),
        ("Lake Edward covers 2,352 square kilometres.", "the number 2,352 is not in the source"),
        ("Fezziwig was paid fifteen shillings a week.", "Fezziwig is not named in the source"),
        ("Peter Cratchit was paid fifteen shillings a week.", "Peter Cratchit is not named in the source"),
        ("Scrooge painted out Old Marley's name.", "the source says the opposite"),
        ("The door of the counting-house was not open.", "the source says the opposite"),
        ("The harpist tuned her instrument beside a green sofa.", "the source says nothing of it"),
    ],
)
def test_a_sentence_is_refused_with_its_reason(checker: Checker, sentence: str, reason: str):
    found = checker.check(sentence, UNITS)

    assert not found.supported
    assert found.reason == reason
    assert found.score < SUPPORTED


def test_what_the_question_names_needs_no_source(checker: Checker):
    units = retrieved("He was paid fifteen shillings a week by his master.")
    sentence = "Topper was paid fifteen shillings a week in 1843."

    assert checker.check(sentence, units, known="How much was Topper paid in 1843?").supported
    assert not checker.check(sentence, units).supported


def test_the_title_of_a_document_names_too(checker: Checker):
    assert checker.check("Title 0 was paid fifteen shillings a week.", retrieved(CLERK)).supported


@pytest.mark.parametrize("texts", [[], [""], [" \n "]])
def test_nothing_supports_where_there_is_nothing(checker: Checker, texts: Sequence[str]):
    found = checker.check("Scrooge kept the coal-box.", retrieved(*texts))

    assert not found.supported
    assert found.evidence == ()


# --- Languages ---------------------------------------------------------------------------

KOREAN = "스크루지의 서기는 밥 크래칫이다. 밥 크래칫은 일주일에 15실링을 받았다. 말리는 7년 전에 죽었다."
CHINESE = "斯克鲁奇的合伙人马利在七年前去世了。鲍勃每周挣十五先令。他的小儿子叫小提姆。"
GERMAN = (
    "Scrooge und Marley waren viele Jahre lang Partner in einem alten Kontor gewesen. Der Schreiber bekam nur "
    "fünfzehn Schillinge in der Woche und hatte kaum Kohle, während sein Herr ihn durch die offene Tür beobachtete."
)


@pytest.mark.parametrize(
    ("text", "sentence", "supported"),
    [
        (KOREAN, "밥 크래칫이 일주일에 15실링을 받았다.", True),
        (KOREAN, "밥 크래칫이 일주일에 25실링을 받았다.", False),
        (KOREAN, "고래가 바다에서 노래를 불렀다고 어부들이 말했다.", False),
        (CHINESE, "鲍勃每周挣15先令。", True),
        (CHINESE, "鲍勃每周挣25先令。", False),
        (CHINESE, "渔夫在河边钓鱼的时候唱起歌来。", False),
    ],
)
def test_answers_in_the_language_of_their_source(checker: Checker, text: str, sentence: str, supported: bool):
    assert checker.check(sentence, retrieved(text)).supported == supported


@pytest.mark.parametrize(
    ("text", "sentence", "supported"),
    [
        (KOREAN, "Bob Cratchit was paid fifteen shillings every week for his work.", True),
        (KOREAN, "Bob Cratchit was paid 25 shillings every week for his work.", False),
        (GERMAN, "Scrooge watched his clerk through the door, which he had left open for that.", True),
        (GERMAN, "Fezziwig watched his clerk through the door, which he had left open for that.", False),
    ],
)
def test_an_answer_in_another_language_has_the_benefit_of_the_doubt(
    checker: Checker, text: str, sentence: str, supported: bool
):
    assert checker.check(sentence, retrieved(text)).supported == supported


# --- For any texts -----------------------------------------------------------------------

TEXTS = st.lists(st.text(max_size=200), max_size=3)
PROSE = st.lists(st.sampled_from(re.findall(r"\S+", CLERK + LAKE + KOREAN + CHINESE)), max_size=25).map(" ".join)


@given(st.text(max_size=200) | PROSE, TEXTS | st.lists(PROSE, max_size=3), st.text(max_size=50))
@settings(deadline=None, max_examples=200)
def test_quotes_lie_in_their_units_whatever_the_texts(sentence: str, texts: list[str], known: str):
    units = retrieved(*texts)

    found = Checker(WordEmbedder()).check(sentence, units, known)

    assert 0 <= found.score <= 1
    assert bool(found.reason) != found.supported
    assert len({evidence.unit.text_unit_id for evidence in found.evidence}) == len(found.evidence)
    for evidence in found.evidence:
        assert evidence.unit in units
        assert 0 <= evidence.start < evidence.end <= len(evidence.unit.text)


@given(st.lists(PROSE, min_size=1, max_size=3), st.data())
@settings(deadline=None, max_examples=100)
def test_what_stands_there_word_for_word_is_always_supported(texts: list[str], data: st.DataObject):
    text = data.draw(st.sampled_from(texts))
    # Whole words: a part of one is another word.
    words = text.split()
    start = data.draw(st.integers(0, max(len(words) - 1, 0)))
    sentence = " ".join(words[start : start + data.draw(st.integers(1, 15))])

    if sentence.strip():
        assert Checker(WordEmbedder()).check(sentence, retrieved(*texts)).supported


@given(st.integers(13, 10**7), PROSE)
@settings(deadline=None, max_examples=100)
def test_a_number_that_nobody_gave_is_never_supported(number: int, prose: str):
    sentence = f"{prose} {number} shillings."
    known = numerals.values(f"{CLERK} {LAKE}")

    if number not in known:
        assert not Checker(WordEmbedder()).check(sentence, UNITS).supported


# --- What is checked at all --------------------------------------------------------------


@pytest.mark.parametrize(
    "sentence",
    [
        "Scrooge kept the coal-box.",
        "- Marley died 7 years ago.",
        "밥 크래칫은 15실링을 받았다.",
        "马利在七年前去世了。",
    ],
)
def test_statements(sentence: str):
    assert states_something(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "",
        "## The clerk and his master",
        "**The clerk and his master**",
        "In summary:",
        "The main reasons given are the following:",
        "Why did Scrooge keep the coal-box?",
        "This is so.",
        "The sources do not say who painted the door.",
    ],
)
def test_what_states_nothing(sentence: str):
    assert not states_something(sentence)


# --- Numbers and names -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("twelve", "12"),
        ("the twelfth", "12th"),
        ("a dozen", "12"),
        ("twenty-six", "26"),
        ("two hundred and ten", "210"),
        ("1,000", "a thousand"),
        ("3.5 million", "3,500,000"),
        ("World War II", "two"),
        ("1914–18", "1918"),
        ("三十二", "32"),
        ("both", "two"),
    ],
)
def test_a_number_is_the_same_however_it_is_written(written: str, same: str):
    (number,) = [number for number in numerals.numbers(same) if number.written != "a"]

    assert numerals.holds(numerals.values(written), number)


@pytest.mark.parametrize("text", ["one day", "the second time", "a couple", "no number"])
def test_words_that_only_may_be_numbers_need_no_source(text: str):
    assert numerals.stated(text) == []


@pytest.mark.parametrize(
    ("name", "text", "lacks"),
    [
        ("Bob Cratchit", "Mrs. Cratchit came", False),
        ("Cratchit", "Bob Cratchit came", False),
        ("Peter Cratchit", "Bob Cratchit came", True),
        ("Peter Cratchit", "Bob Cratchit and Mr. Cratchit came", False),
        ("Chinese", "a coin of China", False),
        ("French", "he went to France", False),
        ("Marta", "Martha came", True),
        ("United Nations", "the UN met", True),
        ("World Health Organization", "the WHO met", False),
        ("Скрудж", "Он увидел Скруджа", False),
        ("Scrooge", "스크루지의 서기", False),
        ("José", "Jose came", False),
    ],
)
def test_names(name: str, text: str, lacks: bool):
    assert missing(name, Written.of(re.findall(r"\w+|[.,]", text))) == lacks


@pytest.mark.parametrize(
    ("sentence", "names"),
    [
        ("Topper knocks down the fire-irons.", ["Topper"]),
        ("Newcomers to the firm met Bob Cratchit.", ["Bob Cratchit"]),
        ("Snow fell on London.", ["London"]),
        ("Belinda's clerk is poor.", ["Belinda"]),
    ],
)
def test_the_first_word_of_a_sentence_is_a_name_if_it_looks_like_one(sentence: str, names: list[str]):
    assert names_in(sentence, ["snow"]) == names
