import re

import pytest
from fakes import WordEmbedder
from hypothesis import given
from hypothesis import strategies as st
from samples import retrieved

from graphrag.answers import ContextItem, RetrievedUnit
from graphrag.query.checking import Checker
from graphrag.query.cited_text import LONGEST_SENTENCE, CitedText, Shown, supported
from graphrag.query.citing import Numbering
from graphrag.query.sources import HANDLE

UNITS = retrieved(
    "Brightwell Mill stands on the river Aune. The mill is owned by the Corvane Group.",
    "The Corvane Group bakes bread. It was started by the chemist Ilse Tarnow in Dresden.",
)
ITEMS = (
    *(
        ContextItem("text_unit", u.text_unit_id, "Mills", u.text, 1.0, (u.text_unit_id,), f"T{n}")
        for n, u in enumerate(UNITS, 1)
    ),
    ContextItem("report", "r0", "Bread", "The group bakes bread.", 1.0, ("u1",), "P1"),
)
OWNED = "The mill is owned by the Corvane Group."
STARTED = "It was started by the chemist Ilse Tarnow in Dresden."
FALSE = "The mill was sold to the Baron of Ulm in 1912."


class Beneath:
    """Stands for `Sources`: it only looks text units up."""

    def beneath(self, items: list[ContextItem]) -> list[RetrievedUnit]:
        units = {unit.text_unit_id: unit for unit in UNITS}
        return [units[id_] for id_ in dict.fromkeys(id_ for item in items for id_ in item.text_unit_ids)]


SHOWN = Shown(ITEMS, Beneath(), Checker(WordEmbedder()), "Who owns the mill?")  # pyright: ignore[reportArgumentType]


def write(text: str, size: int = 7, *, strict: bool = False) -> tuple[str, CitedText, Numbering]:
    numbering = Numbering()
    cited = CitedText(SHOWN, numbering, strict=strict)
    out = [cited.feed(text[start : start + size]) for start in range(0, len(text), size)]
    return "".join([*out, cited.close()]), cited, numbering


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        (f"{OWNED} [T1]", f"{OWNED} [1]"),
        (f"{OWNED[:-1]} [T1].", f"{OWNED} [1]"),
        (f"{OWNED}[T1] {STARTED} [T2]", f"{OWNED} [1] {STARTED} [2]"),
        (f"{OWNED} [T1][T99]", f"{OWNED} [1]"),
        (f"{OWNED} [T1, E7; R3]", f"{OWNED} [1]"),
        (f"{OWNED} [source T1]", f"{OWNED} [1]"),
        (f"{OWNED} [T1], [T9], [P1].", f"{OWNED} [1]"),
        (f"{OWNED} [T1]; [T9] {STARTED} [T2].", f"{OWNED} [1] {STARTED} [2]"),
        (f"{OWNED[:-1]} [T1], [T9].", f"{OWNED} [1]"),
        (f"{OWNED} 【T1】", f"{OWNED} [1]"),
        (f"- {OWNED} [T1]\n- {STARTED} [T2]\n", f"- {OWNED} [1]\n- {STARTED} [2]"),
        (f"{OWNED} [T1]\n\n{STARTED} [T2]", f"{OWNED} [1]\n\n{STARTED} [2]"),
        (f"{OWNED} [7]", f"{OWNED} [1]"),
        (f"{OWNED} [Data: Entities (1, 2)]", f"{OWNED} [1]"),
        ("The Corvane Group bakes bread. [P1]", "The Corvane Group bakes bread. [1]"),
        (f"{FALSE} [T1]", f"{FALSE} [?]"),
        ("In summary:\n" + f"{OWNED} [T1]", "In summary:\n" + f"{OWNED} [1]"),
        ("See [the map] there. ", "See [the map] there."),
        (f"{OWNED} [1, 2] [3-5] [?]", f"{OWNED} [1]"),
        ("x " + "[9" * 6 + "]" * 6, "x (9]"),
        (f"{OWNED} [T1 {'and T1 ' * 200}]", f"{OWNED} [1]"),
        (f"{OWNED} [as the passage T1 has it]", f"{OWNED} [1]"),
        (f"{OWNED} [RFC2119]", f"{OWNED} [1] [RFC2119]"),
    ],
)
def test_handles_become_marks_of_what_bears_the_sentence_out(raw: str, seen: str):
    for size in (1, 3, 1000):
        assert write(raw, size)[0] == seen


