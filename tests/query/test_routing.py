import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import indexed

from graphrag import GraphRAG, tokens
from graphrag.answers import Method
from graphrag.errors import UnusableReplyError
from graphrag.messages import Reply
from graphrag.prompts import Prompts
from graphrag.query import routing
from graphrag.query.context import Tools
from graphrag.query.routing import KINDS, WEIGHTS, Route, likelihoods, parse, plan, route
from graphrag.query.signals import Signals, read

QUESTIONS = Path(__file__).parents[2] / "benchmarks" / "questions"
NOTHING = Signals(
    names=(),
    rarity=0.0,
    words=6,
    whole=(),
    broad=(),
    relates=(),
    follows=(),
    fact=False,
    clauses=0,
    bridges=(),
    like_global=0.0,
    like_joined=0.0,
)


@pytest.mark.parametrize(
    ("question", "method", "reason"),
    [
        ("Who is Otto Veit?", "local", "it names Otto Veit"),
        ("who is otto veit?", "local", "it names Otto Veit"),
        ("What is the main work of Otto Veit?", "local", "it names Otto Veit"),
        ("Is the water cold?", "local", "nothing says that it is about the whole collection"),
        ("When was that?", "local", "it asks for one fact"),
        ("What are the main themes of this collection?", "global", "asks about the collection ('themes', 'main'"),
        ("Give me an overview.", "global", "overview"),
        ("전체 주제를 요약해 줘", "global", "asks about the collection"),
        ("Welche Themen kehren immer wieder?", "global", "'Themen'"),
        ("How is Otto Veit connected to Ilse Tarnow?", "drift", "how things hang together ('connected')"),
        ("Compare Otto Veit and Ilse Tarnow.", "drift", "'Compare'"),
        ("In which town did Brightwell Mill's owner die before he met him?", "drift", "does not name ('owner')"),
        ("Where was the chemist born who founded the owner of Brightwell Mill?", "drift", "does not name ('owner of')"),
    ],
)
def test_the_question_and_the_collection_decide(real_tools: Tools, question: str, method: str, reason: str):
    chosen = route(question, real_tools.retriever)

    assert chosen.method == method
    assert reason in chosen.reason


def test_a_clear_question_is_sure_and_an_odd_one_is_not(real_tools: Tools):
    assert route("Who is Otto Veit?", real_tools.retriever).sure
    assert not route("What role does the river play?", real_tools.retriever).sure


def test_without_entities_there_is_only_one_way(nameless: GraphRAG, make_tools: Callable[..., Tools]):
    only = Route("basic", "the index has no entities", sure=True)

    assert route("What is the main theme?", make_tools(nameless).retriever) == only


