import json
from pathlib import Path
from typing import Any

import pytest
from commands import Command, run
from samples import check_citations, write_rows

from graphrag import Answer, Citation, GraphRAG
from graphrag.query.context import NOTHING_FOUND

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
    assert answer["usage"]["model_calls"] == 0


@pytest.mark.parametrize("method", ["local", "drift"])
def test_an_answer_for_people(book: Path, graphrag: Command, method: str):
    question, expected = QUESTIONS[method]

    outcome = graphrag("query", question, "-m", method, "-r", book, "-v")

    assert outcome.code == 0
    answer, sources = outcome.out.split("\nSources\n")
    assert expected.casefold() in answer.casefold()
    assert [line.rsplit(" ", 1)[1] for line in answer.strip().splitlines()] == [f"[{n}]" for n in range(1, 6)]
    assert sources.startswith("[1] ")
    assert ("What was asked and found" in outcome.out) == (method == "drift")
    assert "context items" in outcome.err


def test_auto_says_which_method_it_took_and_why(book: Path):
    done = run("query", "Who is Bob Cratchit?", "--root", book)

    assert done.code == 0
    assert done.err.startswith("Method local: it names Bob Cratchit")
    assert "Cratchit" in done.out


def test_a_question_from_standard_input(book: Path):
    done = run("query", "-", "--root", book, "--method", "basic", "--json", stdin="Wer ist Marley — 말리?\n")

    answer = json.loads(done.out)
    assert answer["question"].strip() == "Wer ist Marley — 말리?"
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
