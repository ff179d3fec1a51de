from graphrag.language import fold
from graphrag.query.context import Tools


def test_the_relationships_of_an_entity_are_those_that_name_it(tools: Tools):
    reader, around = tools.retriever.reader, tools.retriever.surroundings
    ids = {fold(row["title"]): row["id"] for row in reader.table("entities", ["id", "title"]).to_pylist()}
    rows = reader.table("relationships", ["id", "source", "target"]).to_pylist()
    edges = [(row["id"], ids[fold(row["source"])], ids[fold(row["target"])]) for row in rows]

    for entity in ids.values():
        found = [(edge.id, edge.source, edge.target) for edge in around.edges_among([entity])]
        assert found == [edge for edge in edges if entity in edge[1:]]
    assert len(list(around.edges_among(ids.values()))) == len(edges)


def test_the_communities_of_an_entity_come_coarsest_first(tools: Tools):
    reader, around = tools.retriever.reader, tools.retriever.surroundings
    rows = reader.table("communities", ["community", "level", "entity_ids"]).to_pylist()

    for entity in tools.retriever.graph.entity_ids:
        within = [row for row in sorted(rows, key=lambda row: row["level"]) if entity in row["entity_ids"]]
        assert list(around.communities.get(entity)) == [row["community"] for row in within]
    assert around.sizes == {row["community"]: len(row["entity_ids"]) for row in rows}


def test_nothing_lies_around_what_is_no_entity(tools: Tools):
    around = tools.retriever.surroundings

    assert list(around.edges_among(["nobody", tools.retriever.graph.unit_ids[0]])) == []
    assert list(around.communities.get("nobody")) == []
