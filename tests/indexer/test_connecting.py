"""Entities without a relationship are tied to those that their sentences name."""

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st
from samples import text_units

from graphrag.indexer.connecting import PARTNERS, WEIGHT, connect
from graphrag.language import fold
from graphrag.records import ExtractedEntity, ExtractedRelationship, Extraction

Edges = list[tuple[str, str, str, float]]


def extractions(names: Mapping[int, Sequence[str]], *edges: tuple[int, str, str]) -> list[Extraction]:
    """What was found in u0, u1 …: names, and relationships of these units."""
    return [
        Extraction(
            f"u{unit}",
            tuple(ExtractedEntity(name, "person", "") for name in found),
            tuple(ExtractedRelationship(a, b, "given", 5.0) for place, a, b in edges if place == unit),
        )
        for unit, found in names.items()
    ]


def added(found: list[Extraction], *texts: str) -> Edges:
    connected = connect(found, text_units(*texts))
    assert [extraction.text_unit_id for extraction in connected] == [extraction.text_unit_id for extraction in found]
    for before, after in zip(found, connected, strict=True):
        assert after.entities == before.entities
        assert after.relationships[: len(before.relationships)] == before.relationships
    return [
        (edge.source, edge.target, edge.description, edge.weight)
        for before, after in zip(found, connected, strict=True)
        for edge in after.relationships[len(before.relationships) :]
    ]


def test_an_entity_without_a_relationship_is_tied_by_its_sentence():
    text = "It rained. Anna saw\n Bruno   there. Clara left."
    found = extractions({0: ["Anna", "Bruno", "Clara", "Dora"]}, (0, "Bruno", "Dora"))

    assert added(found, text) == [("Anna", "Bruno", "Anna saw Bruno there.", WEIGHT)]


def test_what_has_a_relationship_anywhere_gets_no_other():
    found = extractions({0: ["Anna", "Bruno"], 1: ["ANNA", "Bruno"]}, (0, "anna", "Bruno"))

    assert added(found, "x", "Anna met Bruno.") == []


def test_two_lonely_ones_are_tied_once():
    assert len(added(extractions({0: ["Anna", "Bruno"]}), "Anna met Bruno. Bruno met Anna.")) == 1


def test_a_name_inside_another_is_the_same_mention():
    found = extractions({0: ["Scrooge's nephew", "Scrooge"]})

    assert added(found, "Scrooge's nephew came in.") == []


def test_names_of_different_sentences_or_text_units_do_not_meet():
    assert added(extractions({0: ["Anna", "Bruno"]}), "Anna came. Bruno went.") == []
    assert added(extractions({0: ["Anna"], 1: ["Bruno"]}), "Anna met Bruno.", "Bruno met Anna.") == []


def test_those_met_most_often_come_first():
    names = ["Anna", "Bruno", "Clara", "Dora"]
    found = extractions({0: names}, (0, "Bruno", "Clara"), (0, "Clara", "Dora"))
    text = "Anna met Bruno. Anna met Clara. Anna met Dora. Anna and Clara sang. Anna and Dora sang."

    assert [edge[1] for edge in added(found, text)] == ["Clara", "Dora"]


def test_in_korean():
    found = extractions({0: ["윤서진", "한빛제약"]})

    assert [edge[:2] for edge in added(found, "윤서진은 한빛제약을 이끈다.")] == [("윤서진", "한빛제약")]


NAMES = ["Anna", "Bruno", "Clara", "Dora", "Emil"]


@given(st.lists(st.lists(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3), max_size=4), min_size=1, max_size=4))
def test_whatever_the_texts_and_their_order(units: list[list[list[str]]]):
    texts = [" ".join(f"{' and '.join(sentence)} came." for sentence in unit) for unit in units]
    found = extractions({n: sorted({name for s in unit for name in s}) for n, unit in enumerate(units)})

    edges = added(found, *texts)
    backwards = connect(list(reversed(found)), text_units(*texts))

    assert sorted(edges) == sorted(
        (edge.source, edge.target, edge.description, edge.weight) for e in backwards for edge in e.relationships
    )
    pairs = [frozenset((fold(a), fold(b))) for a, b, _, _ in edges]
    assert len(pairs) == len(set(pairs))
    assert all(len(pair) == 2 for pair in pairs)
    for name in NAMES:
        assert sum(edge[0] == name for edge in edges) <= PARTNERS
        meets = any(name in sentence and len(set(sentence)) > 1 for unit in units for sentence in unit)
        assert any(fold(name) in pair for pair in pairs) == meets
