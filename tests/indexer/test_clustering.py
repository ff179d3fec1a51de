from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrag.indexer import graph
from graphrag.indexer.clustering import detect
from graphrag.indexer.graph import Graph
from graphrag.records import Community, ExtractedEntity, ExtractedRelationship, Extraction
from graphrag.settings import CommunitySettings

SIZE = 40


def make_graph(size: int, edges: Iterable[tuple[int, int]], units: int = 3) -> Graph:
    """Entities e00, e01 … in turns in the text units, and edges between them that are in none other."""
    entities: defaultdict[int, list[ExtractedEntity]] = defaultdict(list)
    for number in range(size):
        entities[number % units].append(ExtractedEntity(name(number), "NAME", ""))
    relationships = [ExtractedRelationship(name(a), name(b), "", 1.0) for a, b in edges]
    found = [Extraction(f"u{unit}", tuple(entities[unit]), ()) for unit in range(units)]
    return graph.build([*found, Extraction("u0", (), tuple(relationships))], max_descriptions=3)


def name(number: int) -> str:
    return f"e{number:02}"


def clique(members: Sequence[int]) -> list[tuple[int, int]]:
    return list(combinations(members, 2))


def check(communities: list[Community], graph: Graph) -> None:
    """The hierarchy is one of partitions, and its numbers agree with each other."""
    by_number = {community.community: community for community in communities}
    assert len(by_number) == len(communities)
    assert list(by_number.values()) == sorted(communities, key=lambda c: (c.level, c.community))
    assert all((c.human_readable_id, c.title) == (c.community, f"Community {c.community}") for c in communities)
    assert len({community.id for community in communities}) == len(communities)
    top = [id_ for community in communities if community.level == 0 for id_ in community.entity_ids]
    assert sorted(top) == sorted(entity.id for entity in graph.entities)
    titles = {entity.id: entity.title for entity in graph.entities}
    units = {entity.id: set(entity.text_unit_ids) for entity in graph.entities}
    for community in communities:
        members = {titles[id_] for id_ in community.entity_ids}
        assert community.size == len(community.entity_ids) == len(members) > 0
        assert (community.level == 0) == (community.parent == -1)
        inside = {edge.id for edge in graph.relationships if {edge.source, edge.target} <= members}
        assert set(community.relationship_ids) == inside
        assert set(community.text_unit_ids) == set().union(*(units[id_] for id_ in community.entity_ids))
        children = [by_number[child] for child in community.children]
        assert {c.community for c in communities if c.parent == community.community} == set(community.children)
        assert all(child.level == community.level + 1 for child in children)
        if children:
            below = [id_ for child in children for id_ in child.entity_ids]
            assert sorted(below) == sorted(community.entity_ids)
            assert len(children) > 1


edges = st.lists(st.tuples(st.integers(0, SIZE - 1), st.integers(0, SIZE - 1)), max_size=120)


@given(st.integers(1, SIZE), edges, st.integers(2, 10))
@settings(deadline=None, max_examples=100)
def test_any_graph_is_partitioned_level_by_level(size: int, edges: list[tuple[int, int]], max_size: int):
    built = make_graph(size, [(a % size, b % size) for a, b in edges])

    communities = detect(built, CommunitySettings(max_size=max_size))

    check(communities, built)
    assert [c.community for c in communities] == list(range(len(communities)))
    assert communities == detect(built, CommunitySettings(max_size=max_size))


@given(edges, st.randoms())
@settings(deadline=None, max_examples=50)
def test_the_order_of_the_input_decides_nothing(edges: list[tuple[int, int]], random: Random):
    built = make_graph(SIZE, edges)
    turned = [replace(e, text_unit_ids=tuple(random.sample(e.text_unit_ids, e.frequency))) for e in built.entities]
    again = replace(built, entities=tuple(turned))

    first, second = detect(built, CommunitySettings()), detect(again, CommunitySettings())

    assert [(c.id, c.level, c.parent) for c in first] == [(c.id, c.level, c.parent) for c in second]


@pytest.mark.parametrize(
    ("size", "edges"),
    [
        (1, []),
        (12, []),
        (2, [(0, 1)]),
        (SIZE, [(0, leaf) for leaf in range(1, SIZE)]),
        (SIZE, clique(range(SIZE))),
        (SIZE, [(n, n + 1) for n in range(SIZE - 1)]),
    ],
    ids=["one", "no edges", "a pair", "a star", "a clique", "a chain"],
)
def test_graphs_at_the_edge(size: int, edges: list[tuple[int, int]]):
    built = make_graph(size, edges)

    check(detect(built, CommunitySettings()), built)


def test_no_entities():
    assert detect(Graph((), (), ()), CommunitySettings()) == []


