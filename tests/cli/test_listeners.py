"""Who hears an answer: a terminal, a pipe, a program; and what they are left with when it breaks off."""

import io
import itertools
import json
import re
import sys
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import replace

import pytest
from cli.answers import ANSWER
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from graphrag.answers import Event, Finished, QuestionAsked, Restarted, Retrieved, Routed, Token
from graphrag.cli import answer_view
from graphrag.cli.listeners import Terminal, View, attend, listener
from graphrag.cli.terminal import Flow
from graphrag.errors import OverloadedError, QueryError

EVENTS: list[Event] = [
    Routed("drift", ANSWER.route),
    Retrieved("And where is it?", ANSWER.context),
    QuestionAsked("Which river?", "And where is it?", 1, 0.5),
    Token(ANSWER.text[:13]),
    Token(ANSWER.text[13:60]),
    Token(ANSWER.text[60:]),
]
NO_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Screen(io.StringIO):
    """A terminal; `text` is what it shows, without colours and spinners."""

    def isatty(self) -> bool:
        return True

    @property
    def text(self) -> str:
        return re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", self.getvalue())


Show = Callable[..., Screen]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Show:
    """What a terminal of 60 columns shows of events."""

    def call(view: View, *events: Event | BaseException) -> Screen:
        screen = Screen()
        with monkeypatch.context() as patch:
            patch.setenv("TERM", "xterm-256color")
            patch.setenv("COLUMNS", "60")
            patch.delenv("NO_COLOR", raising=False)
            patch.setattr(sys, "stdout", screen)
            with suppress(KeyboardInterrupt):
                attend(played(*events), listener(view, False))
        return screen

    return call


def played(*events: Event | BaseException) -> Generator[Event]:
    for event in events:
        if isinstance(event, BaseException):
            raise event
        yield event


# --- A pipe ------------------------------------------------------------------------------


def test_a_pipe_gets_plain_text_and_stderr_the_rest(capsys: pytest.CaptureFixture[str]):
    answer = attend(played(*EVENTS, Finished(ANSWER)), listener(View(), False))

    out, err = capsys.readouterr()
    assert answer is ANSWER
    assert out == (
        f"{ANSWER.text}\n\nSources\n"
        "[1] Brightwell Mill, text unit 01234567: Brightwell Mill stands on the river Aune, below the weir "
        "and above the bridge.\n"
        "[2] Aune, text unit fedcba98: The Aune [bold]is short.\n"
    )
    assert err.splitlines() == [
        "Method drift: it asks how things hang together ('where').",
        "Understood as: Where is Brightwell Mill?",
        "Stopped: depth: 2 rounds of follow-ups",
        "Note: 1 of 3 report calls failed",
    ]


def test_a_pipe_that_is_verbose_tells_the_way_and_the_cost(capsys: pytest.CaptureFixture[str]):
    attend(played(*EVENTS, Finished(ANSWER)), listener(View(verbose=True, trace=True), False))

    out, err = capsys.readouterr()
    assert "What was asked and found\n1.00 Where is the mill?" in out
    assert "[3] Otto Veit" in out
    assert "asked: “Which river?”" in err.splitlines()
    assert answer_view.summary(ANSWER) in err.splitlines()


@pytest.mark.parametrize("stream", [True, False])
def test_a_pipe_gets_the_same_streamed_or_not(capsys: pytest.CaptureFixture[str], stream: bool):
    attend(played(*EVENTS, Finished(ANSWER)), listener(View(stream=stream), False))

    assert capsys.readouterr().out.startswith(f"{ANSWER.text}\n\nSources\n")


def test_a_pipe_hears_of_a_new_beginning(capsys: pytest.CaptureFixture[str]):
    events = [Token("The mill st"), Restarted(), *EVENTS[3:], Finished(ANSWER)]

    attend(played(*events), listener(View(stream=True), False))

    out, err = capsys.readouterr()
    assert out.startswith(f"The mill st\n{ANSWER.text}\n")
    assert answer_view.RESTARTED in err

    attend(played(*events), listener(View(), False))
    assert capsys.readouterr().out.startswith(f"{ANSWER.text}\n")


def test_an_answer_that_was_not_streamed_is_printed_whole(capsys: pytest.CaptureFixture[str]):
    attend(played(Finished(ANSWER)), listener(View(stream=True), False))

    assert capsys.readouterr().out.startswith(ANSWER.text)


# --- A terminal --------------------------------------------------------------------------


def test_a_terminal_shows_the_answer_its_sources_and_what_it_took(show: Show):
    screen = show(View(stream=True), *EVENTS, Finished(ANSWER))

    shown = screen.text
    assert (
        "The mill stands on the Aune. [1] It is made of cheese. [?]\n\nThe Aune is short. [2]\n\nSources\n[1] B"
        in shown
    )
    assert shown.index("Sources") < shown.index("1 of 3 report calls failed") < shown.index("(3 from memory)")
    assert "[3] Otto" not in shown
    assert "\x1b[1;36m[1]\x1b[0m" in screen.getvalue()
    assert "\x1b[1;33m[?]\x1b[0m" in screen.getvalue()
    assert max(map(len, re.split(r"[\r\n]", shown))) <= 60


def test_a_terminal_says_what_goes_on_until_there_is_something_to_read(monkeypatch: pytest.MonkeyPatch):
    said: list[str] = []
    monkeypatch.setattr("graphrag.cli.terminal.Waiting.say", lambda _, line: said.append(line))
    monkeypatch.setattr("graphrag.cli.terminal.Waiting.stop", lambda _: said.append("stopped"))

    hearing = Terminal(View(stream=True))
    for event in EVENTS[:4]:
        hearing.hear(event)

    assert said == [*map(answer_view.progress_line, EVENTS[:3]), "stopped"]


