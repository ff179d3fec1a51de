"""What every method works with, and the context that its answer was chosen from."""

from collections.abc import Sequence
from dataclasses import dataclass

from graphrag.answers import Answer, ContextItem, Method, RetrievedUnit
from graphrag.models.base import Embedder
from graphrag.query.answering import Answerer
from graphrag.query.citing import Numbering, Statement
from graphrag.query.retrieval import Retriever
from graphrag.settings import QuerySettings
from graphrag.storage.base import Hit

NOTHING_FOUND = "Nothing in the collection answers this."


@dataclass(frozen=True, slots=True)
class Tools:
    """What a query method needs."""

    retriever: Retriever
    answerer: Answerer
    embedder: Embedder
    settings: QuerySettings


def answer(question: str, method: Method, statements: Sequence[Statement], context: Sequence[ContextItem]) -> Answer:
    """Statements as an Answer with numbered citations; says so where there are none."""
    numbering = Numbering()
    text = numbering.prose(statements) or NOTHING_FOUND
    return Answer(question, method, text, numbering.citations(), tuple(context))


def unit_items(units: Sequence[RetrievedUnit]) -> list[ContextItem]:
    """Text units as items of a context."""
    return [
        ContextItem("text_unit", unit.text_unit_id, unit.document_title, unit.text, unit.score, (unit.text_unit_id,))
        for unit in units
    ]


def entity_items(retriever: Retriever, hits: Sequence[Hit]) -> list[ContextItem]:
    """Entities as items of a context."""
    columns = ["id", "title", "description", "text_unit_ids"]
    scores = {hit.id: hit.score for hit in hits}
    return [
        ContextItem(
            "entity", row["id"], row["title"], row["description"], scores[row["id"]], tuple(row["text_unit_ids"])
        )
        for row in retriever.reader.rows("entities", list(scores), columns).to_pylist()
    ]
