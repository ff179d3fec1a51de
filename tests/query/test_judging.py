import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import reader
from hypothesis import given
from hypothesis import strategies as st
from questions import ask, follow
from samples import TWO_HOPS, check_citations

from graphrag import GraphRAG
from graphrag.answers import Answer, Event, Restarted, Token
from graphrag.errors import UnusableReplyError
from graphrag.messages import Reply, Request
from graphrag.models.fake import FakeChat, Said
from graphrag.query import basic, drift_search, judging
from graphrag.query.answering import NOTHING_FOUND
from graphrag.query.context import Tools

OWNED = "The mill is owned by the Corvane Group."
STARTED = "It was started by the chemist Ilse Tarnow in Dresden."
FALSE = "The mill was sold to the Baron of Ulm in 1912."
HEADING = "In summary:"


@pytest.fixture(scope="module")
def judged(mills: GraphRAG, make_tools: Callable[..., Tools]) -> Tools:
    return make_tools(mills, judge=True)


def writes(text: str, said: Callable[[Request], Said] | Said) -> FakeChat:
    """A model that answers with a text, whose handles are found by what the passages say, and judges."""

    def handle(request: Request, part: str) -> str:
        lines = request.messages[-1].content.splitlines()
        return next(line[1:].partition("]")[0] for line in lines if part in line)

    def answer(request: Request) -> Said:
        if request.stage == judging.STAGE:
            return said(request) if callable(said) else said
        return text.replace("{owned}", handle(request, OWNED)).replace("{started}", handle(request, STARTED))

    return FakeChat(answer)


def refuse(*numbers: object) -> str:
    return json.dumps({"unsupported": numbers})


def answer_to(tools: Tools, text: str, said: Any, **options: object) -> tuple[Answer, list[Event], FakeChat]:
    model = writes(text, said)
    answer, events = follow(basic.search, tools, TWO_HOPS, model, **options)
    return answer, events, model


def heard(events: Sequence[Event]) -> str:
    """What the user sees: the pieces since the last restart."""
    pieces: list[str] = []
    for event in events:
        if isinstance(event, Restarted):
            pieces = []
        elif isinstance(event, Token):
            pieces.append(event.text)
    return "".join(pieces)


BOTH = f"{OWNED} [{{owned}}] {STARTED} [{{started}}]"


def test_what_is_refused_is_marked_and_what_is_left_is_numbered_anew(judged: Tools):
    answer, events, model = answer_to(judged, BOTH, refuse(1))

    assert answer.text == f"{OWNED} [?] {STARTED} [1]"
    assert [sentence.supported for sentence in answer.sentences] == [False, True]
    assert [(citation.number, citation.quote) for citation in answer.citations] == [(1, STARTED)]
    assert answer.groundedness == 0.5
    assert [type(event) for event in events][-2:] == [Restarted, Token]
    assert heard(events) == answer.text
    assert [request.stage for request in model.requests] == ["answer", "judge"]


def test_strict_leaves_it_out(judged: Tools):
    answer, events, _ = answer_to(judged, BOTH, refuse(2), strict=True)

    assert answer.text == heard(events) == f"{OWNED} [1]"
    assert [sentence.text for sentence in answer.sentences] == [OWNED]


def test_strict_may_leave_nothing(judged: Tools):
    answer, events, _ = answer_to(judged, BOTH, refuse(1, 2), strict=True)

    assert (answer.text, answer.found, answer.citations) == (NOTHING_FOUND, False, ())
    assert heard(events) == answer.text


def test_an_answer_that_is_let_pass_is_left_as_it_was(judged: Tools, tools: Tools):
    answer, events, _ = answer_to(judged, BOTH, refuse())

    assert answer == answer_to(tools, BOTH, refuse(1))[0]
    assert not any(isinstance(event, Restarted) for event in events)


def test_the_judge_is_shown_the_cited_sentences_with_their_quotes(judged: Tools):
    _, _, model = answer_to(judged, f"{HEADING}\n{FALSE} [{{owned}}] {BOTH}", refuse())

    asked = model.requests[-1].messages[-1].content
    assert asked.endswith(f"{TWO_HOPS}\n\n1. {OWNED}\n   > {OWNED}\n\n2. {STARTED}\n   > {STARTED}")
    assert not {HEADING, FALSE} & set(asked.splitlines())


def test_it_raises_nothing(judged: Tools):
    answer, events, _ = answer_to(judged, f"{FALSE} [{{owned}}] {OWNED} [{{owned}}]", refuse(2, 7))

    assert answer.text == f"{FALSE} [?] {OWNED} [1]"
    assert not any(isinstance(event, Restarted) for event in events)


@pytest.mark.parametrize("text", [f"{FALSE} [{{owned}}]", "[NONE] The sources do not say it."])
def test_where_nothing_is_cited_nothing_is_asked(judged: Tools, text: str):
    assert [request.stage for request in answer_to(judged, text, refuse(1))[2].requests] == ["answer"]


