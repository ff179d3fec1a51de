"""What every method works with: the opened index, and one question on its way to an answer."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from graphrag import tokens
from graphrag.answers import Answer, ContextItem, Method, QueryOptions, RetrievedUnit, Step
from graphrag.models.base import Embedder, Reranker
from graphrag.query.chat import Chat
from graphrag.query.checking import Checker
from graphrag.query.citing import Draft, Numbering
from graphrag.query.reranking import SecondLook
from graphrag.query.retrieval import Retriever
from graphrag.query.sources import Sources
from graphrag.settings import QuerySettings

FIXED_TOKENS = 500
"""Of a prompt that asks for an answer, beside its context and the question."""
LEAST_TOKENS = 256
"""Of a context: less is not worth a call."""


@dataclass(frozen=True, slots=True)
class Tools:
    """One version of an index, opened for questions; shared by all of them."""

    retriever: Retriever
    embedder: Embedder
    checker: Checker
    settings: QuerySettings
    reranker: Reranker | None = None
    """None: passages stay in the order of the search."""
    reranked: int = 50
    """Passages of each search that it looks at."""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One question, and what was shown and cited on the way to its answer."""

    question: str
    tools: Tools
    chat: Chat | None = None
    """None: no model is asked, and answers quote."""
    options: QueryOptions = field(default_factory=QueryOptions)
    sources: Sources = field(init=False)
    numbering: Numbering = field(init=False)
    second_look: SecondLook = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing shown and nothing cited."""
        object.__setattr__(self, "sources", Sources(self.tools.retriever))
        object.__setattr__(self, "numbering", Numbering())
        object.__setattr__(self, "second_look", SecondLook(self.tools.reranker, self.tools.reranked))

    @property
    def retriever(self) -> Retriever:
        """What the index is searched with."""
        return self.tools.retriever

    @property
    def settings(self) -> QuerySettings:
        """How questions are answered."""
        return self.tools.settings

    def fitting(self, limit: int) -> int:
        """A limit for a context, less where the budget of the question leaves less beside the answer."""
        left = self.chat.session.left.tokens if self.chat else None
        if left is None:
            return limit
        fixed = FIXED_TOKENS + tokens.count(self.question) + self.settings.answer_tokens
        return min(limit, max(left - fixed, LEAST_TOKENS))

    def conclude(
        self,
        method: Method,
        draft: Draft,
        *,
        hierarchy: Step | None = None,
        stopped: str = "",
        found: bool | None = None,
    ) -> Answer:
        """The answer that a method came to, its citations numbered."""
        return Answer(
            question=self.question,
            method=method,
            text=draft.text,
            citations=self.numbering.citations(),
            context=self.sources.items,
            sentences=draft.sentences,
            found=draft.found if found is None else found,
            hierarchy=hierarchy,
            stopped=stopped,
            notices=(*draft.notices, *filter(None, [self.second_look.problem])),
        )


def unit_items(units: Sequence[RetrievedUnit]) -> list[ContextItem]:
    """Text units as items of a context."""
    return [unit_item(unit, unit.score) for unit in units]


def unit_item(unit: RetrievedUnit, score: float) -> ContextItem:
    """A text unit as an item of a context that is worth so much."""
    return ContextItem("text_unit", unit.text_unit_id, unit.document_title, unit.text, score, (unit.text_unit_id,))


def with_notices(answer: Answer, *notices: str) -> Answer:
    """The answer, and what else was not as it should be."""
    return replace(answer, notices=(*answer.notices, *filter(None, notices)))
