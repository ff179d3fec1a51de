"""The query engine: a question goes in, events come out, the last of them the answer.

The plain call is this one consumed to its end, so that streaming has no code of its own.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from threading import Lock

from graphrag.answers import Answer, Event, Finished, Method, QueryOptions, RetrievedUnit, Routed, Usage
from graphrag.errors import QueryError
from graphrag.messages import Unanswered
from graphrag.models.base import ChatSession, Embedder, Reranker
from graphrag.query import answering, basic, conversing, drift_search, filtering, global_search, local_search, routing
from graphrag.query.chat import Chat
from graphrag.query.checking import Checker
from graphrag.query.context import Inquiry, Tools
from graphrag.query.conversing import Conversation
from graphrag.query.filtered_reader import FilteredReader
from graphrag.query.reranking import rerank
from graphrag.query.retrieval import Retriever
from graphrag.settings import QuerySettings
from graphrag.storage.base import Reader

LONGEST_QUESTION = 20_000
"""Characters; more is a document, not a question."""
MOST_PARTS = 4
"""Filters whose part of the index is kept open."""
NO_TEXT_UNITS = "the index holds no text units: nothing can be cited"
BY_MODEL = "the model says so, as the question itself leaves it open"

Search = Callable[[Inquiry], Generator[Event, None, Answer]]
METHODS: Mapping[Method, Search] = {
    "local": local_search.search,
    "global": global_search.search,
    "drift": drift_search.search,
    "basic": basic.search,
}


class QueryEngine:
    """Answers questions from one version of an index. For any thread."""

    def __init__(
        self,
        reader: Reader,
        embedder: Embedder,
        settings: QuerySettings,
        reranker: Reranker | None = None,
        reranked: int = 50,
    ) -> None:
        """`embedder` made the vectors of the index. The first `reranked` passages of a search are put
        into the order of `reranker`."""
        self._reader = reader
        self._retriever = Retriever(reader, embedder, settings.retrieval)
        self._tools = Tools(self._retriever, embedder, Checker(embedder), settings, reranker, reranked)
        self._parts: OrderedDict[frozenset[str], QueryEngine] = OrderedDict()
        self._lock = Lock()

    def filtered(self, filters: Sequence[str]) -> "QueryEngine":
        """One that knows nothing but the documents that meet all conditions. Raises QueryError."""
        if not filters:
            return self
        documents = filtering.matching(self._reader, filtering.parse(filters))
        with self._lock:
            if documents not in self._parts:
                part, tools = FilteredReader(self._reader, documents), self._tools
                self._parts[documents] = QueryEngine(
                    part, tools.embedder, tools.settings, tools.reranker, tools.reranked
                )
            self._parts.move_to_end(documents)
            while len(self._parts) > MOST_PARTS:
                self._parts.popitem(last=False)
            return self._parts[documents]

    def retrieve(self, question: str, k: int, method: str) -> list[RetrievedUnit]:
        """The k best text units, best first. Raises QueryError, and ModelError where the reranker fails."""
        asked, tools = _checked(question), self._tools
        depth = max(k, tools.reranked) if tools.reranker else k
        ranked = self._retriever.hybrid("text_units", asked, depth) if method == "basic" else None
        units = self._retriever.units(self._retriever.local(asked, depth).text_units if ranked is None else ranked)
        if tools.reranker:
            units = rerank(asked, units, tools.reranker, tools.reranked, walked=method != "basic")
        return units[:k]

    def ask(
        self,
        question: str,
        method: str,
        chat: Chat | None = None,
        options: QueryOptions | None = None,
        conversation: Conversation | None = None,
    ) -> Generator[Event]:
        """The way to an answer, event by event. `method` is one of `METHODS` or "auto".

        Raises QueryError for a question or method that is none, and ModelError where the model
        cannot be asked at all. An index without text units answers nothing, and asks no model.
        """
        started = time.monotonic()
        asked, options = _checked(question), options or QueryOptions()
        if method not in METHODS and method != "auto":
            raise QueryError(f"unknown query method '{method}': use auto, {', '.join(METHODS)}")
        chat = chat if self._can_cite else None
        if conversation:
            asked = conversing.stand_alone(asked, conversation, chat, options.filters)
        inquiry = Inquiry(asked, self._tools, chat, options)
        chosen, reason = _choose(inquiry, method)
        yield Routed(chosen, reason)
        answer = yield from METHODS[chosen](inquiry) if self._can_cite else _nothing(inquiry, chosen)
        usage = replace(_usage(chat.session) if chat else Usage(), seconds=round(time.monotonic() - started, 3))
        said = "" if asked == question.strip() else asked
        answer = replace(answer, question=question, stands_for=said, route=reason, usage=usage)
        if conversation is not None:
            conversation.add(question, answer.text, said, options.filters)
        yield Finished(answer)

    @cached_property
    def _can_cite(self) -> bool:
        return bool(self._reader.table("text_units", ["id"]).num_rows)


def _choose(inquiry: Inquiry, method: str) -> tuple[Method, str]:
    """The method, and why where it was not given."""
    for known in METHODS:
        if method == known:
            return known, ""
    route = routing.route(inquiry.question, inquiry.retriever)
    if route.sure or inquiry.chat is None:
        return route.method, route.reason
    (said,) = inquiry.chat.ask([routing.plan(inquiry.question, route, inquiry.chat.prompts)], routing.parse)
    return (route.method, route.reason) if isinstance(said, Unanswered) else (said, BY_MODEL)


def _nothing(inquiry: Inquiry, method: Method) -> Generator[Event, None, Answer]:
    return inquiry.conclude(method, (yield from answering.state(inquiry, (), NO_TEXT_UNITS)))


def _checked(question: str) -> str:
    if not question.strip():
        raise QueryError("the question is empty")
    if len(question) > LONGEST_QUESTION:
        raise QueryError(
            f"the question has {len(question):,} characters, at most {LONGEST_QUESTION:,} are read: "
            "put long texts into the input folder and ask about them"
        )
    return question.strip()


def _usage(session: ChatSession) -> Usage:
    stages = session.usage.values()
    return Usage(
        model_calls=sum(stage.calls for stage in stages),
        remembered=sum(stage.hits for stage in stages),
        prompt_tokens=sum(stage.tokens.prompt for stage in stages),
        completion_tokens=sum(stage.tokens.completion for stage in stages),
    )
