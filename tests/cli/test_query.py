import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from cli.answers import with_model
from commands import Command, run
from samples import check_citations, write_rows

from graphrag import Answer, Citation, GraphRAG
from graphrag.query.answering import NOTHING_FOUND

QUESTIONS = {
    "basic": ("What did Scrooge say about Christmas to his nephew?", "humbug"),
    "local": ("Who is Tiny Tim, and what is the matter with him?", "crutch"),
    "global": ("What is this story about?", "Scrooge"),
    "drift": ("How does Scrooge change, and what changes him?", "Scrooge"),
}


def parsed(answer: dict[str, Any]) -> Answer:
    citations = tuple(Citation(**citation) for citation in answer["citations"])
    return Answer(answer["question"], answer["method"], answer["text"], citations)


@pytest.mark.parametrize("method", QUESTIONS)
def test_every_method_answers_from_the_book(book: Path, graphrag: Command, method: str):
    question, expected = QUESTIONS[method]

    outcome = graphrag("query", question, "--method", method, "--root", book, "--json")

    assert (outcome.code, outcome.err) == (0, "")
    answer = json.loads(outcome.out)
    check_citations(parsed(answer), GraphRAG(book))
    assert (answer["question"], answer["method"], answer["route"]) == (question, method, "")
    assert expected.casefold() in answer["text"].casefold()
    assert len(answer["text"].splitlines()) == 5
    assert answer["context"]
    assert bool(answer["hierarchy"]) == (method == "drift")
    assert answer["groundedness"] == 1
    assert answer["usage"]["model_calls"] == 0


@pytest.mark.parametrize("method", ["local", "drift"])
def test_an_answer_for_people(book: Path, graphrag: Command, method: str):
    question, expected = QUESTIONS[method]

    outcome = graphrag("query", question, "-m", method, "-r", book, "-v", "--trace")

    assert outcome.code == 0
    answer, rest = outcome.out.split("\nSources\n")
    sources, _ = rest.split("\nWhat was asked and found\n" if method == "drift" else "\nWhat was retrieved\n")
    assert expected.casefold() in answer.casefold()
    assert [line.rsplit(" ", 1)[1] for line in answer.strip().splitlines()] == [f"[{n}]" for n in range(1, 6)]
    assert sources.startswith("[1] ")
    assert "context items" in outcome.err


def test_auto_says_which_method_it_took_and_why(book: Path):
    done = run("query", "Who is Bob Cratchit?", "--root", book)

    assert done.code == 0
    assert done.err.startswith("Method local: it names Bob Cratchit")
    assert "Cratchit" in done.out


@pytest.mark.parametrize("question", ["Wer ist Marley — der Geist?", "Who is Marley — 말리?"])
def test_a_question_from_standard_input(book: Path, question: str):
    done = run("query", "-", "--root", book, "--method", "basic", "--json", stdin=f"{question}\n")

    answer = json.loads(done.out)
    assert answer["question"].strip() == question
    assert "Marley" in answer["text"]


def test_the_method_of_the_settings(root: Path, graphrag: Command):
    (root / "settings.yaml").write_text("query: {method: global, sentences: 1}")

    answer = json.loads(graphrag("query", "Who is Otto Veit?", "--root", root, "--json").out)

    assert (answer["method"], len(answer["citations"])) == ("global", 1)


def test_what_controls_a_terminal_is_not_printed(tmp_path: Path, graphrag: Command):
    write_rows(tmp_path, [("Evil\x1b]0;owned\x07 Mill", "Evil Mill \x1b[2J\x9b31mstands\u202e on the river Aune.")])
    graphrag("index", "--root", tmp_path)

    outcome = graphrag("query", "Where does Evil Mill stand?", "--root", tmp_path)

    assert "stands on the river Aune." in outcome.out
    assert not set("\x1b\x07\x9b\u202e") & set(outcome.out + outcome.err)


def test_a_question_that_nothing_answers(book: Path, graphrag: Command):
    outcome = graphrag("query", "Explain the Krebs cycle of cellular respiration", "--method", "local", "--root", book)

    assert outcome.out.strip() == NOTHING_FOUND


def test_bytes_that_are_no_text_are_a_question_all_the_same(root: Path, graphrag: Command):
    outcome = graphrag("query", "Who is Otto Veit \udcff?", "--method", "basic", "--root", root, "--json")

    assert json.loads(outcome.out)["question"] == "Who is Otto Veit ??"


# --- With a model --------------------------------------------------------------------------

VEIT = "Otto Veit taught chemistry in Dresden. [T1] Otto Veit went to the moon in 1969. [T1]"
MARKED = "Otto Veit taught chemistry in Dresden. [1] Otto Veit went to the moon in 1969. [?]"


@pytest.fixture
def scripted(root: Path) -> Path:
    """The collection MILLS with a model that knows one answer, and one question."""
    rewritten = {"match": "Question asked next: Where did he", "reply": "Where did Otto Veit teach?"}
    return with_model(root, rewritten, {"reply": VEIT})


def test_an_answer_of_a_model_is_marked_where_nothing_supports_it(scripted: Path, graphrag: Command):
    outcome = graphrag("query", "Who is Otto Veit?", "-m", "local", "-r", scripted, "-v")

    assert outcome.out.startswith(f"{MARKED}\n\nSources\n[1] Otto Veit, text unit ")
    assert "local · 1 call, " in outcome.err
    assert "1 of 2 sentences supported" in outcome.err


