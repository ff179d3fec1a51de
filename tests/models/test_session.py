"""What one question asks: within its budget and its time, as a whole or as it comes, and let go at once."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import LeapingLoop, ScriptedModel, request
from test_openai import begin, event, serving, sse

from graphrag.errors import (
    ConnectionLostError,
    ContextOverflowError,
    ModelRefusedError,
    OverloadedError,
    UnusableReplyError,
)
from graphrag.messages import Reply, Restart, TokenUsage, Unanswered
from graphrag.models.attempts import SHORTEST_LIMIT
from graphrag.models.background import Background
from graphrag.models.base import ChatSession, Left
from graphrag.models.budget import Budget, StageUsage
from graphrag.models.memo import Memo
from graphrag.models.openai import OpenAIChat
from graphrag.models.refusals import MalformedRequestError
from graphrag.models.service import ModelService
from graphrag.progress import silent
from graphrag.settings import LLMSettings
from graphrag.tokens import count

TEXTS = [f"text {n}" for n in range(40)]


class Speaking:
    """A model that says scripted pieces, one a tick of the clock; a script may end in an error or a wait for ever."""

    def __init__(self, *scripts, tick=0.1):
        """A script: pieces, then perhaps an error, or None for silence. One for each call, the last for all others."""
        self.name, self.parameters = "speaking", {}
        self.scripts, self.tick = scripts, tick
        self.calls = self.in_flight = self.cancelled = 0
        self.heard_after_cut = 0

    async def chat(self, request, watch):
        script = self.scripts[min(self.calls, len(self.scripts) - 1)]
        self.calls += 1
        self.in_flight += 1
        text = ""
        try:
            for piece in script:
                if piece is None:
                    await asyncio.get_running_loop().create_future()
                if isinstance(piece, Exception):
                    raise piece
                await asyncio.sleep(self.tick)
                text += piece
                if watch(piece):
                    return Reply(text, "loop")
            return Reply(text)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.in_flight -= 1

    async def close(self):
        pass


@pytest.fixture
def serve():
    """Make a service whose clock leaps, and the clock; all are closed in the end."""
    services = []

    def make(model, memo=None, **settings):
        loop = LeapingLoop()
        loops = iter([loop])
        background = Background(lambda: next(loops, None) or LeapingLoop())
        service = ModelService(model, memo or Memo(), LLMSettings(**settings), None, background, lambda: 0.5)
        services.append(service)
        service.clock = loop.time
        return service

    yield make
    for service in services:
        service.close()


def open_session(service, **budget):
    return service.session(Budget(**budget), service.clock)


def ask(session, texts, parse=lambda reply: reply.text, **spare):
    return session.ask([request(text) for text in texts], parse, silent, "", **spare)


def consume(stream):
    """The pieces of a stream since its last Restart, how many of those there were, and what it returned."""
    said, restarts = [], 0
    while True:
        try:
            piece = next(stream)
        except StopIteration as end:
            return "".join(said), restarts, end.value
        if isinstance(piece, Restart):
            said, restarts = [], restarts + 1
        else:
            said.append(piece)


def test_it_is_what_the_protocol_says(serve):
    session: ChatSession = serve(ScriptedModel()).session()
    assert ask(session, TEXTS) == TEXTS
    assert session.left == Left()


# --- Budget ------------------------------------------------------------------------------


def test_calls_are_counted_and_none_is_made_beyond(serve):
    model = ScriptedModel(latency=0.1)
    session = open_session(serve(model), max_calls=3)
    answers = ask(session, TEXTS)
    assert [answer for answer in answers if not isinstance(answer, Unanswered)] == TEXTS[:3]
    assert set(answers[3:]) == {Unanswered("the model was called 3 times, and may not be more often", spent=True)}
    assert len(model.asked) == 3
    assert session.left.calls == 0
    assert session.usage["extract"].calls == 3


def test_repeated_calls_count_and_remembered_replies_do_not(serve):
    model = ScriptedModel(lambda text, n: OverloadedError("503") if n < 3 else text)
    service = serve(model)
    session = open_session(service, max_calls=3)
    assert ask(session, ["a"]) == ["a"]
    assert session.left.calls == 0
    again = open_session(service, max_calls=0)
    assert ask(again, ["a"]) == ["a"]
    assert consume(again.stream(request("a"))) == ("a", 0, Reply("a", usage=TokenUsage(10, 5)))
    assert again.usage == {"extract": StageUsage(hits=2)}
    assert ask(again, ["b"])[0].spent
    assert len(model.asked) == 3


def test_a_retry_that_the_budget_forbids_leaves_what_was_understood(serve):
    def parse(reply):
        raise UnusableReplyError("half", partial=reply.text)

    session = open_session(serve(ScriptedModel()), max_calls=1)
    (answer,) = ask(session, ["a"], parse)
    assert (answer.partial, answer.spent) == ("a", True)


def test_calls_are_kept_for_the_answer(serve):
    model = ScriptedModel(latency=0.1)
    session = open_session(serve(model), max_calls=3)
    answers = ask(session, TEXTS, spare=1)
    kept = Unanswered("the model was called 2 times; what is left is kept for the answer", spent=True)
    assert answers == [*TEXTS[:2], *[kept] * 38]
    assert consume(session.stream(request("answer")))[0] == "answer"
    assert (session.left.calls, len(model.asked)) == (0, 3)
    assert ask(session, ["text 0", "answer"], spare=1) == ["text 0", "answer"]


def test_a_retry_takes_no_call_that_is_kept(serve):
    def parse(reply):
        raise UnusableReplyError(f"no {reply.text}", partial=reply.text)

    model = ScriptedModel(lambda text, n: f"{text}{n}")
    session = open_session(serve(model, attempts=5), max_calls=3)
    assert ask(session, ["a"], parse, spare=1) == [Unanswered("no a2", partial="a2", spent=True)]
    assert session.left.calls == 1
    assert ask(session, ["b"], parse) == [
        Unanswered("the model was called 3 times, and may not be more often", partial="b1", spent=True)
    ]


def test_a_call_that_the_server_refuses_for_now_takes_no_call_that_is_kept(serve):
    model = ScriptedModel(lambda text, n: OverloadedError("503"))
    session = open_session(serve(model), max_calls=3)
    assert ask(session, ["a"], spare=2)[0].spent
    assert (session.left.calls, len(model.asked)) == (2, 1)


def test_a_time_that_is_up_is_the_reason_whatever_came_before(serve):
    def parse(reply):
        raise UnusableReplyError("no")

    session = open_session(serve(ScriptedModel(latency=2), attempts=5), max_calls=9, seconds=3)
    assert ask(session, ["a"], parse, spare=1) == [Unanswered("the time of 3 s is up", spent=True)]


def test_a_reply_that_was_cut_and_cannot_be_used_is_not_asked_for_again(serve):
    def parse(reply):
        raise UnusableReplyError("half", partial=reply.text)

    model = ScriptedModel(lambda text, n: Reply("{", "length" if n == 2 or text == "a" else "stop", TokenUsage(1, 1)))
    session = serve(model, attempts=4).session()
    assert ask(session, ["a", "b"], parse) == [Unanswered("half", partial="{")] * 2
    assert sorted(model.asked) == ["a", "b", "b"]
    assert ask(session, ["a"]) == ["{"]  # it was not remembered
    assert len(model.asked) == 4


def test_tokens_are_kept_within_the_budget(serve):
    model = ScriptedModel(lambda text, n: Reply("ok", usage=TokenUsage(15, 85)), latency=0.1)
    session = open_session(serve(model), max_tokens=2000)
    answers = ask(session, TEXTS)
    used = session.usage["extract"].tokens
    assert 1000 <= used.prompt + used.completion <= 2000
    assert answers.count("ok") == len(model.asked)
    assert {answer.spent for answer in answers if answer != "ok"} == {True}
    assert session.left.tokens == 2000 - used.prompt - used.completion


def test_what_is_left_is_never_negative(serve):
    model = ScriptedModel(lambda text, n: Reply("ok", usage=TokenUsage(9000, 9000)), latency=5)
    session = open_session(serve(model), max_tokens=1000, max_calls=1, seconds=2)
    ask(session, ["a"])
    assert open_session(serve(model), max_calls=0).left.calls == 0
    model.latency = 1
    other = open_session(serve(model), max_tokens=1000, max_calls=1, seconds=2)
    ask(other, ["a"])
    assert session.left == Left(0, 1000, 0.0)
    assert other.left == Left(0, 0, 1.0)


def test_what_was_not_asked_is_not_reported_as_done(serve):
    seen = []
    session = open_session(serve(ScriptedModel()), max_calls=2)
    session.ask([request(text) for text in TEXTS], lambda reply: reply, lambda *told: seen.append(told), "Asking")
    assert seen == [("Asking", done, 40) for done in range(3)]


def test_sessions_share_replies_and_no_budget(serve):
    model = ScriptedModel()
    service = serve(model)
    first, second = open_session(service, max_calls=1), open_session(service, max_calls=1)
    assert ask(first, ["a"]) == ask(second, ["a"]) == ["a"]
    assert (first.left.calls, second.left.calls) == (0, 1)
    assert service.usage == {}
    assert first.model == second.model == service.model


# --- Time --------------------------------------------------------------------------------


def test_when_the_time_is_up_calls_in_flight_are_cancelled(serve):
    model = ScriptedModel(latency=10)
    service = serve(model)
    session = open_session(service, seconds=15)
    assert ask(session, ["a"]) == ["a"]
    assert session.left.seconds == 5
    assert ask(session, ["b", "a", "c"]) == [
        Unanswered("the time of 15 s is up", spent=True),
        "a",
        Unanswered("the time of 15 s is up", spent=True),
    ]
    assert (model.in_flight, model.cancelled) == (0, 2)
    assert session.left.seconds == 0
    assert ask(session, ["d"])[0].spent
    assert "d" not in model.asked
    assert ask(open_session(service), ["d"]) == ["d"]


def test_waiting_for_a_server_that_is_away_ends_with_the_time(serve):
    model = ScriptedModel(lambda text, n: OverloadedError("503"))
    service = serve(model)
    session = open_session(service, seconds=20)
    assert ask(session, ["a"])[0].spent
    assert 10 < model.times[-1] < 20


def test_a_timeout_of_the_model_s_own_is_not_the_session_s(serve):
    model = ScriptedModel(lambda text, n: TimeoutError("mine"))
    with pytest.raises(TimeoutError, match="mine"):
        ask(open_session(serve(model), seconds=20), ["a"])


def test_time_ends_a_stream_half_way(serve):
    model = Speaking(["some ", "text", None])
    session = open_session(serve(model), seconds=3)
    text, restarts, answer = consume(session.stream(request("a")))
    assert (text, restarts) == ("some text", 0)
    assert answer == Unanswered(
        "the model broke off: the time of 3 s is up", partial=Reply("some text", "length"), spent=True
    )
    assert (model.in_flight, model.cancelled) == (0, 1)
    assert session.usage["extract"].tokens.completion == count("some text")


# --- Closing -----------------------------------------------------------------------------


def test_closing_cancels_its_own_calls_and_no_others(serve):
    model = Speaking(["some ", None], ["other"])
    service = serve(model)
    session = service.session()
    stream = session.stream(request("a"))
    assert next(stream) == "some "
    with service.session() as other:
        assert ask(other, ["b"]) == ["other"]
    session.close()
    assert (model.in_flight, model.cancelled) == (0, 1)
    text, _, answer = consume(stream)
    assert (text, answer.spent, answer.partial) == ("", True, Reply("some ", "length"))
    assert ask(session, ["c", "b"]) == [Unanswered("the session was closed", spent=True), "other"]
    assert consume(session.stream(request("c")))[2] == Unanswered("the session was closed", spent=True)
    assert model.calls == 2
    assert ask(service, ["d"]) == ["other"]


def test_closing_ends_the_wait_of_another_thread(serve):
    model = Speaking([None])
    session = serve(model).session()
    with ThreadPoolExecutor(1) as threads:
        answers = threads.submit(ask, session, ["a", "b"])
        while model.in_flight < 2:
            pass
        session.close()
        assert {answer.spent for answer in answers.result()} == {True}
    assert model.cancelled == 2


def test_closing_before_anything_was_asked_starts_nothing():
    background = Background()
    service = ModelService(ScriptedModel(), Memo(), LLMSettings(), background=background)
    service.session().close()
    service.session().stream(request("a")).close()
    assert not background.running


def test_closing_a_stream_frees_its_place(serve):
    model = Speaking(["some ", None], ["more"])
    session = serve(model, concurrency=1).session()
    stream = session.stream(request("a"))
    assert next(stream) == "some "
    stream.close()
    assert (model.in_flight, model.cancelled) == (0, 1)
    assert session.usage["extract"].tokens.completion == count("some ")
    assert consume(session.stream(request("b")))[0] == "more"
    assert model.calls == 2


def test_a_stream_that_is_dropped_is_closed(serve):
    model = Speaking(["some ", None])
    stream = serve(model).session().stream(request("a"))
    next(stream)
    del stream
    assert model.cancelled == 1


def test_closing_the_service_ends_its_streams(serve):
    model = Speaking(["some ", None])
    service = serve(model)
    stream = service.session().stream(request("a"))
    next(stream)
    service.close()
    with pytest.raises(ConnectionLostError, match="closed"):
        next(stream)


# --- Streams -----------------------------------------------------------------------------

REPLY = "First point. <b>Second</b> point </i> a < b & c."
parts = st.sampled_from([
    "<think>", "</think>", "<thinking x='1'>", "</ thinking>", "</thinking >", "<reasoning>", "</REASONING>",
    "<thi", "nk>", "</", "<", ">", " ", "\n", "a", "word", "{", "[", "```", "`", '"', "(", "\ud83d", "é",
])  # fmt: skip


def split(text, cuts):
    places = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    return [text[a:b] for a, b in pairwise(places)]


@given(st.lists(parts, max_size=14).map("".join), st.lists(st.integers(0, 60), max_size=12))
def test_what_is_streamed_is_what_is_asked_for_however_it_is_split(text, cuts):
    pieces = split(text, cuts)
    service = ModelService(Speaking(pieces, tick=0), Memo(), LLMSettings(), None, Background(LeapingLoop))
    with service.session() as session:
        said, _, reply = consume(session.stream(request("a")))
    service.close()
    other = ModelService(Speaking([text], tick=0), Memo(), LLMSettings(), None, Background(LeapingLoop))
    (asked,) = other.ask([request("a")], lambda reply: reply, silent, "")
    other.close()
    if not asked.text.strip():
        assert (said.strip(), reply) == ("", Unanswered("its reply is empty"))
        return
    assert said == reply.text == asked.text
    assert reply.finish == asked.finish


def test_pieces_come_as_they_are_said(serve):
    model = Speaking(["one ", "two ", "three", None])
    stream = serve(model).session().stream(request("a"))
    assert [next(stream) for _ in range(3)] == ["one ", "two ", "three"]
    stream.close()


@pytest.mark.parametrize(
    "pieces", [["<think>", "secret", "</think>", "\n said", " it "], "<think>secret</think>said it"]
)
def test_reasoning_never_comes_out(serve, pieces):
    stream = serve(Speaking(pieces)).session().stream(request("a"))
    everything = list(stream)
    assert "".join(everything) == "said it"


def test_reasoning_without_a_beginning_is_taken_back_once_and_then_held(serve):
    service = serve(Speaking(["I should ", "greet.", "</think>", "Hello"]))
    assert consume(service.session().stream(request("a")))[:2] == ("Hello", 1)
    assert list(service.session().stream(request("b"))) == ["Hello"]


def test_a_loop_is_cut_and_taken_back(serve):
    item = "Marley was dead to begin with.\n"
    service = serve(Speaking(["Once.\n", *[item] * 200]))
    text, restarts, reply = consume(service.session().stream(request("a")))
    assert (restarts, reply.finish) == (1, "loop")
    assert text == reply.text == "Once.\n" + item.strip()


def test_a_reply_without_an_end_is_cut_by_its_length(serve):
    pieces = [f"word {n} and " for n in range(SHORTEST_LIMIT // 8)]
    text, restarts, reply = consume(serve(Speaking(pieces, tick=0)).session().stream(request("a", max_tokens=1)))
    assert (text, restarts, reply.finish) == ("".join(pieces)[:SHORTEST_LIMIT], 0, "length")


def test_a_reply_that_was_cut_is_accepted_and_remembered(serve):
    model = ScriptedModel(lambda text, n: Reply("cut off", "length", TokenUsage(1, 1)))
    session = serve(model).session()
    for _ in range(2):
        assert consume(session.stream(request("a")))[2].finish == "length"
    assert ask(session, ["a"], lambda reply: reply.finish) == ["length"]
    assert len(model.asked) == 1


def test_ask_and_stream_share_what_is_remembered(serve):
    model = Speaking(["one ", "two"])
    session = serve(model, max_tokens=50).session()
    reply = consume(session.stream(request("a")))[2]
    assert ask(session, ["a"], lambda reply: reply) == [reply]
    assert ask(session, ["b"]) == ["one two"]
    assert list(session.stream(request("b", max_tokens=50))) == ["one two"]
    assert model.calls == 2


@pytest.mark.parametrize("error", [ConnectionLostError("lost"), OverloadedError("503"), UnusableReplyError("filtered")])
def test_a_call_that_breaks_off_is_made_again(serve, error):
    service = serve(Speaking(["half a ", error], [error], ["whole ", "text"]))
    session = service.session()
    assert list(session.stream(request("a"))) == ["half a ", Restart(), "whole ", "text"]
    assert session.usage["extract"].failed == 2


def test_no_restart_where_nothing_was_said(serve):
    service = serve(Speaking(["<think>hm", OverloadedError("503")], ["text"]))
    assert list(service.session().stream(request("a"))) == ["text"]


def test_a_reply_of_nothing_voids_what_was_said_before(serve):
    service = serve(Speaking(["half ", OverloadedError("503")], ["<think></think>"]))
    assert consume(service.session().stream(request("a"))) == ("", 1, Unanswered("its reply is empty"))


@pytest.mark.parametrize("nothing", ["", " \n", "<think>What a question.</think>\n"])
def test_a_reply_of_nothing_is_asked_for_again_and_not_remembered(serve, nothing):
    model = Speaking([nothing], [nothing], ["text"])
    service = serve(model, attempts=2)
    assert consume(service.session().stream(request("a")))[2] == Unanswered("its reply is empty")
    assert model.calls == 2
    session = service.session()
    text, _, reply = consume(session.stream(request("a")))
    assert (text, reply.text, model.calls) == ("text", "text", 3)
    again = serve(Speaking([nothing], ["text"]), attempts=2).session()
    assert consume(again.stream(request("a")))[0] == "text"
    assert again.usage["extract"].failed == 1


def test_a_reply_of_nothing_that_was_remembered_is_asked_for_again(serve):
    memo = Memo()
    session = serve(ScriptedModel(lambda text, n: " " if n == 1 else "text"), memo).session()
    assert ask(session, ["a"]) == [" "]
    assert consume(session.stream(request("a")))[0] == "text"


def test_reasoning_that_takes_all_of_a_reply_is_asked_for_once(serve):
    model = ScriptedModel(lambda text, n: Reply("<think>So, ", "length", TokenUsage(1, 1)))
    assert consume(serve(model).session().stream(request("a"))) == ("", 0, Unanswered("its reply is empty"))
    assert len(model.asked) == 1


def test_what_was_said_stays_where_no_call_gets_to_the_end(serve):
    service = serve(
        Speaking(
            ["one", UnusableReplyError("filtered")],
            ["two", UnusableReplyError("filtered")],
            [UnusableReplyError("worse")],
        )
    )
    text, restarts, answer = consume(service.session().stream(request("a")))
    assert (text, restarts) == ("two", 1)
    assert answer == Unanswered("the model broke off: worse", partial=Reply("two", "length"))


def test_streams_that_cannot_be_answered(serve):
    overflow = serve(Speaking([ContextOverflowError("9,000 of 8,192")])).session()
    assert consume(overflow.stream(request("a"))) == ("", 0, Unanswered("9,000 of 8,192", overflow=True))
    for error in (ModelRefusedError("401"), MalformedRequestError("400", "")):
        with pytest.raises(ModelRefusedError, match="40"):
            consume(serve(Speaking([error])).session().stream(request("a")))
    works = serve(Speaking(["fine"], [MalformedRequestError("400: filtered", "")])).session()
    assert [consume(works.stream(request(text)))[2] for text in "ab"][1] == Unanswered("400: filtered")


def test_streams_are_counted_as_what_is_asked_is(serve):
    def session():
        return serve(ScriptedModel(lambda text, n: OverloadedError("500") if n == 1 else text, latency=0.5)).session()

    asked, streamed = session(), session()
    ask(asked, ["a"])
    list(streamed.stream(request("a")))
    assert asked.usage == streamed.usage
    assert asked.usage["extract"].calls == 1


def test_many_streams_at_once(serve):
    model = Speaking([f"{n} " for n in range(50)])
    service = serve(model, concurrency=8)
    with ThreadPoolExecutor(32) as threads:
        sessions = [service.session(Budget(max_calls=1)) for _ in range(32)]
        said = list(threads.map(lambda n: consume(sessions[n].stream(request(f"{n}"))), range(32)))
    assert {text for text, _, _ in said} == {"".join(f"{n} " for n in range(50))}
    assert {restarts for _, restarts, _ in said} == {0}
    assert model.calls == 32
    assert [session.usage["extract"].calls for session in sessions] == [1] * 32


def test_a_slow_consumer_holds_nobody_up(serve):
    model = Speaking([f"{n} " for n in range(50)])
    session = serve(model, concurrency=1).session()
    slow = session.stream(request("a"))
    next(slow)
    assert ask(session, ["b"]) == ["".join(f"{n} " for n in range(50))]
    assert len(list(slow)) == 49


def test_it_can_be_streamed_inside_a_running_loop(serve):
    session = serve(Speaking(["one ", "two"])).session()

    async def inside():
        return list(session.stream(request("a")))

    assert asyncio.run(inside()) == ["one ", "two"]


@pytest.mark.enable_socket
@pytest.mark.parametrize("end", ["stream", "session"])
def test_a_stream_that_is_given_up_lets_the_connection_go(end):
    ended = threading.Event()

    def endless(answering):
        begin(answering)
        try:
            for number in range(10**9):
                answering.wfile.write(sse(event(f"{number} ")))
        except OSError:
            ended.set()

    with serving(endless) as url:
        service = ModelService(OpenAIChat(LLMSettings(model="m", base_url=url)), Memo(), LLMSettings(max_tokens=10**6))
        session = service.session()
        stream = session.stream(request("a"))
        assert next(stream) == "0 "
        (stream if end == "stream" else session).close()
        assert ended.wait(10)
        service.close()
