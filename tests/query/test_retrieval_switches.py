"""What each part of retrieval finds that the others do not: all others are turned off."""

import pytest
from made_index import NOTHING, AxisEmbedder, MadeIndex, Passage

from graphrag.settings import RetrievalSettings

HOPS = "Who started the owner of Brightwell Mill?"
WORDS = (
    "who started the owner of brightwell mill is owned by corvane group tarnow trout live in a short river aune where "
    "was sold to town holding oslo bought baker long green heavy book wrote which what population state dodge airport "
    "kansas lies has wide plains and plays ball three million people"
)
EMBEDDER = AxisEmbedder(WORDS)
MILL = Passage("Brightwell Mill is owned by Corvane.", ("Brightwell Mill", "Corvane"))
TARNOW = Passage("Tarnow started the Corvane Group.", ("Corvane Group", "Tarnow"))
AUNE = Passage("Trout live in a short river.", ("Trout",))


def test_with_everything_turned_off_nothing_is_found():
    assert MadeIndex([MILL, TARNOW, AUNE], EMBEDDER, {"who started": ("Trout",)}).found(HOPS) == []


def test_names_lead_to_their_passages():
    assert MadeIndex([AUNE, MILL], EMBEDDER).found(HOPS, names=1) == ["u1"]


def test_passages_lead_to_those_that_name_what_they_name():
    index = MadeIndex([AUNE, MILL, Passage("Corvane was sold.", ("Corvane",))], EMBEDDER)

    assert index.found("mill owned by?", passages=0.1) == ["u1", "u2"]


def test_facts_lead_to_passages_that_share_no_word_with_the_question():
    index = MadeIndex([MILL, AUNE, TARNOW], EMBEDDER, {"the baker wrote a book": ("Trout",), "was sold": ("Tarnow",)})

    assert index.found("who wrote the long book?", facts=1) == ["u1"]


def test_full_text_finds_a_word_that_the_vector_has_not():
    passages = [Passage("The owner sold the mill.", (), "town"), Passage("aune", (), "short river")]
    index, question = MadeIndex(passages, EMBEDDER), "town of the aune"

    assert index.found(question, passages=1)[0] == "u0"
    assert index.found(question, passages=1, full_text=5)[0] == "u1"


@pytest.mark.parametrize("switch", ["relationships", "synonyms"])
def test_ties_between_entities_lead_to_the_second_hop(switch: str):
    ties = {
        "relationships": MadeIndex([AUNE, MILL, TARNOW], EMBEDDER, related=[("corvane", "CORVANE GROUP")]),
        "synonyms": MadeIndex([AUNE, MILL, TARNOW], EMBEDDER, synonyms={"Corvane": ("Corvane Group",)}),
    }

    assert ties[switch].found(HOPS, names=1, **{switch: 0.5}) == ["u1", "u2"]
    assert ties[switch].found(HOPS, names=1) == ["u1"]


def test_an_entity_of_nearly_the_same_name_that_is_not_there_is_no_tie():
    index = MadeIndex([MILL, TARNOW], EMBEDDER, synonyms={"Corvane": ("Corvane Group",)})
    kept = index._tables["entities"].filter([True, True, False, True])  # pyright: ignore[reportPrivateUsage]
    index._tables["entities"] = kept  # pyright: ignore[reportPrivateUsage]

    assert index.found(HOPS, names=1, synonyms=0.5) == ["u0"]


def test_the_second_walk_goes_to_what_is_asked_of_the_entity():
    """The first comes to all that is said of Kansas alike."""
    kansas = [Passage(f"Kansas {text}.", ("Kansas",)) for text in ("has wide plains", "plays ball", "population")]
    index = MadeIndex([Passage("Dodge Airport lies in Kansas.", ("Dodge Airport", "Kansas")), *kansas], EMBEDDER)
    question = "What population has the state where Dodge Airport lies?"

    assert index.found(question, names=1) == ["u0", "u1", "u2", "u3"]
    assert index.found(question, names=1, focus=200, sharpness=10)[:2] == ["u0", "u3"]
    assert index.found(question, names=1, focus=200, sharpness=0) == ["u0", "u1", "u2", "u3"]


def test_the_second_walk_stays_among_the_best_passages():
    index = MadeIndex([MILL, Passage("Corvane was sold.", ("Corvane",)), AUNE], EMBEDDER)

    assert index.found("Where is Brightwell Mill?", k=1, names=1, focus=1) == ["u0"]
    assert index.found("Where is Brightwell Mill?", k=2, names=1, focus=1) == ["u0", "u1"]


def test_what_the_second_walk_cannot_start_from_stays_as_the_first_ranks_it():
    """The best passage is none of those that the question is like."""
    names = tuple(f"N{number}" for number in range(12))
    index = MadeIndex([*(Passage("Trout was sold", (name,)) for name in names), Passage("short", names)], EMBEDDER)

    assert index.found("Trout", k=1, passages=1) == index.found("Trout", k=1, passages=1, focus=1) == ["u12"]


def test_clauses_find_the_fact_that_one_of_them_asks_for():
    facts = {"wrote long book baker oslo": ("Corvane",), "baker Oslo bought": ("Trout",)}
    index = MadeIndex([MILL, AUNE], EMBEDDER, facts)
    question = "Who wrote the long green heavy book, which the baker of Oslo bought?"

    assert index.found(question, facts=1) == ["u0"]
    assert index.found(question, facts=1, clauses=True) == ["u1"]


def test_bridges_ask_again_of_what_was_found():
    index = MadeIndex(
        [
            MILL,
            Passage("who started the owner town", ("Corvane",)),
            Passage("Corvane holding who started the owner", ("Corvane",)),
        ],
        EMBEDDER,
    )
    walked = {"names": 1, "focus": 200, "sharpness": 10}

    assert index.found(HOPS, **walked) == ["u0", "u1", "u2"]
    assert index.found(HOPS, **walked, bridges=1) == ["u0", "u2", "u1"]


def test_damping_is_how_far_a_walk_goes():
    index = MadeIndex([MILL, Passage("Corvane was sold.", ("Corvane",))], EMBEDDER)

    def far(damping: float) -> float:
        settings = NOTHING.model_copy(update={"names": 1.0, "damping": damping})
        near, second = index.retriever(settings).local(HOPS, 2).text_units
        return second.score / near.score

    assert far(0.2) < far(0.5) < far(0.8)


def test_all_parts_together_find_both_hops():
    index = MadeIndex([AUNE, MILL, TARNOW, AUNE, AUNE], EMBEDDER, synonyms={"Corvane": ("Corvane Group",)})

    assert index.found(HOPS, **RetrievalSettings().model_dump())[:2] == ["u1", "u2"]
