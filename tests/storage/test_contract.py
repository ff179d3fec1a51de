"""What every store must do. A backend joins by adding itself to STORES."""

import subprocess
import sys
from collections.abc import Callable, ItemsView, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from object_storage import serving

from graphrag.errors import BuildInProgressError, IndexMismatchError, IndexNotFoundError, StorageError
from graphrag.records import TextUnit
from graphrag.storage import lance_reader, leases
from graphrag.storage.base import Store, Version
from graphrag.storage.lance import LanceStore
from graphrag.storage.schema import EMBEDDED, MATCHED, TABLES, Searchable, to_table

from .bucket_lance import BUCKET, BucketLanceStore
from .public_lance import PublicLanceStore
from .samples import DIMENSIONS, TEXTS, empty_tables, make_build, make_tables, searchable

pytestmark = pytest.mark.enable_socket

TESTS = Path(__file__).parents[1]

STORES: dict[str, Callable[[Path], Store]] = {
    "lance": LanceStore,
    "lance, public": PublicLanceStore,
    "lance, in a bucket": BucketLanceStore,
}
"""Classes that take the index's folder."""


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    with serving() as server:
        server.new_bucket(BUCKET)
        yield


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return STORES[request.param](tmp_path / "output")


@pytest.fixture(scope="module", params=STORES)
def published(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with one build in it, shared by the tests that only read."""
    store = STORES[request.param](tmp_path_factory.mktemp("published"))
    store.publish(make_tables(), make_build("first"))
    return store


def ids(table: pa.Table) -> list[str | None]:
    return table["id"].to_pylist()


def axis(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


# --- Builds ------------------------------------------------------------------------------


def test_nothing_is_there_at_first(store: Store) -> None:
    assert store.current() is None
    with pytest.raises(IndexNotFoundError, match="graphrag index"):
        store.open()


def test_what_is_published_is_read(published: Store) -> None:
    reader = published.open()

    assert published.current() == reader.build == make_build("first")
    for name, table in make_tables().items():
        assert reader.table(name).equals(table)


def test_a_later_build_replaces_and_readers_keep_theirs(store: Store) -> None:
    store.publish(make_tables(), make_build("first"))
    before = store.open()
    store.publish(make_tables(["A fox."], prefix="v"), make_build("second"))
    store.publish(make_tables(["An owl.", "Owls!"], prefix="w"), make_build("third"))

    after = store.open()
    assert (before.build.fingerprint, after.build.fingerprint) == ("first", "third")
    assert ids(before.table("text_units")) == ["u0", "u1", "u2"]
    assert [hit.id for hit in before.matching("text_units", "hound", 5)] == ["u1", "u0"]
    assert [hit.id for hit in before.nearest("text_units", axis(0, 1, 0, 0), 1)] == ["u1"]
    assert ids(before.rows("text_units", ["u2"])) == ["u2"]
    assert ids(after.table("text_units")) == ["w0", "w1"]
    assert after.matching("text_units", "hound", 5) == []


class FailsAfter(dict[str, pa.Table]):
    """Tables of which only the first few can be had."""

    def __init__(self, tables: dict[str, pa.Table], count: int) -> None:
        super().__init__(tables)
        self.count = count

    def items(self) -> ItemsView[str, pa.Table]:
        def some() -> Iterator[tuple[str, pa.Table]]:
            yield from list(super(FailsAfter, self).items())[: self.count]
            raise OSError(28, "No space left on device")

        return some()  # type: ignore[return-value]


@pytest.mark.parametrize("count", [0, 2, len(TABLES)])
def test_a_failed_build_leaves_the_one_before(store: Store, count: int) -> None:
    store.publish(make_tables(), make_build("first"))

    with pytest.raises(StorageError, match="No space left on device"):
        store.publish(FailsAfter(make_tables(["A fox."], prefix="v"), count), make_build("second"))

    reader = store.open()
    assert reader.build == make_build("first")
    assert ids(reader.table("text_units")) == ["u0", "u1", "u2"]
    store.publish(make_tables(["A fox."], prefix="v"), make_build("third"))
    assert ids(store.open().table("text_units")) == ["v0"]


def test_a_first_build_that_fails_leaves_nothing(store: Store) -> None:
    with pytest.raises(StorageError):
        store.publish(FailsAfter(make_tables(), 3), make_build("first"))

    assert store.current() is None
    with pytest.raises(IndexNotFoundError):
        store.open()


def test_empty_tables(store: Store) -> None:
    store.publish(empty_tables(), make_build("empty"))

    reader = store.open()
    for name, table in empty_tables().items():
        assert reader.table(name).equals(table)
        assert reader.rows(name, ["x"]).num_rows == 0
    assert [reader.nearest(name, axis(1, 0, 0, 0), 3) for name in sorted(EMBEDDED)] == [[]] * 4
    assert [reader.matching(name, "hound", 3) for name in sorted(MATCHED)] == [[]] * 3


# --- Tables and rows ---------------------------------------------------------------------


def test_some_columns_in_the_order_asked_for(published: Store) -> None:
    table = published.open().table("entities", ["title", "id"])

    assert table.to_pydict() == {"title": ["HOUND", "CITY", "SNOW"], "id": ["e0", "e1", "e2"]}


def test_rows_come_in_the_order_of_their_ids(published: Store) -> None:
    reader = published.open()

    assert ids(reader.rows("text_units", ["u2", "nobody", "u0"])) == ["u2", "u0"]
    assert reader.rows("text_units", ["u1", "u0"], ["text"]).to_pydict() == {"text": [TEXTS[1], TEXTS[0]]}
    assert reader.rows("text_units", ["u1"]).equals(make_tables()["text_units"].slice(1, 1))
    assert reader.rows("text_units", []).num_rows == 0


def test_table_and_row_order_with_many_rows_and_odd_ids(store: Store) -> None:
    odd = ["it's", '"quoted"', "a\\b", "' OR 1=1 --", "%", "한국어", "new\nline", "", "?", "{x}"]
    wanted = [*odd, *(f"id-{i * 7919 % 5000}" for i in range(5000))]
    tables = make_tables([""] * len(wanted))
    units = tables["text_units"]
    tables["text_units"] = units.set_column(0, "id", pa.array(wanted))
    store.publish(tables, make_build("many"))

    reader = store.open()
    assert ids(reader.table("text_units", ["id"])) == wanted
    assert ids(reader.rows("text_units", odd[::-1], ["id"])) == odd[::-1]
    assert ids(reader.rows("text_units", wanted[::-1], ["id"])) == wanted[::-1]


# --- Searches ----------------------------------------------------------------------------


def test_nearest_first_with_cosine_similarity(published: Store) -> None:
    hits = published.open().nearest("text_units", axis(3, 4, 0, 0), 3)

    assert [hit.id for hit in hits] == ["u1", "u0", "u2"]
    assert [hit.score for hit in hits] == pytest.approx([0.8, 0.6, 0.0], abs=1e-6)


def test_vectors_at_length_1_in_the_order_of_their_ids(published: Store) -> None:
    reader = published.open()

    found = reader.vectors("text_units", ["u2", "nobody", "u0", "u2"])

    assert found.tolist() == [[0, 0, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0]]
    assert found.dtype == np.float32
    assert reader.vectors("entities", ["u2", "e1"]).tolist() == [[0, 0, 0, 0], [0, 1, 0, 0]]
    assert reader.vectors("text_units", []).shape == (0, DIMENSIONS)


@pytest.mark.parametrize("flat_rows", [lance_reader.FLAT_ROWS, 0])
def test_a_vector_of_zeros_stays_one(store: Store, flat_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the vectors of the table are kept or read by their ids."""
    monkeypatch.setattr(lance_reader, "FLAT_ROWS", flat_rows)
    units = [TextUnit(f"u{n}", "", 0, "d", human_readable_id=n) for n in range(3)]
    vectors = np.array([[0, 3, 4, 0], [0, 0, 0, 0], [2, 0, 0, 0]], np.float32)
    store.publish(
        {**make_tables(), "text_units": to_table("text_units", units, Searchable([""] * 3, vectors))},
        make_build("zeros"),
    )

    found = store.open().vectors("text_units", ["u2", "nobody", "u1", "u0"])

    assert found == pytest.approx(np.array([axis(1, 0, 0, 0), np.zeros(4), np.zeros(4), axis(0, 0.6, 0.8, 0)]))


def test_as_many_as_asked_for(published: Store) -> None:
    reader = published.open()

    assert [len(reader.nearest("text_units", axis(1, 1, 1, 0), k)) for k in (0, 2, 99)] == [0, 2, 3]
    assert [len(reader.matching("text_units", "hound snow", k)) for k in (0, 2, 99)] == [0, 2, 3]


def test_a_vector_of_another_length_is_refused(published: Store) -> None:
    with pytest.raises(
        IndexMismatchError, match=r"length 4 \(test-model\), the question one of 5.*same embedding model"
    ):
        published.open().nearest("text_units", np.ones(DIMENSIONS + 1, np.float32), 3)


def test_matching_finds_inflected_words_best_first(published: Store) -> None:
    reader = published.open()

    assert {hit.id for hit in reader.matching("text_units", "RUN", 5)} == {"u0", "u1"}
    hits = reader.matching("text_units", "running hounds at home", 5)
    assert [hit.id for hit in hits] == ["u1", "u0"]
    assert hits[0].score > hits[1].score > 0
    assert [hit.id for hit in reader.matching("entities", "cities", 5)] == ["e1"]
    assert [hit.id for hit in reader.matching("community_reports", "hounds", 5)] == ["p0"]


def test_matching_finds_korean_words_with_particles_and_accents(store: Store) -> None:
    texts = ["삼성전자는 서울에서 시작했다.", "부산의 바다", "Un café à Zürich", "東京都に住む", "x" * 100]
    store.publish(make_tables(texts), make_build("first"))

    reader = store.open()
    queries = ["삼성전자의 역사", "서울", "부산에서", "cafe zurich", "東京都"]
    assert [[hit.id for hit in reader.matching("text_units", query, 5)] for query in queries] == [
        ["u0"], ["u0"], ["u1"], ["u2"], ["u3"],
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "  \n", "?!—…", "unheard"])
def test_no_words_no_hits(published: Store, text: str) -> None:
    assert published.open().matching("text_units", text, 5) == []


