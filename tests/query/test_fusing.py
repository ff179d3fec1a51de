import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrag.query.fusing import RRF_CONSTANT, fuse, shares
from graphrag.storage.base import Hit


def test_fusion_is_by_reciprocal_rank():
    fused = fuse([[Hit("a", 0.9), Hit("b", 0.1)], [Hit("b", 17.0), Hit("c", 16.0)]])

    assert fused == [Hit("b", 1 / 62 + 1 / 61), Hit("a", 1 / 61), Hit("c", 1 / 62)]


def test_later_rankings_may_weigh_less():
    first, later = [Hit("a", 0.0)], [Hit("b", 0.0)]

    assert fuse([first, later], constant=1, decay=0.5) == [Hit("a", 1 / 2), Hit("b", 1 / 4)]


def test_fusion_of_nothing():
    assert fuse([]) == fuse([[], []]) == []


rankings = st.lists(st.lists(st.sampled_from("abcdef"), unique=True).map(lambda ids: [Hit(i, 0.0) for i in ids]))


@given(rankings)
def test_the_order_of_the_rankings_decides_nothing(rankings: list[list[Hit]]):
    fused = fuse(rankings)

    scores = {hit.id: hit.score for hit in fuse(reversed(rankings))}
    assert scores == pytest.approx({hit.id: hit.score for hit in fused})
    assert {hit.id for hit in fused} == {hit.id for ranking in rankings for hit in ranking}
    assert [hit.score for hit in fused] == sorted((hit.score for hit in fused), reverse=True)


def test_the_first_place_counts_little_more_than_the_second():
    """With the constant of the paper; it counts far more with a small one."""
    plain, steep = (fuse([[Hit("a", 0.0), Hit("b", 0.0)]], constant) for constant in (RRF_CONSTANT, 1))

    assert plain[0].score / plain[1].score == pytest.approx(62 / 61)
    assert steep[0].score / steep[1].score == pytest.approx(3 / 2)


# --- Shares ------------------------------------------------------------------------------


def test_shares_are_squares_of_what_lies_above_the_least():
    assert shares([3.0, 2.0, 1.0]) == [1.0, 0.25, 0.0]


def test_equal_scores_have_the_whole_share():
    assert (shares([]), shares([0.3]), shares([-2.0, -2.0])) == ([], [1.0], [1.0, 1.0])


@given(st.lists(st.floats(-1e6, 1e6)))
def test_shares_keep_the_order_of_the_scores(scores: list[float]):
    found = shares(scores)

    assert all(0 <= share <= 1 for share in found)
    assert max(found, default=1.0) == 1.0
    by_score = sorted(zip(scores, found, strict=True))
    assert [share for _, share in by_score] == sorted(found)
