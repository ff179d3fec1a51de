"""Which model the settings mean."""

import asyncio
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from models.scripted import request

from graphrag.backends import Backends
from graphrag.errors import MissingDependencyError, SettingsError, UnavailableError
from graphrag.messages import ReplySchema
from graphrag.models import replay
from graphrag.models.base import ChatModel
from graphrag.models.budget import Budget
from graphrag.models.fake import FakeChat
from graphrag.models.measuring import measure
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


@pytest.mark.enable_socket
def test_what_a_server_can_do_is_found_out_once_for_all_services_and_anew_for_a_bare_model(tmp_path: Path):
    forms: list[str] = []
    with plain_text_server(forms) as url:
        found = backends(tmp_path, llm={"provider": "openai", "model": "m", "base_url": url})
        for question in ("Is it?", "Was it?"):
            with found.chat_service() as service:
                asked = replace(request(question), schema=ReplySchema("form", {"type": "object"}))
                assert service.ask([asked], lambda reply: reply.text, silent, "") == ["yes"]
            forms.append("")
        asyncio.run(measure(found.chat_model(), [asked]))
    assert " ".join(forms).split("  ") == ["json_schema json_object text", "text", "text json_schema json_object text"]


@contextmanager
def plain_text_server(forms: list[str]) -> Generator[str]:
    """Says yes, and refuses to see to a form; writes down which it was asked for."""

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            forms.append(asked.get("response_format", {"type": "text"})["type"])
            choice = {"message": {"content": "yes"}, "finish_reason": "stop"}
            told = {"choices": [choice]} if forms[-1] == "text" else {"error": {"message": "no response_format"}}
            body = json.dumps(told).encode()
            self.send_response(200 if forms[-1] == "text" else 400)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            self.send_error(404)

        def log_message(self, *_: object): ...  # pyright: ignore[reportIncompatibleMethodOverride]

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


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
