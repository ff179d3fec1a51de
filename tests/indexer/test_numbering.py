from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from graphrag.indexer.numbering import number_all, with_periods
from graphrag.records import Community

GONE = 7


def community(number: int, members: str, level: int = 0, period: str = "before") -> Community:
    return Community(
        members, number, level, -1, (), f"Community {number}", tuple(members), (), (), period, len(members), number
    )


def numbers(found: Sequence[tuple[int, str]], *before: Community) -> list[int]:
    return number_all([(level, tuple(members)) for level, members in found], before)


def test_without_any_before_they_are_counted_from_0():
    assert numbers([(0, "ab"), (0, "c"), (1, "a"), (1, "b")]) == [0, 1, 2, 3]


def test_one_that_has_most_of_the_members_of_one_before_has_its_number():
    before = community(0, "abc"), community(3, "defg"), community(GONE, "xyz")

    assert numbers([(0, "deg"), (0, "abcq"), (0, "f")], *before) == [3, 0, GONE + 1]


def test_half_is_not_most():
    assert numbers([(0, "abx"), (0, "cdy")], community(0, "abcd")) == [1, 2]
    assert numbers([(0, "abcdefg")], community(0, "abc"), community(1, "defg")) == [1]


def test_the_same_members_on_another_level_are_another_community():
    assert numbers([(0, "abcd"), (1, "ab"), (1, "cd")], community(0, "ab"), community(1, "cd", 1)) == [2, 3, 1]


def test_numbers_that_another_program_gave_twice_are_given_once():
    before = community(0, "ab"), community(0, "ab", 1), community(0, "cd")

    found = numbers([(0, "ab"), (0, "cd"), (1, "ab")], *before)

    assert len(set(found)) == 3


partitions = st.lists(st.integers(0, 5), min_size=20, max_size=20)


@given(partitions, partitions)
def test_every_number_is_given_once_and_only_to_what_is_alike(old: list[int], new: list[int]):
    def members(labels: list[int], label: int) -> str:
        return "".join(chr(97 + place) for place, each in enumerate(labels) if each == label)

    before = [community(label, members(old, label)) for label in set(old)]
    found = [(0, members(new, label)) for label in sorted(set(new))]

    given_ = numbers(found, *before)

    assert len(set(given_)) == len(given_)
    known = {each.community: set(each.entity_ids) for each in before}
    for number, (_, own) in zip(given_, found, strict=True):
        likeness = {n: len(set(own) & theirs) / len(set(own) | theirs) for n, theirs in known.items()}
        assert likeness[number] > 0.5 if number in known else max(likeness.values()) <= 0.5


def test_only_what_did_not_change_keeps_its_period():
    before = [community(0, "ab"), community(1, "cd")]
    after = [community(0, "ab", period="now"), community(1, "cde", period="now"), community(2, "f", period="now")]

    assert [each.period for each in with_periods(after, before)] == ["before", "now", "now"]
    assert [*with_periods(after, ())] == after
