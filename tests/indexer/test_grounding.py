from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrag.indexer.grounding import Grounded, ground, merge
from graphrag.indexer.windows import Passage, Window
from graphrag.models.replies import GraphReply
from graphrag.records import ExtractedEntity, ExtractedRelationship, Extraction

SCROOGE = "Ebenezer Scrooge was a miser. Jacob Marley had been his partner."
GHOST = "Marley's ghost came at night. Scrooge was afraid."
SEOUL = "삼성전자는 서울에 있다."


def window(*texts: str) -> Window:
    return Window(tuple(Passage(f"u{n}", text, 10) for n, text in enumerate(texts)))


def grounded(*texts: str, **found: Any) -> Grounded:
    return ground(window(*texts), GraphReply(**{name: tuple(rows) for name, rows in found.items()}))


def units(found: Grounded, kind: str = "entities") -> list[int]:
    return [len(getattr(extraction, kind)) for extraction in found.extractions]


@pytest.mark.parametrize(
    ("name", "passages", "expected"),
    [
        ("Ebenezer Scrooge", "1", [1, 0]),
        ("Ebenezer Scrooge", "1,2", [1, 1]),
        ("Ebenezer Scrooge", "[1-2]", [1, 1]),
        ("Scrooge", "1", [1, 1]),  # it is named there, whatever the model says
        ("SCROOGE", "", [1, 1]),
        ("Jacob Marley", "", [1, 0]),
        ("Jacob Marley", "7, 99999999999, -1", [1, 0]),
        ("Marley", "none", [1, 1]),
        ("Old Jacob", "", [1, 0]),
        ("Mira Okafor", "1", [0, 0]),  # of the instructions, not of the text
        ("the", "", [1, 0]),
        ("x" * 300, "1", [0, 0]),
        ("Scrooge was a miser and Marley had been his partner.", "1", [0, 0]),  # a sentence is no name
        ("He", "1", [0, 0]),
        ("Who Is Afraid of Ebenezer Scrooge?", "1", [1, 0]),
    ],
)
def test_an_entity_belongs_to_the_passages_that_name_it(name: str, passages: str, expected: list[int]):
    text = SCROOGE.replace("his partner", "the partner")
    found = grounded(text, GHOST, entities=[(name, "Person", passages, " A man. ")])

    assert units(found) == expected
    assert found.dropped == (sum(expected) == 0)
    kept = [entity for extraction in found.extractions for entity in extraction.entities]
    assert all(entity == ExtractedEntity(name, "person", "A man.") for entity in kept)


@pytest.mark.parametrize(
    ("description", "kept"),
    [
        ("Marley had been his partner.", True),
        ("Marley is a character of Charles Dickens. He had been his partner.", False),
        ("He was the partner of Ebenezer Scrooge since 1843.", False),
        ("The Ghost of Ebenezer Scrooge, whom Old Jacob knew.", True),
        ("The Partner. The Employees knew him.", True),  # capitals that name nobody
        ("He had been in the United States.", True),  # the text has the initials
        ("He owned 1,843 houses and paid 20.20 pounds.", True),
    ],
)
def test_what_a_model_knows_by_heart_is_left_out(description: str, kept: bool):
    text = f"{SCROOGE} He had been in the US."
    found = grounded(text, entities=[("Jacob Marley", "person", "", description)])

    (entity,) = found.extractions[0].entities
    assert (entity.description == description) == kept
    assert "Dickens" not in entity.description
    assert "1843" not in entity.description


def test_a_name_that_is_spelt_like_a_pronoun_is_one_in_capitals():
    found = grounded("The WHO says that it helps.", entities=[("WHO", "organization", "", ""), ("It", "thing", "", "")])

    assert [entity.name for entity in found.extractions[0].entities] == ["WHO"]


def test_names_are_found_in_scripts_that_write_particles_on_to_them():
    found = grounded(SEOUL, SCROOGE, entities=[("삼성전자", "organization", "", ""), ("서울", "place", "", "")])

    assert units(found) == [2, 0]


