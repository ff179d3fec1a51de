"""What is right and what is wrong with models, memo and disk, and what to change: pure judgements.

Each takes what was measured and gives one `Check`; what failed says in one line what to do.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from graphrag import tokens
from graphrag.errors import (
    ConnectionLostError,
    ContextOverflowError,
    ModelError,
    OverloadedError,
    UnusableReplyError,
)
from graphrag.models import reasoning
from graphrag.models.measuring import Heard, Measured
from graphrag.models.replies import graph_reply
from graphrag.settings import LLMSettings

State = Literal["ok", "warning", "failed"]

OFFERED = 8
"""Models of a server that are named."""
SLOW = 10.0
"""Tokens a second, one call at a time, below which indexing takes long."""
THINKING = 48
"""Completion tokens for one word, above which the model must have thought first."""
LEAST_ENTITIES = 3
"""In the trial passages; they name six or more each."""
LEAST_REPLY = 512
"""Tokens of a reply that a call must at least have room for."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    state: State
    found: str
    advice: str = ""
    """What to do, in one line; empty where there is nothing to do."""


@dataclass(frozen=True, slots=True)
class Need:
    """How long the prompts of a stage get."""

    what: str
    prompt: int
    """Tokens, instructions included."""
    setting: str
    """The setting that makes it so."""


NO_MODEL = Check(
    "language model",
    "ok",
    "none configured: index --method fast, query and retrieve need none",
    "to use one, set llm.provider (openai, llamacpp, transformers), llm.model and llm.base_url in settings.yaml",
)


def of_chat(measured: Measured, needs: Sequence[Need], settings: LLMSettings) -> Iterator[Check]:
    """All that a trial of a chat model says; little more than the error where it does not answer."""
    answers = isinstance(measured.greeting, Heard)
    if measured.offered is not None:
        yield _server(measured.offered, measured.latency, answers)
        if not isinstance(measured.offered, ModelError):
            yield _model(measured.model, measured.offered, answers)
    if isinstance(measured.greeting, ModelError):
        if measured.greeting is not measured.offered:
            yield Check("chat", "failed", str(measured.greeting), _remedy(measured.greeting))
        return
    yield _chat(measured.greeting)
    yield _reasoning(measured.greeting)
    yield _context(settings.context or measured.context, needs, settings.max_tokens)
    if measured.structured:
        yield _structured(measured.structured, settings.structured)
    first, second = (*measured.trials, None, None)[:2]
    if first:
        yield _extraction(first)
    if isinstance(first, Heard):
        yield _speed(first)
        if isinstance(second, Heard):
            yield _prefix(first, second)


def _remedy(error: ModelError) -> str:
    if isinstance(error, OverloadedError):
        return "wait until the server is ready, or see its log"
    if isinstance(error, ConnectionLostError):
        return "start the server, or set llm.base_url (it often ends in /v1)"
    return "check llm.base_url, llm.model and GRAPHRAG_LLM__API_KEY"


def _server(offered: tuple[str, ...] | ModelError, latency: float, answers: bool) -> Check:
    if isinstance(offered, ModelError) and answers:
        return Check("server", "ok", "answers, but does not list its models")
    if isinstance(offered, ModelError):
        return Check("server", "failed", str(offered), _remedy(offered))
    return Check("server", "ok", f"answers in {1000 * latency:.0f} ms")


def _model(name: str, offered: Sequence[str], answers: bool) -> Check:
    if not offered:
        return Check("model", "ok", f"{name}; the server does not say which models it has")
    if name in offered or f"{name}:latest" in offered:
        return Check("model", "ok", name)
    names = ", ".join(offered[:OFFERED]) + (" …" if len(offered) > OFFERED else "")
    if answers:
        return Check("model", "warning", f"{name} answers, but the server lists only {names}", "check llm.model")
    return Check("model", "failed", f"{name} is not there; the server has {names}", "set llm.model to one of these")


def _chat(heard: Heard) -> Check:
    said = " ".join(reasoning.strip(heard.reply.text).split())[:40]
    if not said and not _thinks(heard):
        advice = "use a model made for instructions, and a server that knows its chat template"
        return Check("chat", "failed", "the model says nothing", advice)
    return Check("chat", "ok", f"says “{said}” in {heard.whole:.1f} s")


def _thinks(heard: Heard) -> bool:
    """Aloud, or where only its tokens are seen."""
    text = heard.reply.text
    hidden = heard.reply.usage.completion - tokens.count(text)
    return reasoning.strip(text).strip() != text.strip() or hidden > THINKING


def _reasoning(heard: Heard) -> Check:
    if not _thinks(heard):
        return Check("reasoning", "ok", "the model answers without thinking aloud")
    advice = "set llm.body: {chat_template_kwargs: {enable_thinking: false}}, for Ollama {reasoning_effort: none}"
    spent = f"it spent {heard.reply.usage.completion} tokens on one word"
    return Check("reasoning", "warning", f"the model thinks before it answers: {spent}", advice)


