"""Dynamic community selection: a model rates reports from the top down, and is followed into the
parts of those that it finds relevant.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import cast

from graphrag.answers import ContextItem
from graphrag.errors import UnusableReplyError
from graphrag.messages import Reply, ReplySchema, Request, Unanswered
from graphrag.models.budget import prompt_tokens
from graphrag.models.replies import to_object, to_score, to_share
from graphrag.query import findings, mapping
from graphrag.query.chat import Chat
from graphrag.query.context import Inquiry
from graphrag.query.report_selection import Hierarchy, Place
from graphrag.query.sources import line

STAGE = "rating"
HIGHEST = 5
FAR_BELOW = 0.3
"""A report this much less like the question than the best one, and with it all below it, is not
worth a call: cosines of reports to a question about everything lie within less, those to a question
about one thing spread over twice as much."""
SCHEMA = ReplySchema(
    "ratings",
    {
        "type": "object",
        "properties": {
            "ratings": {
                "type": "array",
                "items": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2},
            }
        },
        "required": ["ratings"],
        "additionalProperties": False,
    },
)


@dataclass(frozen=True, slots=True)
class Followed:
    """What came of a descent."""

    places: tuple[Place, ...]
    """The relevant reports none of whose parts are, most relevant first."""
    rated: int = 0
    """Reports that the model was asked about."""
    guessed: int = 0
    """Those among them, and others for want of budget, that went by their likeness instead."""


def descend(inquiry: Inquiry, chat: Chat, hierarchy: Hierarchy, kept: int) -> Followed:
    """The reports that a model follows from the top down.

    Those far less like the question than the best one are passed over without being asked about.
    What it does not rate goes by its likeness, and so does what the budget allows no call for, so
    that two calls (one to read, one to answer) and `kept` tokens remain.
    """
    least = inquiry.settings.global_.relevance
    level = _worth_asking(hierarchy, hierarchy.top)
    ratings: dict[int, float] = {}
    rated = guessed = 0
    while level:
        said = _rate(inquiry, chat, level, kept)
        rated += len(level)
        guessed += sum(place.community not in said for place in level)
        ratings |= {place.community: said.get(place.community, _guess(hierarchy, place)) for place in level}
        relevant = [place for place in level if ratings[place.community] >= least]
        level = _worth_asking(hierarchy, (part for place in relevant for part in hierarchy.below(place)))
    found = [hierarchy.places[number] for number, rating in ratings.items() if rating >= least]
    chosen = {place.community for place in found}
    finest = [place for place in found if chosen.isdisjoint(place.children)]
    finest.sort(key=lambda place: (-ratings[place.community], -place.likeness, place.community))
    return Followed(tuple(finest), rated, guessed)


def _worth_asking(hierarchy: Hierarchy, places: Iterable[Place]) -> list[Place]:
    """Those that are like enough to the question, or lead to one that is, to spend a call on."""
    return [place for place in places if hierarchy.reach[place.community] >= hierarchy.best - FAR_BELOW]


def _guess(hierarchy: Hierarchy, place: Place) -> float:
    """A rating by likeness: the highest for the best report, 0 for one that is far below it."""
    share = 1 - (hierarchy.best - hierarchy.reach[place.community]) / FAR_BELOW
    return HIGHEST * min(max(share, 0.0), 1.0)


def _rate(inquiry: Inquiry, chat: Chat, places: Sequence[Place], kept: int) -> dict[int, float]:
    """Ratings by the number of the community; not of those that the model did not rate."""
    by_id = {place.id: place.community for place in places}
    summaries = ((item,) for item in findings.summaries(inquiry, list(by_id)))
    batches = [batch.items for batch in mapping.pack(summaries, inquiry.settings.global_.batch_tokens)]
    requests = [_plan(inquiry, chat, items) for items in batches]
    costs = [prompt_tokens(request) for request in requests]
    # What is asked here must leave a call that reads, and one that answers.
    spare = replace(chat.session.left, calls=_less(chat.session.left.calls))
    number = mapping.afford(spare, costs, kept + inquiry.settings.global_.batch_tokens)
    answers = chat.ask(requests[:number], parse)
    return {
        by_id[items[place].id]: rating
        for items, answer in zip(batches, answers, strict=False)
        for place, rating in _understood(answer).items()
        if place < len(items)
    }


def _less(calls: int | None) -> int | None:
    return None if calls is None else max(calls - 1, 0)


def _understood(answer: dict[int, float] | Unanswered) -> dict[int, float]:
    if not isinstance(answer, Unanswered):
        return answer
    return cast("dict[int, float]", answer.partial) if isinstance(answer.partial, dict) else {}


def _plan(inquiry: Inquiry, chat: Chat, items: Sequence[ContextItem]) -> Request:
    lines = "\n".join(line(replace(item, handle=str(number))) for number, item in enumerate(items, start=1))
    return Request(STAGE, chat.render("rate", question=inquiry.question, reports=lines), SCHEMA)


def parse(reply: Reply) -> dict[int, float]:
    """The ratings, 0 to 5, of a reply by the place of the line, from 0; those that are none are left out.

    Raises UnusableReplyError if it holds none, and, with those it has as its `partial`, if it
    breaks off although its model had not reached its limit.
    """
    parsed = to_object(reply.text)
    given = parsed.data.get("ratings", parsed.data)
    pairs: list[tuple[object, object]] = []
    if isinstance(given, dict):
        pairs = list(cast("dict[object, object]", given).items())
    for place, row in enumerate(cast("list[object]", given) if isinstance(given, list) else ()):
        fields = list(cast("dict[str, object]", row).values()) if isinstance(row, dict) else row
        values = cast("list[object]", fields) if isinstance(fields, list) else [place + 1, fields]
        pairs += [(values[0], values[1])] if len(values) > 1 else []
    ratings: dict[int, float] = {}
    for label, value in pairs:
        number, share = to_score(label, 0, 10**6), to_share(value, HIGHEST)
        if number and share is not None:
            ratings.setdefault(int(number) - 1, share * HIGHEST)
    if pairs and not ratings:
        raise UnusableReplyError("the reply holds no rating that can be read")
    if not pairs:
        raise UnusableReplyError("the reply holds no ratings")
    if not parsed.complete and reply.finish == "stop":
        raise UnusableReplyError("the reply breaks off in the middle", ratings)
    return ratings
