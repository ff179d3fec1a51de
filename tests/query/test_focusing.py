from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_index import NOTHING, AxisEmbedder, MadeIndex, Passage

from graphrag.query import passage_graph
from graphrag.query.focusing import STEPS, Part, part
from graphrag.query.transition import transition

UNITS, ENTITIES = 5, 4
NODES = UNITS + ENTITIES
DAMPING = 0.65


@dataclass(frozen=True)
class Case:
    """A part in which every node has an edge; seeds of its nodes; likenesses of its text units."""

    part: Part
    seeds: np.ndarray
    likeness: np.ndarray

    def walk(self, sharpness: float) -> np.ndarray:
        return self.part.walk(self.seeds, self.likeness, sharpness, DAMPING)


def part_of(edges: list[tuple[int, int, float]]) -> Part:
    """Text units are 0 to UNITS - 1."""
    rows, columns, weights = map(np.array, zip(*edges, strict=True))
    whole = transition(rows, columns, weights.astype(float), NODES)
    return Part(np.arange(NODES), UNITS, *whole.among(np.arange(NODES)))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    unit, entity, weight = st.integers(0, UNITS - 1), st.integers(UNITS, NODES - 1), st.floats(0.1, 10)
    mentions = draw(st.lists(st.tuples(unit, entity, weight), max_size=12))
    related = draw(st.lists(st.tuples(entity, entity, weight).filter(lambda edge: edge[0] != edge[1]), max_size=4))
    some = [(node % UNITS, UNITS + node % ENTITIES, 1.0) for node in range(NODES)]
    seeds = draw(st.lists(st.floats(0, 1), min_size=NODES, max_size=NODES).filter(lambda seeds: sum(seeds) > 1e-3))
    likeness = draw(st.lists(st.floats(-1, 1, width=32), min_size=UNITS, max_size=UNITS))
    return Case(part_of([*some, *mentions, *related]), np.array(seeds), np.array(likeness, np.float32))


# --- Walks -------------------------------------------------------------------------------


@given(cases(), st.floats(0, 50))
def test_ranks_are_shares_of_one(case: Case, sharpness: float):
    rank = case.walk(sharpness)

    assert (rank >= 0).all()
    assert rank.sum() == pytest.approx(1, abs=1e-5)


@given(cases())
def test_without_sharpness_it_is_plain_pagerank(case: Case):
    plain = np.zeros((NODES, NODES))
    np.add.at(plain, (case.part.targets, case.part.sources), case.part.weights)
    plain /= plain.sum(axis=0)
    restart = case.seeds / case.seeds.sum()
    rank = restart
    for _ in range(STEPS):
        rank = (1 - DAMPING) * restart + DAMPING * plain @ rank

    assert case.walk(0) == pytest.approx(rank, abs=1e-9)


@given(cases(), st.floats(0, 20), st.floats(-1, 1))
def test_only_differences_of_likeness_count(case: Case, sharpness: float, shift: float):
    moved = Case(case.part, case.seeds, case.likeness.astype(float) + shift)

    assert moved.walk(sharpness) == pytest.approx(case.walk(sharpness), abs=1e-5)


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0, 20))
def test_of_an_entitys_passages_the_one_more_like_the_question_gets_more(first: float, second: float, sharpness: float):
    rank = from_entity([(0, 5, 1.0), (1, 5, 1.0)], [first, second, 0, 0, 0], sharpness)

    assert rank[0] / rank[1] == pytest.approx(np.exp(sharpness * (first - second)), rel=1e-3)


def test_a_closer_tie_still_counts():
    rank = from_entity([(0, 5, 3.0), (1, 5, 1.0)], [0.3] * 5, 10)

    assert rank[0] == pytest.approx(3 * rank[1])


@given(st.lists(st.floats(-1, 1), min_size=UNITS, max_size=UNITS), st.floats(0, 20))
def test_what_an_entity_passes_on_to_all_its_passages_stays_the_same(likeness: list[float], sharpness: float):
    """So does what goes to the entities beside it, however little its passages are like the question."""
    edges = [(0, 5, 1.0), (1, 5, 2.0), (2, 5, 0.5), (5, 6, 1.5)]
    plain, focused = from_entity(edges, [0.0] * UNITS, 0), from_entity(edges, likeness, sharpness)

    assert focused[:UNITS].sum() == pytest.approx(plain[:UNITS].sum())
    assert focused[UNITS:] == pytest.approx(plain[UNITS:])


def test_what_a_passage_passes_on_to_its_entities_does_not_depend_on_likeness():
    edges = [(0, 5, 1.0), (0, 6, 3.0)]
    seeds = np.eye(NODES)[0]

    for likeness in ([1.0, 0, 0, 0, 0], [-1.0, 0, 0, 0, 0]):
        rank = part_of(edges).walk(seeds, np.array(likeness), 10, DAMPING)
        assert rank[6] == pytest.approx(3 * rank[5])


def from_entity(edges: list[tuple[int, int, float]], likeness: list[float], sharpness: float) -> np.ndarray:
    return part_of(edges).walk(np.eye(NODES)[5], np.array(likeness), sharpness, DAMPING)


# --- Parts -------------------------------------------------------------------------------

PASSAGES = [("Ann", "Bob"), ("Bob", "Cy"), ("Dee",), ("Eve",), ()]
INDEX = MadeIndex(
    [Passage("x", names) for names in PASSAGES], AxisEmbedder("x"), related=[("Ann", "Cy"), ("Ann", "Eve")]
)
GRAPH = passage_graph.load(INDEX, NOTHING.model_copy(update={"relationships": 0.4}))


def around(units: list[int], *seeded: str) -> tuple[Part, list[str]]:
    seeds = np.zeros(len(GRAPH.position))
    seeds[[GRAPH.position[id_] for id_ in seeded]] = 1
    found = part(GRAPH, np.array(units), seeds)
    ids = [*GRAPH.unit_ids, *GRAPH.entity_ids]
    return found, [ids[node] for node in found.nodes]


def test_a_part_has_the_passages_given_their_entities_and_those_that_are_seeded():
    found, ids = around([1, 0], "e Dee", "e Bob", "u4")

    assert ids == ["u1", "u0", "e Ann", "e Bob", "e Cy", "e Dee"]
    assert found.units == 2


def test_the_edges_of_a_part_are_those_among_its_nodes_in_both_directions():
    found, ids = around([0, 1])

    mentions = [("u0", "e Ann"), ("u0", "e Bob"), ("u1", "e Bob"), ("u1", "e Cy")]
    pairs = {(ids[a], ids[b]): w for a, b, w in zip(found.sources, found.targets, found.weights, strict=True)}
    assert pairs == pytest.approx({
        **dict.fromkeys([*mentions, *(ends[::-1] for ends in mentions)], 1.0),
        **dict.fromkeys([("e Ann", "e Cy"), ("e Cy", "e Ann")], 0.4),
    })  # fmt: skip


def test_a_passage_that_names_nothing_is_a_part():
    found, ids = around([4])
    assert ids == ["u4"]
    assert found.walk(np.ones(1), np.zeros(1), 10, DAMPING) == pytest.approx([1 - DAMPING])
