"""Which model the settings mean."""

import json
from pathlib import Path
from typing import Any

import pytest
from models.scripted import request

from graphrag.backends import Backends
from graphrag.errors import MissingDependencyError, SettingsError, UnavailableError
from graphrag.models import replay
from graphrag.models.base import ChatModel
from graphrag.models.budget import Budget
from graphrag.models.fake import FakeChat
from graphrag.models.memo import Memo, Origin
from graphrag.models.openai import OpenAIChat
from graphrag.models.remote_embedder import RemoteEmbedder
from graphrag.models.replay import ReplayChat
from graphrag.progress import silent
from graphrag.settings import Settings


def backends(root: Path, **sections: Any) -> Backends:
    return Backends(root, Settings.model_validate(sections))


def llm(root: Path, provider: str, model: str = "m", **more: Any) -> ChatModel:
    return backends(root, llm={"provider": provider, "model": model, **more}).chat_model()


def test_without_a_model_it_says_what_to_do(tmp_path: Path):
    with pytest.raises(UnavailableError, match=r"set llm\.provider.*--method fast"):
        backends(tmp_path).chat_model()


def test_a_server(tmp_path: Path):
    model = llm(tmp_path, "openai", "qwen", base_url="http://127.0.0.1:1/v1")

    assert isinstance(model, OpenAIChat)
    assert "qwen" in model.name


@pytest.mark.parametrize("provider", ["fake", "replay"])
def test_a_file_is_meant_relative_to_the_root_folder(tmp_path: Path, provider: str):
    (tmp_path / "rules.json").write_text(json.dumps([{"reply": "yes"}]))
    if provider == "fake":
        assert isinstance(llm(tmp_path, provider, "rules.json"), FakeChat)
    with pytest.raises(SettingsError, match=str(tmp_path / "missing.json")):
        llm(tmp_path, provider, "missing.json")
    with pytest.raises(SettingsError, match=rf"llm\.provider {provider} needs llm\.model"):
        llm(tmp_path, provider, "")


def test_models_in_this_process_load_nothing_before_they_are_asked(tmp_path: Path):
    (tmp_path / "model.gguf").write_bytes(b"no model")
    for provider, file in [("llamacpp", "model.gguf"), ("transformers", "some/model")]:
        try:
            model = llm(tmp_path, provider, file)
        except MissingDependencyError as error:
            assert provider in str(error)
        else:
            assert file.split("/")[-1].split(".")[0] in model.name


def test_the_service_uses_the_memo_of_the_folder_and_the_budget(tmp_path: Path):
    found = backends(tmp_path, storage={"memo": "deep/memo.sqlite"})
    chat = FakeChat(["yes"])

    with found.chat_service(chat, Budget(max_tokens=10**6)) as service:
        assert service.ask([request("Is it?")], lambda reply: reply.text, silent, "") == ["yes"]

    assert chat.closed
    memo = Memo(tmp_path / "deep" / "memo.sqlite")
    assert list(memo.stats().replies) == [Origin.of(chat.name, chat.parameters)]
    memo.close()


def test_the_service_is_closed_after_an_error_too(tmp_path: Path):
    chat = FakeChat([])

    with pytest.raises(ZeroDivisionError), backends(tmp_path).chat_service(chat):
        raise ZeroDivisionError

    assert chat.closed


def test_embedders(tmp_path: Path):
    assert "MiniLM" in backends(tmp_path).embedder().name
    served = {"provider": "openai", "model": "e", "base_url": "http://127.0.0.1:1/v1", "dimensions": 8}
    embedder = backends(tmp_path, embedding=served).embedder()

    assert isinstance(embedder, RemoteEmbedder)
    assert embedder.dimensions == 8
    embedder.close()


def test_a_recording_is_replayed(tmp_path: Path):
    (tmp_path / "recording.jsonl").write_text(replay.header("qwen", {"temperature": 0}), "utf-8")

    model = llm(tmp_path, "replay", "recording.jsonl")

    assert isinstance(model, ReplayChat)
    assert model.name == "qwen"
