import random
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrag.errors import MissingDependencyError
from graphrag.indexer import deduplicating
from graphrag.indexer.deduplicating import jaccard, near_duplicates, screened, shingles_of
from graphrag.records import Document
from graphrag.settings import InputSettings, load

RANDOM = random.Random(1)  # noqa: S311
WORDS = [f"{first}{last}" for first in ("ba", "ke", "mi", "so") for last in ("r", "nd", "st", "lt", "ng", "cks")]


def document(number: int, text: str) -> Document:
    return Document(f"d{number}", f"t{number}", text, f"{number}.txt", human_readable_id=number)


def documents(texts: Sequence[str]) -> list[Document]:
    return [document(number, text) for number, text in enumerate(texts)]


def prose(length: int = 200) -> list[str]:
    return [f"{RANDOM.choice(WORDS)}{RANDOM.randrange(1_000)}" for _ in range(length)]


def found(texts: Sequence[str], threshold: float = 0.9) -> list[tuple[int, int]]:
    pairs = near_duplicates(documents(texts), threshold)
    return [(pair.document.human_readable_id, pair.original.human_readable_id) for pair in pairs]


def runs(text: str) -> set[tuple[str, ...]]:
    """The definition, for words with spaces between them."""
    words = text.casefold().split()
    return {tuple(words[start : start + 5]) for start in range(max(len(words) - 4, 1))} if words else set()


# Texts made from few stretches, so that some are alike.
stretches = [" ".join(prose(12)) for _ in range(6)]
texts = st.lists(st.lists(st.sampled_from(stretches), max_size=8).map(" ".join), max_size=12)
thresholds = st.sampled_from([0.5, 0.7, 0.9, 1.0])


@given(texts, thresholds)
@settings(deadline=None)
def test_every_pair_is_as_alike_as_it_says(given_texts: list[str], threshold: float):
    for pair in near_duplicates(documents(given_texts), threshold):
        first, second = runs(pair.document.text), runs(pair.original.text)
        assert pair.similarity == len(first & second) / len(first | second) >= threshold
        assert pair.original.human_readable_id < pair.document.human_readable_id


@given(texts, thresholds)
@settings(deadline=None, derandomize=True)
def test_what_stays_has_no_two_that_are_alike(given_texts: list[str], threshold: float):
    gone = {number for number, _ in found(given_texts, threshold)}
    stays = [runs(text) for number, text in enumerate(given_texts) if number not in gone]
    assert not any(
        one and two and len(one & two) / len(one | two) >= threshold
        for number, one in enumerate(stays)
        for two in stays[:number]
    )


@given(texts, thresholds, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_the_sequence_has_no_say(given_texts: list[str], threshold: float, shuffler: random.Random):
    whole = documents(given_texts)
    shuffled = shuffler.sample(whole, len(whole))
    assert near_duplicates(shuffled, threshold) == near_duplicates(whole, threshold)


def test_edits_of_one_word_in_a_hundred_and_of_one_in_ten():
    words = prose(400)
    edited = [*words]
    edited[100] = edited[300] = "changed"
    rewritten = [word if number % 10 else "changed" for number, word in enumerate(words)]
    whole = [" ".join(each) for each in (words, edited, rewritten, prose(400))]
    (pair,) = near_duplicates(documents(whole), 0.9)
    assert (pair.document.source, pair.original.source) == ("1.txt", "0.txt")
    # Each changed word is in five of the runs.
    assert pair.similarity == pytest.approx((396 - 10) / (396 + 10))


def test_likeness_is_not_handed_on():
    words = prose(300)
    chain = [" ".join([*prose(20 * step), *words[20 * step :]]) for step in range(3)]
    assert found(chain, 0.8) == [(1, 0)]
    assert found([*chain, chain[2]], 0.8) == [(1, 0), (3, 2)]


def test_the_most_similar_one_is_named():
    words = prose(300)
    assert found([" ".join([*words[:-25], *prose(25)]), " ".join(words), " ".join([*words[:-1], "end"])]) == [(2, 1)]


def test_case_marks_and_space_do_not_count():
    text = "The café was closed, so Ann went home at once."
    assert found([text, "THE  CAFE\u0301 WAS CLOSED: so\nAnn went home, at once!"], 1.0) == [(1, 0)]


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("東京は日本の首都です。人口は多く、世界でも最大級の都市の一つとして知られています。", ("最大級", "最大の")),
        ("กรุงเทพมหานครเป็นเมืองหลวงและนครที่มีประชากรมากที่สุดของประเทศไทย", ("มากที่สุด", "มากท้่สุด")),
        (
            "서울은 대한민국의 수도이자 최대 도시이다. 한강을 끼고 있으며 인구가 가장 많다.",
            ("가장", "제일"),
        ),
    ],
)
def test_other_scripts(text: str, change: tuple[str, str]):
    long = text + "".join(text[start:] + text[:start] for start in range(3, 20, 4))
    other = long[::-1]
    assert found([long, long.replace(*change, 1), other], 0.7) == [(1, 0)]


