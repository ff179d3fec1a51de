"""The model service: everything between a planned request and a parsed reply."""

import asyncio
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from scripted import LeapingLoop, ScriptedModel, request
from unclosed import QUESTION, opened

from graphrag.errors import (
    BudgetExceededError,
    ConnectionLostError,
    ContextOverflowError,
    ModelRefusedError,
    OverloadedError,
    UnusableReplyError,
)
from graphrag.messages import Reply, TokenUsage, Unanswered
from graphrag.models.attempts import LONGEST_TOKEN, SHORTEST_LIMIT
from graphrag.models.background import Background
from graphrag.models.budget import Budget, StageUsage
from graphrag.models.dry_run import DryRun
from graphrag.models.memo import Memo, Origin
from graphrag.models.refusals import MalformedRequestError
from graphrag.models.service import ModelService
from graphrag.models.session import REFUSED
from graphrag.progress import silent
from graphrag.settings import LLMSettings
from graphrag.tokens import count


@pytest.fixture
def serve():
    """Make a service; all are closed in the end."""
    services = []

    def make(model, memo=None, budget=None, **settings):
        service = ModelService(
            model, memo or Memo(), LLMSettings(**settings), budget, Background(LeapingLoop), lambda: 0.5
        )
        services.append(service)
        return service

    yield make
    for service in services:
        service.close()


def text_of(reply):
    return reply.text


def ask(service, texts, parse=text_of, progress=silent):
    return service.ask([request(text) for text in texts], parse, progress, "Asking")


TEXTS = [f"text {n}" for n in range(100)]


def test_answers_come_in_the_order_of_the_requests_each_asked_once(serve):
    model = ScriptedModel(lambda text, n: text.upper())
    service = serve(model)
    seen = []
    answers = ask(service, [*TEXTS, *TEXTS[:3]], progress=lambda *args: seen.append(args))
    assert answers == [text.upper() for text in [*TEXTS, *TEXTS[:3]]]
    assert sorted(model.asked) == sorted(TEXTS)
    assert seen[0] == ("Asking", 0, 103)
    assert seen[-1] == ("Asking", 103, 103)
    assert service.usage == {"extract": StageUsage(calls=100, tokens=TokenUsage(1000, 500))}


def test_nothing_is_asked_when_there_is_nothing_to_ask(serve):
    background = Background()
    service = ModelService(ScriptedModel(), Memo(), LLMSettings(), background=background)
    assert service.ask([], text_of, silent, "Asking") == []
    assert not background.running


def test_what_was_answered_once_comes_from_the_memo(serve, tmp_path):
    for expected in (100, 0):
        model, memo = ScriptedModel(), Memo(tmp_path / "memo.sqlite")
        service = serve(model, memo)
        assert ask(service, TEXTS) == TEXTS
        assert len(model.asked) == expected
    assert service.usage == {"extract": StageUsage(hits=100)}


def test_a_stage_is_no_part_of_what_is_asked_but_parameters_and_name_are(serve):
    memo = Memo()
    ask(serve(ScriptedModel(), memo), ["a"])
    for name, parameters, calls in [("scripted", {"temperature": 0}, 0), ("b", {"temperature": 0}, 1), ("b", {}, 1)]:
        model = ScriptedModel()
        model.name, model.parameters = name, parameters
        serve(model, memo).ask([request("a", "other")], text_of, silent, "")
        assert len(model.asked) == calls


def test_a_service_says_whether_its_model_is_the_same(serve):
    def model(name, parameters):
        model = ScriptedModel()
        model.name, model.parameters = name, parameters
        return serve(model).model

    dry = DryRun(Origin.of("a", {"b": 1, "c": 2}), Memo(), 1)
    assert model("a", {"b": 1, "c": 2}) == model("a", {"c": 2, "b": 1}) == dry.model
    assert len({model("a", {}), model("b", {}), model("a", {"b": 1})}) == 3


def accept_long(reply):
    if len(reply.text) < 3:
        raise UnusableReplyError("too short")
    return reply.text


def test_an_unusable_reply_is_asked_for_again_and_never_remembered(serve):
    memo = Memo()
    model = ScriptedModel(lambda text, n: "x" * n)
    service = serve(model, memo, attempts=3)
    assert ask(service, ["a"], accept_long) == ["xxx"]
    assert service.usage["extract"] == StageUsage(calls=3, failed=2, tokens=TokenUsage(30, 15))
    worse = serve(ScriptedModel(lambda text, n: "x"), memo, attempts=2)
    assert ask(worse, ["b"], accept_long) == [Unanswered("too short")]
    model = ScriptedModel(lambda text, n: "fine")
    assert ask(serve(model, memo), ["b", "a"], accept_long) == ["fine", "xxx"]
    assert model.asked == ["b"]


