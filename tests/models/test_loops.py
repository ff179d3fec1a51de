"""Loops are noticed, lists are not; what came before a loop is kept."""

import json
import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from graphrag.models.loops import LoopWatch, trim

words = st.text("abcdefghijklmnop éßж", min_size=1, max_size=30)
records = st.lists(words, min_size=1, max_size=40, unique=True).map(
    lambda names: [["entity", f"name number {n} {name}", "person", "lives in the town"] for n, name in enumerate(names)]
)


def heard(text, size=4):
    """How many characters the watch heard before it cut, or None."""
    watch = LoopWatch()
    for start in range(0, len(text), size):
        if watch(text[start : start + size]):
            return start + size
    return None


@given(records, st.integers(1, 6), st.integers(1, 600))
def test_a_list_whose_last_records_recur_is_cut_soon_and_keeps_each_once(items, cycle, size):
    cycle = min(cycle, len(items))
    text = json.dumps(items + items[-cycle:] * 200, ensure_ascii=False)
    before = json.dumps(items, ensure_ascii=False)[:-1]
    cut = heard(text, size)
    assert cut is not None
    assert cut < len(before) + 4000
    kept = trim(text[:cut])
    assert kept.startswith(before)
    assert len(kept) <= len(json.dumps(items + items[-cycle:], ensure_ascii=False))


@given(records, st.integers(1, 300), st.sampled_from([None, 1]))
def test_records_that_differ_are_no_loop(items, size, indent):
    text = json.dumps(items, ensure_ascii=False, indent=indent)
    objects = [{"type": a, "name": b, "strength": 1, "description": d} for a, b, _, d in items]
    for reply in (text, json.dumps(objects, indent=indent)):
        assert heard(reply, size) is None
        assert trim(reply) == reply


@given(words, words, st.integers(1, 50))
def test_any_end_that_repeats_itself_is_cut_to_one_copy(before, unit, size):
    assume(unit.strip())
    text = before + unit * (3000 // len(unit))
    cut = heard(text, size)
    assert cut is not None
    assert len(trim(text[:cut])) <= len(before) + 2 * len(unit)
    assert text.startswith(trim(text[:cut]))


@pytest.mark.parametrize("blank", ["\n", " \n", "\t"])
def test_nothing_but_blanks_is_a_loop(blank):
    text = '{"entities": []' + blank * 1200
    assert heard(text) is not None
    assert trim(text).strip() == '{"entities": []'


@given(st.text(max_size=3000))
def test_trimming_takes_only_from_the_end_and_only_once(text):
    kept = trim(text)
    assert text.startswith(kept)
    assert trim(kept) == kept


def test_a_long_list_of_short_equal_verdicts_is_no_loop():
    assert heard("[" + ",".join(["0"] * 300) + "]") is None
    assert heard("\n".join(["same"] * 100)) is None


def test_a_loop_that_varies_now_and_then_is_a_loop():
    lines = [f"the {'old' if n % 13 else n} mill stands by the river" for n in range(200)]
    assert heard("\n".join(lines)) is not None


def test_watching_costs_time_linear_in_the_reply():
    def seconds(n):
        text = "".join(f'["entity {i}", "a person who lives at number {i}"],' for i in range(n))
        started = time.process_time()
        assert heard(text) is None
        return time.process_time() - started

    seconds(100)
    assert seconds(8000) < 40 * max(seconds(800), 0.002)
