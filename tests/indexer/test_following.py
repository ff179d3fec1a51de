from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from graphrag.indexer.following import follow, modularity

if TYPE_CHECKING:
    from scipy.sparse import csr_array

SIZE = 30


def weights(size: int, edges: Iterable[tuple[int, int] | tuple[int, int, float]]) -> "csr_array":
    values = {(a, b): weight[0] if weight else 1.0 for a, b, *weight in edges if a != b}
    rows, columns = [a for a, _ in values], [b for _, b in values]
    half = coo_array((np.array([*values.values()], np.float64), (rows, columns)), shape=(size, size))
    matrix = (half + half.T).tocsr()
    matrix.sort_indices()
    return matrix


def groups(labels: Iterable[int]) -> list[list[int]]:
    found: dict[int, list[int]] = {}
    for member, label in enumerate(labels):
        found.setdefault(int(label), []).append(member)
    return sorted(found.values())


def clique(*members: int) -> list[tuple[int, int]]:
    return list(combinations(members, 2))


def followed(matrix: "csr_array", start: Sequence[int], resolution: float = 1.0) -> list[list[int]]:
    return groups(follow(matrix, start, resolution))


edges = st.lists(st.tuples(st.integers(0, SIZE - 1), st.integers(0, SIZE - 1), st.floats(0.1, 9)), max_size=90)
starts = st.lists(st.integers(-1, 6), min_size=SIZE, max_size=SIZE)


@given(edges, starts, st.sampled_from([0.5, 1.0, 2.0]))
@settings(deadline=None, max_examples=150)
def test_all_communities_are_connected_and_following_them_again_changes_nothing(
    edges: list[tuple[int, int, float]], start: list[int], resolution: float
):
    matrix = weights(SIZE, edges)

    labels = follow(matrix, start, resolution)

    for members in groups(labels):
        assert connected_components(matrix[members][:, members], directed=False)[0] == 1
    assert followed(matrix, labels.tolist(), resolution) == groups(labels)


@given(edges, starts)
@settings(deadline=None, max_examples=100)
def test_modularity_is_no_lower_than_where_it_began(edges: list[tuple[int, int, float]], start: list[int]):
    matrix = weights(SIZE, [*edges, (0, 1, 1.0)])
    alone = [label if label >= 0 else 100 + place for place, label in enumerate(start)]

    reached = modularity(matrix, follow(matrix, start, 1.0), 1.0)

    assert reached >= modularity(matrix, np.array(alone), 1.0) - 1e-9


def test_modularity_is_that_of_newman():
    matrix = weights(6, [*clique(0, 1, 2), *clique(3, 4, 5), (2, 3)])

    assert modularity(matrix, np.array([0, 0, 0, 1, 1, 1]), 1.0) == 6 / 7 - 0.5
    assert modularity(matrix, np.array([0, 0, 0, 1, 1, 1]), 2.0) == 6 / 7 - 1
    assert modularity(matrix, np.zeros(6, np.int64), 1.0) == 0


def test_what_is_as_good_elsewhere_stays():
    matrix = weights(7, [*clique(0, 1, 2), *clique(4, 5, 6), (2, 3), (3, 4, 1.4)])

    assert followed(matrix, [0, 0, 0, 0, 1, 1, 1]) == [[0, 1, 2, 3], [4, 5, 6]]
    assert followed(matrix, [0, 0, 0, -1, 1, 1, 1]) == [[0, 1, 2], [3, 4, 5, 6]]


def test_what_clearly_belongs_elsewhere_goes():
    matrix = weights(7, [*clique(0, 1, 2), *clique(4, 5, 6), (2, 3), (3, 4), (3, 5), (3, 6), (3, 4, 4.0)])

    assert followed(matrix, [0, 0, 0, 0, 1, 1, 1]) == [[0, 1, 2], [3, 4, 5, 6]]


def test_newcomers_join_those_they_are_tied_to_or_each_other():
    matrix = weights(10, [*clique(0, 1, 2), *clique(3, 4, 5), (3, 6), *clique(7, 8, 9), (2, 7)])

    assert followed(matrix, [0, 0, 0, 1, 1, 1, -1, -1, -1, -1]) == [[0, 1, 2], [3, 4, 5, 6], [7, 8, 9]]


def test_newcomers_join_as_wholes_what_none_of_them_would_join_alone():
    far = clique(*range(6, 16))
    matrix = weights(16, [*clique(0, 1, 2), (3, 4), (4, 5), (2, 4, 1.5), *far])

    assert [0, 1, 2, 3, 4, 5] in followed(matrix, [0, 0, 0, -1, -1, -1, *[1] * 10])


def test_of_a_community_that_fell_apart_the_largest_piece_stays_and_others_go_on():
    matrix = weights(9, [*clique(0, 1, 2), (3, 4), *clique(5, 6, 7, 8), (4, 5)])

    assert followed(matrix, [0, 0, 0, 0, 0, 1, 1, 1, 1]) == [[0, 1, 2], [3, 4], [5, 6, 7, 8]]
    assert followed(matrix, [0, 0, 0, 0, 0, 1, 1, 1, 1], 0.2) == [[0, 1, 2], [3, 4, 5, 6, 7, 8]]


def test_communities_of_before_are_not_merged():
    matrix = weights(6, [*clique(0, 1, 2), *clique(3, 4, 5), (2, 3)])

    assert followed(matrix, [0, 0, 0, 1, 1, 1], 0.1) == [[0, 1, 2], [3, 4, 5]]
    assert followed(matrix, [0, 0, 0, -1, -1, -1], 0.1) == [[0, 1, 2, 3, 4, 5]]


def test_what_is_tied_to_nothing_is_alone():
    assert followed(weights(3, []), [0, 0, -1]) == [[0], [1], [2]]
    assert followed(weights(0, []), []) == []