def test_a_remembered_reply_that_no_longer_parses_is_replaced(serve):
    memo = Memo()
    ask(serve(ScriptedModel(lambda text, n: "x"), memo), ["a"])
    model = ScriptedModel(lambda text, n: "long enough")
    assert ask(serve(model, memo), ["a"], accept_long) == ["long enough"]
    assert ask(serve(ScriptedModel(), memo), ["a"], accept_long) == ["long enough"]
    assert model.asked == ["a"]


def test_errors_of_parse_reach_the_caller(serve):
    with pytest.raises(ZeroDivisionError):
        ask(serve(ScriptedModel()), ["a"], lambda reply: 1 / 0)


def test_the_model_gets_the_longest_reply_of_the_settings_unless_the_request_has_one(serve):
    asked = []

    class Model(ScriptedModel):
        async def chat(self, request, watch):
            asked.append(request.max_tokens)
            return await super().chat(request, watch)

    service = serve(Model(), max_tokens=77, concurrency=1)
    service.ask([request("a"), request("b", max_tokens=5)], text_of, silent, "")
    assert asked == [77, 5]


def test_reasoning_is_gone_before_parse_and_in_the_memo(serve):
    memo = Memo()
    for _ in range(2):
        model = ScriptedModel(lambda text, n: "<think>Hm.</think>\n{}")
        assert ask(serve(model, memo), ["a"]) == ["{}"]


def test_a_loop_is_cut_and_trimmed(serve):
    item = '["MARLEY", "person", "was dead to begin with"],'
    model = ScriptedModel(lambda text, n: '[["SCROOGE", "person", "a miser"],' + item * 1000)
    replies = ask(serve(model), ["a"], lambda reply: reply)
    assert replies[0].finish == "loop"
    assert replies[0].text.count("MARLEY") == 1


def test_half_a_character_is_gone_before_parse_and_in_the_memo(serve):
    memo = Memo()
    for _ in range(2):
        assert ask(serve(ScriptedModel(lambda text, n: "a \ud83d\U0001f600"), memo), ["a"]) == ["a \U0001f600"]
    assert next(memo.replies(Origin.of("scripted", {"temperature": 0}))).reply.text == "a \U0001f600"


@pytest.mark.parametrize("piece", ["word {} and ", ""])
def test_a_reply_without_an_end_is_cut_as_by_its_length(serve, piece):
    said = []

    class Endless(ScriptedModel):
        async def chat(self, request, watch):
            said.append(pieces := [])
            while True:
                pieces.append(piece.format(len(pieces)))
                if watch(pieces[-1]):
                    return Reply("".join(pieces), "loop", TokenUsage(1, 1))

    service = serve(Endless())
    requests = [request("a", max_tokens=1), request("b", max_tokens=SHORTEST_LIMIT)]
    limits = SHORTEST_LIMIT, LONGEST_TOKEN * SHORTEST_LIMIT
    for reply, limit in zip(service.ask(requests, lambda reply: reply, silent, ""), limits, strict=True):
        assert reply.finish == "length"
        assert len(reply.text) == (limit if piece else 0)
    for pieces, limit in zip(said, limits, strict=True):
        assert limit < sum(len(piece) or 1 for piece in pieces) < limit + 100


def test_replies_that_were_cut_are_for_parse_to_judge(serve):
    model = ScriptedModel(lambda text, n: Reply("cut", "length", TokenUsage(1, 1)))
    assert ask(serve(model), ["a"], lambda reply: reply.finish) == ["length"]


def test_usage_is_counted_where_the_server_reports_none(serve):
    service = serve(ScriptedModel(lambda text, n: Reply("four words of reply")))
    ask(service, ["some text"])
    usage = service.usage["extract"].tokens
    assert usage.completion == count("four words of reply")
    assert usage.prompt >= count("Extract.") + count("some text")


def test_seconds_are_those_of_the_calls(serve):
    service = serve(ScriptedModel(latency=0.25))
    ask(service, ["a", "b"])
    assert service.usage["extract"].seconds == pytest.approx(0.5)


