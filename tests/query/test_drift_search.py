from collections.abc import Callable, Iterator

import pytest
from samples import TWO_HOPS, check_citations

from graphrag import GraphRAG, Step
from graphrag.answers import Answer
from graphrag.query import drift_search
from graphrag.query.context import Tools


def levels(answer: Answer) -> list[list[Step]]:
    """The steps of the hierarchy, level by level."""

    def below(steps: list[Step]) -> Iterator[list[Step]]:
        while steps:
            yield steps
            steps = [child for step in steps for child in step.children]

    assert answer.hierarchy
    return list(below([answer.hierarchy]))


def steps(answer: Answer) -> list[Step]:
    return [step for level in levels(answer) for step in level]


@pytest.fixture(scope="module")
def answer(tools: Tools) -> Answer:
    return drift_search.search(tools, TWO_HOPS)


def test_every_sentence_has_its_citation(mills: GraphRAG, answer: Answer):
    check_citations(answer, mills)
    assert answer.method == "drift"


def test_the_hierarchy_has_the_question_and_two_rounds(answer: Answer):
    (root,), first, second = levels(answer)

    assert root.question == TWO_HOPS
    assert 1 <= len(first) <= 4
    assert 1 <= len(second) <= 4
    assert all(step.question.endswith(f": {TWO_HOPS}") for step in (*first, *second))


def test_nothing_is_followed_twice_and_nothing_that_was_asked_about(answer: Answer):
    followed = [step.question.removesuffix(f": {TWO_HOPS}") for step in steps(answer)[1:]]

    assert len(set(followed)) == len(followed) == len(steps(answer)) - 1
    assert "Brightwell Mill" not in followed
    assert "Corvane Group" in followed


def test_every_number_in_the_steps_is_a_citation_and_every_citation_is_used(answer: Answer):
    numbers = {citation.number: citation for citation in answer.citations}
    in_text = {number for number in numbers if f"[{number}]" in answer.text}
    in_steps = {number for step in steps(answer) for number in step.citations}

    assert in_text | in_steps == set(numbers)
    for step in steps(answer):
        assert step.citations
        assert all(" ".join(numbers[number].quote.split()) in step.answer for number in step.citations)


def test_the_best_child_comes_first(answer: Answer):
    for step in steps(answer):
        scores = [child.score for child in step.children]
        assert scores == sorted(scores, reverse=True)


def test_the_context_is_the_primer_and_the_passages_of_all_steps(answer: Answer):
    kinds = [item.kind for item in answer.context]

    assert kinds == sorted(kinds)
    assert set(kinds) == {"finding", "text_unit"}
    assert {"Corvane Group", "Otto Veit"} <= {item.title for item in answer.context if item.kind == "text_unit"}


@pytest.mark.parametrize(("rounds", "follow_ups", "sizes"), [(0, 4, [1]), (1, 1, [1, 1]), (2, 2, [1, 2, 2])])
def test_settings(mills: GraphRAG, make_tools: Callable[..., Tools], rounds: int, follow_ups: int, sizes: list[int]):
    tools = make_tools(mills, drift={"rounds": rounds, "follow_ups": follow_ups})

    assert [len(level) for level in levels(drift_search.search(tools, TWO_HOPS))] == sizes


def test_more_rounds_than_there_is_to_follow(mills: GraphRAG, make_tools: Callable[..., Tools]):
    found = drift_search.search(make_tools(mills, drift={"rounds": 9}), TWO_HOPS)

    assert len(steps(found)) == 1 + mills.table("entities").num_rows - 1


def test_without_entities_there_is_nothing_to_follow(nameless: GraphRAG, make_tools: Callable[..., Tools]):
    found = drift_search.search(make_tools(nameless), "when did the snow fall")

    check_citations(found, nameless)
    assert [len(level) for level in levels(found)] == [1]
    assert "the snow fell all night." in found.text