def test_without_the_setting_and_without_a_model_nothing_is_asked(judged: Tools, tools: Tools, mills: GraphRAG):
    assert [request.stage for request in answer_to(tools, BOTH, refuse(1))[2].requests] == ["answer"]
    quoted = ask(basic.search, judged, TWO_HOPS)
    check_citations(quoted, mills)
    assert quoted == ask(basic.search, tools, TWO_HOPS)


@pytest.mark.parametrize("said", ["I think all is well.", '{"verdict": []}', '{"unsupported": "none of them"}', ""])
def test_a_judge_that_cannot_be_understood_changes_nothing(judged: Tools, tools: Tools, said: str):
    answer, events, _ = answer_to(judged, BOTH, said)

    (notice,) = answer.notices
    assert notice.startswith("the model did not look its answer over: ")
    assert replace(answer, notices=()) == answer_to(tools, BOTH, refuse())[0]
    assert heard(events) == answer.text


def test_a_budget_that_allows_no_more_calls(judged: Tools):
    answer, _, model = answer_to(judged, BOTH, refuse(1), max_calls=1)

    assert len(model.requests) == 1
    assert answer.text == f"{OWNED} [1] {STARTED} [2]"
    assert "did not look its answer over" in answer.notices[0]


def test_the_final_answer_of_drift_is_judged_and_no_step(mills: GraphRAG, judged: Tools):
    model = reader.model(lambda request: refuse(1) if request.stage == judging.STAGE else None)

    answer, events = follow(drift_search.search, judged, TWO_HOPS, model)

    assert [request.stage for request in model.requests].count(judging.STAGE) == 1
    assert answer.sentences[0].supported is False
    assert heard(events) == answer.text
    assert "[?]" in answer.text
    numbers = {citation.number for citation in answer.citations}
    assert answer.hierarchy
    assert set(answer.hierarchy.citations) <= numbers
    for citation in answer.citations:
        assert citation.quote in mills.table("text_units").to_pandas().set_index("id")["text"][citation.text_unit_id]


# --- Any answer, any verdict -------------------------------------------------------------

PARTS = st.sampled_from([OWNED, STARTED, FALSE])


@given(parts=st.lists(PARTS, min_size=1, max_size=5), numbers=st.sets(st.integers(0, 6)), strict=st.booleans())
def test_the_text_is_what_went_out_and_says_what_its_sentences_say(
    judged: Tools, parts: list[str], numbers: set[int], strict: bool
):
    handles = {OWNED: " [{owned}]", STARTED: " [{started}]", FALSE: " [{owned}]"}
    answer, events, _ = answer_to(judged, "\n".join(p + handles[p] for p in parts), refuse(*numbers), strict=strict)

    assert heard(events) == answer.text
    cited = [part for part in parts if part != FALSE]
    refused = {part for number, part in enumerate(cited, start=1) if number in numbers} | {FALSE}
    kept = [part for part in parts if not strict or part not in refused]
    assert [sentence.text for sentence in answer.sentences] == kept
    assert [sentence.supported for sentence in answer.sentences] == [part not in refused for part in kept]
    lines = answer.text.splitlines() if kept else []
    assert [line.endswith("[?]") for line in lines] == [part in refused for part in kept]
    used = {number for sentence in answer.sentences for number in sentence.citations}
    assert used == {citation.number for citation in answer.citations} == set(range(1, len(used) + 1))


# --- Replies -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "numbers"),
    [
        ('{"unsupported": []}', set()),
        ('{"unsupported": [2, 3]}', {2, 3}),
        ('```json\n{"unsupported": ["2", "Sentence 3"]}\n```', {2, 3}),
        ('{"unsupported": [[2, "exaggerates"], {"number": 3, "reason": "the other one did"}]}', {2, 3}),
        ('{"unsupported": 2}', {2}),
        ('Sentence 1 is fine. {"unsupported": [2]} That is all.', {2}),
        ('{"unsupported": [2, "all the others", null, true, -1, 2.5]}', {2}),
    ],
)
def test_replies_that_are_understood(said: str, numbers: set[int]):
    assert judging.parse(Reply(said)) == numbers


@pytest.mark.parametrize(
    "said", ["", "2", "{}", '{"unsupported": null}', '{"unsupported": ["all"]}', '{"unsupported": [2,']
)
def test_replies_that_are_asked_for_again(said: str):
    with pytest.raises(UnusableReplyError):
        judging.parse(Reply(said))


@given(
    st.text()
    | st.recursive(st.none() | st.integers() | st.floats() | st.text(), st.lists).map(
        lambda value: json.dumps({"unsupported": value})
    )
)
def test_any_reply_is_understood_or_unusable(said: str):
    with suppress(UnusableReplyError):
        assert all(number > 0 for number in judging.parse(Reply(said)))
