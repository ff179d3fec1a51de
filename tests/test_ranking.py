import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from graphrag.ranking import diverse

VECTORS = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)


def test_a_repetition_comes_after_something_new():
    worth = np.array([1.0, 0.9, 0.8])

    assert diverse(VECTORS, worth, 3, novelty=0.4) == [0, 2, 1]
    assert diverse(VECTORS, worth, 3, novelty=0.0) == [0, 1, 2]


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=3), st.integers(0, 5), st.floats(0, 1))
def test_so_many_as_are_asked_for_and_none_twice(worth: list[float], limit: int, novelty: float):
    chosen = diverse(VECTORS, np.array(worth), limit, novelty)

    assert len(set(chosen)) == len(chosen) == min(limit, 3)


def test_nothing_to_choose_from():
    assert diverse(np.empty((0, 2), np.float32), np.empty(0), 3, 0.4) == []