@pytest.mark.parametrize(
    "text", ["hound AND snow", '+hound -"snow"', "snow* OR NOT (hound^2)", "text:hound~ [snow TO x]"]
)
def test_no_character_of_a_query_has_a_meaning(published: Store, text: str) -> None:
    assert {hit.id for hit in published.open().matching("text_units", text, 5)} == {"u0", "u1", "u2"}


def test_a_query_of_thousands_of_words(published: Store) -> None:
    text = " ".join(f"word{i}" for i in range(5000))

    assert [hit.id for hit in published.open().matching("text_units", text + " snow", 5)] == ["u2"]


def test_threads_can_share_a_reader(published: Store) -> None:
    reader = published.open()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: reader.matching("text_units", "hound", 5), range(16)))

    assert found == [reader.matching("text_units", "hound", 5)] * 16
    assert len(found[0]) == 2


# --- The lock ----------------------------------------------------------------------------


def test_a_second_thread_is_refused_until_the_first_is_done(store: Store) -> None:
    def publish() -> None:
        with store.lock():
            store.publish(empty_tables(), make_build("locked"))

    with ThreadPoolExecutor(1) as pool:
        with store.lock(), pytest.raises(BuildInProgressError, match="wait for it to finish"):
            pool.submit(publish).result()
        assert store.current() is None
        pool.submit(publish).result()
    assert store.current() == make_build("locked")


