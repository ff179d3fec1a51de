"""What an answer looks like, on fixed answers: nothing is asked."""

import io
import json
from dataclasses import replace

import pytest
from cli.answers import ANSWER, CITATIONS
from rich.console import Console, RenderableType

from graphrag.answers import (
    Event,
    Finished,
    QuestionAnswered,
    QuestionAsked,
    Restarted,
    Retrieved,
    Routed,
    Token,
    Usage,
)
from graphrag.cli import answer_view


def printed(shown: RenderableType, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(shown)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_marks_are_styled_and_nothing_else_is():
    shown = answer_view.marked("A [bold]b[/bold] [1] c. [?] [x]")

    assert shown.plain == "A [bold]b[/bold] [1] c. [?] [x]"
    assert [(shown.plain[span.start : span.end], span.style) for span in shown.spans] == [
        ("[1]", "bold cyan"),
        ("[?]", "bold yellow"),
    ]


@pytest.mark.parametrize("width", [20, 40, 80, 120])
def test_a_source_is_one_line_of_the_terminal(width: int):
    line = printed(answer_view.source(CITATIONS[0], width), width)

    assert line.startswith("[1] Brigh")
    assert line.count("\n") == 1
    assert len(line) <= width + 1
    assert ("…" in line) == (width < 100)


def test_a_source_in_full():
    (head, *lines) = printed(answer_view.whole_source(CITATIONS[0]), 72).splitlines()
    line = answer_view.source_line(CITATIONS[0])

    assert "row-1" in head
    assert " ".join(" ".join(lines).split()) == " ".join(CITATIONS[0].quote.split())
    assert line == (
        "[1] Brightwell Mill, text unit 01234567: Brightwell Mill stands on the river Aune, below the weir and above "
        "the bridge."
    )


def test_sources_are_those_that_the_text_cites():
    assert [citation.number for citation in answer_view.cited(ANSWER, False)] == [1, 2]
    assert [citation.number for citation in answer_view.cited(ANSWER, True)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (Usage(12, 3, 30_000, 4_120, 12.34), "12 calls (3 from memory), 34,120 tokens, 12.3 s"),
        (Usage(1, 0, 10, 5, 0.04), "1 call, 15 tokens, 0.0 s"),
        (Usage(0, 2, 0, 0, 0.1), "0 calls (2 from memory), 0 tokens, 0.1 s"),
        (Usage(seconds=0.24), "no model, 0.2 s"),
    ],
)
def test_one_line_sums_it_up(usage: Usage, cost: str):
    shown = answer_view.summary(replace(ANSWER, usage=usage))

    assert shown == f"drift: it asks how things hang together ('where') · {cost} · 2 of 3 sentences supported"
    assert answer_view.summary(replace(ANSWER, usage=usage, route="", sentences=())) == f"drift · {cost}"


def test_what_else_is_to_be_said():
    assert list(answer_view.remarks(ANSWER)) == [
        "Understood as: Where is Brightwell Mill?",
        "Stopped: depth: 2 rounds of follow-ups",
    ]


def test_the_hierarchy_is_a_tree_with_scores():
    lines = printed(answer_view.trace(ANSWER)).splitlines()

    assert [line.rstrip() for line in lines] == [
        "1.00 Where is the mill?",
        "On a river. [1]",
        "└── 0.75 Which river?",
        "    The Aune. [2] [3]",
        "    └── 0.25 How long is it?",
        "        Short.",
    ]
    assert list(answer_view.trace_lines(ANSWER)) == [
        "1.00 Where is the mill?",
        "     On a river. [1]",
        "  0.75 Which river?",
        "       The Aune. [2] [3]",
        "    0.25 How long is it?",
        "         Short.",
    ]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_other_methods_show_what_was_retrieved_by_kind_and_handle(width: int):
    answer = replace(ANSWER, hierarchy=None)

    _, entity, unit = printed(answer_view.trace(answer), width).splitlines()

    assert entity.split()[:4] == ["entity", "E1", "0.250", "Aune"]
    assert unit.split()[:4] == ["text", "unit", "T1", "0.500"]
    assert list(answer_view.trace_lines(answer)) == [
        "text_unit T1 0.500 Brightwell Mill: " + " ".join(CITATIONS[0].quote.split()),
        "entity E1 0.250 Aune: A river.31m",
    ]


def test_a_long_hierarchy_is_shown_at_any_width():
    shown = printed(answer_view.trace(ANSWER), 12)

    assert "How long" in " ".join(shown.split())


EVENTS: list[tuple[Event, str, str]] = [
    (Routed("local", "it names X"), "routed", "local: it names X"),
    (Routed("local", ""), "routed", "local search"),
    (Retrieved("Q?", ANSWER.context), "retrieved", "retrieved 2 items"),
    (Retrieved("Q?", ANSWER.context[:1]), "retrieved", "retrieved 1 item"),
    (QuestionAsked("Which\x1b\nriver?", "Q?", 1, 0.5), "question_asked", "asked: “Which river?”"),
    (QuestionAsked("Which?", "Q?", 2, 0.5), "question_asked", "asked at depth 2: “Which?”"),
    (QuestionAnswered("Which?", "The Aune.", 0.8), "question_answered", "answered 0.8: “Which?” The Aune."),
    (Token("a"), "token", ""),
    (Restarted(), "restarted", answer_view.RESTARTED),
    (Finished(ANSWER), "finished", ""),
]


@pytest.mark.parametrize(("event", "name", "line"), EVENTS)
def test_events_are_told_in_a_line_and_as_json(event: Event, name: str, line: str):
    assert answer_view.progress_line(event) == line
    assert json.loads(json.dumps(answer_view.event_json(event)))["event"] == name


def test_all_of_an_answer_is_in_its_json():
    said = answer_view.answer_json(ANSWER)

    assert said["groundedness"] == pytest.approx(2 / 3)
    assert said["hierarchy"]["children"][0]["question"] == "Which river?"
    assert said["context"][1]["handle"] == "E1"
    assert answer_view.event_json(Finished(ANSWER)) == {"event": "finished", "answer": said}