def test_a_spinner_turns_until_the_answer_comes(show: Show):
    events = [QuestionAsked(f"Which river, {'x' * 100}?", "", 1, 0.5), *EVENTS[3:], Finished(ANSWER)]

    screen = show(View(stream=True), *events)

    spinning = next(line for line in re.split(r"[\r\n]", screen.text) if line.startswith("⠋ asked"))
    assert spinning.startswith("⠋ asked: “Which river, xxx")
    assert spinning.rstrip().endswith("x…")
    assert "xx" not in screen.text.split(spinning)[1]
    assert (
        screen.getvalue().index("\x1b[?25l")
        < screen.getvalue().index("\x1b[?25h")
        < screen.getvalue().index("The mill")
    )


def test_a_terminal_that_does_not_stream_shows_the_answer_once(show: Show):
    screen = show(View(verbose=True, trace=True), *EVENTS, Finished(ANSWER))

    assert screen.text.count("The mill stands on the Aune.") == 1
    assert "asked: “Which river?”" in screen.text
    assert "What was asked and found\n1.00 Where is the mill?" in screen.text
    assert "[3] Otto Veit row-3" in screen.text


def test_a_terminal_says_that_the_answer_begins_anew(show: Show):
    screen = show(View(stream=True), Token("The mill st"), Restarted(), *EVENTS[3:], Finished(ANSWER))

    assert f"The mill st\n{answer_view.RESTARTED}\nThe mill stands" in screen.text


def test_nothing_in_an_answer_controls_the_terminal(show: Show):
    text = "Evil \x1b[2J\x1b]0;owned\x07 mill \x9b31m. [link=http://evil.example]x[/link] :smile:"

    screen = show(View(stream=True, verbose=True), Token(text), Finished(replace(ANSWER, text=text)))

    assert "Evil [2J]0;owned mill 31m. [link=http://evil.example]x[/link] :smile:" in " ".join(screen.text.split())
    assert not NO_CONTROLS.search(screen.text.replace("\r", ""))


# --- Text that flows -----------------------------------------------------------------------


def flowed(pieces: list[str], width: int) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False, emoji=False)
    flow = Flow(console)
    for piece in pieces:
        flow.write(piece)
    flow.close()
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


WORDS = st.text(st.sampled_from("ab 말漢か.\n[1]"), max_size=60)


@example("aaaaaaaa a  a", [11])
@given(WORDS, st.lists(st.integers(0, 60), max_size=8))
def test_however_a_text_is_cut_it_flows_the_same(text: str, cuts: list[int]):
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[start:end] for start, end in itertools.pairwise(places)]

    shown = flowed(pieces, 12)

    assert shown == flowed([text], 12)
    assert "".join(shown.split()) == "".join(text.split())
    longest = max((cell_len(word) for word in re.findall(r"[^\s漢か]+", text)), default=0)
    assert all(cell_len(line) <= max(12, longest) for line in shown.splitlines())


def test_lines_break_between_words_and_paragraphs_stay():
    assert flowed(["one two th", "ree\n\n- f", "our [1]"], 8) == "one two\nthree\n\n- four\n[1]\n"


# --- A program -----------------------------------------------------------------------------


def test_a_program_gets_one_object(capsys: pytest.CaptureFixture[str]):
    attend(played(*EVENTS, Finished(ANSWER)), listener(View(), True))

    out, err = capsys.readouterr()
    assert json.loads(out)["groundedness"] == pytest.approx(2 / 3)
    assert (out.count("\n"), err) == (1, "")


def test_a_program_gets_a_line_for_each_event(capsys: pytest.CaptureFixture[str]):
    attend(played(*EVENTS, Restarted(), Finished(ANSWER)), listener(View(stream=True), True))

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    names = ["routed", "retrieved", "question_asked", "token", "token", "token", "restarted", "finished"]
    assert [line["event"] for line in lines] == names
    assert "".join(line["text"] for line in lines[3:6]) == lines[-1]["answer"]["text"]


# --- Breaking off ----------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
def test_whoever_interrupts_is_left_with_what_there_is(capsys: pytest.CaptureFixture[str], stream: bool):
    with pytest.raises(KeyboardInterrupt):
        attend(played(*EVENTS[:4], KeyboardInterrupt()), listener(View(stream=stream), False))

    assert capsys.readouterr().out == f"{ANSWER.text[:13]}\n"


@pytest.mark.parametrize("stream", [True, False])
def test_an_interrupted_terminal_is_left_tidy(show: Show, stream: bool):
    screen = show(View(stream=stream), *EVENTS[:4], KeyboardInterrupt())

    assert screen.text.endswith(f"{ANSWER.text[:13]}\n")
    assert "\x1b[?25h" in screen.getvalue()  # the cursor is back


def test_half_an_answer_is_no_answer_where_it_failed(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(OverloadedError):
        attend(played(*EVENTS[:4], OverloadedError("busy")), listener(View(), False))

    assert capsys.readouterr().out == ""


def test_the_events_are_closed_when_the_user_interrupts():
    closed: list[bool] = []

    def events() -> Generator[Event]:
        try:
            yield EVENTS[0]
        finally:
            closed.append(True)

    class Impatient:
        def hear(self, event: Event) -> None:
            raise KeyboardInterrupt

        def end(self, interrupted: bool) -> None:
            assert interrupted

    asked = events()  # held, so that it is not closed for want of somebody who hears it
    with pytest.raises(KeyboardInterrupt):
        attend(asked, Impatient())
    assert closed == [True]


def test_events_without_an_answer_are_an_error():
    with pytest.raises(QueryError, match="not answered"):
        attend(played(EVENTS[0]), listener(View(), True))
