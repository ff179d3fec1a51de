from hypothesis import given
from hypothesis import strategies as st

from graphrag.answers import ContextItem
from graphrag.query import packing
from graphrag.query.packing import in_order, pack, size

WORDS = "Brightwell Mill stands on the river Aune and grinds what the Corvane Group bakes. "


def item(kind: str, number: int, words: int, worth: float) -> ContextItem:
    return ContextItem(kind, f"{kind}{number}", f"Title {number}", WORDS * words, worth, (f"u{number}",))  # pyright: ignore[reportArgumentType]


ITEMS = st.lists(
    st.builds(
        item,
        st.sampled_from(["text_unit", "entity", "relationship", "report"]),
        st.integers(0, 30),
        st.integers(1, 12),
        st.floats(0, 1),
    ),
    max_size=20,
    unique_by=lambda each: each.id,
)
SHARES = st.fixed_dictionaries({"entity": st.floats(0, 1), "report": st.floats(0, 1)})


@given(ITEMS, st.integers(0, 1500), SHARES)
def test_neither_the_limit_nor_a_share_is_passed(items: list[ContextItem], limit: int, shares: dict[str, float]):
    chosen = pack(items, limit, shares)  # pyright: ignore[reportArgumentType]

    assert sum(map(size, chosen)) <= limit
    for kind, share in shares.items():
        assert sum(size(each) for each in chosen if each.kind == kind) <= share * limit
    assert len({each.id for each in chosen}) == len(chosen)


@given(ITEMS, st.integers(0, 1500))
def test_what_was_left_out_did_not_fit(items: list[ContextItem], limit: int):
    chosen = pack(items, limit, {})

    room = limit - sum(map(size, chosen))
    kept = {each.id for each in chosen}
    whole = all(each in items for each in chosen)
    assert not whole or all(size(each) > room for each in items if each.id not in kept and each.score > 0)


def test_an_oversized_item_does_not_empty_its_share():
    items = [item("report", 0, 100, 1.0), item("report", 1, 3, 0.5), item("text_unit", 2, 3, 0.2)]

    assert {each.id for each in pack(items, 400, {"report": 0.5})} == {"report1", "text_unit2"}


def test_shares_are_limits_and_not_reservations():
    passages = [item("text_unit", number, 5, 1 - number / 100) for number in range(50)]

    chosen = pack([*passages, item("entity", 99, 1, 0.1)], 2000, {"entity": 0.5})

    assert sum(map(size, chosen)) > 1800


def test_a_passage_that_is_too_long_is_cut_after_a_sentence():
    (cut,) = pack([item("text_unit", 0, 100, 1.0)], 200, {})

    assert cut.text.endswith("bakes.")
    assert 100 < size(cut) <= 200


def test_in_order_keeps_the_order_and_passes_over_what_is_too_long():
    items = [item("text_unit", 0, 3, 0.1), item("text_unit", 1, 90, 1.0), item("text_unit", 2, 3, 0.5)]

    assert [each.id for each in in_order(items, 300)] == ["text_unit0", "text_unit2"]


def test_worth_counts_for_length():
    long, short = item("text_unit", 0, 12, 0.5), item("text_unit", 1, 3, 0.45)

    assert [each.id for each in pack([long, short], size(long) + 5, {})] == ["text_unit1"]
    assert packing.THRIFT < 1
