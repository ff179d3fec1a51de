import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tiny_models import write_transformers

from graphrag.backends import Backends
from graphrag.errors import ModelRefusedError, SettingsError, UnusableReplyError
from graphrag.models import cross_encoder
from graphrag.models.cross_encoder import CrossEncoder
from graphrag.settings import RerankingSettings, Settings

TEXTS = ["A mill.", "", "The mill on the river Aune is owned by the Corvane Group.", "x" * 2000, "Bread"]


def write(folder: Path, labels: int = 1) -> Path:
    """A BERT with one layer over the bytes of the tiny tokenizer, with random weights."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    size = len(AutoTokenizer.from_pretrained(write_transformers(folder)))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=size,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=256,
        num_labels=labels,
        initializer_range=0.5,
        type_vocab_size=2,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("model"))


def encoder(model: Path | str) -> CrossEncoder:
    return CrossEncoder(RerankingSettings(provider="transformers", model=str(model)))


def test_a_score_does_not_depend_on_the_texts_beside_it(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cross_encoder, "BATCH", 2)
    found = encoder(folder).scores("Who owns the mill?", TEXTS)
    alone = [encoder(folder).scores("Who owns the mill?", [text])[0] for text in TEXTS]

    assert found.dtype == np.float32
    assert len(set(found.tolist())) == len(TEXTS)
    np.testing.assert_allclose(found, alone, rtol=1e-3, atol=1e-4)
    assert encoder(folder).scores("Who?", []).shape == (0,)


def test_it_reads_the_question_and_the_text(folder: Path):
    model = encoder(folder)

    assert abs(model.scores("Who owns the mill?", TEXTS) - model.scores("What is bread?", TEXTS)).min() > 1e-4
    # Even of a question without an end something is read, and of the text beside it.
    first, second = model.scores("Who? " * 1000, ["a mill " * 200, "bread " * 200])
    assert abs(first - second) > 1e-4


def test_of_two_labels_the_second_is_relevance(tmp_path: Path):
    import torch
    from transformers import BertForSequenceClassification

    folder = write(tmp_path, labels=2)
    before = encoder(folder).scores("Who?", TEXTS)
    model = BertForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        model.classifier.bias += torch.tensor([0.0, 3.0])
    model.save_pretrained(folder)

    np.testing.assert_allclose(encoder(folder).scores("Who?", TEXTS), before + 3, atol=1e-3)


def test_a_reranker_made_from_a_chat_model(tmp_path: Path):
    from transformers import LlamaForSequenceClassification

    folder = write_transformers(tmp_path)
    LlamaForSequenceClassification.from_pretrained(folder, num_labels=1).save_pretrained(folder)

    found = encoder(folder).scores("Who?", TEXTS)

    np.testing.assert_allclose(found[4], encoder(folder).scores("Who?", TEXTS[4:])[0], rtol=1e-2, atol=1e-3)


def test_a_batch_that_does_not_fit_the_gpu_is_halved(folder: Path, monkeypatch: pytest.MonkeyPatch):
    import torch

    model, sizes = encoder(folder), []
    run = model._run  # pyright: ignore[reportPrivateUsage]

    def cramped(question, texts, most=3):
        if len(texts) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        sizes.append(len(texts))
        return run(question, texts)

    monkeypatch.setattr(model, "_run", cramped)
    found = model.scores("Who?", TEXTS)

    assert sizes == [2, 2, 1]
    np.testing.assert_allclose(found, encoder(folder).scores("Who?", TEXTS), rtol=1e-3, atol=1e-4)
    monkeypatch.setattr(model, "_run", lambda question, texts: cramped(question, texts, most=0))
    with pytest.raises(ModelRefusedError, match="does not fit"):
        model.scores("Who?", TEXTS)


def test_what_is_no_reranker_is_refused(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"reranking\.model is empty"):
        encoder("")
    with pytest.raises(ModelRefusedError, match="cannot load"):
        encoder(tmp_path).scores("Who?", TEXTS)
    with pytest.raises(ModelRefusedError, match="has 3 labels"):
        encoder(write(tmp_path, labels=3)).scores("Who?", TEXTS)


def test_weights_that_may_run_code_are_not_read(tmp_path: Path):
    import torch
    from safetensors.torch import load_file

    weights = write(tmp_path) / "model.safetensors"
    torch.save(load_file(weights), tmp_path / "pytorch_model.bin")
    weights.unlink()

    with pytest.raises(ModelRefusedError, match="cannot load"):
        encoder(tmp_path).scores("Who?", TEXTS)


def test_code_of_a_model_is_not_run(tmp_path: Path):
    config = json.loads((write(tmp_path) / "config.json").read_text())
    config |= {
        "model_type": "mine",
        "auto_map": dict.fromkeys(("AutoConfig", "AutoModelForSequenceClassification"), "evil.Model"),
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")

    with pytest.raises(ModelRefusedError, match="cannot load"):
        encoder(tmp_path).scores("Who?", TEXTS)
    assert not (tmp_path / "ran").exists()


def test_scores_that_are_no_numbers_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch):
    model = encoder(folder)
    monkeypatch.setattr(model, "_run", lambda question, texts: np.full(len(texts), np.nan, np.float32))

    with pytest.raises(UnusableReplyError, match="no numbers"):
        model.scores("Who?", TEXTS)


def test_a_folder_is_meant_relative_to_the_root(folder: Path):
    found = {"provider": "transformers", "model": folder.name}
    model = Backends(folder.parent, Settings.model_validate({"reranking": found})).reranker()

    assert model
    assert model.scores("Who?", TEXTS[:1]).shape == (1,)