# --- Failures ----------------------------------------------------------------------------


def test_a_request_longer_than_the_context_is_said_to_be_so(serve):
    model = ScriptedModel(lambda text, n: ContextOverflowError("9,000 of 8,192 tokens") if text == "b" else text)
    assert ask(serve(model), ["a", "b", "c"]) == ["a", Unanswered("9,000 of 8,192 tokens", overflow=True), "c"]
    assert model.asked.count("b") == 1


def test_busy_servers_and_lost_connections_are_tried_again(serve):
    def answer(text, n):
        if n <= 3:
            return (OverloadedError("503"), ConnectionLostError("reset"))[n % 2]
        return text

    model = ScriptedModel(answer, latency=0.1)
    service = serve(model)
    assert ask(service, TEXTS) == TEXTS
    assert service.usage["extract"].failed == 300


def test_one_failure_in_ten_loses_nothing(serve):
    model = ScriptedModel(lambda text, n: OverloadedError("500") if (int(text[5:]) + n) % 10 == 0 else text, 0.1)
    assert ask(serve(model), TEXTS) == TEXTS


def test_a_refusal_ends_it_at_once(serve):
    model = ScriptedModel(lambda text, n: ModelRefusedError("401: wrong key"), latency=1)
    with pytest.raises(ModelRefusedError, match="wrong key"):
        ask(serve(model), TEXTS)
    assert len(model.asked) <= 16


def refusing(refused):
    """A model that takes no request with one of these texts; refusals come before replies do."""
    return ScriptedModel(lambda text, n: MalformedRequestError("400: filtered", "") if text in refused else text)


def test_a_request_that_a_working_model_refuses_is_unanswered(serve):
    memo = Memo()
    for _ in range(2):  # the second time, only the memo says that the model works
        service = serve(refusing({"text 0", "text 1"}), memo)
        assert ask(service, TEXTS) == [Unanswered("400: filtered")] * 2 + TEXTS[2:]
        assert service.usage["extract"].failed == 2


@pytest.mark.parametrize("texts", [TEXTS, TEXTS[:1]])
def test_a_model_that_refuses_every_request_ends_it(serve, texts):
    model = refusing(set(TEXTS))
    with pytest.raises(ModelRefusedError, match="400: filtered"):
        ask(serve(model), texts)
    assert len(model.asked) <= 2 * REFUSED


def test_a_prompt_that_always_fails_is_given_up_while_others_succeed(serve):
    model = ScriptedModel(lambda text, n: OverloadedError("500: oops") if text == "text 1" else text, latency=0.2)
    answers = ask(serve(model, concurrency=4), [f"text {n}" for n in range(2000)])
    (unanswered,) = [answer for answer in answers if isinstance(answer, Unanswered)]
    assert unanswered.reason == "500: oops; tried 8 times"
    assert model.asked.count("text 1") == 8


def test_the_last_prompt_that_always_fails_costs_a_minute_not_the_run(serve):
    model = ScriptedModel(lambda text, n: OverloadedError("500: oops") if text == "bad" else text)
    assert isinstance(ask(serve(model), ["good", "bad"])[1], Unanswered)
    assert 60 <= model.times[-1] <= 80


class Outage(ScriptedModel):
    """Away for some seconds."""

    def __init__(self, start, end, error):
        super().__init__(latency=0.1)
        self.outage = start, end
        self.error = error

    async def chat(self, request, watch):
        start, end = self.outage
        if start <= asyncio.get_running_loop().time() < end:
            self.answer = lambda text, n: self.error
        else:
            self.answer = lambda text, n: text
        return await super().chat(request, watch)


@pytest.mark.parametrize("error", [OverloadedError("503"), ConnectionLostError("reset"), ConnectionLostError("", True)])
def test_an_outage_is_waited_for_with_few_probes(serve, error):
    model = Outage(0.15, 15, error)
    texts = [f"text {n}" for n in range(400)]
    assert ask(serve(model), texts) == texts
    during = [time for time in model.times if 1 <= time < 15]
    assert len(during) < 80
    assert min(time for time in model.times if time >= 15) < 24
    assert max(model.times) < 27


def test_patience_ends(serve):
    model = Outage(0.15, 1e9, OverloadedError("http://here/v1 is failing (503)"))
    with pytest.raises(OverloadedError) as caught:
        ask(serve(model, patience=100), [f"text {n}" for n in range(400)])
    assert 100 <= model.times[-1] <= 101
    assert str(caught.value).startswith(
        "http://here/v1 is failing (503); waited 100 s for it; what was answered is kept"
    )


