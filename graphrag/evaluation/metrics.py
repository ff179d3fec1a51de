"""How good a ranking is, judged by gold passages alone: no model is asked."""

from collections.abc import Collection, Sequence


def recall_at(k: int, ranking: Sequence[str], gold: Collection[str]) -> float:
    """The share of the gold ids among the first k of a ranking, 0 to 1. `gold` is not empty."""
    return len(set(gold).intersection(ranking[:k])) / len(set(gold))


def all_at(k: int, ranking: Sequence[str], gold: Collection[str]) -> float:
    """1 if every gold id is among the first k of a ranking, else 0."""
    return float(recall_at(k, ranking, gold) == 1)


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean; 0 of nothing."""
    return sum(values) / len(values) if values else 0.0
