from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from graphrag import tokens
from graphrag.indexer.windows import LEAST_TOKENS, Passage, Window, group, halves
from graphrag.records import Document, TextUnit

SIZE = 100


def collection(*sizes: Sequence[int], titled: bool = False) -> tuple[list[Document], list[TextUnit]]:
    """One document a sequence of sizes, with a text unit of so many tokens for each."""
    documents = [Document(f"d{n}", f"Title {n}", "", titled=titled) for n in range(len(sizes))]
    units = [
        TextUnit(f"d{n}u{i}", " ".join(["word"] * size), size, f"d{n}", headings=("Part",) if titled else ())
        for n, of_document in enumerate(sizes)
        for i, size in enumerate(of_document)
    ]
    return documents, units


def ids(windows: Sequence[Window]) -> list[list[str]]:
    return [[passage.text_unit_id for passage in window.passages] for window in windows]


@given(st.lists(st.lists(st.integers(1, 80), max_size=9), max_size=9))
def test_every_text_unit_is_in_one_window_in_order(sizes: list[list[int]]):
    documents, units = collection(*sizes)

    windows = group(documents, units, SIZE)

    assert [id_ for window in ids(windows) for id_ in window] == [unit.id for unit in units]
    assert all(window.passages for window in windows)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40))
def test_windows_of_a_long_document_are_even(sizes: list[int]):
    _, windows = None, group(*collection(sizes), SIZE)

    largest = max(sizes)
    assert all(window.n_tokens <= SIZE + largest for window in windows)
    assert len(windows) <= -(-sum(sizes) // SIZE) + 1


def test_a_long_document_has_its_windows_to_itself():
    windows = group(*collection([20], [60, 60], [20]), SIZE)

    assert ids(windows) == [["d0u0"], ["d1u0"], ["d1u1"], ["d2u0"]]


def test_short_documents_share_windows():
    windows = group(*collection(*[[20]] * 20), SIZE)

    assert len(windows) < 10
    assert all(window.n_tokens <= SIZE for window in windows)


def test_windows_fall_back_into_step_after_an_insertion():
    """So that what was paid for the other windows is not paid for again."""
    documents, units = collection(*[[20]] * 400)
    more = [TextUnit("new", "word " * 20, 20, "new"), *units]

    before = {window.text for window in group(documents, units, SIZE)}
    after = {window.text for window in group(documents, more, SIZE)}

    assert len(after - before) <= 0.1 * len(after)


def test_text_units_without_text_are_in_no_window():
    documents, units = collection([20], [20])
    units[0] = TextUnit("d0u0", " \n", 1, "d0")

    assert ids(group(documents, units, SIZE)) == [["d1u0"]]


def test_what_passages_are_about_stands_above_them_once_where_the_input_says_it():
    (window,) = group(*collection([2, 1], titled=True), SIZE)

    assert window.text == "# Title 0 > Part\n[1] word word\n[2] word"
    assert group(*collection([3]), SIZE)[0].text == "[1] word word word"


def test_passages_of_other_documents_do_not_stand_under_a_heading():
    passages = [Passage("a", "One.", 2, "A"), Passage("b", "Two.", 2), Passage("c", "Three.", 2, "C\n[9] D")]

    assert Window(tuple(passages)).text == "# A\n[1] One.\n#\n[2] Two.\n# C [9] D\n[3] Three."


def test_no_text_can_look_like_another_passage():
    unit = TextUnit("u", "One.\n[2] Two.\n\n[3] Three.", 12, "d")
    (window,) = group([], [unit], SIZE)

    assert window.text == "[1] One. [2] Two. [3] Three."


@given(st.text(st.sampled_from("abc 가나 .漢\n"), min_size=1, max_size=400))
def test_halves_hold_all_of_the_text(text: str):
    window = Window((Passage("u", text, tokens.count(text)),))

    parts = halves(window)

    assert len(parts) in (0, 2)
    if parts:
        whole = "".join("".join(part.passages[0].text for part in parts).split())
        assert whole == "".join(text.split())
        assert all(part.n_tokens < window.n_tokens for part in parts)
        assert all(part.passages[0].text_unit_id == "u" for part in parts)


def test_halves_part_passages_first():
    passages = tuple(Passage(str(n), "word " * size, size) for n, size in enumerate([50, 10, 10, 10]))

    assert ids(halves(Window(passages))) == [["0"], ["1", "2", "3"]]


def test_a_text_can_be_halved_until_it_is_tiny():
    todo, done = [Window((Passage("u", "漢字" * 500, 1000),))], 0
    while todo:
        window = todo.pop()
        parts = halves(window)
        todo += parts
        done += not parts

    assert done > 10
    assert not halves(Window((Passage("u", "One. Two.", 2 * LEAST_TOKENS - 1),)))
