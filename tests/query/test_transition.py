import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrag.query import transition
from graphrag.query.transition import Compressed, Listed, Transition, compressed, listed

NODES = 8
Edge = tuple[int, int, float]
nodes = st.integers(0, NODES - 1)
edges = st.lists(st.tuples(nodes, nodes, st.floats(0.1, 10)), max_size=30)
ranks = st.lists(st.floats(0, 1), min_size=NODES, max_size=NODES).map(np.array)


def columns(edges: list[Edge]) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    rows, others, weights = zip(*edges, strict=True) if edges else ((), (), ())
    return np.array(rows, np.int64), np.array(others, np.int64), np.array(weights, np.float64), NODES


def matrix(flow: Transition) -> np.ndarray:
    return np.array([flow.step(column) for column in np.eye(NODES)]).T


@given(edges, ranks)
def test_both_ways_of_walking_are_one(edges: list[Edge], rank: np.ndarray):
    by_numpy, by_scipy = listed(*columns(edges)), compressed(*columns(edges))

    assert by_numpy.step(rank) == pytest.approx(by_scipy.step(rank), abs=1e-12)


@pytest.mark.parametrize("make", [listed, compressed])
@given(edges=edges)
def test_a_node_passes_on_all_it_has_along_its_edges(make: Callable[..., Transition], edges: list[Edge]):
    flow = matrix(make(*columns(edges)))

    joined = {(row, column) for row, column, _ in edges} | {(column, row) for row, column, _ in edges}
    assert set(zip(*(places.tolist() for places in np.nonzero(flow)), strict=True)) == joined
    assert flow.sum(axis=0) == pytest.approx([float(any(node in ends for ends in joined)) for node in range(NODES)])


def test_by_weight():
    flow = matrix(listed(*columns([(0, 1, 3.0), (2, 1, 0.5), (1, 2, 0.5)])))

    assert flow[:, 1].tolist() == [0.75, 0, 0.25, *[0] * 5]


def test_few_edges_are_walked_without_scipy(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(transition, "FEW_EDGES", 2)

    assert isinstance(transition.transition(*columns([(0, 1, 1.0)] * 2)), Listed)
    assert isinstance(transition.transition(*columns([(0, 1, 1.0)] * 3)), Compressed)
    program = (
        "import sys, numpy as np; from graphrag.query.transition import transition; ends = np.array([0]); "
        "transition(ends, ends + 1, np.ones(1), 2).step(np.ones(2)); sys.exit('scipy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
