import math
from collections import Counter
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import text_units

from graphrag.indexer import graph
from graphrag.indexer.graph import Graph
from graphrag.language import fold
from graphrag.records import (
    Entity,
    ExtractedEntity,
    ExtractedRelationship,
    ExtractedStatement,
    Extraction,
    Relationship,
    content_id,
)

names = st.sampled_from(["Scrooge", "SCROOGE", "Tiny Tim", "tiny  tim", "Bob", "서울", "Ｂｏｂ", "", " "])
weights = st.one_of(st.floats(1e-6, 1e6), st.sampled_from([0.1, 0.2, 0.3, 0.0, -1.0, math.inf, -math.inf, math.nan]))
entities = st.builds(ExtractedEntity, names, st.sampled_from(["NAME", "PLACE"]), st.sampled_from(["a", "b", ""]))
relationships = st.builds(ExtractedRelationship, names, names, st.sampled_from(["c", "d"]), weights)
statements = st.builds(ExtractedStatement, st.sampled_from(["S.", "T."]), st.lists(names, max_size=3).map(tuple))
extractions = st.lists(
    st.builds(
        Extraction,
        st.just(""),
        st.lists(entities, max_size=4).map(tuple),
        st.lists(relationships, max_size=4).map(tuple),
        st.lists(statements, max_size=2).map(tuple),
    ),
    max_size=5,
).map(lambda found: [replace(extraction, text_unit_id=f"u{n}") for n, extraction in enumerate(found)])


def build(*found: Extraction, max_descriptions: int = 3) -> Graph:
    return graph.build(found, max_descriptions)


def mention(unit: str, *names: str, description: str = "") -> Extraction:
    return Extraction(unit, tuple(ExtractedEntity(name, "NAME", description) for name in names), ())


def relate(unit: str, source: str, target: str, description: str = "", weight: float = 1.0) -> Extraction:
    return Extraction(unit, (), (ExtractedRelationship(source, target, description, weight),))


def comparable(built: Graph) -> object:
    """A graph without what may depend on the order of the text units: descriptions and sequences."""
    return (
        [replace(e, description="", text_unit_ids=tuple(sorted(e.text_unit_ids))) for e in built.entities],
        [replace(r, description="", text_unit_ids=tuple(sorted(r.text_unit_ids))) for r in built.relationships],
        sorted((f.id, f.text, sorted(f.entity_ids), sorted(f.text_unit_ids)) for f in built.facts),
    )


# --- Properties --------------------------------------------------------------------------


@given(extractions, st.randoms())
@settings(deadline=None, max_examples=200)
def test_the_order_of_the_extractions_decides_nothing(found: list[Extraction], random):
    shuffled = random.sample(found, len(found))

    assert comparable(build(*shuffled)) == comparable(build(*found))


@given(extractions)
@settings(deadline=None, max_examples=200)
def test_a_relationship_is_the_same_in_both_directions(found: list[Extraction]):
    def turned(extraction: Extraction) -> Extraction:
        edges = tuple(replace(edge, source=edge.target, target=edge.source) for edge in extraction.relationships)
        return replace(extraction, relationships=edges)

    there, back = build(*found), build(*map(turned, found))

    def undirected(edges: tuple[Relationship, ...]) -> list[object]:
        return [replace(edge, source="", target="") for edge in edges]

    assert undirected(there.relationships) == undirected(back.relationships)
    assert [{e.source, e.target} for e in there.relationships] == [{e.source, e.target} for e in back.relationships]
    assert there.entities == back.entities


@given(extractions)
@settings(deadline=None, max_examples=200)
def test_numbers_agree_with_each_other(found: list[Extraction]):
    built = build(*found)

    titles = {entity.title: entity for entity in built.entities}
    ends = Counter(end for edge in built.relationships for end in (edge.source, edge.target))
    assert len({fold(title) for title in titles}) == len(built.entities)
    for position, entity in enumerate(built.entities):
        assert entity.human_readable_id == position
        assert entity.degree == ends[entity.title]
        assert entity.frequency == len(entity.text_unit_ids) == len(set(entity.text_unit_ids)) > 0
    for position, edge in enumerate(built.relationships):
        assert edge.human_readable_id == position
        assert edge.source != edge.target
        assert 0 < edge.weight < math.inf
        assert edge.combined_degree == titles[edge.source].degree + titles[edge.target].degree
        assert set(edge.text_unit_ids) <= set(titles[edge.source].text_unit_ids)
        assert set(edge.text_unit_ids) <= set(titles[edge.target].text_unit_ids)


