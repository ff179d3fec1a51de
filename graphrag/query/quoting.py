"""The steps of DRIFT without a model: they quote, and follow the entities that they come to.

A follow-up is the question again, turned on an entity that the step before raised; it adds the
more the nearer the entity is in the graph and in meaning.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

from graphrag.answers import ContextItem, Event
from graphrag.messages import Unanswered
from graphrag.query import answering, findings, gathering
from graphrag.query.citing import Draft, Statement
from graphrag.query.context import Inquiry
from graphrag.query.extracting import quote
from graphrag.query.fusing import fuse
from graphrag.query.hierarchy import FollowUp, Found, Node, Suggestion
from graphrag.storage.base import Hit

REPORTS = 5
"""Reports that the primer reads."""
PRIMER_FINDINGS = 3
STEP_STATEMENTS = 2
CONTEXT_UNITS = 20
RAISED = 8
"""Entities that one step raises."""


@dataclass(frozen=True, slots=True)
class QuotingExplorer:
    """Explores without a model. See `drift_search.Explorer`."""

    inquiry: Inquiry

    def prime(self) -> list[Found | Unanswered]:
        """Findings of the reports nearest to the question, and what local search comes to."""
        inquiry = self.inquiry
        reports = [hit.id for hit in inquiry.retriever.hybrid("community_reports", inquiry.question, REPORTS)]
        chosen = inquiry.sources.add(findings.choose(inquiry, reports, PRIMER_FINDINGS))
        stated = findings.state(inquiry, chosen, PRIMER_FINDINGS)
        local = gathering.nearest(inquiry, inquiry.question, inquiry.settings.local.k)
        return [self._found(stated, [*chosen, *local])]

    def follow(self, batch: Sequence[FollowUp]) -> list[Found | Unanswered]:
        """Local search for the question turned on each entity."""
        return [self._follow(up) for up in batch]

    def conclude(self, root: Node) -> Generator[Event, None, Draft]:
        """The sentences of all passages that answer best."""
        rankings = [
            [Hit(item.id, 0.0) for item in node.found.items if item.kind == "text_unit"] for node in root.walk()
        ]
        best = {hit.id: place for place, hit in enumerate(fuse(rankings)[:CONTEXT_UNITS])}
        items = [item for item in self.inquiry.sources.items if item.kind == "text_unit" and item.id in best]
        items.sort(key=lambda item: best[item.id])
        return answering.answer(self.inquiry, items)

    def cost(self) -> tuple[int, int]:
        """Nothing."""
        return 0, 0

    def _follow(self, up: FollowUp) -> Found:
        inquiry = self.inquiry
        items = gathering.nearest(inquiry, up.question, inquiry.settings.local.k, up.suggestion.focus)
        units = inquiry.sources.beneath(item for item in items if item.kind == "text_unit")
        statements = quote(up.question, units, STEP_STATEMENTS, inquiry.tools.embedder)
        return self._found(statements, items)

    def _found(self, statements: Sequence[Statement], items: Sequence[ContextItem]) -> Found:
        # What the question names was asked about already.
        named = self.inquiry.retriever.entity_ids_in(self.inquiry.question)
        entities = [item for item in items if item.kind == "entity" and item.id not in named]
        return Found(
            statements=tuple((statement, _bearers(statement, items)) for statement in statements),
            score=min(max((statement.score for statement in statements), default=0.0), 1.0),
            suggestions=tuple(self._raised(entities[:RAISED])),
            items=tuple(items),
        )

    def _raised(self, entities: Sequence[ContextItem]) -> Iterator[Suggestion]:
        for place, item in enumerate(entities):
            asked = f"{item.title}: {self.inquiry.question}"
            yield Suggestion(asked, 1 - place / len(entities), item.title, (item.id,))


def _bearers(statement: Statement, items: Iterable[ContextItem]) -> tuple[ContextItem, ...]:
    units = {evidence.unit.text_unit_id for evidence in statement.evidence}
    return tuple(item for item in items if item.kind == "text_unit" and item.id in units)
