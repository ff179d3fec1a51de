import hashlib
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files

import numpy as np
import pytest
from numpy.typing import NDArray

from graphrag.models.embedded import EmbeddedEmbedder

TEXTS = (
    "Scrooge hated Christmas.",
    "The stock exchange closed higher on Friday.",
    "서울은 대한민국의 수도이다.",
    "\x00\x01",
    "",
    "ghost " * 1000,
)
MODEL = EmbeddedEmbedder()


@pytest.fixture(scope="module")
def vectors() -> NDArray[np.float32]:
    return MODEL.embed(TEXTS)


def test_one_unit_vector_a_text(vectors: NDArray[np.float32]):
    assert vectors.shape == (len(TEXTS), MODEL.dimensions)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_no_texts():
    assert MODEL.embed([]).shape == (0, MODEL.dimensions)


def test_a_vector_depends_on_its_text_alone(vectors: NDArray[np.float32]):
    backwards = MODEL.embed(TEXTS[::-1])[::-1]
    alone = np.concatenate([MODEL.embed([text]) for text in TEXTS])

    assert np.array_equal(backwards, vectors)
    assert np.array_equal(alone, vectors)


def test_text_beyond_the_window_counts():
    window = "The harbour was quiet. " * 60

    plain, longer = MODEL.embed([window, f"{window} Then the volcano destroyed the whole of Pompeii."])
    volcano = MODEL.embed(["a volcanic eruption"])[0]

    assert longer @ volcano > plain @ volcano + 0.01
    assert longer @ plain > 0.8


@pytest.mark.parametrize(
    ("question", "nearest"),
    [
        ("a miser who dislikes the holidays", "Scrooge hated Christmas."),
        ("share prices rose", "The stock exchange closed higher on Friday."),
        ("대한민국의 수도", "서울은 대한민국의 수도이다."),
    ],
)
def test_nearest_meaning(vectors: NDArray[np.float32], question: str, nearest: str):
    assert TEXTS[int((vectors @ MODEL.embed([question])[0]).argmax())] == nearest


def test_first_use_by_several_threads_at_once(vectors: NDArray[np.float32]):
    fresh = EmbeddedEmbedder()
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: fresh.embed(TEXTS[:2]), range(4)))

    assert all(np.array_equal(result, vectors[:2]) for result in results)


def test_the_data_files_are_those_that_were_built():
    folder = files("graphrag").joinpath("data/all-MiniLM-L6-v2")
    sums = dict(line.split()[::-1] for line in folder.joinpath("SHA256SUMS").read_text("utf-8").splitlines())

    found = {name: hashlib.sha256(folder.joinpath(name).read_bytes()).hexdigest() for name in sums}

    assert found == sums
    assert {"model.onnx", "vocab.txt"} <= set(sums)
