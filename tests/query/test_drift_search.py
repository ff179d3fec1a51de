import json
import re
from collections.abc import Callable, Iterator

import pytest
import reader
from questions import ask, follow, streamed
from samples import TWO_HOPS, check_citations, indexed

from graphrag import GraphRAG, Step
from graphrag.answers import Answer, QuestionAsked
from graphrag.messages import Request
from graphrag.models.fake import FakeChat
from graphrag.query import drift_search, primer
from graphrag.query.context import Inquiry, Tools


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
    return ask(drift_search.search, tools, TWO_HOPS)


def test_every_sentence_has_its_citation(mills: GraphRAG, answer: Answer):
    check_citations(answer, mills)
    assert answer.method == "drift"


def test_the_hierarchy_has_the_question_and_follow_ups_below_it(answer: Answer):
    (root,), first, *_ = levels(answer)

    assert root.question == TWO_HOPS
    assert 1 <= len(first) <= 8
    assert all(step.question.endswith(f": {TWO_HOPS}") for step in steps(answer)[1:])
    assert len(levels(answer)) <= 3


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
        assert all(0 <= score <= 1 for score in scores)


def test_the_context_is_all_that_steps_were_shown(answer: Answer):
    assert {"finding", "text_unit", "entity"} == {item.kind for item in answer.context}
    assert {"Corvane Group", "Otto Veit"} <= {item.title for item in answer.context if item.kind == "text_unit"}


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_the_depth_is_kept_and_said(mills: GraphRAG, make_tools: Callable[..., Tools], depth: int):
    answer = ask(drift_search.search, make_tools(mills, drift={"depth": depth}), TWO_HOPS)

    assert len(levels(answer)) <= depth + 1
    assert answer.stopped


def test_without_entities_there_is_nothing_to_follow(nameless: GraphRAG, make_tools: Callable[..., Tools]):
    found = ask(drift_search.search, make_tools(nameless), "when did the snow fall")

    check_citations(found, nameless)
    assert [len(level) for level in levels(found)] == [1]
    assert found.stopped == "nothing was left to ask"
    assert "the snow fell all night." in found.text


# --- With a model ------------------------------------------------------------------------


def calls(model: FakeChat) -> list[str]:
    return [request.stage for request in model.requests]


def test_the_calls_are_hypothesis_folds_follow_ups_and_the_answer(mills: GraphRAG, tools: Tools):
    model = reader.model()

    answer, events = follow(drift_search.search, tools, TWO_HOPS, model)

    check_citations(answer, mills)
    stages = calls(model)
    assert stages[:2] == ["primer", "primer"]
    assert stages[-1] == "answer"
    assert set(stages[2:-1]) <= {"primer", "follow-up"}
    assert stages.count("follow-up") == len(steps(answer)) - 1 == sum(isinstance(e, QuestionAsked) for e in events)
    assert len(stages) <= tools.settings.drift.max_calls
    assert streamed(events) == answer.text
    assert answer.groundedness == 1.0


def test_a_follow_up_reads_the_main_question_what_is_known_and_its_own_context(tools: Tools):
    model = reader.model()

    ask(drift_search.search, tools, TWO_HOPS, model)

    step = next(request for request in model.requests if request.stage == "follow-up").messages[1].content
    assert step.startswith(f"Main question: {TWO_HOPS}\nFound by earlier steps:\n- ")
    assert "Passages:\n[T" in step
    assert "Entities:\n[E" in step
    assert step.rstrip().splitlines()[-1].startswith("Question of this step: What is known of ")


def test_the_answer_is_reduced_from_notes_with_relevance_and_evidence(tools: Tools):
    model = reader.model()

    ask(drift_search.search, tools, TWO_HOPS, model)

    prompt = model.requests[-1].messages[1].content
    assert prompt.startswith("Notes:\n- (relevance ")
    assert "Passages:\n[T" in prompt
    relevance = [float(number) for number in re.findall(r"\(relevance ([\d.]+)\)", prompt)]
    assert relevance == sorted(relevance, reverse=True)


def test_equal_weights_tell_no_relevance(mills: GraphRAG, make_tools: Callable[..., Tools]):
    model = reader.model()

    ask(drift_search.search, make_tools(mills, drift={"equal_weights": True}), TWO_HOPS, model)

    assert "(relevance" not in model.requests[-1].messages[1].content


