"""A conversation from a pipe, a line each; at a terminal it is the same."""

import io
import json
import sys
from pathlib import Path

import pytest
from cli.answers import with_model
from commands import Command, Outcome
from hypothesis import given
from hypothesis import strategies as st

from graphrag.answers import QueryOptions
from graphrag.cli.asking import Wanted
from graphrag.cli.chat import GREETING, HELP, Talk, Telling, chat
from graphrag.cli.listeners import View
from graphrag.engine import GraphRAG
from graphrag.query.conversing import Conversation

VEIT = "Otto Veit taught chemistry in Dresden. [T1]"
MARKED = "Otto Veit taught chemistry in Dresden. [1]"


class Lines(io.StringIO):
    """A keyboard, or a pipe."""

    def __init__(self, *lines: str, terminal: bool = False) -> None:
        super().__init__("".join(f"{line}\n" for line in lines))
        self.buffer = io.BytesIO(self.getvalue().encode("utf-8", "surrogateescape"))
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


class Says:
    """Runs `graphrag chat` and says lines to it."""

    def __init__(self, graphrag: Command, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.graphrag = graphrag
        self.root = root
        self.monkeypatch = monkeypatch

    def __call__(self, *lines: str, options: tuple[object, ...] = (), terminal: bool = False) -> Outcome:
        with self.monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", Lines(*lines, terminal=terminal))
            return self.graphrag("chat", "-m", "local", "--root", self.root, *options)


@pytest.fixture
def says(root: Path, graphrag: Command, monkeypatch: pytest.MonkeyPatch) -> Says:
    rewritten = {"match": "Question asked next: Where did he", "reply": "Where did Otto Veit teach?"}
    with_model(root, rewritten, {"reply": VEIT})
    return Says(graphrag, root, monkeypatch)


def test_a_question_may_refer_to_the_one_before(says: Says):
    outcome = says("Who is Otto Veit?", "", "Where did he teach?")

    assert (outcome.code, outcome.out) == (0, f"{MARKED}\n\n{MARKED}\n\n")
    assert outcome.err.splitlines() == ["Understood as: Where did Otto Veit teach?"]


def test_sources_and_trace_are_those_of_the_last_answer(says: Says):
    outcome = says("/sources", "Who is Otto Veit?", "/sources", "/trace", "/quit", "Who is Otto Veit?")

    assert outcome.out.count(MARKED) == 1
    assert outcome.out.index(MARKED) < outcome.out.index("\nSources\n[1] Otto Veit, text unit")
    assert outcome.out.index("Sources") < outcome.out.index("What was retrieved\ntext_unit T1 ")
    assert outcome.err.splitlines() == ["Error: there is no answer yet"]


def test_what_is_set_holds_for_the_questions_after(says: Says):
    with_model(says.root, {"reply": f"{VEIT} Otto Veit went to the moon in 1969. [T1]"})

    outcome = says("/strict on", "Who is Otto Veit?", "/strict off", "Who is Otto Veit?", "/method basic", "/method")

    assert outcome.out == f"{MARKED}\n\n{MARKED} Otto Veit went to the moon in 1969. [?]\n\n"
    assert outcome.err.splitlines() == ["Strict: on", "Strict: off", "Method: basic", "Method: basic"]


def test_filters_are_added_and_dropped(says: Says):
    lines = ("/filter title=Aune", "Who is Otto Veit?", "/filter title~A", "/filter off", "/filter title", "/filter")

    outcome = says(*lines, options=("--json",))

    answer, error = map(json.loads, outcome.out.splitlines())
    assert error["question"] == "/filter title"
    assert {item["title"] for item in answer["context"] if item["kind"] == "text_unit"} <= {"Aune"}
    *said, refused, last = outcome.err.splitlines()
    assert said == ["Filters: title=Aune", "Filters: title=Aune, title~A", "Filters: none"]
    assert refused.startswith("Error: ")
    assert last == "Filters: none"


def test_a_question_that_fails_does_not_end_the_conversation(says: Says):
    long = "x" * 30_000

    outcome = says("/nonsense", "/method magic", "/strict maybe", "/save", long, "Who is Otto Veit?")

    assert (outcome.code, outcome.out) == (0, f"{MARKED}\n\n")
    assert [line.split(":")[0] for line in outcome.err.splitlines()] == ["Error"] * 5
    assert "the question has 30,000 characters" in outcome.err


def test_what_nobody_foresaw_does_not_end_it_either(says: Says, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("graphrag.query.engine.QueryEngine.ask", fail)

    outcome = says("Who is Otto Veit?", "/method")

    assert "Error: unexpected ZeroDivisionError: by zero (--debug shows where)" in outcome.err
    assert outcome.err.splitlines()[-1] == "Method: local"


def test_an_interrupted_answer_does_not_end_it(says: Says, monkeypatch: pytest.MonkeyPatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("graphrag.query.engine.QueryEngine.ask", interrupt)

    assert says("Who is Otto Veit?", "/method").err.splitlines() == ["Interrupted.", "Method: local"]


def test_programs_get_an_object_a_question(says: Says):
    outcome = says("Who is Otto Veit?", "/nonsense", "\udcff", options=("--json",))

    answer, refused, third = map(json.loads, outcome.out.splitlines())
    assert answer["text"] == MARKED
    assert refused == {"question": "/nonsense", "error": "there is no /nonsense: /help lists what there is"}
    assert third["question"] == "\ufffd"


def test_the_history_is_written_after_every_answer(says: Says, tmp_path: Path):
    history = tmp_path / "talk.json"

    says("Who is Otto Veit?", options=("--history", history))
    second = says("Where did he teach?", "/new", "Who is Otto Veit?", options=("--history", history))

    turns = json.loads(history.read_text("utf-8"))
    assert [turn["question"] for turn in turns] == ["Who is Otto Veit?", "Where did he teach?"]
    assert f"A new conversation; {history} stays as it is." in second.err


def test_a_conversation_is_saved_to_a_new_file_only(says: Says, tmp_path: Path):
    path, other = tmp_path / "talk.json", tmp_path / "mine.txt"
    other.write_text("mine")

    outcome = says("Who is Otto Veit?", f"/save {path}", f"/save {other}")

    assert [turn.question for turn in Conversation.load(path).turns] == ["Who is Otto Veit?"]
    assert other.read_text() == "mine"
    assert outcome.err.splitlines() == [
        f"Wrote {path}",
        f"Error: {other} exists already: say /save and a new file",
    ]


def test_after_a_new_beginning_nothing_is_referred_to(says: Says):
    outcome = says("Who is Otto Veit?", "/new", "Where did he teach?")

    assert "Understood as" not in outcome.err


def test_at_a_terminal_it_asks_and_ends_with_the_input(says: Says, monkeypatch: pytest.MonkeyPatch):
    said = iter(["Who is Otto Veit?", KeyboardInterrupt(), "/help", EOFError()])

    def read(prompt: str) -> str:
        assert prompt == "> "
        line = next(said)
        if isinstance(line, BaseException):
            raise line
        return line

    monkeypatch.setattr("builtins.input", read)

    outcome = says(terminal=True)

    assert outcome.out == f"{MARKED}\n\n{HELP}\n\n"
    assert outcome.err.splitlines() == [GREETING, "", "/quit or Ctrl-D ends the conversation."]
    assert next(said, None) is None


def test_help_names_every_command_and_fits_a_terminal(mills: GraphRAG):
    talk = Talk(mills, Wanted(None, QueryOptions(), None, None), Conversation(), Telling(View(), False))

    assert {line.split()[0] for line in HELP.splitlines()} == {*talk._commands, "/quit"}
    assert max(map(len, HELP.splitlines())) < 80
    assert chat.help


@given(st.text(max_size=20))
def test_no_command_ends_the_conversation_but_quit(mills: GraphRAG, said: str):
    talk = Talk(mills, Wanted(None, QueryOptions(), None, None), Conversation(), Telling(View(), True))

    assert talk.hear(f"/x{said}")
    assert talk.hear(f"/filter {said}")
    assert not talk.hear("/quit")