def test_a_strict_answer_leaves_it_out(scripted: Path, graphrag: Command):
    outcome = graphrag("query", "Who is Otto Veit?", "-m", "local", "-r", scripted, "--strict", "--json")

    answer = json.loads(outcome.out)
    assert (answer["text"], answer["groundedness"]) == ("Otto Veit taught chemistry in Dresden. [1]", 1)


@pytest.mark.parametrize("option", ["--stream", "--streaming"])
def test_a_program_hears_every_event(scripted: Path, graphrag: Command, option: str):
    outcome = graphrag("query", "Who is Otto Veit?", "-m", "local", "-r", scripted, "--json", option)

    events = [json.loads(line) for line in outcome.out.splitlines()]
    assert [event["event"] for event in events[:2]] == ["routed", "retrieved"]
    assert "".join(event["text"] for event in events if event["event"] == "token") == MARKED
    assert events[-1]["answer"]["text"] == MARKED


def test_a_budget_of_no_calls_quotes_and_says_so(scripted: Path, graphrag: Command):
    for limit in (("--max-calls", 0), ("--budget-tokens", 10), ("--timeout", 0)):
        outcome = graphrag("query", "Who is Otto Veit?", "-m", "local", "-r", scripted, *limit)

        assert outcome.code == 0
        assert "Otto Veit taught chemistry in Dresden. [1]" in outcome.out
        assert "moon" not in outcome.out
        assert "Note: the model wrote no answer" in outcome.err


def test_what_the_user_wants_reaches_the_model(scripted: Path, graphrag: Command):
    with_model(scripted, {"match": "a haiku", "reply": VEIT}, {"reply": "Something else."})

    outcome = graphrag("query", "Who is Otto Veit?", "-m", "local", "-r", scripted, "--response-type", "a haiku")

    assert outcome.out.startswith(MARKED)


def test_a_question_goes_on_from_a_history(scripted: Path, graphrag: Command, tmp_path: Path):
    history = tmp_path / "talk.json"
    ask = ("query", "-m", "local", "-r", scripted, "--history", history)

    first = graphrag(*ask, "Who is Otto Veit?")
    second = graphrag(*ask, "Where did he teach?")

    assert "Understood as" not in first.err
    assert "Understood as: Where did Otto Veit teach?" in second.err
    turns = json.loads(history.read_text("utf-8"))
    assert [turn["question"] for turn in turns] == ["Who is Otto Veit?", "Where did he teach?"]
    assert {turn["answer"] for turn in turns} == {MARKED}


def test_a_damaged_history_is_refused_and_stays(scripted: Path, graphrag: Command, tmp_path: Path):
    history = tmp_path / "talk.json"
    history.write_text("{")

    outcome = graphrag("query", "Who?", "-r", scripted, "--history", history)

    assert (outcome.code, outcome.out, history.read_text()) == (1, "", "{")
    assert outcome.err.startswith(f"Error: {history} is no history")
    assert len(outcome.err.splitlines()) == 1


def test_a_history_without_a_model_helps_too(root: Path, graphrag: Command, tmp_path: Path):
    ask = ("query", "-m", "local", "-r", root, "--history", tmp_path / "talk.json")

    graphrag(*ask, "What did Otto Veit teach?")

    assert "Understood as: Otto Veit: Where did he teach?" in graphrag(*ask, "Where did he teach?").err


# --- Where and what ------------------------------------------------------------------------


def test_only_documents_that_meet_the_conditions_are_read(root: Path, graphrag: Command):
    ask = ("query", "Who taught chemistry in Dresden?", "-m", "basic", "-r", root, "--json")

    answer = json.loads(graphrag(*ask, "--filter", "title~mill", "--filter", "title!=Aune").out)

    assert {item["title"] for item in answer["context"]} <= {"Brightwell Mill"}
    assert "Veit" not in json.dumps(answer["citations"])
    assert graphrag(*ask, "--filter", "title").code == 1


def test_an_index_somewhere_else(root: Path, graphrag: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shutil.move(root / "output", tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)

    outcome = graphrag("query", "Who taught chemistry in Dresden?", "-m", "basic", "-r", root, "-d", "elsewhere")

    assert "Otto Veit taught chemistry in Dresden." in outcome.out


def test_foreign_tables_are_to_be_imported_first(root: Path, graphrag: Command, tmp_path: Path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "entities.parquet").touch()

    outcome = graphrag("query", "Who?", "--root", root, "--data", tmp_path / "theirs")

    assert (outcome.code, outcome.out) == (1, "")
    assert f"run `graphrag import {tmp_path / 'theirs'}` first" in outcome.err


def test_the_incumbents_command_line_is_understood(root: Path, graphrag: Command):
    said = "query --method local --community-level 2 --dynamic-community-selection --no-streaming --response-type List"

    assert graphrag(*said.split(), "Who is Otto Veit?", "--root", root, "--data", root / "output").code == 0
    assert graphrag("query", "Who is Otto Veit?", "--root", root, "--no-dynamic-selection", "--streaming").code == 0


def test_an_interrupted_question_ends_with_130(root: Path, graphrag: Command, monkeypatch: pytest.MonkeyPatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("graphrag.query.engine.QueryEngine.ask", interrupt)

    outcome = graphrag("query", "Who is Otto Veit?", "--root", root)

    assert (outcome.code, outcome.out, outcome.err) == (130, "", "")


def test_a_reader_that_has_enough_is_no_error(root: Path):
    done = run(root, module="cli.closed_pipe")

    assert (done.code, done.err) == (1, "")