def up(*questions: tuple[str, int], answer: str = "", score: object = 50) -> str:
    return json.dumps({"answer": answer, "score": score, "follow_ups": [list(q) for q in questions]})


def asked(model: FakeChat) -> list[str]:
    """The questions of the follow-ups, in the order of the calls."""
    prompts = [r.messages[1].content for r in model.requests if r.stage == "follow-up"]
    return [prompt.rpartition("Question of this step: ")[2].strip() for prompt in prompts]


def primer_raises(*questions: tuple[str, int]) -> Callable[[Request], str | None]:
    def change(request: Request) -> str | None:
        if "follow_ups" not in request.messages[0].content:
            return None
        return up(*questions) if request.stage == "primer" else up(answer="")

    return change


def test_best_questions_go_first(mills: GraphRAG, make_tools: Callable[..., Tools]):
    questions = [("Who fishes trout?", 10), ("Who started the Corvane Group?", 90), ("Which river is short?", 20)]
    model = reader.model(primer_raises(*questions))

    ask(drift_search.search, make_tools(mills, drift={"follow_ups": 1, "gain": 0}), TWO_HOPS, model)

    assert asked(model)[0] == "Who started the Corvane Group?"


def test_near_duplicates_are_one(tools: Tools):
    model = reader.model(primer_raises(("Who started the Corvane Group?", 80), ("Who started the Corvane Group", 70)))

    ask(drift_search.search, tools, TWO_HOPS, model)

    assert asked(model) == ["Who started the Corvane Group?"]


def test_the_question_itself_is_not_asked_again(tools: Tools):
    model = reader.model(primer_raises((TWO_HOPS, 100)))

    answer = ask(drift_search.search, tools, TWO_HOPS, model)

    assert asked(model) == []
    assert answer.stopped == "nothing was left to ask"


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> GraphRAG:
    """A collection that does not fit into one step."""
    told = "The mill on the river was built, sold, burnt down, and built again by its owner in the year"
    texts = [
        (f"Mill {n}", f"{told} {1500 + n}. Its owner was the miller of Mill {n}. He kept {n} geese.") for n in range(40)
    ]
    return indexed(tmp_path_factory.mktemp("long"), texts)


def test_where_nothing_is_left_to_ask_it_reads_on(long: GraphRAG, make_tools: Callable[..., Tools]):
    model = reader.model(primer_raises())

    answer = ask(drift_search.search, make_tools(long, drift={"step_tokens": 400, "gain": 0}), TWO_HOPS, model)

    assert len(asked(model)) > 2
    assert set(asked(model)) == {TWO_HOPS}
    shown = [
        re.findall(r"^\[(T\d+)\]", r.messages[1].content, re.MULTILINE) for r in model.requests if r.stage != "answer"
    ]
    first, second = [set(handles) for handles in shown if len(handles) > 3][:2]
    assert len(first & second) < len(second) / 2
    assert answer.stopped


def test_a_step_that_says_that_it_answers_the_question_ends_reading_on(
    long: GraphRAG, make_tools: Callable[..., Tools]
):
    model = reader.model(lambda r: up(score=95) if "follow_ups" in r.messages[0].content else None)

    answer = ask(drift_search.search, make_tools(long, drift={"step_tokens": 400}), TWO_HOPS, model)

    assert asked(model) == []
    assert answer.stopped == "nothing was left to ask"


def test_where_no_step_can_be_understood_the_answer_is_of_what_was_retrieved(mills: GraphRAG, tools: Tools):
    model = reader.model(lambda r: "no JSON at all" if "follow_ups" in r.messages[0].content else None)

    answer = ask(drift_search.search, tools, TWO_HOPS, model)

    check_citations(answer, mills)
    assert "Passages:\n[T" in model.requests[-1].messages[1].content
    assert answer.citations
    assert answer.notices[0].startswith("3 of 3 calls of the primer went unanswered")


@pytest.mark.parametrize("depth", [0, 1])
def test_the_depth_is_kept_with_a_model(long: GraphRAG, make_tools: Callable[..., Tools], depth: int):
    model = reader.model()

    answer = ask(drift_search.search, make_tools(long, drift={"depth": depth, "step_tokens": 400}), TWO_HOPS, model)

    assert len(levels(answer)) <= depth + 1
    assert bool(asked(model)) == bool(depth)


