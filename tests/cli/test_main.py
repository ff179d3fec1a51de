import pytest
from commands import Command, run

import graphrag as package

COMMANDS = ["init", "index", "query", "chat", "retrieve", "export", "import"]


def test_help_names_every_command():
    done = run("--help")

    assert (done.code, done.err) == (0, "")
    assert all(f"  {command} " in done.out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_the_same_four_options(graphrag: Command, command: str):
    outcome = graphrag(command, "--help")

    assert outcome.code == 0
    assert all(option in outcome.out for option in ("-r, --root", "--json", "-v, --verbose", "--debug"))


def test_version(graphrag: Command):
    assert package.__version__ in graphrag("--version").out


def test_without_a_command_it_says_what_there_is(graphrag: Command):
    outcome = graphrag()

    assert outcome.code == 2
    assert all(command in outcome.err for command in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ask", "Who?"], "No such command 'ask'."),
        (["quer", "Who?"], "'query'"),
        (["query"], "Missing argument 'QUESTION'."),
        (["query", "Who?", "--methd", "local"], "No such option '--methd'. (Did you mean one of: '--method', "),
        (["query", "Who?", "--method", "magic"], "'magic' is not one of 'auto', 'local', 'global', 'drift', 'basic'"),
        (["query", "Who?", "--max-calls", "-1"], "-1 is not in the range x>=0"),
        (["query", "Who?", "--data", "/nowhere"], "'/nowhere' does not exist"),
        (["index", "--method", "magic"], "'magic' is not one of 'auto', 'standard', 'fast'"),
        (["retrieve"], "Give either QUESTION or --questions FILE.jsonl."),
        (["retrieve", "Who?", "-k", "0"], "0 is not in the range x>=1"),
        (["retrieve", "--questions", "/nowhere.jsonl"], "'/nowhere.jsonl' does not exist"),
        (["export", "x", "--format", "xls"], "'xls' is not one of 'parquet', 'graphml'"),
    ],
)
def test_a_wrong_command_is_one_line_that_says_what_is_right(graphrag: Command, arguments: list[str], message: str):
    outcome = graphrag(*arguments)

    assert (outcome.code, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    assert line.startswith("Error: ")
    assert message in line
    assert "--help" in line