def test_the_lock_is_freed_by_an_error(store: Store) -> None:
    with pytest.raises(KeyError), store.lock():
        raise KeyError
    with store.lock():
        assert store.current() is None


def test_another_process_is_refused_until_the_first_dies(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = type(store)
    program = f"import sys; from pathlib import Path; from {kind.__module__} import {kind.__name__} as Store\n"
    program += f"with Store(Path({str(tmp_path / 'output')!r})).lock(): print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, cwd=TESTS, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(BuildInProgressError), store.lock():
            pass
        process.kill()
    monkeypatch.setattr(leases, "TERM", 0.0)
    with store.lock():
        assert store.current() is None


# --- Changes -----------------------------------------------------------------------------


def numbered(texts: dict[int, str]) -> dict[str, pa.Table]:
    """A build whose text units have these numbers and, for ids, these numbers too."""
    units = [TextUnit(f"u{number}", text, 5, "d", human_readable_id=number) for number, text in sorted(texts.items())]
    return {**make_tables(), "text_units": to_table("text_units", units, searchable([unit.text for unit in units]))}


WORDS = st.lists(st.sampled_from(TEXTS[0].split() + TEXTS[2].split()), min_size=1, max_size=4).map(" ".join)
COLLECTIONS = st.dictionaries(st.integers(0, 30), WORDS, min_size=1, max_size=20)


@settings(max_examples=15, deadline=None)
@given(collections=st.lists(COLLECTIONS, min_size=2, max_size=4), name=st.sampled_from(sorted(STORES)))
def test_changes_end_in_what_a_new_index_would_hold(
    tmp_path_factory: pytest.TempPathFactory, collections: list[dict[int, str]], name: str
) -> None:
    changed = STORES[name](tmp_path_factory.mktemp("changed"))
    for number, collection in enumerate(collections):
        changed.publish(numbered(collection), make_build(str(number)))
    fresh = STORES[name](tmp_path_factory.mktemp("fresh"))
    fresh.publish(numbered(collections[-1]), make_build("fresh"))

    for table in TABLES:
        assert changed.open().table(table).equals(fresh.open().table(table))
    for question in ("hound", "snow fell", "forest in the city"):
        assert changed.open().matching("text_units", question, 50) == fresh.open().matching("text_units", question, 50)


def test_versions_can_be_gone_back_to_and_forth(store: Store) -> None:
    assert store.versions() == []
    store.publish(make_tables(), make_build("first"))
    store.publish(make_tables(["A fox."]), make_build("second"))
    assert [(version.number, version.published) for version in store.versions()] == [(1, False), (2, True)]

    with store.lock():
        assert store.rollback(1) == Version(1, make_build("first"), published=True)

    assert store.current() == make_build("first")
    assert store.open().table("text_units").equals(make_tables()["text_units"])
    assert [hit.id for hit in store.open().matching("text_units", "hound", 5)] == ["u1", "u0"]
    store.publish(make_tables(["An owl.", *TEXTS[1:]]), make_build("third"))
    assert store.open().matching("text_units", "fox", 5) == []
    assert [version.number for version in store.versions()] == [2, 1, 3]
    store.rollback(2)
    assert [hit.id for hit in store.open().matching("text_units", "fox", 5)] == ["u0"]


@pytest.mark.parametrize("number", [0, 2, 7])
def test_there_is_no_going_back_to_what_is_not_kept(store: Store, number: int) -> None:
    store.publish(make_tables(), make_build("first"))

    with pytest.raises(StorageError, match=f"no version {number} of the index in .* is kept; there is none"):
        store.rollback(number)
    assert store.current() == make_build("first")


def test_a_clean_up_leaves_the_published_build_alone(store: Store) -> None:
    for text in ("A fox.", "An owl.", "A hare."):
        store.publish(make_tables([text, *TEXTS]), make_build(text))
    before = {name: store.open().table(name) for name in TABLES}

    store.clean(everything=True)

    assert [version.number for version in store.versions()] == [3]
    assert {name: store.open().table(name) for name in TABLES} == before
    assert [hit.id for hit in store.open().matching("text_units", "hare", 5)] == ["u0"]
