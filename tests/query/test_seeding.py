from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_index import NOTHING, AxisEmbedder, MadeIndex, Passage

from graphrag.query import passage_graph
from graphrag.query.passage_graph import PassageGraph
from graphrag.query.seeding import CLAUSE, Asked, Seeding
from graphrag.storage.base import Hit

INDEX = MadeIndex(
    [
        Passage("Ann met Bob", ("Ann", "Bob")),
        Passage("Ann met Cy", ("Ann", "Cy")),
        Passage("nobody", ()),
        Passage("Ann", ("Ann",)),
    ],
    AxisEmbedder("ann bob cy met nobody wrote sold"),
    {"Ann wrote": ("Ann", "Cy"), "Bob sold": ("Bob",), "Cy met": ("Cy",)},
)
GRAPH = passage_graph.load(INDEX, NOTHING)


def node(name: str) -> int:
    return GRAPH.position[f"e {name}"]


def asked(text: str, named: Sequence[str] = (), clauses: Sequence[str] = ()) -> Asked:
    vectors = INDEX.embedder.embed([text, *clauses])
    return Asked(text, tuple(map(node, named)), text, vectors[0], vectors[0], tuple(vectors[1:]))


def seeds(
    question: Asked, focus: Sequence[str] = (), passages: Sequence[Hit] = (), **switched_on: float
) -> dict[str, float]:
    """What seeds each node that has a seed, by its id."""
    found = Seeding(INDEX, GRAPH, NOTHING.model_copy(update=switched_on)).seeds(question, focus, list(passages))
    ids = [*GRAPH.unit_ids, *GRAPH.entity_ids]
    return {ids[place].removeprefix("e "): float(found[place]) for place in np.flatnonzero(found)}


def test_nothing_seeds_nothing():
    assert seeds(asked("wrote", ["Ann"]), passages=[]) == {}


def test_names_seed_by_how_few_text_units_mention_them():
    assert seeds(asked("met", ["Ann", "Bob"]), names=2.0) == pytest.approx({"Ann": 2 / 3, "Bob": 2.0})


def test_hubs_may_count_as_much_as_others():
    assert seeds(asked("met", ["Ann", "Bob"]), names=2.0, hubs=0.0) == pytest.approx({"Ann": 2.0, "Bob": 2.0})


def test_focus_seeds_what_is_known():
    assert seeds(asked("met"), ["e Ann", "e Bob", "unknown"]) == pytest.approx({"Ann": 1 / 3, "Bob": 1.0})


def test_all_entities_of_a_fact_have_what_it_counts():
    """One fact alone has the whole share of its likeness."""
    assert seeds(asked("Ann wrote"), facts=1) == pytest.approx({"Ann": 1 / 3, "Cy": 1.0})


def test_the_nearest_facts_count_most_and_the_last_nothing():
    assert seeds(asked("Bob sold"), facts=3) == pytest.approx({"Bob": 1.0})
    # Cosines of 1/√2, 1/2 and 0.
    found = seeds(asked("Bob sold Ann met"), facts=2)
    assert found == pytest.approx({"Bob": 0.5**0.5})
    assert set(seeds(asked("Bob sold Ann met"), facts=3)) == {"Bob"}


def test_a_clause_counts_a_little_less_than_the_question():
    whole = asked("Bob sold")
    by_clause = asked("nobody", clauses=["Bob sold", "nobody"])

    assert seeds(whole, facts=1) == pytest.approx({"Bob": 1.0})
    assert seeds(by_clause, facts=1) == pytest.approx({"Bob": CLAUSE})
    assert seeds(asked("Bob sold", clauses=["Bob sold"]), facts=1) == pytest.approx({"Bob": 1.0})


def test_passages_seed_by_their_share():
    hits = [Hit("u1", 9.0), Hit("u0", 7.0), Hit("u2", 5.0)]

    assert seeds(asked("met"), passages=hits) == {}
    found = Seeding(INDEX, GRAPH, NOTHING.model_copy(update={"passages": 0.4})).seeds(asked("met"), (), hits)
    assert found[: len(GRAPH.unit_ids)].tolist() == pytest.approx([0.1, 0.4, 0, 0])
    assert not found[len(GRAPH.unit_ids) :].any()


def test_between_is_as_near_to_the_rest_as_to_the_whole():
    whole, left = np.array([1, 0, 0], np.float32), np.array([0, 1, 0], np.float32)
    between = Asked("", (), "", whole, left, ()).between

    assert between == pytest.approx([0.5**0.5, 0.5**0.5, 0])
    assert np.isfinite(Asked("", (), "", whole, -whole, ()).between).all()


@given(
    st.lists(st.sampled_from(["Ann", "Bob", "Cy"]), unique=True),
    st.lists(st.sampled_from(["e Ann", "e Cy", "?"])),
    st.lists(st.sampled_from(["u0", "u1", "u2", "u3"]), unique=True),
    st.integers(0, 5),
    st.text(st.sampled_from("ABCX")),
)
def test_seeds_are_never_below_zero(named: list[str], focus: list[str], units: list[str], facts: int, letters: str):
    words = {"A": "Ann", "B": "Bob", "C": "sold", "X": "nobody"}
    question = asked(" ".join(words[letter] for letter in letters), named)
    settings = NOTHING.model_copy(update={"facts": facts, "names": 1.0, "passages": 0.1})
    found = Seeding(INDEX, GRAPH, settings).seeds(question, focus, [Hit(unit, -n / 9) for n, unit in enumerate(units)])

    assert found.shape == (len(GRAPH.position),)
    assert (found >= 0).all()
    assert all(found[node(name)] > 0 for name in named)


def test_a_fact_that_is_unlike_the_question_seeds_nothing():
    """Cosines may be below zero."""
    reader = SimpleNamespace(nearest=lambda table, vector, k: [Hit("f0", -0.2), Hit("f1", -0.3)])
    found = Seeding(reader, GRAPH, NOTHING.model_copy(update={"facts": 2})).seeds(asked("met"), (), [])  # pyright: ignore[reportArgumentType]

    assert not found.any()


def test_the_graph_says_whom_facts_are_about():
    graph: PassageGraph = GRAPH
    assert [graph.stated[f"f{n}"] for n in range(3)] == [[node("Ann"), node("Cy")], [node("Bob")], [node("Cy")]]
    with pytest.raises(KeyError):
        graph.stated["unknown"]
