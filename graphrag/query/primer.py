"""What DRIFT's primer reads: the community reports most like the question and a hypothetical answer.

HyDE (Gao et al. 2022, arXiv:2212.10496): an invented answer is nearer to real ones than the question
is. It is shaped by a report of the collection, the one nearest to the question.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphrag.answers import ContextItem
from graphrag.errors import UnusableReplyError
from graphrag.messages import Reply, Request
from graphrag.models.budget import prompt_tokens
from graphrag.query import findings, packing, routing
from graphrag.query.chat import Chat
from graphrag.query.context import Inquiry
from graphrag.query.retrieval import DEPTH, fuse
from graphrag.storage.base import Hit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STAGE = "primer"
HYPOTHESIS_TOKENS = 200
LEAST_CALLS = 2
"""A fold and the answer: a primer takes no fewer."""
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
    room = affordable(inquiry, chat)
    requests = _plan(inquiry, chat) if room > LEAST_CALLS else []
    folded = min(settings.folds, room - len(requests) - 1)
    replies = chat.ask(requests, _prose)
    # A hypothesis that was not had is one fewer way to find reports, no more.
    texts = [inquiry.question, *(reply for reply in replies if isinstance(reply, str))]
    ranked = _reports(inquiry, _mean(inquiry.tools.embedder.embed(texts)))[: settings.reports]
    reports = _items(inquiry, [hit.id for hit in ranked])
    dealt = [reports[start::folded] for start in range(folded)]
    folds = [packing.in_order([item for report in fold for item in report], settings.fold_tokens) for fold in dealt]
    shown = tuple(inquiry.sources.add(fold) for fold in folds if fold)
    return Primer(shown, len(requests), sum(map(prompt_tokens, requests)))


def affordable(inquiry: Inquiry, chat: Chat) -> int:
    """Calls that the settings and the budget of the session leave for the question."""
    left = chat.session.left.calls
    return inquiry.settings.drift.max_calls if left is None else min(left, inquiry.settings.drift.max_calls)


def _plan(inquiry: Inquiry, chat: Chat) -> list[Request]:
    """The call for the hypothesis; none where there is no report."""
    nearest = inquiry.retriever.hybrid("community_reports", inquiry.question, 1)
    return [
        Request(
            STAGE,
            chat.render("hypothesis", report=f"{report.title}. {report.text}", question=inquiry.question),
            max_tokens=HYPOTHESIS_TOKENS,
        )
        for report in findings.summaries(inquiry, [hit.id for hit in nearest])
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


def _reports(inquiry: Inquiry, vector: "NDArray[np.float32]") -> list[Hit]:
    """Reports by likeness and by words; for a broad question also by the size of their communities,
    which brings in those of higher levels."""
    retriever, question, most = inquiry.retriever, inquiry.question, inquiry.options.community_level
    reader, around = retriever.reader, retriever.surroundings
    rankings = [
        reader.nearest("community_reports", vector, DEPTH),
        reader.matching("community_reports", question, DEPTH),
    ]
    if routing.route(question, retriever).method == "global":
        sized = [Hit(id_, float(around.sizes.get(number, 0))) for number, id_ in around.reports.items()]
        rankings.append(sorted(sized, key=lambda hit: (-hit.score, hit.id))[:DEPTH])
    allowed = {id_ for n, id_ in around.reports.items() if most is None or around.levels.get(n, 0) <= most}
    return [hit for hit in fuse(rankings) if hit.id in allowed]


def _items(inquiry: Inquiry, ids: Sequence[str]) -> list[list[ContextItem]]:
    """Of each report its summary, then the findings most like the question."""
    chosen = findings.choose(inquiry, ids, FINDINGS * len(ids))
    of_report = {id_: [item for item in chosen if item.id == id_][:FINDINGS] for id_ in ids}
    return [[summary, *of_report[summary.id]] for summary in findings.summaries(inquiry, ids)]