def test_when_the_time_is_up_it_says_so(tools: Tools):
    model = reader.model()

    answer = ask(drift_search.search, tools, TWO_HOPS, model, timeout=0)

    assert model.requests == []
    assert answer.stopped.startswith("budget")
    assert answer.notices


def test_no_report_is_read_beside_the_whole_it_is_a_part_of(tools: Tools):
    reports = primer._reports(Inquiry(TWO_HOPS, tools), tools.retriever.vector(TWO_HOPS))  # pyright: ignore[reportPrivateUsage]
    around = tools.retriever.surroundings
    chosen = {number for number, id_ in around.reports.items() if id_ in reports}

    assert chosen
    assert all(not set(around.above(number)) & chosen for number in chosen)


def test_a_round_that_brings_nothing_new_is_the_last(tools: Tools):
    names = iter(range(100))

    def change(request: Request) -> str | None:
        if "follow_ups" in request.messages[0].content:
            known = "Brightwell Mill stands on the river Aune." if request.stage == "primer" else ""
            return up(*((f"What about matter {next(names)} of kind {n}?", 90) for n in range(3)), answer=known)
        return None

    model = reader.model(change)
    answer = ask(drift_search.search, tools, TWO_HOPS, model)

    assert answer.stopped.startswith("gain: ")
    assert len(levels(answer)) == 2


@pytest.mark.parametrize("most", [2, 3, 5])
def test_the_budget_of_calls_is_kept_and_leaves_one_for_the_answer(tools: Tools, most: int):
    model = reader.model()

    answer = ask(drift_search.search, tools, TWO_HOPS, model, max_calls=most)

    assert len(model.requests) <= most
    assert calls(model)[-1] == "answer"
    assert answer.stopped.startswith("budget: ")


def test_the_settings_bound_calls_and_tokens(mills: GraphRAG, make_tools: Callable[..., Tools]):
    model = reader.model()

    answer = ask(drift_search.search, make_tools(mills, drift={"max_calls": 6}), TWO_HOPS, model)

    assert len(model.requests) <= 6
    assert answer.stopped.startswith("budget: ")


def test_a_single_call_is_a_local_search(tools: Tools):
    model = reader.model()

    answer = ask(drift_search.search, tools, TWO_HOPS, model, max_calls=1)

    assert calls(model) == ["answer"]
    assert answer.notices == (drift_search.TOO_LITTLE,)
    assert answer.text


def test_a_step_that_goes_unanswered_is_told(tools: Tools):
    model = reader.model(lambda request: "no JSON" if request.stage == "follow-up" else None)

    answer = ask(drift_search.search, tools, TWO_HOPS, model)

    assert any("of a follow-up went unanswered" in notice for notice in answer.notices)
    assert answer.text


def test_what_a_step_makes_up_does_not_reach_the_answer(tools: Tools):
    lie = "The mill was sold to the Baron of Ulm in 1912. [T1]"
    model = reader.model(
        lambda request: up(answer=lie, score=100) if "follow_ups" in request.messages[0].content else None
    )

    answer = ask(drift_search.search, tools, TWO_HOPS, model)

    assert "Baron" not in model.requests[-1].messages[1].content
    assert answer.hierarchy
    assert "Baron" not in answer.hierarchy.answer


@pytest.mark.parametrize("score", ["85/100", "high", None, 1e9, {"value": 3}, "eighty"])
def test_scores_of_any_kind_end_nothing(tools: Tools, score: object):
    model = reader.model(
        lambda request: up(("Who started the Corvane Group?", 50), score=score) if request.stage == "primer" else None
    )

    answer = ask(drift_search.search, tools, TWO_HOPS, model)

    assert asked(model)[0] == "Who started the Corvane Group?"
    assert answer.hierarchy


def test_without_reports_the_primer_is_a_local_search(nameless: GraphRAG, make_tools: Callable[..., Tools]):
    model = reader.model()

    answer = ask(drift_search.search, make_tools(nameless), "when did the snow fall", model)

    check_citations(answer, nameless)
    assert calls(model)[0] == "primer"
    assert "the snow fell all night." in answer.text


def test_the_same_question_takes_the_same_way(tools: Tools):
    models = [reader.model(), reader.model()]

    answers = [ask(drift_search.search, tools, TWO_HOPS, model) for model in models]

    assert answers[0] == answers[1]
    assert [r.key() for r in models[0].requests] == [r.key() for r in models[1].requests]
