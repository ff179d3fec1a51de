"""What DRIFT's primer reads: the community reports most like the question and a hypothetical answer.

HyDE (Gao et al. 2022, arXiv:2212.10496): an invented answer is nearer to real ones than the question
is. It is shaped by a report of the collection, the one nearest to the question.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphrag import tokens
from graphrag.answers import ContextItem
from graphrag.errors import UnusableReplyError
from graphrag.messages import Reply, Request
from graphrag.models.budget import prompt_tokens
from graphrag.query import findings, packing, routing
from graphrag.query.chat import Chat
from graphrag.query.context import Inquiry
from graphrag.query.fusing import fuse
from graphrag.query.retrieval import DEPTH
from graphrag.query.sources import plain
from graphrag.storage.base import Hit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STAGE = "primer"
HYPOTHESIS_TOKENS = 600
"""Room to think first, for models that do."""
LEAST_CALLS = 2
"""A local step and the answer."""
FIXED_TOKENS = 900
"""Of a step's prompt beside its context and the question: instructions, schema, what is known."""
REPLY_TOKENS = 700
"""The longest reply of a step."""
FINDINGS = 3
"""Of a report, shown beside its summary: those most like the question."""


@dataclass(frozen=True, slots=True)
class Primer:
    """The contexts of the folds, and what it took to choose them."""

    folds: tuple[tuple[ContextItem, ...], ...]
    calls: int
    tokens: int


def choose(inquiry: Inquiry, chat: Chat) -> Primer:
    """The best reports, dealt out to the folds in turn, so that each has some of the best."""
    settings = inquiry.settings.drift
    folded = min(settings.folds, _spare(inquiry, chat))
    if folded < 1:
        return Primer((), 0, 0)
    (question,) = inquiry.tools.embedder.embed([inquiry.question])
    requests = _plan(inquiry, chat, _reports(inquiry, question)[:1])
    replies = chat.ask(requests, _prose)
    # A hypothesis that was not had is one fewer way to find reports, no more.
    texts = [inquiry.question, *(reply for reply in replies if isinstance(reply, str))]
    ranked = _reports(inquiry, _mean(inquiry.tools.embedder.embed(texts)))[: settings.reports]
    reports = _items(inquiry, ranked)
    dealt = [reports[start::folded] for start in range(folded)]
    folds = [packing.in_order([item for report in fold for item in report], settings.fold_tokens) for fold in dealt]
    shown = tuple(inquiry.sources.add(fold) for fold in folds if fold)
    return Primer(shown, len(requests), sum(map(prompt_tokens, requests)))


def affords(inquiry: Inquiry, chat: Chat) -> bool:
    """Whether the budget allows a local step and the final answer."""
    return _spare(inquiry, chat) >= 0


def _spare(inquiry: Inquiry, chat: Chat) -> int:
    """How many folds the settings and the budget of the question leave room for, beside the hypothesis,
    the local step and the final answer; negative if not even for those."""
    settings, left = inquiry.settings.drift, chat.session.left
    calls = settings.max_calls if left.calls is None else min(left.calls, settings.max_calls)
    tokens = settings.max_tokens if left.tokens is None else min(left.tokens, settings.max_tokens)
    fixed = fixed_tokens(inquiry)
    step, final = settings.step_tokens + fixed, settings.reduce_tokens + fixed
    room = tokens - final - step - (0 if left.tokens is None else inquiry.settings.answer_tokens + REPLY_TOKENS)
    if calls < LEAST_CALLS or room < 0:
        return -1
    fold = settings.fold_tokens + fixed + (0 if left.tokens is None else REPLY_TOKENS)
    return max(min(calls - LEAST_CALLS - 1, (room - fixed) // fold), 0)


def fixed_tokens(inquiry: Inquiry) -> int:
    """What a step's prompt takes beside its context; it holds the question twice."""
    return FIXED_TOKENS + 2 * tokens.count(inquiry.question)


def _plan(inquiry: Inquiry, chat: Chat, reports: Sequence[str]) -> list[Request]:
    """The call for the hypothesis, shaped by a report; none where there is none."""
    return [
        Request(
            STAGE,
            chat.render("hypothesis", report=plain(f"{report.title}. {report.text}"), question=inquiry.question),
            max_tokens=HYPOTHESIS_TOKENS,
        )
        for report in findings.summaries(inquiry, reports)
    ]


def _prose(reply: Reply) -> str:
    text = " ".join(reply.text.split())
    if not text:
        raise UnusableReplyError("the reply is empty")
    return text


def _mean(vectors: "NDArray[np.float32]") -> "NDArray[np.float32]":
    import numpy as np

    mean = vectors.mean(axis=0)
    return mean / np.linalg.norm(mean)


def _reports(inquiry: Inquiry, vector: "NDArray[np.float32]") -> list[str]:
    """Reports by likeness and by words; for a broad question also by the size of their communities,
    which brings in those of higher levels. None of a part beside that of the whole."""
    retriever, question, most = inquiry.retriever, inquiry.question, inquiry.options.community_level
    reader, around = retriever.reader, retriever.surroundings
    number = {id_: community for community, id_ in around.reports.items()}
    rankings = [
        reader.nearest("community_reports", vector, DEPTH),
        reader.matching("community_reports", question, DEPTH),
    ]
    if routing.route(question, retriever).method == "global":
        sized = [Hit(id_, float(around.sizes.get(community, 0))) for community, id_ in around.reports.items()]
        rankings.append(sorted(sized, key=lambda hit: (-hit.score, hit.id))[:DEPTH])
    ranked = [hit.id for hit in fuse(rankings) if hit.id in number]
    allowed = [id_ for id_ in ranked if most is None or around.levels.get(number[id_], 0) <= most]
    chosen: dict[str, int] = {}
    over: set[int] = set()
    for id_ in allowed:
        line = around.above(number[id_])
        if number[id_] not in over and not set(line) & set(chosen.values()):
            chosen[id_] = number[id_]
            over.update(line)
    return list(chosen)


def _items(inquiry: Inquiry, ids: Sequence[str]) -> list[list[ContextItem]]:
    """Of each report its summary, then the findings most like the question."""
    chosen = findings.choose(inquiry, ids, FINDINGS * len(ids))
    of_report = {id_: [item for item in chosen if item.id == id_][:FINDINGS] for id_ in ids}
    return [[summary, *of_report[summary.id]] for summary in findings.summaries(inquiry, ids)]