def test_a_wrong_citation_is_put_right_by_what_was_shown():
    text, _, numbering = write(f"{STARTED} [T1]")

    assert text == f"{STARTED} [1]"
    assert [citation.text_unit_id for citation in numbering.citations()] == ["u1"]


def test_strict_leaves_out_what_is_not_supported():
    text, cited, numbering = write(f"{OWNED} [T1] {FALSE} [T2] {STARTED} [T2]", strict=True)

    assert text == f"{OWNED} [1] {STARTED} [2]"
    assert len(cited.sentences) == len(numbering.citations()) == 2


def test_the_model_may_say_that_nothing_answers():
    text, cited, _ = write("[NONE] The sources do not say who owns the river.")

    assert text == "The sources do not say who owns the river."
    assert not cited.found
    assert [sentence.supported for sentence in cited.sentences] == [None]


@pytest.mark.parametrize("cut", ["[T1", "[T1, E", "[", "[source T", "[Data: Reports (1"])
def test_a_citation_that_was_cut_is_not_seen(cut: str):
    assert write(f"{OWNED} {cut}")[0] == f"{OWNED} [1]"


def test_an_endless_sentence_is_cut_before_a_bracket():
    text, _, _ = write("word " * (LONGEST_SENTENCE // 5 - 1) + "wor [T9] and so on", 11)

    assert not HANDLE.search(text)


def test_a_step_keeps_what_is_supported_with_the_items_that_bear_it_out():
    found = supported(f"{OWNED} [T1] {FALSE} [T2] The Corvane Group bakes bread. [P1]", SHOWN)

    assert [(statement.text, [item.handle for item in items]) for statement, items in found] == [
        (OWNED, ["T1"]),
        ("The Corvane Group bakes bread.", ["T2"]),
    ]


PARTS = st.sampled_from(
    [
        OWNED,
        STARTED,
        FALSE,
        "[T1]",
        "[T2, T99]",
        "[E5]",
        "[NONE]",
        "[T",
        "]",
        "[",
        " ",
        "\n",
        "\n- ",
        "Mr. ",
        '"Oh! ',
        '"',
        "[1]",
        "[99]",
        "【P1",
        "】",
        "[Data: Sources (3)]",
        "e.g. ",
        "3.5 ",
        "좋다. ",
        "好。",
        "**",
        "[see T1]",
        "[T1 T2]",
    ]
)


@given(st.lists(PARTS, max_size=12).map("".join), st.booleans())
def test_whatever_the_reply_holds_no_handle_and_no_foreign_mark_is_seen(raw: str, strict: bool):
    text, cited, numbering = write(raw, 5, strict=strict)

    assert not re.search(rf"[\[【][^\[\]【】]{{0,150}}\b{HANDLE.pattern}\b[^\[\]【】]{{0,150}}[\]】]", text)
    marks = [int(number) for number in re.findall(r"\[(\d+)\]", text)]
    assert set(marks) == {citation.number for citation in numbering.citations()}
    assert set(marks) == {number for sentence in cited.sentences for number in sentence.citations}


@given(st.lists(PARTS, max_size=12).map("".join), st.integers(1, 9), st.booleans())
def test_the_pieces_in_which_a_reply_comes_have_no_say(raw: str, size: int, strict: bool):
    assert write(raw, size, strict=strict)[0] == write(raw, 10_000, strict=strict)[0]
