import json
from pathlib import Path

import pytest
from commands import Command
from samples import TWO_HOPS

FIELDS = {"text_unit_id", "score", "text", "document_id", "document_title", "source_id"}


def test_ranked_text_units_for_programs(root: Path, graphrag: Command):
    outcome = graphrag("retrieve", TWO_HOPS, "-k", 3, "--root", root, "--json")

    assert (outcome.code, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    assert found["question"] == TWO_HOPS
    assert [set(unit) for unit in found["results"]] == [FIELDS] * 3
    sources = [unit["source_id"] for unit in found["results"]]
    assert sources[0] == "row-1"
    assert "row-2" in sources
    scores = [unit["score"] for unit in found["results"]]
    assert scores == sorted(scores, reverse=True)


def test_ranked_text_units_for_people(root: Path, graphrag: Command):
    outcome = graphrag("retrieve", TWO_HOPS, "-k", 3, "--root", root)

    assert outcome.code == 0
    assert outcome.out.index("Brightwell") < outcome.out.index("row-2")
    assert "row-6" not in outcome.out


def test_basic_ranks_without_the_graph(root: Path, graphrag: Command):
    outcome = graphrag("retrieve", TWO_HOPS, "-k", 3, "--method", "basic", "--root", root, "--json")

    assert "Corvane Group" not in [unit["document_title"] for unit in json.loads(outcome.out)["results"]]


def test_only_documents_that_meet_a_condition_are_ranked(root: Path, graphrag: Command):
    path = root / "questions.jsonl"
    path.write_text(json.dumps({"question": TWO_HOPS}))

    for asked in ([TWO_HOPS, "--json"], ["--questions", path]):
        outcome = graphrag("retrieve", *asked, "--filter", "title=Aune|Otto Veit", "--root", root)

        found = {unit["document_title"] for unit in json.loads(outcome.out)["results"]}
        assert found == {"Aune", "Otto Veit"}


def test_a_file_of_questions_has_a_line_for_each_in_order(root: Path, graphrag: Command):
    questions = [
        {"id": "b", "question": "Who is Otto Veit?", "answer": "a chemist"},
        {"id": 7, "question": "What lives in the\u2028Aune?"},
        {"question": "Who is Otto Veit?"},
    ]
    path = root / "questions.jsonl"
    path.write_text("\n\n".join(json.dumps(question, ensure_ascii=False) for question in questions) + "\n", "utf-8")

    outcome = graphrag("retrieve", "--questions", path, "-k", 1, "--root", root)

    lines = [json.loads(line) for line in outcome.out.split("\n")[:-1]]
    assert [(line["id"], line["question"]) for line in lines] == [
        ("b", "Who is Otto Veit?"),
        (7, "What lives in the\u2028Aune?"),
        (5, "Who is Otto Veit?"),
    ]
    assert [line["results"][0]["document_title"] for line in lines] == ["Otto Veit", "Aune", "Otto Veit"]


@pytest.mark.parametrize(
    "line",
    [b"no JSON", b'{"id": 1}', b'["question"]', b'{"question": null}', b'{"question": "caf\xe9"}'],
    ids=["no JSON", "no question", "a list", "null", "Latin-1"],
)
def test_a_malformed_file_of_questions(root: Path, graphrag: Command, line: bytes):
    path = root / "questions.jsonl"
    path.write_bytes(b'{"question": "Who is Otto Veit?"}\n' + line)

    outcome = graphrag("retrieve", "--questions", path, "--root", root)

    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == f'Error: {path}, line 2: not a JSON object with a "question"\n'
