"""Which method suits a question: cheap signals, and the model where they leave it open.

A question asks for one fact, joins several, or is about the whole collection. The signals are
weighed by multinomial logistic regression; `docs/explanation/routing.md` has the figures.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from graphrag.answers import Method
from graphrag.errors import UnusableReplyError
from graphrag.messages import Reply, ReplySchema, Request
from graphrag.models.replies import to_object
from graphrag.prompts import Prompts
from graphrag.query import signals
from graphrag.query.prototypes import Kind
from graphrag.query.retrieval import Retriever
from graphrag.query.signals import Signals

STAGE = "route"
ROUTES: Mapping[Kind, Method] = {"local": "local", "multi-hop": "drift", "global": "global"}
"""The method for each kind of question."""
KINDS: tuple[Kind, ...] = ("local", "multi-hop", "global")
WEIGHTS: Mapping[str, tuple[float, float]] = {
    "rarity": (0.25, -1.22),
    "words": (2.47, 0.04),
    "breadth": (-0.13, 0.76),
    "relates": (2.41, -0.05),
    "follows": (0.96, -0.01),
    "fact": (-0.68, -0.7),
    "clauses": (0.56, 0.31),
    "bridges": (1.25, -0.56),
    "like_global": (-0.08, 1.01),
    "like_joined": (0.57, 0.6),
}
"""Of `Signals.values`, in their order: log-odds against local of multi-hop and of global, fitted by
`python -m benchmarks routing`."""
BIAS = (-6.59, -0.46)
MARGIN = 0.3
"""Less likelihood than this between the first and the second kind is not sure."""
SHOWN = 3
"""Words or names that a reason gives."""
LONGEST = 2000
"""Characters of a question that the model is shown."""
_SCHEMA = ReplySchema(
    "route",
    {
        "type": "object",
        "properties": {"method": {"type": "string", "enum": list(ROUTES.values())}},
        "required": ["method"],
        "additionalProperties": False,
    },
)
_SAID = re.compile(r"\b(?:local|drift|global|multi-?hop)\b", re.IGNORECASE)
_POSSESSIVE = re.compile(r"^['’]s?\s+")


@dataclass(frozen=True, slots=True)
class Route:
    """The method for a question."""

    method: Method
    reason: str
    """In words for the user."""
    sure: bool
    """False where the signals are weak or disagree: a model may know better."""


def route(question: str, retriever: Retriever) -> Route:
    """The method for a question, without a model: a millisecond beyond the question's embedding,
    and at first the embedding of the prototypes.

    An index without entities has one way only; one without reports cannot answer globally.
    """
    if not retriever.graph.entity_ids:
        return Route("basic", "the index has no entities", sure=True)
    found = signals.read(question, retriever)
    odds = likelihoods(found.values)
    likely: list[Kind] = sorted(KINDS, key=lambda kind: -odds[kind])
    reason, sure = _reason(likely[0], found), odds[likely[0]] - odds[likely[1]] >= MARGIN
    if "global" in likely[:2] and not _has_reports(question, retriever):
        reason += ", but the index has no reports to answer that from" if likely[0] == "global" else ""
        # A model might say global all the same.
        sure = True
        likely.remove("global")
    return Route(ROUTES[likely[0]], reason, sure)


def likelihoods(values: Sequence[float]) -> Mapping[Kind, float]:
    """How likely each kind of question is, given `Signals.values`; they add up to 1."""
    scores = [0.0, *BIAS]
    for value, (joined, whole) in zip(values, WEIGHTS.values(), strict=True):
        scores[1] += joined * value
        scores[2] += whole * value
    shares = [math.exp(score - max(scores)) for score in scores]
    return {kind: share / sum(shares) for kind, share in zip(KINDS, shares, strict=True)}


def plan(question: str, route: Route, prompts: Prompts) -> Request:
    """The call that asks the model for the method."""
    asked = " ".join(question.split())[:LONGEST]
    return Request(STAGE, prompts.render("route", guess=route.method, question=asked), _SCHEMA)


def parse(reply: Reply) -> Method:
    """The method that a reply names. Raises UnusableReplyError where it names none or several."""
    for text in (_stated(reply.text), reply.text, reply.text.strip().rpartition("\n")[2]):
        named: set[Method] = {_method(word) for word in _SAID.findall(text)}
        if len(named) == 1:
            return named.pop()
    raise UnusableReplyError("the reply names no method of answering; ask again")


def _stated(text: str) -> str:
    try:
        return str(to_object(text).data.get("method", ""))
    except UnusableReplyError:
        return ""


def _method(word: str) -> Method:
    match word.lower():
        case "local":
            return "local"
        case "global":
            return "global"
        case _:
            return "drift"


def _has_reports(question: str, retriever: Retriever) -> bool:
    return bool(retriever.reader.nearest("community_reports", retriever.vector(question), 1))


def _reason(kind: Kind, found: Signals) -> str:
    if kind == "global":
        words = (*found.whole, *found.broad)
        return (
            f"it asks about the collection ({_list(words)})" if words else "it reads like a question about everything"
        )
    if kind == "multi-hop":
        if words := (*found.relates, *found.follows):
            return f"it asks how things hang together ({_list(words)})"
        if found.bridges:
            return f"it describes what it does not name ({_list(found.bridges)})"
        return "it reads like a question that joins several facts"
    if found.names:
        return f"it names {', '.join(found.names[:SHOWN])}"
    return "it asks for one fact" if found.fact else "nothing says that it is about the whole collection"


def _list(words: Iterable[str]) -> str:
    shown = dict.fromkeys(_POSSESSIVE.sub("", word) for word in words)
    return ", ".join(f"'{word}'" for word in list(shown)[:SHOWN])
