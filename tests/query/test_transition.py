import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrag.query import transition as transitions
from graphrag.query.transition import Transition, ranges, transition

NODES = 8
Edge = tuple[int, int, float]
nodes = st.integers(0, NODES - 1)
edges = st.lists(st.tuples(nodes, nodes, st.floats(0.1, 10)), max_size=30)
ranks = st.lists(st.floats(0, 1), min_size=NODES, max_size=NODES).filter(lambda rank: sum(rank) > 1e-9).map(np.array)


def flow_of(edges: list[Edge], size: int = NODES) -> Transition:
    rows, others, weights = zip(*edges, strict=True) if edges else ((), (), ())
    return transition(np.array(rows, np.int64), np.array(others, np.int64), np.array(weights, np.float64), size)


def matrix(flow: Transition) -> np.ndarray:
    return np.array([flow.step(column) for column in np.eye(NODES)]).T


def by_iteration(flow: Transition, seeds: np.ndarray, damping: float) -> np.ndarray:
    restart = seeds / seeds.sum()
    rank = restart
    for _ in range(200):
        rank = (1 - damping) * restart + damping * flow.step(rank)
    return rank


@given(edges)
def test_a_node_passes_on_all_it_has_along_its_edges(edges: list[Edge]):
    flow = matrix(flow_of(edges))

    joined = {(row, column) for row, column, _ in edges} | {(column, row) for row, column, _ in edges}
    assert set(zip(*(places.tolist() for places in np.nonzero(flow)), strict=True)) == joined
    assert flow.sum(axis=0) == pytest.approx(
        [float(any(node in ends for ends in joined)) for node in range(NODES)], rel=1e-6
    )


def test_by_weight():
    flow = matrix(flow_of([(0, 1, 3.0), (2, 1, 0.5), (1, 2, 0.5)]))

    assert flow[:, 1].tolist() == pytest.approx([0.75, 0, 0.25, *[0] * 5])


# --- Walks -------------------------------------------------------------------------------


@pytest.mark.parametrize("many", [0.0, 0.3, 2.0])
@given(edges=edges, seeds=ranks, damping=st.floats(0.05, 0.9), tolerance=st.sampled_from([1e-2, 1e-4, 1e-9]))
def test_a_walk_misses_no_more_than_its_tolerance(
    many: float, edges: list[Edge], seeds: np.ndarray, damping: float, tolerance: float
):
    flow = flow_of(edges)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transitions, "MANY", many)
        missed = by_iteration(flow, seeds, damping) - flow.walk(seeds, damping, tolerance)

    assert missed.min() > -1e-6
    assert (missed <= tolerance * flow.totals + 1e-6).all()


def random_edges(random: np.random.Generator, size: int) -> list[Edge]:
    # Some nodes are hubs: their numbers are low.
    ends = (size * random.random((4 * size, 2)) ** 3).astype(int)
    return [(row, column, float(weight)) for (row, column), weight in zip(ends, random.random(4 * size), strict=True)]


@pytest.mark.parametrize("seed", range(5))
def test_the_best_of_a_walk_are_those_of_the_whole_iteration(seed: int):
    random = np.random.default_rng(seed)
    flow = flow_of(random_edges(random, 3000), 3000)
    seeds = np.zeros(3000)
    seeds[random.integers(0, 3000, 40)] = random.random(40)

    whole, walked = by_iteration(flow, seeds, 0.5), flow.walk(seeds, 0.5)

    assert np.argsort(-walked)[:20].tolist() == np.argsort(-whole)[:20].tolist()


def test_a_walk_in_a_large_graph_stays_where_it_started(monkeypatch: pytest.MonkeyPatch):
    ring = 100_000
    flow = flow_of([(node, (node + 1) % ring, 1.0) for node in range(ring)], ring)
    seeds = np.zeros(ring)
    seeds[500] = 1
    monkeypatch.setattr(Transition, "_spread", None)

    rank = flow.walk(seeds, 0.5)

    assert np.flatnonzero(rank).size < 100
    assert rank.sum() == pytest.approx(1, abs=1e-5)


def test_seeds_may_be_of_any_size():
    flow = flow_of([(0, 1, 1.0), (1, 2, 2.0)])

    for size in (1e-310, 1e300):
        assert flow.walk(np.eye(NODES)[0] * size, 0.5) == pytest.approx(flow.walk(np.eye(NODES)[0], 0.5))


@given(
    edges, st.permutations(range(NODES)).flatmap(lambda order: st.integers(1, NODES).map(lambda count: order[:count]))
)
def test_the_edges_among_some_nodes_are_those_of_the_matrix(edges: list[Edge], chosen: list[int]):
    flow = flow_of(edges)

    sources, targets, weights = flow.among(np.array(chosen, np.int64))

    found = np.zeros((NODES, NODES))
    np.add.at(found, (np.array(chosen, np.int64)[targets], np.array(chosen, np.int64)[sources]), weights)
    inside = np.isin(np.arange(NODES), chosen)
    assert found == pytest.approx(matrix(flow) * flow.totals * np.outer(inside, inside), rel=1e-6)


def test_a_node_without_edges_keeps_what_does_not_flow():
    seeds = np.zeros(NODES)
    seeds[[0, 5]] = 1, 3

    assert flow_of([(0, 1, 1.0)]).walk(seeds, 0.5)[5] == pytest.approx(0.75 * 0.5)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5))))
def test_ranges(pairs: list[tuple[int, int]]):
    starts, sizes = (np.array(values, np.int64) for values in (zip(*pairs, strict=True) if pairs else ((), ())))

    assert ranges(starts, sizes).tolist() == [n for start, size in pairs for n in range(start, start + size)]


def test_walking_imports_nothing_but_numpy():
    program = (
        "import sys, numpy as np; from graphrag.query.transition import transition; ends = np.array([0]); "
        "transition(ends, ends + 1, np.ones(1), 2).walk(np.ones(2), 0.5); "
        "sys.exit(bool({'scipy', 'numpy.ma'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
