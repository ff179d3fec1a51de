from collections.abc import Callable
from pathlib import Path

import pytest
from samples import indexed

from graphrag import GraphRAG
from graphrag.query.context import Tools
from graphrag.query.routing import route


@pytest.mark.parametrize(
    ("question", "method", "reason"),
    [
        ("Who is Otto Veit?", "local", "it names Otto Veit"),
        ("who is otto veit?", "local", "it names Otto Veit"),
        ("What are the main themes of this collection?", "global", "asks about the collection"),
        ("Give me an overview.", "global", "overview"),
        ("전체 주제를 요약해 줘", "global", "asks about the collection"),
        ("How is Otto Veit connected to Ilse Tarnow?", "drift", "how things hang together"),
        ("What is the main work of Otto Veit?", "local", "it names Otto Veit"),
        ("Is the water cold?", "local", "nothing says that it is about the whole collection"),
    ],
)
def test_the_question_and_the_collection_decide(tools: Tools, question: str, method: str, reason: str):
    chosen, why = route(question, tools.retriever)

    assert chosen == method
    assert reason in why


def test_without_entities_there_is_only_one_way(nameless: GraphRAG, make_tools: Callable[..., Tools]):
    assert route("What is the main theme?", make_tools(nameless).retriever) == ("basic", "the index has no entities")


def test_a_name_in_a_script_without_capitals_is_a_name(tmp_path: Path):
    rag = indexed(tmp_path, [("", "홍길동은 활빈당을 이끌었다. 홍길동의 아버지는 판서였다.")])

    assert rag.query("홍길동의 주요 업적은 무엇인가?").method != "global"