@given(extractions)
@settings(deadline=None, max_examples=100)
def test_links_lead_both_ways(found: list[Extraction]):
    built = build(*found)

    linked = {unit.id: unit for unit in graph.link(text_units(*[""] * len(found)), built)}

    for items, field in ((built.entities, "entity_ids"), (built.relationships, "relationship_ids")):
        there = {(unit, item.id) for item in items for unit in item.text_unit_ids}
        back = {(unit.id, id_) for unit in linked.values() for id_ in getattr(unit, field)}
        assert there == back


# --- Merging -----------------------------------------------------------------------------


def test_spellings_of_a_name_are_one_entity_under_the_most_frequent():
    built = build(mention("u0", "SCROOGE"), mention("u1", "Scrooge"), mention("u2", "Scrooge", "Marley"))

    assert [(e.title, e.frequency, e.text_unit_ids) for e in built.entities] == [
        ("Marley", 1, ("u2",)),
        ("Scrooge", 3, ("u0", "u1", "u2")),
    ]
    assert [e.id for e in built.entities] == [content_id("entity", "marley"), content_id("entity", "scrooge")]


def test_weights_add_up_and_descriptions_are_joined_to_a_limit():
    built = build(
        relate("u0", "A", "B", "first", 0.5),
        relate("u1", "b", "a", "second", 0.25),
        relate("u2", "A", "B", "second"),
        relate("u3", "A", "B", "third"),
        max_descriptions=2,
    )

    (edge,) = built.relationships
    assert (edge.source, edge.target, edge.weight, edge.description) == ("A", "B", 2.75, "first second")
    assert edge.text_unit_ids == ("u0", "u1", "u2", "u3")


def test_the_order_in_which_weights_are_added_decides_nothing():
    found = [relate(f"u{n}", "A", "B", weight=weight) for n, weight in enumerate((0.1, 0.2, 0.3, 1e9, 1e-9))]

    assert {build(*order).relationships[0].weight for order in permutations(found)} == {1e9 + 0.6 + 1e-9}


@pytest.mark.parametrize(
    ("source", "target", "weight"),
    [("A", "a", 1.0), ("A", " ", 1.0), ("", "", 1.0), ("A", "B", 0.0), ("A", "B", math.nan), ("A", "B", math.inf)],
)
def test_relationships_that_are_none_are_dropped(source: str, target: str, weight: float):
    assert build(relate("u0", source, target, weight=weight)).relationships == ()


def test_a_relationship_brings_its_ends_along():
    built = build(relate("u0", "A", "B"))

    assert [(e.title, e.type, e.degree, e.text_unit_ids) for e in built.entities] == [
        ("A", "", 1, ("u0",)),
        ("B", "", 1, ("u0",)),
    ]


def test_nothing_extracted():
    assert build() == Graph((), (), ())
    assert build(Extraction("u0", (), ())) == Graph((), (), ())


# --- Facts -------------------------------------------------------------------------------


def test_the_same_statement_in_two_text_units_is_one_fact():
    stated = ExtractedStatement("A met B.", ("A", "B"))
    built = build(Extraction("u0", (), (), (stated,)), Extraction("u1", (), (), (stated,)))

    (fact,) = built.facts
    assert fact.text_unit_ids == ("u0", "u1")
    assert fact.entity_ids == (content_id("entity", "a"), content_id("entity", "b"))


def test_relationships_written_out_as_facts():
    edges = [Relationship("r0", "A", "B", "knows", text_unit_ids=("u0",)), Relationship("r1", "A", "C", "likes")]
    known = [Entity("a", "A", "", ""), Entity("b", "b", "", "")]

    facts = graph.state(edges, known)

    assert [(fact.text, fact.entity_ids, fact.text_unit_ids) for fact in facts] == [
        ("A — knows — B", ("a", "b"), ("u0",)),
        ("A — likes — C", ("a",), ()),
    ]
    assert len({fact.id for fact in facts}) == 2
