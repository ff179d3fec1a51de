import asyncio
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from graphrag.errors import (
    ConnectionLostError,
    ContextOverflowError,
    ModelError,
    ModelRefusedError,
    OverloadedError,
    UnusableReplyError,
)
from graphrag.messages import Message, Reply, Request, TokenUsage
from graphrag.models import checkup
from graphrag.models.checkup import Check, Need, Vectors, of_chat, of_embedding, of_index
from graphrag.models.discovery import ServedModel
from graphrag.models.measuring import GREETING, Heard, Informative, Listing, Measured, measure
from graphrag.settings import LLMSettings

GRAPH = json.dumps(
    {
        "entities": [[name, "person", "1", f"{name} is named."] for name in ("Anna", "Ostrava", "Pavel")],
        "relationships": [["Anna", "Pavel", "5", "1", "They work together."]],
        "claims": [],
    }
)
SETTINGS = LLMSettings(provider="openai", model="m", max_tokens=1000)
NEEDS = (Need("an extraction call", 2000, "extraction.window"), Need("a report call", 5000, "reports.input_tokens"))


def heard(text: str = "ready", *, prompt: int = 900, completion: int = 4, cached: int = 0, first: float = 0.5) -> Heard:
    return Heard(Reply(text, usage=TokenUsage(prompt, completion, cached)), first, 2.5)


TRIAL = heard(GRAPH, completion=100)
GOOD = Measured("m", heard(), ("m", "other"), 0.012, 8192, "schema", (TRIAL, replace(TRIAL, first=0.1)))


def checks(measured: Measured = GOOD, settings: LLMSettings = SETTINGS) -> dict[str, Check]:
    return {check.name: check for check in of_chat(measured, NEEDS, settings)}


def test_a_set_up_that_is_right_needs_no_advice():
    found = checks()

    assert {check.state for check in found.values()} == {"ok"}
    assert not any(check.advice for check in found.values())
    assert found["server"].found == "answers in 12 ms"
    assert found["chat"].found == "says “ready” in 2.5 s"
    assert found["extraction"].found == "3 entities and 1 relationships in two sentences, 2.5 s"
    assert found["speed"].found == "50 tokens a second in one call, the first after 0.5 s"


