"""Rankings made one, by the places that each gives: scores of different searches do not compare."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from graphrag.storage.base import Hit

RRF_CONSTANT = 60
"""Cormack, Clarke and Büttcher 2009."""


def fuse(rankings: Iterable[Sequence[Hit]], constant: int = RRF_CONSTANT, decay: float = 1.0) -> list[Hit]:
    """Reciprocal rank fusion: score = sum over rankings of weight / (constant + rank), best first.

    The first ranking weighs 1, each later one `decay` times the one before it.
    """
    scores: defaultdict[str, float] = defaultdict(float)
    for place, ranking in enumerate(rankings):
        for rank, hit in enumerate(ranking, start=1):
            scores[hit.id] += decay**place / (constant + rank)
    return [Hit(id_, score) for id_, score in sorted(scores.items(), key=lambda item: (-item[1], item[0]))]


def shares(scores: Sequence[float]) -> list[float]:
    """Scores scaled to 0..1 within their list, then squared: the first count most. All 1 if they are equal."""
    low, high = min(scores, default=0.0), max(scores, default=0.0)
    return [((score - low) / (high - low)) ** 2 if high > low else 1.0 for score in scores]
