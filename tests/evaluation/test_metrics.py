import pytest

from graphrag.evaluation.metrics import all_at, mean, recall_at


@pytest.mark.parametrize(
    ("k", "ranking", "gold", "recall", "everything"),
    [
        (2, "abcd", "ab", 1.0, 1.0),
        (2, "abcd", "ac", 0.5, 0.0),
        (3, "abcd", "ac", 1.0, 1.0),
        (1, "abcd", "z", 0.0, 0.0),
        (5, "ab", "abz", 2 / 3, 0.0),
        (5, "", "a", 0.0, 0.0),
        (2, "ab", "aab", 1.0, 1.0),
    ],
)
def test_recall_and_all(k: int, ranking: str, gold: str, recall: float, everything: float):
    assert recall_at(k, list(ranking), list(gold)) == pytest.approx(recall)
    assert all_at(k, list(ranking), list(gold)) == everything


def test_mean():
    assert mean([1.0, 0.0, 0.5]) == 0.5
    assert mean([]) == 0.0
