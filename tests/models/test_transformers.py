import asyncio
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tiny_models import write_transformers

from graphrag.errors import ContextOverflowError, ModelRefusedError, SettingsError
from graphrag.messages import Message, Reply, Request
from graphrag.models.transformers import TransformersChat, TransformersEmbeddings
from graphrag.settings import EmbeddingSettings, LLMSettings

TEMPLATE = "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}[assistant]"


def ask(text: str = "How high?", max_tokens: int = 8) -> Request:
    return Request("test", (Message("user", text),), None, max_tokens)


def settings(model: Path, **more: object) -> LLMSettings:
    return LLMSettings(provider="transformers", model=str(model), **more)  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_transformers(tmp_path_factory.mktemp("model"), TEMPLATE)


def talk(chat: TransformersChat, *requests: Request) -> list[Reply]:
    async def all_at_once():
        replies = await asyncio.gather(*(chat.chat(request, lambda _: False) for request in requests))
        await chat.close()
        return replies

    return asyncio.run(all_at_once())


def test_a_batch_says_what_each_call_would_alone(folder: Path):
    requests = [ask("a"), ask("A far longer question, of many words.", 20), ask("b" * 30, 3)]

    together = talk(TransformersChat(settings(folder)), *requests)
    alone = [talk(TransformersChat(settings(folder)), request)[0] for request in requests]

    assert together == alone
    assert [reply.usage.completion for reply in together if reply.finish == "length"]
    assert together[0].usage.prompt == len("[user]a[assistant]")
    assert all(reply.usage.completion <= request.max_tokens for reply, request in zip(together, requests, strict=True))


def test_calls_that_come_together_are_run_together(folder: Path, monkeypatch: pytest.MonkeyPatch):
    chat = TransformersChat(settings(folder, options={"batch_size": 4}))
    sizes: list[int] = []
    run = chat._run  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(chat, "_run", lambda batch, loop: (sizes.append(len(batch)), run(batch, loop))[1])

    talk(chat, *(ask(f"number {n}", 2) for n in range(6)))

    assert sizes == [4, 2]


def test_a_watch_cuts_its_own_reply_and_no_other(folder: Path):
    async def two():
        chat = TransformersChat(settings(folder))
        cut = chat.chat(ask("a", 200), lambda piece: True)
        whole = chat.chat(ask("b", 40), lambda piece: False)
        replies = await asyncio.gather(cut, whole)
        await chat.close()
        return replies

    cut, whole = asyncio.run(two())
    assert cut.finish == "loop"
    assert cut.usage.completion < 200
    assert whole.finish in ("stop", "length")


def test_what_does_not_fit_overflows_and_what_does_is_clipped(folder: Path):
    chat = TransformersChat(settings(folder))

    async def both():
        with pytest.raises(ContextOverflowError, match="256 are its context"):
            await chat.chat(ask("x" * 300), lambda _: False)
        reply = await chat.chat(ask("x" * 200, 4000), lambda _: False)
        await chat.close()
        return reply

    reply = asyncio.run(both())
    assert reply.usage.prompt + reply.usage.completion <= 256


def test_base_models_get_the_plain_text(tmp_path: Path):
    chat = TransformersChat(settings(write_transformers(tmp_path)))

    (reply,) = talk(chat, ask("Hello"))

    assert reply.usage.prompt == len("Hello\n\n")


def test_a_batch_that_does_not_fit_the_gpu_is_halved(folder: Path, monkeypatch: pytest.MonkeyPatch):
    import torch

    chat = TransformersChat(settings(folder))
    run = chat._run  # pyright: ignore[reportPrivateUsage]

    def cramped(batch, loop):
        if len(batch) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return run(batch, loop)

    monkeypatch.setattr(chat, "_run", cramped)

    assert len(talk(chat, *(ask(f"number {n}", 2) for n in range(8)))) == 8
    assert chat._batch == 2  # pyright: ignore[reportPrivateUsage]


def test_temperature_draws(folder: Path):
    chat = TransformersChat(settings(folder, temperature=5.0, body={"top_k": 50}))

    replies = talk(chat, *(ask("same", 20) for _ in range(4)))

    assert len({reply.text for reply in replies}) > 1


def test_models_that_cannot_be_had(tmp_path: Path):
    with pytest.raises(ModelRefusedError, match="transformers cannot load"):
        talk(TransformersChat(settings(tmp_path)), ask())
    with pytest.raises(SettingsError, match="code of a model is never run"):
        TransformersChat(settings(tmp_path, options={"trust_remote_code": True}))
    with pytest.raises(SettingsError, match=r"llm\.model is empty"):
        TransformersChat(LLMSettings())


def test_embeddings_are_unit_vectors_whatever_is_beside_them(folder: Path):
    embedder = TransformersEmbeddings(EmbeddingSettings(provider="transformers", model=str(folder), batch=2))
    texts = ["short", "rather longer than that", "", "x" * 700]

    vectors = asyncio.run(embedder.embed(texts))
    alone = np.concatenate([asyncio.run(embedder.embed([text])) for text in texts])

    assert vectors.shape == (4, 32)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(vectors, alone, atol=1e-5)
    assert asyncio.run(embedder.embed([])).shape == (0, 32)
    asyncio.run(embedder.close())


def test_without_pytorch(monkeypatch: pytest.MonkeyPatch):
    from graphrag.errors import MissingDependencyError

    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(MissingDependencyError, match="transformers"):
        talk(TransformersChat(settings(Path("somewhere"))), ask())
