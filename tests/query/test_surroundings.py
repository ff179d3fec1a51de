import numpy as np
import pytest

from graphrag.language import fold
from graphrag.query.context import Tools
from graphrag.storage.base import Hit


def test_the_relationships_of_an_entity_are_those_that_name_it(tools: Tools):
    reader, around = tools.retriever.reader, tools.retriever.surroundings
    ids = {fold(row["title"]): row["id"] for row in reader.table("entities", ["id", "title"]).to_pylist()}
    rows = reader.table("relationships", ["id", "source", "target"]).to_pylist()
    edges = [(row["id"], ids[fold(row["source"])], ids[fold(row["target"])]) for row in rows]

    for entity in ids.values():
        found = [(edge.id, edge.source, edge.target) for edge in around.edges_among([entity])]
        assert found == [edge for edge in edges if entity in edge[1:]]
    assert len(list(around.edges_among(ids.values()))) == len(edges)


def test_the_best_relationships_are_between_what_is_worth_most(tools: Tools):
    around, random = tools.retriever.surroundings, np.random.default_rng(3)
    worth = {id_: float(value) for id_, value in zip(around.graph.entity_ids[::2], random.random(99), strict=False)}
    edges = list(tools.retriever.reader.table("relationships", ["id"])["id"].to_pylist())
    ends = {edge.id: (edge.source, edge.target) for edge in around.edges_among(worth)}

    wanted = {id_: sum(worth.get(end, 0.0) for end in both) / 2 for id_, both in ends.items()}
    ranked = sorted(wanted, key=lambda id_: (-wanted[id_], edges.index(id_)))

    assert len(ranked) > 5
    for most in (1, 5, 999):
        found = around.best_relationships(worth, most)
        assert [hit.id for hit in found] == ranked[:most]
        assert [hit.score for hit in found] == pytest.approx([wanted[id_] for id_ in ranked[:most]])


def test_of_relationships_worth_the_same_the_first_are_best(tools: Tools):
    around = tools.retriever.surroundings
    ids = tools.retriever.reader.table("relationships", ["id"])["id"].to_pylist()

    found = around.best_relationships(dict.fromkeys(around.graph.entity_ids, 0.5), 3)

    assert found == [Hit(id_, 0.5) for id_ in ids[:3]]


def test_the_communities_of_an_entity_come_coarsest_first(tools: Tools):
    reader, around = tools.retriever.reader, tools.retriever.surroundings
    rows = reader.table("communities", ["community", "level", "entity_ids"]).to_pylist()

    for entity in tools.retriever.graph.entity_ids:
        within = [row for row in sorted(rows, key=lambda row: row["level"]) if entity in row["entity_ids"]]
        assert list(around.communities.get(entity)) == [row["community"] for row in within]
    assert around.sizes == {row["community"]: len(row["entity_ids"]) for row in rows}


def test_nothing_lies_around_what_is_no_entity(tools: Tools):
    around = tools.retriever.surroundings

    assert around.best_relationships({"nobody": 1.0}, 5) == around.best_relationships({}, 5) == []
    assert list(around.edges_among(["nobody", tools.retriever.graph.unit_ids[0]])) == []
    assert list(around.communities.get("nobody")) == []
