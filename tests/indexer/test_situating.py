"""Names that the passage before mentions."""

from collections.abc import Mapping, Sequence

from graphrag.indexer.situating import MOST, names_before
from graphrag.records import Entity, TextUnit


def entities(mentions: Mapping[str, Sequence[str]]) -> list[Entity]:
    """Entities by their titles and the text units that mention them."""
    return [Entity(title, title, "NAME", "", tuple(units)) for title, units in mentions.items()]


def situate(texts: Sequence[str], mentions: Mapping[str, Sequence[str]], of: Sequence[str] = ()) -> dict[str, str]:
    """The names of text units u0, u1 … of one document, or each of the document that `of` says."""
    units = [
        TextUnit(
            f"u{n}",
            text,
            5,
            of[n] if of else "d",
            entity_ids=tuple(title for title, where in mentions.items() if f"u{n}" in where),
        )
        for n, text in enumerate(texts)
    ]
    return names_before(units, entities(mentions))


def test_names_of_the_passage_before_that_this_one_leaves_out():
    texts = ["Scrooge met Marley in London.", "He refused, in London.", "They left."]

    found = situate(texts, {"Scrooge": ["u0"], "Marley": ["u0"], "London": ["u0", "u1"]})

    assert found == {"u1": "Marley, Scrooge", "u2": "London"}


def test_a_name_that_the_passage_or_its_headings_spell_out_is_left_out():
    units = [
        TextUnit("u0", "Scrooge.", 1, "d", entity_ids=("Scrooge", "Marley")),
        TextUnit("u1", "Old SCROOGE!", 3, "d", headings=("On Marley",)),
    ]

    assert names_before(units, entities({"Scrooge": ["u0"], "Marley": ["u0"]})) == {}


def test_only_as_many_as_count_most():
    names = {f"Name{n}": ["u0"] for n in range(2 * MOST)}

    found = situate([f"{' and '.join(names)}.", "He left."], names)

    assert len(found["u1"].split(", ")) == MOST


def test_names_do_not_pass_from_one_document_to_the_next():
    assert situate(["Scrooge.", "He refused."], {"Scrooge": ["u0"]}, of=["d0", "d1"]) == {}


def test_what_other_documents_say_changes_nothing():
    texts, of = ["A, B, C and D met.", "They left.", "A. B.", "A. C."], ["d0", "d0", "d1", "d2"]
    mentions = {name: ["u0"] for name in "ABCD"}

    alone = situate(texts[:2], mentions, of[:2])
    among = situate(texts, mentions | {"A": ["u0", "u2", "u3"], "B": ["u0", "u2"], "C": ["u0", "u3"]}, of)

    assert among["u1"] == alone["u1"]


def test_a_name_that_only_another_document_uses_is_not_told():
    units = [TextUnit("u0", "Bob wrote.", 2, "d", entity_ids=("e",)), TextUnit("u1", "He left.", 2, "d")]
    merged = Entity("e", "Robert Secret-Name", "PERSON", "", ("u0", "elsewhere"), aliases=("Bob",))

    assert names_before(units, [merged]) == {"u1": "Bob"}


def test_unknown_entities_and_no_text_units():
    assert names_before([], []) == {}
    assert situate(["x", "y"], {}) == {}
