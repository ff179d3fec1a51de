import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrag.language import Span
from graphrag.query.decomposing import LEAST_WORDS, MOST_CLAUSES, clauses, content_words, rest


def spans(question: str, *names: str) -> list[Span]:
    return [Span(question.index(name), question.index(name) + len(name)) for name in names]


# --- What is left beside the names -------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "names", "expected"),
    [
        (
            "What is the population of the state where Dodge City Regional Airport is located?",
            ["Dodge City Regional Airport"],
            "What is the population of the state where is located?",
        ),
        ("Did Ilse Tarnow teach Otto Veit chemistry?", ["Otto Veit", "Ilse Tarnow"], "Did teach chemistry?"),
        ("한라산의 높이는 얼마인가?", ["한라산"], "의 높이는 얼마인가?"),
        ("Who owns the mill?", [], "Who owns the mill?"),
    ],
)
def test_the_rest_is_what_is_asked_beside_the_names(question: str, names: list[str], expected: str):
    assert rest(question, spans(question, *names)) == expected


@pytest.mark.parametrize(("question", "name"), [("Who is Otto Veit?", "Otto Veit"), ("Trout", "Trout")])
def test_a_question_of_names_alone_is_left_whole(question: str, name: str):
    assert rest(question, spans(question, name)) == question


@given(st.lists(st.tuples(st.sampled_from(["Who", "owns", "mill", "Veit", "the", "Dresden"]), st.booleans())))
def test_the_rest_means_something_if_the_question_does(words: list[tuple[str, bool]]):
    question = " ".join(word for word, _ in words)
    starts = [len(" ".join(word for word, _ in [*words[:n], ("", False)])) for n in range(len(words))]
    names = [Span(at, at + len(word)) for at, (word, named) in zip(starts, words, strict=True) if named]

    left = rest(question, names)

    assert bool(content_words(left)) == bool(content_words(question))
    assert left == rest(question, names[::-1])
    assert left in (question, " ".join(word for word, named in words if not named))


# --- Clauses -----------------------------------------------------------------------------


def test_clauses_are_cut_at_relative_pronouns_and_commas():
    assert clauses("Who directed the film that won the golden palm, in which the baker of Oslo appears?") == [
        "Who directed the film",
        "won the golden palm",
        "the baker of Oslo appears",
    ]


def test_a_clause_of_one_word_is_left_out():
    assert clauses("Who directed the film in which the actor who was born in Oslo plays, and when?") == [
        "Who directed the film",
        "was born in Oslo plays",
    ]


@pytest.mark.parametrize("question", ["", "?", "Who owns Brightwell Mill?", "which which which", "Who, then, was it?"])
def test_a_question_of_one_clause_has_none(question: str):
    assert clauses(question) == []


@given(
    st.text(st.sampled_from("ab ,;，?"))
    | st.lists(st.sampled_from(["river", "mill", "which", "the", ","])).map(" ".join)
)
def test_clauses_are_few_and_say_something(question: str):
    found = clauses(question)

    assert len(found) != 1
    assert len(found) <= MOST_CLAUSES
    assert all(len(content_words(clause)) >= LEAST_WORDS and clause in question for clause in found)


def test_there_are_no_more_clauses_than_are_worth_a_search():
    assert len(clauses(", ".join(["the red mill"] * 9))) == MOST_CLAUSES


# --- Words -------------------------------------------------------------------------------


def test_content_words_are_those_that_are_not_only_grammar():
    assert content_words("Who was the owner of THE Mill?") == ["owner", "mill"]
    assert content_words("of the … !") == []


def test_white_space_is_taken_apart_in_time():
    spaced = "Which old miller came" + " " * 20_000 + "when hail hit Dresden?"

    assert clauses(spaced) == clauses("Which old miller came when hail hit Dresden?") != []