def test_without_reports_nothing_is_global(real_tools: Tools, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(routing, "_has_reports", lambda *_: False)

    chosen = route("What are the main themes of this collection?", real_tools.retriever)

    assert chosen.method in ("local", "drift")
    assert chosen.reason.endswith("but the index has no reports to answer that from")
    assert chosen.sure


def test_a_name_in_a_script_without_capitals_is_a_name(tmp_path: Path):
    rag = indexed(tmp_path, [("", "홍길동은 활빈당을 이끌었다. 홍길동의 아버지는 판서였다.")])
    answer = rag.query("홍길동의 주요 업적은 무엇인가?")

    assert answer.method == "local"
    assert answer.route == "it names 홍길동"


def test_a_name_tells_where_to_look_in_a_collection_of_one_passage(tmp_path: Path, make_tools: Callable[..., Tools]):
    retriever = make_tools(indexed(tmp_path, [("", "Otto Veit taught chemistry in Dresden.")])).retriever

    assert read("What is the main work of Otto Veit?", retriever).rarity == 1


def test_vectors_of_a_script_that_the_model_does_not_read_say_nothing(real_tools: Tools):
    korean, english = (
        read(text, real_tools.retriever) for text in ("그 방앗간은 누가 세웠나요?", "Who started the mill?")
    )

    assert (korean.like_global, korean.like_joined) == (0, 0)
    assert english.like_global


@given(st.text(max_size=300))
def test_any_text_has_signals_within_their_limits(tools: Tools, question: str):
    values = read(question, tools.retriever).values

    assert len(values) == len(WEIGHTS)
    assert all(0 <= value <= 5 for value in values[:-2])


def test_what_is_asked_of_the_role_itself_is_no_detour(tools: Tools):
    assert not read("Who is the owner of Brightwell Mill?", tools.retriever).bridges
    assert read("When was the owner of Brightwell Mill founded?", tools.retriever).bridges == ("owner of",)


def test_a_word_of_many_characters_counts_as_many_words(tools: Tools):
    chinese, korean = (
        read(text, tools.retriever).words for text in ("这两个人是什么关系", "두 사람은 어떤 관계인가요")
    )

    assert chinese > 4
    assert korean > 5


@given(st.lists(st.floats(-5, 5), min_size=len(WEIGHTS), max_size=len(WEIGHTS)))
def test_likelihoods_add_up_to_one(values: list[float]):
    assert sum(likelihoods(values).values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"whole": ("themes",), "broad": ("main", "all")}, "global"),
        ({"like_global": 2.5}, "global"),
        ({"relates": ("between",)}, "multi-hop"),
        ({"words": 25.0}, "multi-hop"),
        ({"bridges": ("man who", "owner of")}, "multi-hop"),
        ({"fact": True, "words": 8.0}, "local"),
    ],
)
def test_every_signal_moves_towards_its_kind(changed: dict[str, object], kind: str):
    before, after = likelihoods(NOTHING.values), likelihoods(replace(NOTHING, **changed).values)

    assert after[kind] > before[kind]
    assert max(KINDS, key=lambda k: after[k]) == kind


def test_the_model_is_shown_the_question_in_few_words():
    request = plan("Who\nis {{guess}}? " + "x" * 9000, Route("drift", "", sure=False), Prompts())
    system, user = request.messages

    assert tokens.count(system.content) < 250
    assert user.content.startswith("A cheap guess: drift\nQuestion: Who is {{guess}}? xxx")
    assert len(user.content) < 2100
    assert request.schema is not None
    assert request.stage == "route"


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ("Local.", "local"),
        ('{"method": "global"}', "global"),
        ('```json\n{"method": "drift"}\n```', "drift"),
        ("I think drift", "drift"),
        ("**GLOBAL**", "global"),
        ("multi-hop", "drift"),
        ("It is not local, for it compares.\ndrift", "drift"),
        ('It could be global. {"method": "local"}', "local"),
    ],
)
def test_replies_are_understood(text: str, method: Method):
    assert parse(Reply(text)) == method


@pytest.mark.parametrize("text", ["", "basic", "local or global", '{"method": "none"}', '{"method": 3}', "locality"])
def test_a_reply_that_names_no_method_is_unusable(text: str):
    with pytest.raises(UnusableReplyError, match="ask again"):
        parse(Reply(text))


@given(st.text())
def test_any_reply_is_a_method_or_unusable(text: str):
    with contextlib.suppress(UnusableReplyError):
        assert parse(Reply(text)) in ("local", "drift", "global")


@pytest.mark.parametrize("book", ["carol", "holmes"])
def test_the_labelled_questions_are_whole(book: str):
    rows = [json.loads(line) for line in (QUESTIONS / f"{book}.jsonl").read_text("utf-8").splitlines()]

    assert len({row["id"] for row in rows}) == len({row["question"] for row in rows}) == len(rows)
    assert {row["class"] for row in rows} == set(KINDS)
    assert {row["split"] for row in rows} == {"dev", "test"}
    assert all(row["gold"] for row in rows if row["class"] != "global")
    assert all(row["question"].strip() and row["answer"].strip() for row in rows)