def test_patience_is_whole_again_after_it_ended(serve):
    model = ScriptedModel(lambda text, n: OverloadedError("503") if text == "down" else text)
    service = serve(model, patience=10)
    ask(service, ["up"])
    with pytest.raises(OverloadedError, match=r"waited 1[01] s"):
        ask(service, ["down"])
    model.answer = lambda text, n: OverloadedError("503") if n == 1 else text
    assert ask(service, ["later"]) == ["later"]


def test_a_server_that_is_back_after_patience_ended_gets_more_than_probes(serve):
    model = ScriptedModel(lambda text, n: OverloadedError("503") if text == "down" else text, latency=0.1)
    service = serve(model, patience=10)
    with pytest.raises(OverloadedError):
        ask(service, ["down"])
    assert ask(service, TEXTS) == TEXTS
    assert model.most_in_flight > 8


def test_a_server_that_never_was_there_is_told_soon(serve):
    for texts in (["a"], TEXTS):
        model = Outage(0, 1e9, ConnectionLostError("nobody listens at http://here/v1", refused=True))
        with pytest.raises(ConnectionLostError, match="nobody listens") as caught:
            ask(serve(model), texts)
        assert caught.value.refused
        assert 4 <= model.times[-1] <= 5.5


def test_what_was_answered_before_the_end_is_kept(serve):
    memo = Memo()
    texts = [f"text {n}" for n in range(400)]
    with pytest.raises(OverloadedError):
        ask(serve(Outage(0.25, 1e9, OverloadedError("503")), memo, patience=10), texts)
    model = ScriptedModel()
    assert ask(serve(model, memo), texts) == texts
    assert 100 < len(model.asked) < 390


def test_retry_after_is_obeyed_by_all_calls(serve):
    model = ScriptedModel(lambda text, n: OverloadedError("429", 30) if text == "text 0" and n == 1 else text, 0.1)
    assert ask(serve(model), TEXTS) == TEXTS
    assert not [time for time in model.times if 0.15 < time < 30]
    assert len(model.times) > 90


def test_to_be_sent_away_for_longer_than_patience_is_the_end(serve):
    model = ScriptedModel(lambda text, n: OverloadedError("429: quota", 3600))
    with pytest.raises(OverloadedError, match="429: quota; it asks to wait 3600 s"):
        ask(serve(model), ["a"])
    assert model.times == [0]


def test_what_is_tried_again_does_not_wait_for_the_rest(serve):
    unusable = ScriptedModel(lambda text, n: "x" * (n + 1) if text == "text 0" else text, latency=0.1)
    lost = ScriptedModel(lambda text, n: OverloadedError("500") if (text, n) == ("text 0", 1) else text, latency=0.1)
    for model in (unusable, lost):
        ask(serve(model, concurrency=4), TEXTS, accept_long)
        assert [time for time, text in zip(model.times, model.asked, strict=True) if text == "text 0"][1] < 1


def test_the_first_piece_of_a_reply_lets_others_start(serve):
    class Streaming(ScriptedModel):
        async def chat(self, request, watch):
            watch("first")
            return await super().chat(request, watch)

    model = Streaming(latency=10)
    ask(serve(model), TEXTS)
    assert len([time for time in model.times if time < 10]) == 64


# --- Budget ------------------------------------------------------------------------------


def test_the_token_budget_is_kept_and_what_was_paid_for_too(serve):
    memo, texts = Memo(), [f"text {n}" for n in range(200)]
    spent = 0
    for _ in range(50):
        model = ScriptedModel(lambda text, n: Reply("ok", usage=TokenUsage(15, 85)), latency=0.1)
        service = serve(model, memo, Budget(max_tokens=2000))
        try:
            assert ask(service, texts) == ["ok"] * 200
            break
        except BudgetExceededError as error:
            assert "of 2,000 tokens" in str(error)
            assert "larger --max-tokens" in str(error)
        usage = service.usage["extract"]
        assert usage.tokens.prompt + usage.tokens.completion <= 2000
        assert usage.calls >= 10
        spent += usage.calls
    assert spent + len(model.asked) == 200


