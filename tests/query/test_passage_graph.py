from collections.abc import Callable

import numpy as np
import pytest

from graphrag import GraphRAG
from graphrag.query.context import Tools
from graphrag.query.passage_graph import PassageGraph
from graphrag.query.transition import TOLERANCE


@pytest.fixture
def graph(tools: Tools) -> PassageGraph:
    return tools.retriever.graph


def walk_from(graph: PassageGraph, node: int) -> "np.ndarray":
    seeds = np.zeros(len(graph.position))
    seeds[node] = 2.0
    return graph.walk(seeds, 0.5)


def flow_from(graph: PassageGraph, node: int) -> "np.ndarray":
    return graph.transition.step(np.eye(len(graph.position))[node])


def node_of(graph: PassageGraph, title: str) -> int:
    return len(graph.unit_ids) + graph.entity_titles.index(title)


def test_nodes_are_text_units_then_entities(graph: PassageGraph):
    ids = [*graph.unit_ids, *graph.entity_ids]
    assert [graph.position[id_] for id_ in ids] == list(range(len(graph.position)))
    assert graph.named["otto veit"] == node_of(graph, "Otto Veit")


def test_what_leaves_a_node_is_all_it_has_or_nothing(graph: PassageGraph):
    flows = np.array([flow_from(graph, node) for node in range(len(graph.position))])

    assert all(total == pytest.approx(1) or total == 0 for total in flows.sum(axis=1))
    assert (flows >= 0).all()


def test_rank_flows_from_the_seed_to_what_hangs_together_with_it(graph: PassageGraph):
    ranks = walk_from(graph, node_of(graph, "Brightwell Mill"))

    own, next_, apart = (ranks[graph.position[graph.unit_ids[number]]] for number in (0, 1, 5))
    assert own > next_ > apart
    # Never too high, and too low by what a walk may miss.
    assert -1e-6 < 1 - ranks.sum() <= TOLERANCE * graph.transition.totals.sum() + 1e-6
    assert (ranks >= 0).all()


def test_entities_that_are_related_are_joined(graph: PassageGraph):
    flow = flow_from(graph, node_of(graph, "Brightwell Mill"))

    assert flow[node_of(graph, "Corvane Group")] > 0
    assert flow[node_of(graph, "Otto Veit")] == 0


def test_the_more_is_said_about_an_entity_the_closer_it_is_to_the_passage(graph: PassageGraph):
    flow = flow_from(graph, 6)

    assert flow[node_of(graph, "Aune")] > flow[node_of(graph, "Trout")] > 0


def test_a_passage_without_entities_keeps_what_it_is_given(nameless: GraphRAG, make_tools: Callable[..., Tools]):
    ranks = walk_from(make_tools(nameless).retriever.graph, 2)

    assert np.flatnonzero(ranks).tolist() == [2]


def test_mentions_count_text_units(graph: PassageGraph):
    assert graph.mentions[node_of(graph, "Dresden")] == 2
    assert graph.mentions[node_of(graph, "Trout")] == 1
    assert (graph.mentions >= 1).all()
