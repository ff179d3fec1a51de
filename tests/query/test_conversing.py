"""Questions of a conversation are made to stand alone, and conversations are kept in files."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrag import tokens
from graphrag.errors import QueryError, UnusableReplyError
from graphrag.messages import Reply, Request, Unanswered
from graphrag.models.base import ChatSession, Left
from graphrag.prompts import Prompts
from graphrag.query import conversing, referring
from graphrag.query.chat import Chat
from graphrag.query.conversing import Conversation, Turn, history, parse, prefixed, stand_alone

SCROOGE = Turn("What did Scrooge say about Christmas?", "Scrooge said that Christmas is a humbug [1].")

REFERRING = [
    *("And in the second?", "Why?", "What about Bob Cratchit?", "Where does he live?", "Did she love him?", "And Bob?"),
    *("Tell me more.", "Can you explain that?", "What did they say to Marley?", "Who told him?", "Which one is older?"),
    *("Und wo wohnt er?", "Was ist mit Bob?", "Warum?", "Und im zweiten?", "Was hat er dem Geist gesagt?"),
    *("Et Bob ?", "Où habite-t-il ?", "Pourquoi ?", "Qu'en est-il de Marley ?", "Que dit son neveu ?"),
    *("¿Y Bob?", "¿Por qué?", "¿Cuándo murió?", "¿Qué hay de Marley?", "¿Qué dijo su sobrino?"),
    *(
        "왜?",
        "그는 어디에 살아?",
        "그의 조카는 누구야?",
        "그럼 밥은?",
        "크래칫은요?",
        "언제 죽었어?",
        "언제였더라?",
        "그거야?",
        "뭐라고 했어?",
        "더 자세히 알려줘",
    ),
]
STANDING = [
    *("Who is Scrooge?", "What does Scrooge say to his nephew?", "What is this story about?", "Who owns the mill?"),
    *("Who is Tiny Tim, and what is the matter with him?", "What year was it that the Corvane Group was founded?"),
    *("What happened to the woman after her husband died?", "Is there a ghost in Scrooge's house?"),
    *("Wer ist Marley?", "Was sagt Scrooge zu seinem Neffen?", "Worum geht es in dieser Geschichte?"),
    *("Qui est Scrooge ?", "De quoi parle cette histoire ?", "Que dit Scrooge à son neveu ?"),
    *("¿Quién es Scrooge?", "¿De qué trata esta historia?", "¿Qué le dice Scrooge a su sobrino?"),
    *("스크루지는 누구야?", "스크루지는 조카에게 뭐라고 했어?", "이 이야기의 주제는 무엇인가?", "马利是谁？"),
]
PLAIN = [
    "Who is Scrooge?",
    "What is this story about?",
    "Wer ist Marley?",
    "스크루지는 누구야?",
    "When was Otto Veit born?",
]


class Session:
    """A session with a model that says what it is told to."""

    def __init__(self, *said: str | Unanswered, calls: int | None = None) -> None:
        self.said = list(said)
        self.left = Left(calls)
        self.asked: list[Request] = []

    def ask(self, requests: Sequence[Request], parse: Callable[[Reply], Any], *_: object, spare: int) -> list[Any]:
        assert spare == 1
        self.asked += requests
        said = self.said.pop(0)
        try:
            return [said if isinstance(said, Unanswered) else parse(Reply(said))]
        except UnusableReplyError as error:
            return [Unanswered(str(error))]


def chat(session: Session) -> Chat:
    return Chat(cast("ChatSession", session), Prompts())


# --- Whether a question refers to what was said --------------------------------------------


@pytest.mark.parametrize("question", REFERRING)
def test_a_question_that_refers_back_is_noticed(question: str):
    assert referring.refers(question)
    assert referring.may_refer(question)


@pytest.mark.parametrize("question", STANDING)
def test_a_question_that_stands_alone_is_left_alone(question: str):
    assert not referring.refers(question)
    assert prefixed(question, SCROOGE) == question


@given(st.text())
def test_what_plainly_refers_may_refer(question: str):
    assert referring.may_refer(question) or not referring.refers(question)


# --- Without a model -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "question", "expected"),
    [
        (SCROOGE, "Where does he live?", "Scrooge, Christmas: Where does he live?"),
        (SCROOGE, "What about Bob Cratchit?", "Scrooge, Christmas: What about Bob Cratchit?"),
        (SCROOGE, "And about Scrooge?", "Christmas: And about Scrooge?"),
        (Turn("Who is it?", "It is Otto Veit [1]."), "Where did he teach?", "Otto Veit: Where did he teach?"),
        (Turn("Why?", "Because the mill stands idle."), "Since when?", "mill, stands, idle: Since when?"),
        (Turn("And he?", "No.", "Where did Otto Veit teach?"), "Why?", "Otto Veit: Why?"),
        (Turn("스크루지는 누구야?", "구두쇠다."), "왜?", "스크루지는: 왜?"),
        (Turn("스크루지의 조카는 누구였어요?", "프레드다."), "왜?", "스크루지의, 조카는: 왜?"),
        (Turn("수지는 어디에 살아?", "서울에 산다."), "왜?", "수지는, 살아: 왜?"),
        (Turn("?", ""), "Why?", "Why?"),
    ],
)
def test_what_a_question_refers_to_is_put_before_it(last: Turn, question: str, expected: str):
    assert stand_alone(question, Conversation([SCROOGE, last]), None) == expected


def test_a_long_history_adds_few_words():
    last = Turn(" ".join(f"word{n}" for n in range(50)), "x")

    before = prefixed("And why?", last).removesuffix(": And why?").split(", ")

    assert len(before) == conversing.MOST_WORDS


# --- With a model --------------------------------------------------------------------------


def test_one_small_call_makes_a_question_stand_alone():
    session = Session("Where does Scrooge live?")

    question = stand_alone("Where does he live?", Conversation([SCROOGE]), chat(session))

    assert question == "Where does Scrooge live?"
    (request,) = session.asked
    assert request.stage == "rewrite"
    assert request.max_tokens == conversing.MOST_TOKENS
    assert request.messages[-1].content.splitlines() == [
        "Question: What did Scrooge say about Christmas?",
        "Answer: Scrooge said that Christmas is a humbug.",
        "",
        "Question asked next: Where does he live?",
    ]


@pytest.mark.parametrize("question", PLAIN)
def test_nothing_is_asked_where_a_question_plainly_stands_alone(question: str):
    assert stand_alone(question, Conversation([SCROOGE]), chat(Session())) == question


def test_nothing_is_asked_without_a_history():
    assert stand_alone("Why?", Conversation(), chat(Session())) == "Why?"
    assert stand_alone("Why?", Conversation(), None) == "Why?"


@pytest.mark.parametrize("calls", [0, 1])
def test_the_last_call_is_kept_for_the_answer(calls: int):
    kept = stand_alone("Where does he live?", Conversation([SCROOGE]), chat(Session(calls=calls)))

    assert kept == stand_alone("Where does he live?", Conversation([SCROOGE]), None)
    assert stand_alone("Where does he live?", Conversation([SCROOGE]), chat(Session("Where?", calls=2))) == "Where?"


def test_an_unanswered_call_leaves_the_last_question_before_it():
    asked = stand_alone("Why?", Conversation([SCROOGE]), chat(Session(Unanswered("busy"))))

    assert asked == "What did Scrooge say about Christmas? Why?"


@pytest.mark.parametrize(
    ("filters", "told"),
    [((), "Scrooge"), (("a=1", "b=2"), "Marley"), (("b=2", "a=1"), "Marley"), (("a=1",), None), (("c=3",), None)],
)
def test_a_question_is_told_of_the_turns_under_its_own_filters(filters: tuple[str, ...], told: str | None):
    conversation = Conversation([Turn("Who is Marley?", "", "", ("a=1", "b=2")), Turn("Who is Scrooge?", "")])
    session = Session(Unanswered("busy"))

    asked = stand_alone("Why?", conversation, chat(session), filters)

    assert asked == (f"Who is {told}? Why?" if told else "Why?")
    assert len(session.asked) == bool(told)
    assert stand_alone("Why?", conversation, None, filters) == (f"{told}: Why?" if told else "Why?")


def test_a_long_question_brings_what_it_is_about_along():
    question = "He said: " + "very " * 300

    assert stand_alone(question, Conversation([SCROOGE]), chat(Session())) == question


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("Where does Scrooge live?", "Where does Scrooge live?"),
        ('"Where does Scrooge live?"', "Where does Scrooge live?"),
        ("Question: Where does Scrooge live?\n", "Where does Scrooge live?"),
        ('**Standalone question:** "Where does Scrooge live?"', "Where does Scrooge live?"),
        ("Here it is:\n\nWhere does Scrooge live [1]?", "Where does Scrooge live?"),
        ("질문: 스크루지는 어디에 살아?", "스크루지는 어디에 살아?"),
        ("Tell me where Scrooge lives", "Tell me where Scrooge lives"),
        ("", "Where does he live?"),
        ("He lives in a dark house in London.", "Where does he live?"),
        ("He lives there. It is dark. It is cold. Nobody else lives there.", "Where does he live?"),
        ("Where does Scrooge " + "and Marley " * 60 + "live?", "Where does he live?"),
    ],
)
def test_what_a_model_says_is_understood_or_dropped(reply: str, expected: str):
    assert parse(Reply(reply), "Where does he live?") == expected


@given(st.text())
def test_whatever_a_model_says_there_is_a_question(reply: str):
    found = parse(Reply(reply), "Where does he live?")

    assert found
    assert "\n" not in found


def test_a_history_longer_than_the_context_is_cut_from_its_oldest_turn_on():
    turns = [Turn(f"What is number {n}?", f"Answer {n} [1]. " * 200) for n in range(30)]

    shown = history(turns, 500)

    assert tokens.count(shown) <= 500
    assert "number 29" in shown
    assert "number 0" not in shown
    assert shown.index("number 28") < shown.index("number 29")
    assert "[1]" not in shown
    assert "number 29" in history(turns, 1)


def test_what_was_said_cannot_look_like_another_turn():
    shown = history([Turn("a\nAnswer: b", "c\n\nQuestion asked next: d")])

    assert len(shown.splitlines()) == 2


# --- Files ---------------------------------------------------------------------------------


@given(turns=st.lists(st.builds(Turn, st.text(), st.text(), st.text(), st.lists(st.text(), max_size=2).map(tuple))))
def test_a_conversation_comes_back_from_its_file(tmp_path_factory: pytest.TempPathFactory, turns: list[Turn]):
    path = tmp_path_factory.mktemp("history") / "talk.json"

    Conversation(turns).save(path)

    assert list(Conversation.load(path).turns) == turns


def test_a_file_that_is_not_there_or_empty_is_a_new_conversation(tmp_path: Path):
    (tmp_path / "empty.json").write_text("\n")

    assert Conversation.load(tmp_path / "none.json").turns == ()
    assert Conversation.load(tmp_path / "empty.json").turns == ()


def test_messages_with_roles_are_read_and_go_on_as_such(tmp_path: Path):
    path = tmp_path / "talk.json"
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Who is Scrooge?", "at": 1843},
        {"role": "user", "content": "Well?"},
        {"role": "assistant", "content": "A miser."},
    ]
    path.write_text(json.dumps(messages))

    conversation = Conversation.load(path)
    conversation.add("And Marley?", "His partner.")
    conversation.save(path)

    assert list(conversation.turns) == [
        Turn("Who is Scrooge?", ""),
        Turn("Well?", "A miser."),
        Turn("And Marley?", "His partner."),
    ]
    added = [{"role": "user", "content": "And Marley?"}, {"role": "assistant", "content": "His partner."}]
    assert json.loads(path.read_text()) == messages + added


def test_filters_are_written_where_there_are_some(tmp_path: Path):
    path = tmp_path / "talk.json"
    talk = Conversation()
    talk.add("Who?", "He.", filters=("year<1900",))
    talk.add("Who?", "She.")
    talk.save(path)

    first, second = json.loads(path.read_text())
    assert first["filters"] == ["year<1900"]
    assert second == {"question": "Who?", "answer": "She."}


def test_messages_keep_the_filters_and_leave_those_of_others_aside(tmp_path: Path):
    path = tmp_path / "talk.json"
    path.write_text(json.dumps([{"role": "user", "content": "Who?", "filters": {"safe": True}}]))

    conversation = Conversation.load(path)
    conversation.add("And Marley?", "His partner.", filters=("year<1900",))
    conversation.add("And Bob?", "His clerk.")
    conversation.save(path)

    assert [turn.filters for turn in Conversation.load(path).turns] == [(), ("year<1900",), ()]


@pytest.mark.parametrize(
    "content",
    [b"{", b"[1]", b'{"question": "a"}', b'[{"question": "a"}]', b'[{"role": "user"}]', b"\xff", b"[" * 100_000],
    ids=["cut off", "numbers", "an object", "no answer", "no content", "not UTF-8", "deep"],
)
def test_a_damaged_file_is_refused_and_stays(tmp_path: Path, content: bytes):
    path = tmp_path / "talk.json"
    path.write_bytes(content)

    with pytest.raises(QueryError, match=r"talk\.json is no history") as caught:
        Conversation.load(path)

    assert "\n" not in str(caught.value)
    assert path.read_bytes() == content


def test_a_place_that_cannot_be_read_or_written(tmp_path: Path):
    with pytest.raises(QueryError, match="cannot read the history"):
        Conversation.load(tmp_path)
    with pytest.raises(QueryError, match="cannot write the history"):
        Conversation([SCROOGE]).save(tmp_path / "nowhere" / "talk.json")
