import numpy as np
import pytest

from graphrag.language import fold
from graphrag.query.context import Tools
from graphrag.storage.base import Hit, Reader


def ends(reader: Reader) -> dict[str, tuple[str, str]]:
    """The entities that each relationship is between."""
    ids = {fold(row["title"]): row["id"] for row in reader.table("entities", ["id", "title"]).to_pylist()}
    rows = reader.table("relationships", ["id", "source", "target"]).to_pylist()
    return {row["id"]: (ids[fold(row["source"])], ids[fold(row["target"])]) for row in rows}


def test_the_relationships_of_an_entity_are_those_that_name_it(tools: Tools):
    around, between = tools.retriever.surroundings, ends(tools.retriever.reader)

    for entity in tools.retriever.graph.entity_ids:
        found = [hit.id for hit in around.best_relationships({entity: 1.0}, len(between))]
        assert found == [id_ for id_, both in between.items() if entity in both]


def test_the_best_relationships_are_between_what_is_worth_most(tools: Tools):
    around, random = tools.retriever.surroundings, np.random.default_rng(3)
    entities = tools.retriever.graph.entity_ids[::2]
    worth = {id_: float(value) for id_, value in zip(entities, random.random(99), strict=False)}
    between = ends(tools.retriever.reader)

    wanted = {id_: sum(worth.get(end, 0.0) for end in both) / 2 for id_, both in between.items()}
    ranked = sorted((id_ for id_ in wanted if wanted[id_]), key=lambda id_: -wanted[id_])

    assert len(ranked) > 5
    for most in (1, 5, 999):
        found = around.best_relationships(worth, most)
        assert [hit.id for hit in found] == ranked[:most]
        assert [hit.score for hit in found] == pytest.approx([wanted[id_] for id_ in ranked[:most]])


def test_of_relationships_worth_the_same_the_first_are_best(tools: Tools):
    around = tools.retriever.surroundings
    ids = tools.retriever.reader.table("relationships", ["id"])["id"].to_pylist()

    found = around.best_relationships(dict.fromkeys(tools.retriever.graph.entity_ids, 0.5), 3)

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
    assert list(around.communities.get("nobody")) == []