def test_calls_in_flight_end_before_the_budget_error(serve):
    model = ScriptedModel(lambda text, n: Reply("ok", usage=TokenUsage(400, 100)), latency=5)
    with pytest.raises(BudgetExceededError):
        ask(serve(model, budget=Budget(max_tokens=3000)), TEXTS)
    assert model.cancelled == 0
    assert len(model.asked) >= 4


def test_cost_is_limited_by_the_prices(serve):
    model = ScriptedModel(lambda text, n: Reply("ok", usage=TokenUsage(1000, 1000)))
    service = serve(model, budget=Budget(max_cost=0.05), prompt_price=1.0, completion_price=4.0)
    with pytest.raises(BudgetExceededError, match=r"of 0\.05, .* --max-cost"):
        ask(service, TEXTS)
    assert 8 <= len(model.asked) <= 11


class Breaking(ScriptedModel):
    """Says something, and is lost before its end."""

    async def chat(self, request, watch):
        watch("some words ")
        watch("that cost")
        self.asked.append("")
        raise ConnectionLostError("lost")


def test_what_failed_calls_said_is_counted_and_paid_for(serve):
    service = serve(Breaking(), patience=1)
    with pytest.raises(ConnectionLostError):
        ask(service, ["a"])
    usage = service.usage["extract"]
    assert usage.failed > 1
    assert usage.tokens.completion == usage.failed * count("some words that cost")
    assert usage.tokens.prompt >= usage.failed * count("Extract.")
    model = Breaking()
    with pytest.raises(BudgetExceededError):
        ask(serve(model, budget=Budget(max_tokens=600), patience=1e6), ["a"])
    assert 1 < len(model.asked) < 60


def test_what_is_remembered_costs_nothing(serve):
    memo = Memo()
    ask(serve(ScriptedModel(), memo), TEXTS)
    assert ask(serve(ScriptedModel(), memo, Budget(max_tokens=0)), TEXTS) == TEXTS


# --- Threads and loops -------------------------------------------------------------------


def test_it_can_be_asked_inside_a_running_loop(serve):
    service = serve(ScriptedModel())

    async def inside():
        return ask(service, ["a"])

    assert asyncio.run(inside()) == ["a"]


def test_it_can_be_asked_by_several_threads(serve):
    service, answers = serve(ScriptedModel(latency=0.1)), {}
    threads = [threading.Thread(target=lambda n=n: answers.update({n: ask(service, [f"text {n}"])})) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {n: [f"text {n}"] for n in range(20)}


def test_an_interrupt_cancels_the_calls_in_flight_and_the_service_goes_on(serve, monkeypatch):
    model = ScriptedModel(latency=0.1)

    async def hang(request, watch):
        model.in_flight += 1
        started.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            model.in_flight -= 1

    started = threading.Event()
    service = serve(model)
    with monkeypatch.context() as patch:
        patch.setattr(model, "chat", hang)
        patch.setattr("concurrent.futures.Future.result", lambda *_: started.wait() and interrupt())
        with pytest.raises(KeyboardInterrupt):
            ask(service, ["a", "b"])
    assert model.in_flight == 0
    assert ask(service, TEXTS) == TEXTS


def interrupt():
    raise KeyboardInterrupt


def test_closing_closes_the_model_and_asking_again_works(serve):
    model = ScriptedModel()
    service = serve(model)
    ask(service, ["a"])
    service.close()
    assert model.closed
    assert not [thread for thread in threading.enumerate() if thread.name == "graphrag models"]
    assert ask(service, ["b"]) == ["b"]


def test_a_model_that_was_never_asked_is_closed_too():
    model = ScriptedModel()
    service = ModelService(model, Memo(), LLMSettings())
    service.close()
    assert model.closed


@pytest.mark.parametrize("how", ["", "half", "atexit"])
@pytest.mark.parametrize("remembered", [False, True])
def test_a_process_that_closes_nothing_ends_and_says_nothing(mills, tmp_path, how, remembered):
    memo = tmp_path / "memo.sqlite"
    if remembered:
        with opened(mills.root, memo)[0] as rag:
            rag.query(QUESTION, "basic")
    command = [sys.executable, Path(__file__).with_name("unclosed.py"), mills.root, memo, how]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{1 - remembered}\n", "")


def test_requests_are_handed_on_as_they_are(serve):
    got = []

    class Model(ScriptedModel):
        async def chat(self, request, watch):
            got.append(request)
            return await super().chat(request, watch)

    ask(serve(Model()), ["a"])
    assert got == [replace(request("a"), max_tokens=4096)]