def _context(size: int | None, needs: Sequence[Need], reply: int) -> Check:
    """Whether the longest prompt and its reply fit."""
    longest = max(needs, key=lambda need: need.prompt)
    wanted = longest.prompt + reply
    takes = f"{longest.what} takes up to {longest.prompt:,} tokens and {reply:,} for its reply"
    if size is None:
        advice = f"see that it is {wanted:,} or more, and say so by llm.context"
        return Check("context length", "warning", f"not known; {takes}", advice)
    found = f"{size:,} tokens; {takes}"
    if size >= wanted:
        return Check("context length", "ok", found)
    raised = f"raise it to {wanted:,} at the server, or by llm.context where the model runs in this process"
    if size - longest.prompt < LEAST_REPLY:
        return Check("context length", "failed", found, f"{raised}; or lower {longest.setting}")
    advice = f"{raised}; or set llm.max_tokens to {size - longest.prompt:,}"
    return Check("context length", "warning", f"{found}: long replies are cut or refused", advice)


def _structured(level: str, setting: str) -> Check:
    why = "found out" if setting == "auto" else f"llm.structured is {setting}"
    if level == "schema":
        return Check("structured output", "ok", f"by JSON schema ({why})")
    found = f"{'JSON without a schema' if level == 'json' else 'plain text'} ({why})"
    wanted = "use a server that decodes by JSON schema (vLLM, SGLang, llama-server, Ollama)"
    advice = f"replies are parsed all the same; to lose fewer, {wanted if setting == 'auto' else 'set it to auto'}"
    return Check("structured output", "warning", found, advice)


def _extraction(heard: Heard | ModelError) -> Check:
    """Whether a reply to the extraction prompt can be used."""
    if isinstance(heard, ContextOverflowError):
        return Check("extraction", "failed", str(heard), "give the server a longer context: see docs, serve on a GPU")
    if isinstance(heard, ModelError):
        return Check("extraction", "failed", str(heard), "try llm.structured: json or text, or another model")
    try:
        found = graph_reply(reasoning.strip(heard.reply.text))
    except UnusableReplyError as error:
        return Check("extraction", "failed", str(error), "try llm.structured: json or text, or a larger model")
    entities, edges = len(found.entities), len(found.relationships)
    said = f"{entities} entities and {edges} relationships in two sentences, {heard.whole:.1f} s"
    if entities < LEAST_ENTITIES or not edges or not found.complete:
        cut = "" if found.complete else ", cut off"
        return Check("extraction", "warning", said + cut, "a larger model, or one made for instructions, finds more")
    return Check("extraction", "ok", said)


def _speed(heard: Heard) -> Check:
    if not heard.speed:
        return Check("speed", "ok", "the reply was too short to tell")
    found = f"{heard.speed:.0f} tokens a second in one call, the first after {heard.first:.1f} s"
    if heard.speed < SLOW:
        return Check("speed", "warning", found, "indexing will take long: use a GPU, a smaller model or 4-bit weights")
    return Check("speed", "ok", found)


def _prefix(first: Heard, second: Heard) -> Check:
    """Whether the instructions that two calls share were computed once."""
    cached, prompt = second.reply.usage.cached, second.reply.usage.prompt
    times = f"first token after {first.first:.2f} s, then {second.first:.2f} s"
    if cached:
        return Check("prefix cache", "ok", f"{cached:,} of {prompt:,} prompt tokens came from it")
    if second.first < first.first / 2:
        return Check("prefix cache", "ok", f"seems to be on: {times}")
    advice = "switch it on if the server has one: every extraction call begins with the same instructions"
    return Check("prefix cache", "warning", f"the server reports no cached tokens; {times}", advice)


# --- Embeddings and the index ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Vectors:
    """What an embedding model made of two paraphrases and an unrelated sentence."""

    name: str
    sizes: tuple[int, ...]
    lengths: tuple[float, ...]
    """Euclidean."""
    alike: float
    """Cosine similarity of the paraphrases."""
    unlike: float
    """The greater one of either to the unrelated sentence."""


def of_embedding(vectors: Vectors | ModelError) -> Check:
    """Whether vectors are of one size, of length 1, and near where texts mean the same."""
    if isinstance(vectors, ModelError):
        advice = "set embedding.provider, embedding.model and embedding.base_url, or embedding.provider: embedded"
        return Check("embedding", "failed", str(vectors), advice)
    sizes = sorted(set(vectors.sizes))
    found = f"{vectors.name}, {sizes[0]} dimensions, paraphrases {vectors.alike:.2f}, others {vectors.unlike:.2f}"
    if len(sizes) > 1:
        return Check("embedding", "failed", f"{vectors.name} gives vectors of sizes {sizes}", "use another model")
    if not all(math.isfinite(length) for length in vectors.lengths):
        return Check("embedding", "failed", f"{vectors.name} gives vectors that hold no numbers", "use another model")
    if any(abs(length - 1) > 0.01 for length in vectors.lengths):
        return Check("embedding", "failed", f"{found}; vectors are not of length 1", "normalise them, or use another")
    if not vectors.alike > vectors.unlike:
        advice = "use a model made for embeddings: this one does not tell what texts mean"
        return Check("embedding", "failed", found, advice)
    return Check("embedding", "ok", found)


def of_index(published: tuple[str, int] | None, configured: tuple[str, int]) -> Check:
    """Whether the index was made with the configured embedding model; both: name and dimensions."""
    if published is None:
        return Check("index", "ok", "none yet", "make one: graphrag index")
    if published == configured:
        return Check("index", "ok", f"made with {published[0]}, {published[1]} dimensions")
    found = f"made with {published[0]} ({published[1]} dimensions), configured is {configured[0]} ({configured[1]})"
    return Check("index", "failed", found, "run graphrag index to make it anew, or set the embedding model back")