@pytest.mark.parametrize(
    ("changes", "name", "state", "found", "advice"),
    [
        ({"offered": ConnectionLostError("nobody there")}, "server", "ok", "does not list", ""),
        ({"offered": ("x", "y")}, "model", "warning", "lists only x, y", "llm.model"),
        ({"offered": ()}, "model", "ok", "does not say", ""),
        ({"offered": ("m:latest",)}, "model", "ok", "m", ""),
        ({"greeting": heard(" ")}, "chat", "failed", "says nothing", "chat template"),
        ({"greeting": heard("<think>hm</think>ready")}, "reasoning", "warning", "thinks", "enable_thinking: false"),
        ({"greeting": heard("", completion=256)}, "reasoning", "warning", "256 tokens on one word", "reasoning_effort"),
        ({"structured": "json"}, "structured output", "warning", "JSON without a schema", "vLLM"),
        ({"structured": "text"}, "structured output", "warning", "plain text", "vLLM"),
        ({"context": None}, "context length", "warning", "not known", "6,000 or more, and say so by llm.context"),
        ({"context": 6000}, "context length", "ok", "6,000 tokens; a report call takes up to 5,000", ""),
        ({"context": 5999}, "context length", "warning", "cut or refused", "llm.max_tokens to 999"),
        (
            {"context": 4096},
            "context length",
            "failed",
            "4,096",
            "6,000 at the server, or by llm.context where the model runs in this process; or lower reports",
        ),
        ({"trials": (heard("I cannot."),)}, "extraction", "failed", "no entities", "llm.structured"),
        ({"trials": (heard('{"entities": []}'),)}, "extraction", "warning", "0 entities", "larger model"),
        (
            {"trials": (heard(GRAPH.removesuffix("]}") + '["Anna"'),)},
            "extraction",
            "warning",
            "cut off",
            "larger model",
        ),
        ({"trials": (ContextOverflowError("too long"),)}, "extraction", "failed", "too long", "longer context"),
        ({"trials": (OverloadedError("busy"),)}, "extraction", "failed", "busy", "llm.structured"),
        ({"trials": (heard(GRAPH, completion=10),)}, "speed", "warning", "5 tokens a second", "GPU"),
        ({"trials": (TRIAL, TRIAL)}, "prefix cache", "warning", "no cached tokens", "switch it on"),
        ({"trials": (TRIAL, heard(GRAPH, cached=832))}, "prefix cache", "ok", "832 of 900", ""),
    ],
)
def test_what_is_found_and_what_to_change(changes: dict[str, Any], name: str, state: str, found: str, advice: str):
    check = checks(replace(GOOD, **changes))[name]

    assert check.state == state
    assert found in check.found
    assert advice in check.advice
    assert bool(check.advice) == (state != "ok")
    assert "\n" not in check.found + check.advice


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (ConnectionLostError("cannot be reached", refused=True), "start the server, or set llm.base_url"),
        (ModelRefusedError("wrong key"), "GRAPHRAG_LLM__API_KEY"),
        (OverloadedError("loading"), "wait until the server is ready"),
    ],
)
def test_a_model_that_does_not_answer_is_said_once_with_the_remedy(error: ModelError, advice: str):
    both = checks(Measured("m", error, error))
    listed = checks(Measured("m", error, ("m",)))

    assert [(check.name, check.state) for check in both.values()] == [("server", "failed")]
    assert [(check.name, check.state) for check in listed.values()] == [
        ("server", "ok"),
        ("model", "ok"),
        ("chat", "failed"),
    ]
    for check in (both["server"], listed["chat"]):
        assert check.found == str(error)
        assert advice in check.advice


def test_an_unknown_model_that_does_not_answer_has_failed():
    found = checks(Measured("m", ModelRefusedError("no such model"), ("a", "b")))

    assert found["model"] == Check(
        "model", "failed", "m is not there; the server has a, b", "set llm.model to one of these"
    )


def test_the_settings_word_for_the_context_wins():
    assert checks(replace(GOOD, context=None), SETTINGS.model_copy(update={"context": 32768}))[
        "context length"
    ] == Check("context length", "ok", "32,768 tokens; a report call takes up to 5,000 tokens and 1,000 for its reply")


def test_a_fixed_level_is_said_to_be_one():
    found = checks(replace(GOOD, structured="json"), SETTINGS.model_copy(update={"structured": "json"}))

    assert "llm.structured is json" in found["structured output"].found
    assert "set it to auto" in found["structured output"].advice


# --- Measuring ---------------------------------------------------------------------------


class Bare:
    """A model that can chat and nothing else."""

    name = "m"
    parameters: dict[str, object] = {}  # noqa: RUF012

    def __init__(self, answer: Callable[[Request], Reply] = lambda request: Reply("ready")) -> None:
        self.answer = answer
        self.asked: list[Request] = []

    async def chat(self, request: Request, watch: Callable[[str], bool]) -> Reply:
        self.asked.append(request)
        reply = self.answer(request)
        watch(reply.text)
        return reply

    async def close(self) -> None: ...


class Full(Bare):
    structured = "json"

    def __init__(self, names: Sequence[str] | ModelError = ("m",), size: int | ModelError = 4096) -> None:
        super().__init__()
        self.names, self.size = names, size

    async def models(self) -> tuple[ServedModel, ...]:
        if isinstance(self.names, ModelError):
            raise self.names
        return tuple(ServedModel(name) for name in self.names)

    async def context(self) -> int | None:
        if isinstance(self.size, ModelError):
            raise self.size
        return self.size


