"""Replies of a real model to questions, recorded by scripts/record_questions.py, through every method.

A reply is played back for a call of its stage about its question, in their order: which passages a
machine ranks first may differ by its arithmetic, and what a model of this size says is no yardstick.
What is tested is that its replies, as crooked as they are, become answers whose citations hold.
"""

import json
import re
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from samples import check_marks

from graphrag import GraphRAG
from graphrag.messages import Reply, Request
from graphrag.models.fake import FakeChat

EXAMPLE = Path(__file__).parents[2] / "examples" / "llm_demo"
RECORDED = [
    json.loads(line) for line in Path(__file__).with_name("real_replies.jsonl").read_text("ascii").splitlines()
][1:]
QUESTIONS = {call["method"]: call["question"] for call in RECORDED}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, indexed as its model did."""
    folder = tmp_path_factory.mktemp("asked")
    shutil.copytree(EXAMPLE / "input", folder / "input")
    for name in ("settings.yaml", "recording.jsonl"):
        shutil.copy(EXAMPLE / name, folder)
    GraphRAG(folder).index("standard")
    return folder


def playing(method: str) -> FakeChat:
    """A model that says again what it said to calls of the same stage, those about the same thing first."""
    waiting: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for call in RECORDED:
        if call["method"] == method:
            waiting[call["stage"]].append(call)

    def answer(request: Request) -> Reply:
        calls = waiting[request.stage]
        last = request.messages[-1].content.strip().splitlines()[-1]
        found = next((call for call in calls if call["about"] == last), calls[0] if calls else None)
        if found is None:
            return Reply('{"answer": "", "score": 0, "follow_ups": []}')
        if len(calls) > 1:
            calls.remove(found)
        return Reply(found["text"], found["finish"])

    return FakeChat(answer)


@pytest.mark.parametrize("method", ["basic", "local", "global", "drift"])
def test_what_a_real_model_says_becomes_an_answer_whose_citations_hold(root: Path, method: Any):
    chat = playing(method)
    with GraphRAG(root, chat=chat) as rag:
        answer = rag.query(QUESTIONS[method], method)
        check_marks(answer, rag)

    assert answer.usage.model_calls > 0
    assert answer.text
    assert not re.search(r"\[[A-Z]\d+\]", answer.text)
    assert not any("wrote no answer" in notice for notice in answer.notices)
    assert answer.method == method


def test_the_steps_of_drift_are_understood(root: Path):
    chat = playing("drift")
    with GraphRAG(root, chat=chat) as rag:
        answer = rag.query(QUESTIONS["drift"], "drift")

    assert answer.hierarchy
    assert answer.hierarchy.children
    assert not any("unanswered" in notice for notice in answer.notices)