def test_a_part_of_a_word_is_not_the_name():
    found = grounded("He was annoyed.", "Ann was there.", entities=[("Ann", "person", "", "")])

    assert units(found) == [0, 1]


@pytest.mark.parametrize(
    ("passages", "expected"), [("1", [1, 0]), ("1,2", [1, 1]), ("", [1, 1]), ("9", [1, 1]), ("0", [1, 1])]
)
def test_a_relationship_belongs_to_the_passages_that_say_so(passages: str, expected: list[int]):
    found = grounded(SCROOGE, GHOST, relationships=[("Scrooge", "Marley", "8", passages, "partners")])

    assert units(found, "relationships") == expected
    weights = [edge.weight for extraction in found.extractions for edge in extraction.relationships]
    assert sum(weights) == 8


@pytest.mark.parametrize(
    ("strength", "weight"),
    [("9", 9), ("85/100", 8.5), ("null", 5), ("strong", 5), ("1e308", 10), ("-3", 1), ("0", 1), ("NaN", 5)],
)
def test_a_strength_is_always_a_number_in_its_range(strength: str, weight: float):
    found = grounded(SCROOGE, relationships=[("Scrooge", "Marley", strength, "1", "")])

    assert found.extractions[0].relationships == (ExtractedRelationship("Scrooge", "Marley", "", weight),)


def test_relationships_of_names_that_are_not_in_the_text_are_dropped():
    rows = [("Scrooge", "Jonas Brandt", "5", "1", ""), ("Scrooge", "scrooge", "5", "1", "")]

    found = grounded(SCROOGE, relationships=rows)

    assert (units(found, "relationships"), found.dropped) == ([0], 2)


def test_a_claim_is_about_somebody_in_the_text():
    rows = [
        ("Scrooge", "Nobody There", "GREED", "TRUE", "1843", "2", "He was a miser."),
        ("Mira Okafor", "", "GREED", "TRUE", "", "1", "x"),
    ]

    found = grounded(SCROOGE, GHOST, claims=rows)

    assert (units(found, "claims"), found.dropped) == ([1, 0], 1)
    assert found.extractions[0].claims[0].object == ""


@given(st.lists(st.tuples(*[st.text(max_size=12)] * 4), max_size=5), st.lists(st.text(max_size=30), min_size=1))
def test_nothing_that_a_model_writes_breaks_it(rows: list[tuple[str, str, str, str]], texts: list[str]):
    found = grounded(*texts, entities=rows, relationships=[(*row, "") for row in rows])

    assert [extraction.text_unit_id for extraction in found.extractions] == [f"u{n}" for n in range(len(texts))]


def test_merging_gives_one_extraction_a_text_unit():
    a, b = (ExtractedEntity(name, "", "") for name in "ab")

    merged = merge(
        [Extraction("u1", (a,), ()), Extraction("u0", (), ()), Extraction("u1", (b,), ())], ["u0", "u1", "u2"]
    )

    assert [(found.text_unit_id, found.entities) for found in merged] == [("u0", ()), ("u1", (a, b)), ("u2", ())]


@pytest.mark.parametrize(
    ("passages", "relationships", "entities"),
    [("1", [1, 0], [1, 0]), ("2", [1, 0], [1, 0]), ("1-2", [1, 0], [1, 0]), ("", [1, 0], [1, 0])],
)
def test_what_is_said_of_one_document_is_not_put_down_to_another(
    passages: str, relationships: list[int], entities: list[int]
):
    together = Window((Passage("u0", SCROOGE, 10, "", "a"), Passage("u1", "Fezziwig gave a ball.", 10, "", "b")))
    reply = GraphReply(
        entities=(("Jacob Marley", "person", passages, ""),),
        relationships=(("Ebenezer Scrooge", "Jacob Marley", "5", passages, "partners"),),
    )
    across = GraphReply(relationships=(("Fezziwig", "Jacob Marley", "5", passages, "knew"),))

    assert units(ground(together, reply), "relationships") == relationships
    assert units(ground(together, reply)) == entities
    assert (units(ground(together, across), "relationships"), ground(together, across).dropped) == ([0, 0], 1)
