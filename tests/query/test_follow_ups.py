import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from graphrag.query.follow_ups import SAME, Frontier
from graphrag.query.hierarchy import Found, Node, Suggestion

WORDS = ("mill", "river", "bread", "trout", "chemist", "Dresden", "owner", "miller", "colour", "book")


class Bags:
    """Texts are alike as far as they share words of a short list."""

    name = "bags"
    dimensions = len(WORDS)

    def embed(self, texts: list[str]) -> NDArray[np.float32]:
        counts = np.array([[word in text for word in WORDS] for text in texts], dtype=np.float32) + 1e-3
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


def frontier(question: str = "mill owner") -> Frontier:
    vector = Bags().embed([question])[0]
    return Frontier(Bags(), vector, asked=[vector])  # pyright: ignore[reportArgumentType]


def node(*suggestions: tuple[str, float]) -> Node:
    return Node("q", Found(suggestions=tuple(Suggestion(text, score, text) for text, score in suggestions)), 1.0)


def taken(open_questions: Frontier, most: int = 9) -> list[str]:
    return [up.question for up in open_questions.take(most)]


def test_what_adds_most_goes_first():
    asked = frontier()
    asked.open(node(("trout", 0.1), ("bread", 0.9), ("chemist", 0.5)))

    assert taken(asked) == ["bread", "chemist", "trout"]


def test_likeness_to_the_question_counts():
    asked = frontier()
    asked.open(node(("trout", 0.5), ("owner river", 0.5)))

    assert taken(asked, 1) == ["owner river"]


def test_what_was_found_is_less_new():
    asked = frontier()
    asked.learn(["bread"])
    asked.open(node(("bread trout", 0.5), ("chemist book", 0.5)))

    assert taken(asked, 1) == ["chemist book"]


def test_of_two_questions_about_one_thing_the_higher_scored_stays():
    asked = frontier()
    asked.open(node(("bread?", 0.2), ("bread!", 0.8)))
    asked.open(node(("bread.", 0.5)))

    assert taken(asked) == ["bread!"]


def test_nothing_is_asked_twice():
    asked = frontier()
    asked.open(node(("bread", 0.9)))
    taken(asked)
    asked.open(node(("bread", 1.0), ("mill owner", 1.0)))

    assert taken(asked) == []


def test_only_what_is_new_counts():
    asked = frontier()
    asked.learn(["bread trout"])

    assert asked.new(["bread trout", "chemist", "chemist", "book"], 0.9) == ["chemist", "book"]


QUESTIONS = st.lists(st.tuples(st.sets(st.sampled_from(WORDS), min_size=1).map(" ".join), st.floats(0, 1)), max_size=15)


@given(QUESTIONS, st.integers(1, 9))
def test_a_batch_has_no_duplicates_and_is_best_first(questions: list[tuple[str, float]], most: int):
    asked = frontier()
    asked.open(node(*questions))

    batch = asked.take(most)

    assert len(batch) <= most
    vectors = Bags().embed([up.question for up in batch]) if batch else np.zeros((0, len(WORDS)))
    likeness = vectors @ vectors.T - np.eye(len(batch))
    assert (likeness < SAME).all()
    expected = [up.expected for up in batch]
    assert all(0 <= value <= 1.0001 for value in expected)
