"""Questions put to `GraphRAG` with a model: its API from the question to the answer."""

import asyncio
import json
from pathlib import Path

import pytest
import reader
from fakes import WordEmbedder
from questions import streamed
from samples import MILLS, TWO_HOPS, check_citations, write_rows

from graphrag import Conversation, GraphRAG, QueryOptions
from graphrag.answers import Finished, QuestionAsked, Retrieved, Routed, Token
from graphrag.errors import QueryError
from graphrag.messages import Request
from graphrag.models.fake import FakeChat

METHODS = ("basic", "local", "global", "drift")


def asking(rag: GraphRAG, tmp_path: Path, chat: FakeChat) -> GraphRAG:
    """The index of `rag`, with a model and a memo of its own."""
    copy = tmp_path / "asked"
    copy.mkdir()
    (copy / "output").symlink_to(rag.root / "output", target_is_directory=True)
    return GraphRAG(copy, chat=chat, embedder=WordEmbedder())


@pytest.mark.parametrize("method", METHODS)
def test_every_method_answers_with_checked_citations(mills: GraphRAG, tmp_path: Path, method):
    chat = reader.model()
    with asking(mills, tmp_path, chat) as rag:
        answer = rag.query(TWO_HOPS, method)

    check_citations(answer, mills)
    assert answer.method == method
    assert answer.found
    assert answer.groundedness == 1.0, answer.sentences
    assert answer.usage.model_calls == len(chat.requests) > 0
    assert answer.usage.prompt_tokens > 0


@pytest.mark.parametrize("method", METHODS)
def test_the_stream_is_the_way_to_the_same_answer(mills: GraphRAG, tmp_path: Path, method):
    with asking(mills, tmp_path, reader.model()) as rag:
        events = list(rag.stream(TWO_HOPS, method))

    assert isinstance(events[0], Routed)
    assert isinstance(events[-1], Finished)
    assert any(isinstance(event, Retrieved) for event in events)
    assert streamed(events) == events[-1].answer.text


def test_the_same_question_is_paid_for_once(mills: GraphRAG, tmp_path: Path):
    chat = reader.model()
    with asking(mills, tmp_path, chat) as rag:
        first = rag.query(TWO_HOPS, "drift")
        paid = len(chat.requests)
        second = rag.query(TWO_HOPS, "drift")

    assert len(chat.requests) == paid
    assert second.usage.model_calls == 0
    assert second.usage.remembered == paid
    assert (second.text, second.hierarchy, second.stopped) == (first.text, first.hierarchy, first.stopped)


def test_async_twins(mills: GraphRAG, tmp_path: Path):
    async def both(rag: GraphRAG):
        events = [event async for event in rag.astream(TWO_HOPS, "local")]
        return events, await rag.aquery(TWO_HOPS, "local")

    with asking(mills, tmp_path, reader.model()) as rag:
        events, answer = asyncio.run(both(rag))

    assert isinstance(events[-1], Finished)
    assert events[-1].answer.text == answer.text == streamed(events)


def test_closing_the_stream_asks_no_more(mills: GraphRAG, tmp_path: Path):
    chat = reader.model()
    with asking(mills, tmp_path, chat) as rag:
        events = rag.stream(TWO_HOPS, "drift")
        next(event for event in events if isinstance(event, QuestionAsked))
        asked = len(chat.requests)
        events.close()

        assert len(chat.requests) == asked
        assert rag.query(TWO_HOPS, "basic").found


def test_options(mills: GraphRAG, tmp_path: Path):
    chat = reader.model()
    with asking(mills, tmp_path, chat) as rag:
        answer = rag.query(TWO_HOPS, "drift", QueryOptions(max_calls=4, response_type="one line"))

    assert len(chat.requests) <= 4
    assert answer.stopped.startswith("budget")
    assert chat.requests[-1].messages[1].content.endswith("Form of the answer: one line")


def test_a_question_of_a_conversation_is_made_to_stand_alone(mills: GraphRAG, tmp_path: Path):
    def rewrite(request: Request) -> str | None:
        return "Who started the Corvane Group?" if "Corvane Group?" in request.messages[-1].content else None

    chat = reader.model(lambda request: rewrite(request) if request.stage == "rewrite" else None)
    conversation = Conversation()
    with asking(mills, tmp_path, chat) as rag:
        rag.query("What bakes the Corvane Group?", "basic", conversation=conversation)
        answer = rag.query("And who started it?", "basic", conversation=conversation)

    assert answer.question == "And who started it?"
    assert answer.stands_for == "Who started the Corvane Group?"
    assert [turn.question for turn in conversation.turns] == ["What bakes the Corvane Group?", "And who started it?"]
    assert "Question: Who started the Corvane Group?" in chat.requests[-1].messages[1].content


def test_auto_asks_the_model_only_where_the_question_leaves_it_open(mills: GraphRAG, tmp_path: Path):
    chat = reader.model()
    with asking(mills, tmp_path, chat) as rag:
        answer = rag.query("Who is Ilse Tarnow?")

    assert answer.route
    assert "route" not in [request.stage for request in chat.requests]


def test_filters_hold_for_every_method(tmp_path: Path):
    folder = write_rows(tmp_path, MILLS)
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text("utf-8").splitlines()]
    lines = [json.dumps({**row, "shelf": "a" if n == 0 else "b"}) for n, row in enumerate(rows)]
    (folder / "rows.jsonl").write_text("\n".join(lines), "utf-8")
    chat = reader.model()
    with GraphRAG(tmp_path, chat=chat, embedder=WordEmbedder()) as rag:
        rag.index("fast")
        for method in METHODS:
            answer = rag.query(TWO_HOPS, method, QueryOptions(filters=("shelf=a",)))  # pyright: ignore[reportArgumentType]
            assert {citation.document_title for citation in answer.citations} <= {"Brightwell Mill"}
    told = "\n".join(message.content for request in chat.requests for message in request.messages)
    assert "Brightwell Mill stands on the river" in told
    assert "Tarnow" not in told
    assert "Trout live" not in told


@pytest.mark.parametrize("question", ["", "  \n ", "x" * 20_001])
def test_what_is_no_question(mills: GraphRAG, question: str):
    with pytest.raises(QueryError):
        mills.query(question)


def test_tokens_come_before_the_model_is_done(mills: GraphRAG, tmp_path: Path):
    with asking(mills, tmp_path, reader.model()) as rag:
        events = rag.stream("What does the Corvane Group bake?", "basic")
        first = next(event for event in events if isinstance(event, Token))
        rest = list(events)

    assert first.text
    assert any(isinstance(event, Token) for event in rest)


def test_the_index_may_be_rebuilt_while_a_question_is_answered(tmp_path: Path):
    write_rows(tmp_path, MILLS)
    rag = GraphRAG(tmp_path, chat=reader.model(), embedder=WordEmbedder())
    rag.index("fast")
    events = rag.stream(TWO_HOPS, "drift")
    next(event for event in events if isinstance(event, Retrieved))
    write_rows(tmp_path, MILLS[:1])
    rag.index("fast")

    answer = next(event.answer for event in events if isinstance(event, Finished))

    assert any("Tarnow" in item.text for item in answer.context)
    assert "Tarnow" not in rag.query(TWO_HOPS, "basic").text