def test_what_hangs_together_is_together():
    built = make_graph(15, [*clique(range(5)), *clique(range(5, 10)), *clique(range(10, 15)), (4, 5), (9, 10)])
    titles = {entity.id: entity.title for entity in built.entities}

    found = [{titles[id_] for id_ in c.entity_ids} for c in detect(built, CommunitySettings()) if c.level == 0]

    assert sorted(map(sorted, found)) == [[name(n) for n in range(first, first + 5)] for first in (0, 5, 10)]


def test_large_communities_are_split_and_small_ones_are_not():
    ring = [(n, (n + 1) % 8) for n in range(8)]
    groups = [[a + 5 * n for a in range(5)] for n in range(8)]
    built = make_graph(
        SIZE, [*(pair for group in groups for pair in clique(group)), *[(5 * a, 5 * b) for a, b in ring]]
    )

    def sizes(max_size: int) -> dict[int, list[int]]:
        found = detect(built, CommunitySettings(resolution=0.1, max_size=max_size))
        return {level: [c.size for c in found if c.level == level] for level in {c.level for c in found}}

    assert sizes(max_size=15) == {0: [15, 15, 10]}
    assert sizes(max_size=10) == {0: [15, 15, 10], 1: [10, 5, 10, 5]}
    assert sizes(max_size=9) == {0: [15, 15, 10], 1: [10, 5, 10, 5, 5, 5], 2: [5, 5, 5, 5]}


def test_a_loner_joins_the_company_of_its_text_unit():
    found = [
        Extraction(
            "u0",
            tuple(ExtractedEntity(n, "NAME", "") for n in ("Loner", "Hub", "Leaf")),
            (ExtractedRelationship("Hub", "Leaf", "", 1.0),),
        ),
        Extraction("u1", (), (ExtractedRelationship("Far", "Away", "", 1.0),)),
    ]
    built = graph.build(found, max_descriptions=3)
    titles = {entity.id: entity.title for entity in built.entities}

    together = [{titles[id_] for id_ in c.entity_ids} for c in detect(built, CommunitySettings())]

    assert {"Loner", "Hub", "Leaf"} in together


def test_a_loner_joins_the_company_that_is_least_mentioned_elsewhere_in_any_order():
    def company(*units: str) -> set[str]:
        pairs = {"u1": ("Near", "Hub"), "u2": ("Far", "Away"), "u3": ("Hub", "Far")}
        loner = (ExtractedEntity("Loner", "NAME", ""),)
        found = [Extraction(u, () if u == "u3" else loner, (ExtractedRelationship(*pairs[u], "", 1.0),)) for u in units]
        built = graph.build(found, max_descriptions=3)
        titles = {entity.id: entity.title for entity in built.entities}
        together = [{titles[id_] for id_ in c.entity_ids} for c in detect(built, CommunitySettings(resolution=2.0))]
        return next(titles for titles in together if "Loner" in titles)

    assert company("u1", "u2", "u3") == company("u3", "u2", "u1") == {"Loner", "Away"}


def test_the_period_is_written_into_every_community():
    built = make_graph(4, [(0, 1)])

    assert {c.period for c in detect(built, CommunitySettings(), period="2026-11-21")} == {"2026-11-21"}


# --- After a change ----------------------------------------------------------------------

GROUPS, GROUP = 12, 8


def planted(random: Random) -> list[tuple[int, int]]:
    """Dense groups with few edges between them."""
    inside = [(g * GROUP + a, g * GROUP + b) for g in range(GROUPS) for a, b in combinations(range(GROUP), 2)]
    nodes = range(GROUPS * GROUP)
    kept = [edge for edge in inside if random.random() < 0.7]
    return [*kept, *((random.choice(nodes), random.choice(nodes)) for _ in range(40))]


def sparse() -> list[tuple[int, int]]:
    """A long string of nodes, each tied to two of those that follow."""
    random = seeded(5)
    return [(n, min(int(random.expovariate(0.1)) + n + 1, 799)) for n in range(799) for _ in range(2)]


def seeded(seed: int) -> Random:
    return Random(seed)  # noqa: S311


def without(edges: Sequence[tuple[int, int]], gone: set[int]) -> list[tuple[int, int]]:
    return [edge for edge in edges if gone.isdisjoint(edge)]