def test_short_texts_are_alike_only_if_they_are_the_same():
    assert found(["Yes, sir.", "Yes, ma'am.", "yes sir", "...", "!!!", ""]) == [(2, 0)]


def test_little_memory_changes_nothing(monkeypatch: pytest.MonkeyPatch):
    whole = [" ".join(prose(500)), " ".join(prose(500))]
    before = near_duplicates(documents([*whole, *whole]), 0.9)
    assert len(before) == 2
    monkeypatch.setattr(deduplicating, "_BLOCK", 7)
    monkeypatch.setattr(deduplicating, "_KEPT", 600)
    assert near_duplicates(documents([*whole, *whole]), 0.9) == before


def test_shingles_are_the_same_on_every_machine():
    assert shingles_of("one two three four five").tolist() == [6887475991046723868]
    assert jaccard(shingles_of("a b c d e f"), shingles_of("x a b c d e")) == pytest.approx(1 / 3)


@pytest.mark.parametrize("threshold", [0.5, 0.6, 0.75, 0.9, 0.95, 1.0])
def test_bands_miss_almost_nothing(threshold: float):
    number, size = deduplicating.bands(threshold)
    assert number >= 2
    assert number * size <= deduplicating.PERMUTATIONS
    assert (1 - threshold**size) ** number <= 0.001


# --- Settings ----------------------------------------------------------------------------


def near_copies(count: int) -> list[Document]:
    words = prose(300)
    return documents([" ".join([*words[:-1], f"end{number}"]) for number in range(count + 1)])


def test_off_looks_at_nothing():
    whole = near_copies(2)
    assert screened(whole, InputSettings()) == (whole, ())


def test_report_keeps_all():
    whole = near_copies(1)
    assert screened(whole, InputSettings(dedupe="report")) == (whole, ("1.txt is 99 % the same as 0.txt",))


def test_skip_leaves_out_and_numbers_anew():
    first, second = near_copies(1)
    last = document(2, " ".join(prose()))
    kept, notices = screened([first, second, last], InputSettings(dedupe="skip"))
    assert [(each.id, each.human_readable_id) for each in kept] == [("d0", 0), ("d2", 1)]
    assert notices == ("1.txt is 99 % the same as 0.txt; left out (input.dedupe: skip)",)


def test_many_notices_are_counted():
    _, notices = screened(near_copies(25), InputSettings(dedupe="report"))
    assert len(notices) == 21
    assert notices[-1] == "and 5 more near-duplicates of other documents, 25 in all"


def test_the_threshold_is_a_setting():
    words = prose(300)
    whole = documents([" ".join(words), " ".join([*words[:240], *prose(60)])])
    assert screened(whole, InputSettings(dedupe="skip"))[1] == ()
    assert len(screened(whole, InputSettings(dedupe="skip", duplicate_similarity=0.6))[0]) == 1


def test_off_is_a_word_in_yaml_too(tmp_path):
    for written, read in [("off", "off"), ("skip", "skip")]:
        (tmp_path / "settings.yaml").write_text(f"input:\n  dedupe: {written}\n", "utf-8")
        assert load(tmp_path).input.dedupe == read


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "datasketch", None)
    assert screened([], InputSettings()) == ([], ())
    with pytest.raises(MissingDependencyError, match=r"graphrag-drift\[dedupe\]"):
        screened([], InputSettings(dedupe="report"))
