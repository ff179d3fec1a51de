import asyncio
import json
from pathlib import Path

import pytest
from tiny_models import write_gguf

from graphrag.errors import ContextOverflowError, MissingDependencyError, ModelRefusedError, SettingsError
from graphrag.messages import Message, ReplySchema, Request
from graphrag.models.llamacpp import LlamaCppChat
from graphrag.settings import LLMSettings

pytest.importorskip("xllamacpp")
# llama.cpp's server listens on a port of this machine whether it is asked to or not.
pytestmark = pytest.mark.enable_socket

ONE_THREAD = {"cpuparams": {"n_threads": 1}, "cpuparams_batch": {"n_threads": 1}}
LEVELS = {
    "type": "object",
    "properties": {"level": {"enum": ["low", "high"]}, "sure": {"type": "boolean"}},
    "required": ["level", "sure"],
    "additionalProperties": False,
}


def ask(text: str = "How high?", schema: ReplySchema | None = None, max_tokens: int = 48) -> Request:
    return Request("test", (Message("system", "Say."), Message("user", text)), schema, max_tokens)


def settings(model: Path, **more: object) -> LLMSettings:
    return LLMSettings(
        provider="llamacpp", model=str(model), context=256, concurrency=2, **({"options": ONE_THREAD} | more)
    )  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def test_replies_are_held_to_the_schema_and_run_at_once(gguf: Path):
    async def several():
        chat = LlamaCppChat(settings(gguf))
        schema = ReplySchema("level", LEVELS)
        replies = await asyncio.gather(*(chat.chat(ask(f"Number {n}", schema, 190), lambda _: False) for n in range(3)))
        await chat.close()
        return replies

    for reply in asyncio.run(several()):
        said = json.loads(reply.text)
        assert said["level"] in ("low", "high")
        assert isinstance(said["sure"], bool)
        assert reply.finish == "stop"
        assert reply.usage.prompt > 10
        assert reply.usage.completion > 5


def test_limit_cut_and_overflow(gguf: Path):
    async def three():
        chat = LlamaCppChat(settings(gguf))
        limited = await chat.chat(ask(max_tokens=5), lambda _: False)
        cut = await chat.chat(ask(max_tokens=200), lambda piece: bool(piece))
        with pytest.raises(ContextOverflowError, match=r"longer than the context of 'tiny\.gguf'"):
            await chat.chat(ask("x" * 3000), lambda _: False)
        await chat.close()
        return limited, cut

    limited, cut = asyncio.run(three())
    assert (limited.finish, limited.usage.completion) == ("length", 5)
    assert cut.finish == "loop"
    assert len(cut.text) < 50


def test_a_base_model_is_given_the_plain_text(gguf: Path, tmp_path: Path):
    async def prompt_tokens(model: Path) -> int:
        chat = LlamaCppChat(settings(model))
        reply = await chat.chat(ask(max_tokens=1), lambda _: False)
        await chat.close()
        return reply.usage.prompt

    marked = write_gguf(tmp_path / "chat.gguf", "{% for m in messages %}[MARK]{{ m['content'] }}{% endfor %}")
    plain = asyncio.run(prompt_tokens(gguf))
    assert plain == asyncio.run(prompt_tokens(marked)) - 2 * len("[MARK]") + 2 * len("\n\n")


def test_options_are_checked_at_once(gguf: Path):
    with pytest.raises(SettingsError, match=r"llama.cpp has no 'n_gpu_layer'; did you mean 'n_gpu_layers'"):
        LlamaCppChat(settings(gguf, options={"n_gpu_layer": 3}))
    with pytest.raises(SettingsError, match=r"llm.options.cpuparams: llama.cpp has no 'threads'"):
        LlamaCppChat(settings(gguf, options={"cpuparams": {"threads": 3}}))
    with pytest.raises(SettingsError, match=r"llm.options.n_batch: 'many' cannot be used"):
        LlamaCppChat(settings(gguf, options={"n_batch": "many"}))
    chat = LlamaCppChat(settings(gguf, options={"n_gpu_layers": 0, "n_parallel": 3, "rope_freq_scale": 0.5}))
    assert chat.parameters["options"] == {"rope_freq_scale": 0.5}


def test_a_model_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def call(model: str):
        return asyncio.run(LlamaCppChat(LLMSettings(model=model)).chat(ask(), lambda _: False))

    with pytest.raises(SettingsError, match=r"llm\.model: no file"):
        call(str(tmp_path / "missing.gguf"))
    (tmp_path / "broken.gguf").write_bytes(b"GGUF and no more")
    with pytest.raises(ModelRefusedError, match="cannot load"):
        call(str(tmp_path / "broken.gguf"))
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(MissingDependencyError):
        call("org/repo:Q4_K_M")
    with pytest.raises(MissingDependencyError):
        call("org/repo/file.gguf")


def test_the_hub_gives_every_part_and_llama_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from types import SimpleNamespace

    from graphrag.models.llamacpp import _find  # pyright: ignore[reportPrivateUsage]

    fetched: list[str] = []

    def fetch(repository: str, name: str) -> str:
        fetched.append(name)
        return str(tmp_path / name)

    names = ["a-q8_0.gguf", "a-q4_k_m-00002-of-00002.gguf", "a-q4_k_m-00001-of-00002.gguf", "README.md"]
    hub = SimpleNamespace(hf_hub_download=fetch, list_repo_files=lambda _: names)
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", hub)

    assert _find("org/repo:Q4_K_M") == tmp_path / "a-q4_k_m-00001-of-00002.gguf"
    assert fetched == ["a-q4_k_m-00001-of-00002.gguf", "a-q4_k_m-00002-of-00002.gguf"]
    assert _find("org/repo/sub/b.gguf") == tmp_path / "sub/b.gguf"
    with pytest.raises(SettingsError, match="has no Q2_K; it has a-q4_k_m-00001"):
        _find("org/repo:Q2_K")
