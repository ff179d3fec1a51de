"""Reranking: a second look at the passages that a search found, where a reranker is configured.

A search compares a question with passages that were embedded without it; a reranker reads the two
together. It decides on the order alone: what passages are worth beside other things stays the
search's, so that the best passage has the worth that the best one had.

What a walk over the graph comes to may matter without being like the question: there the two orders
are fused, or the reranker would undo the walk (docs/how-to/rerank.md has figures).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from graphrag.answers import RetrievedUnit
from graphrag.errors import ModelError, ModelRefusedError, UnusableReplyError
from graphrag.models.base import Reranker
from graphrag.query.fusing import fuse
from graphrag.storage.base import Hit

CONSTANT, WEIGHT = 1, 0.5
"""Of the reciprocal rank fusion of a walk's order with the reranker's, and what the latter counts in it."""


def rerank(
    question: str, units: Sequence[RetrievedUnit], reranker: Reranker, top: int, walked: bool = False
) -> list[RetrievedUnit]:
    """The units, the first `top` of them in the reranker's order, or, if a walk came to them, in both
    orders fused; equal ones keep theirs.

    `units` are best first, and so are their scores, which stay where they are: the first unit has
    the first score. Raises ModelError; UnusableReplyError unless there is a finite score for each.
    """
    import numpy as np

    first = units[:top]
    if len(first) < 2:
        return list(units)
    scores = np.asarray(reranker.scores(question, [_read(unit) for unit in first]), dtype=np.float64)
    if scores.shape != (len(first),) or not np.isfinite(scores).all():
        raise UnusableReplyError(f"the reranker {reranker.name} gave no number for each of {len(first)} passages")
    order: list[int] = np.argsort(-scores, kind="stable").tolist()
    order = _fused(order) if walked else order
    moved = [replace(first[place], score=unit.score) for place, unit in zip(order, first, strict=True)]
    return [*moved, *units[top:]]


@dataclass(slots=True)
class SecondLook:
    """Reranks for one question, until the reranker fails: then the order stays as it is."""

    reranker: Reranker | None
    top: int
    problem: str = ""
    """Why the reranker was given up; empty if it was not."""

    @property
    def depth(self) -> int:
        """Passages that are worth finding though fewer are wanted; 0 without a reranker."""
        return self.top if self.reranker and not self.problem else 0

    def order(self, question: str, units: Sequence[RetrievedUnit], walked: bool = False) -> list[RetrievedUnit]:
        """The units, reranked if possible. Raises ModelRefusedError where no call will ever do."""
        if self.reranker is None or self.problem:
            return list(units)
        try:
            return rerank(question, units, self.reranker, self.top, walked)
        except ModelRefusedError:
            raise
        except ModelError as error:
            self.problem = f"passages are in the order of the search, without reranking: {error}"
            return list(units)


def _fused(order: Sequence[int]) -> list[int]:
    """The places 0, 1, … in their own order and in another, fused."""
    # Equal scores go by id: it must sort as the place does.
    rankings = [[Hit(f"{place:06}", 0.0) for place in places] for places in (range(len(order)), order)]
    return [int(hit.id) for hit in fuse(rankings, CONSTANT, WEIGHT)]


def _read(unit: RetrievedUnit) -> str:
    """A passage as a reranker reads it: below the title of its document, which often names its subject."""
    return f"{unit.document_title}\n{unit.text}" if unit.document_title else unit.text