def quality(built: Graph, communities: Sequence[Community]) -> float:
    """Modularity of the coarsest level, told apart from the code under test by its textbook form."""
    of = {id_: c.community for c in communities if c.level == 0 for id_ in c.entity_ids}
    ids = {entity.title: entity.id for entity in built.entities}
    total = sum(edge.weight for edge in built.relationships)
    degrees: defaultdict[int, float] = defaultdict(float)
    inside = 0.0
    for edge in built.relationships:
        ends = [of[ids[edge.source]], of[ids[edge.target]]]
        inside += edge.weight * (ends[0] == ends[1])
        for end in ends:
            degrees[end] += edge.weight
    return inside / total - sum((degree / (2 * total)) ** 2 for degree in degrees.values())


def same_members(some: Iterable[Community], others: Iterable[Community]) -> int:
    known = {(c.level, frozenset(c.entity_ids)) for c in others}
    return sum((c.level, frozenset(c.entity_ids)) in known for c in some)


@given(st.randoms(use_true_random=False), st.sets(st.integers(0, GROUPS * GROUP - 1), max_size=10), st.booleans())
@settings(deadline=None, max_examples=60)
def test_what_is_followed_is_valid_and_as_good_as_a_cold_start(random: Random, changed: set[int], added: bool):
    edges = planted(random)
    whole, part = linked(edges), linked(without(edges, changed))
    old, new = (part, whole) if added else (whole, part)
    options = CommunitySettings(max_size=GROUP)
    before = detect(old, options, "1")

    after = detect(new, options, "2", before)

    check(after, new)
    cold = quality(new, detect(new, options))
    assert quality(new, after) >= 0.99 * cold - 1e-9
    assert after == detect(new, options, "3", after)
    known = {c.community: (c.level, set(c.entity_ids)) for c in before}
    for community in after:
        own = set(community.entity_ids)
        level = [(n, ids) for n, (level, ids) in known.items() if level == community.level]
        alike = {n for n, ids in level if 2 * len(own & ids) > len(own | ids)}
        assert {community.community} == alike if alike else community.community > max(known)


def linked(edges: Iterable[tuple[int, int]]) -> Graph:
    """A graph of edges, each in a text unit of its own."""
    return graph.build(
        [
            Extraction(f"u{a}-{b}", (), (ExtractedRelationship(f"e{a:03}", f"e{b:03}", "", 1.0),))
            for a, b in dict.fromkeys((min(edge), max(edge)) for edge in edges)
        ],
        max_descriptions=3,
    )


def test_a_small_change_touches_few_communities():
    """A sparse graph has many partitions as good as the best; a cold start picks another one."""
    edges = sparse()
    old, new = linked(edges), linked([*edges, (400, 900), (900, 901)])
    before = detect(old, CommunitySettings(), "1")

    after = detect(new, CommunitySettings(), "2", before)
    cold = detect(new, CommunitySettings(), "1")

    assert len(after) - same_members(after, before) <= 3
    assert len(cold) - same_members(cold, before) > 15
    assert len({*after} - {*before}) <= 3
    assert {c.period for c in {*after} & {*before}} == {"1"}
    assert {c.period for c in {*after} - {*before}} == {"2"}


def test_of_an_unchanged_graph_nothing_changes():
    built = linked(planted(seeded(1)))
    before = detect(built, CommunitySettings(max_size=GROUP), "1")

    assert detect(built, CommunitySettings(max_size=GROUP), "2", before) == before


def test_what_is_much_worse_than_a_cold_start_is_not_followed():
    built = linked(planted(seeded(2)))
    cold = detect(built, CommunitySettings())
    members = [entity.id for entity in built.entities]
    random = [replace(cold[n], entity_ids=tuple(members[n::GROUPS])) for n in range(GROUPS)]

    after = detect(built, CommunitySettings(), before=random)

    assert same_members(after, cold) == len(cold) == len(after)


def test_without_a_warm_start_what_was_before_has_no_say():
    edges = planted(seeded(3))
    before = detect(linked(without(edges, {0, 1, 50})), CommunitySettings(), "1")
    built, cold = linked(edges), CommunitySettings(warm_start=False)

    assert detect(built, cold, "2", before) == detect(built, cold, "2") == detect(built, CommunitySettings(), "2")


def test_children_are_in_the_order_of_their_members_whatever_their_numbers():
    """What is asked about their parent tells of them in this order: a number must not change it."""
    built, options = linked(sparse()), CommunitySettings(max_size=GROUP)
    cold = detect(built, options)
    renumbered = {c.community: 100 - c.community for c in cold} | {-1: -1}
    before = [
        replace(
            c,
            community=renumbered[c.community],
            parent=renumbered[c.parent],
            children=tuple(renumbered[child] for child in c.children),
        )
        for c in cold
    ]

    after = {c.community: c for c in detect(built, options, before=before)}

    parents = [c for c in before if c.children]
    assert parents
    for parent in parents:
        assert after[parent.community].children == parent.children
        assert after[parent.community].entity_ids == parent.entity_ids