TRIALS = [Request("doctor", (Message("user", text),)) for text in ("one", "two")]


def measured(model: Bare) -> Measured:
    return asyncio.run(measure(model, TRIALS))


def test_a_bare_model_is_greeted_and_tried():
    model = Bare()
    found = measured(model)

    assert not isinstance(model, Informative | Listing)
    assert model.asked == [GREETING, *TRIALS]
    assert (found.offered, found.context, found.structured) == (None, None, None)
    assert isinstance(found.greeting, Heard)
    assert 0 <= found.greeting.first <= found.greeting.whole
    assert [heard.reply.text for heard in found.trials if isinstance(heard, Heard)] == ["ready", "ready"]


def test_a_model_that_knows_more_is_asked_for_it():
    found = measured(Full())

    assert (found.offered, found.context, found.structured) == (("m",), 4096, "json")


def test_errors_are_kept_and_never_raised():
    found = measured(Full(ModelRefusedError("no list"), ModelError("no size")))

    assert str(found.offered) == "no list"
    assert isinstance(found.greeting, Heard)
    assert found.context is None


def test_where_nobody_listens_nothing_more_is_tried():
    lost = ConnectionLostError("nobody", refused=True)
    model = Full(lost)

    assert measured(model).greeting is lost
    assert model.asked == []


def test_a_model_that_cannot_be_greeted_is_not_tried():
    def refuse(_: Request) -> Reply:
        raise ModelRefusedError("wrong key")

    model = Bare(refuse)

    assert str(measured(model).greeting) == "wrong key"
    assert model.asked == [GREETING]


def test_the_shipped_client_of_servers_says_all_that_is_asked():
    from graphrag.models.openai import OpenAIChat

    model = OpenAIChat(LLMSettings(model="m", base_url="http://127.0.0.1:1/v1"))

    assert isinstance(model, Informative)
    assert isinstance(model, Listing)


def test_speed_counts_from_the_first_token():
    assert heard(completion=100, first=0.5).speed == 50
    assert heard(completion=1).speed == 0
    assert heard(completion=100, first=2.5).speed == 0


# --- Embeddings and the index ------------------------------------------------------------

VECTORS = Vectors("e", (3, 3), (1.0, 1.0, 1.0), 0.8, 0.1)


@pytest.mark.parametrize(
    ("vectors", "state", "found"),
    [
        (VECTORS, "ok", "e, 3 dimensions, paraphrases 0.80, others 0.10"),
        (replace(VECTORS, alike=0.1, unlike=0.1), "failed", "paraphrases 0.10, others 0.10"),
        (replace(VECTORS, alike=math.nan), "failed", "paraphrases nan"),
        (replace(VECTORS, lengths=(1.0, math.nan, 1.0)), "failed", "hold no numbers"),
        (replace(VECTORS, lengths=(1.0, 2.0, 1.0)), "failed", "not of length 1"),
        (replace(VECTORS, sizes=(3, 4)), "failed", "sizes [3, 4]"),
        (UnusableReplyError("no vectors"), "failed", "no vectors"),
    ],
)
def test_embeddings(vectors: Vectors | ModelError, state: str, found: str):
    check = of_embedding(vectors)

    assert check.state == state
    assert found in check.found
    assert bool(check.advice) == (state != "ok")


def test_the_index_must_be_of_the_configured_embedding_model():
    assert of_index(("e", 3), ("e", 3)).state == "ok"
    assert of_index(None, ("e", 3)).state == "ok"
    assert of_index(("e", 3), ("e", 4)).state == "failed"
    assert "graphrag index" in of_index(("other", 3), ("e", 3)).advice


def test_without_a_model_it_says_what_works_and_how_to_configure_one():
    assert checkup.NO_MODEL.state == "ok"
    assert "index --method fast" in checkup.NO_MODEL.found
    assert "llm.provider" in checkup.NO_MODEL.advice
