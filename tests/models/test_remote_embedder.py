"""An embedder over a client: batches, memory, failures, and vectors that cannot be used."""

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import LeapingLoop

from graphrag.errors import ContextOverflowError, ModelError, OverloadedError
from graphrag.messages import TokenUsage
from graphrag.models.background import Background
from graphrag.models.memo import Memo
from graphrag.models.remote_embedder import RemoteEmbedder
from graphrag.settings import EmbeddingSettings, LLMSettings


class Client:
    """A text's vector: its length, one, and how often `e` is in it."""

    name = "client"

    def __init__(self, answer=None, context=10**9):
        self.answer = answer or (lambda texts, n: [vector(text) for text in texts])
        self.context = context
        self.asked = []
        self.closed = False

    async def embed(self, texts):
        assert all(text.strip() for text in texts)
        self.asked.append(list(texts))
        number = len(self.asked)
        await asyncio.sleep(0.1)
        if sum(map(len, texts)) > self.context:
            raise ContextOverflowError("too long")
        answer = self.answer(texts, number)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self):
        self.closed = True


def vector(text):
    return [len(text), 1.0, text.count("e")]


def unit(values):
    values = np.asarray(values, dtype=np.float64)
    return values / np.linalg.norm(values)


@pytest.fixture
def make():
    made = []

    def embedder(client, memo=None, **settings):
        embedding = EmbeddingSettings(provider="openai", **settings)
        one = RemoteEmbedder(client, memo or Memo(), embedding, LLMSettings(), Background(LeapingLoop), lambda: 0.5)
        made.append(one)
        return one

    yield embedder
    for one in made:
        one.close()
        assert one._client.closed


def test_unit_vectors_in_order_each_text_once_in_batches(make):
    client = Client()
    embedder = make(client, batch=10)
    texts = [f"text {n}{'e' * n}" for n in range(25)] * 2
    vectors = embedder.embed(texts)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, [unit(vector(text)) for text in texts], rtol=1e-6)
    assert sorted(map(len, client.asked)) == [5, 10, 10]
    assert (embedder.name, embedder.dimensions) == ("client", 3)
    assert embedder.embed([]).shape == (0, 3)


def test_what_was_embedded_once_comes_from_the_memo(make, tmp_path):
    memo = Memo(tmp_path / "memo.sqlite")
    first = make(Client(), memo).embed(["a", "b"])
    client = Client()
    embedder = make(client, memo)
    assert embedder.embed(["b", "a"]).tolist() == first[::-1].tolist()
    assert embedder.dimensions == 3
    assert client.asked == []


def test_dimensions_are_found_out_with_one_call_unless_they_are_set(make):
    client = Client()
    embedder = make(client)
    assert (embedder.dimensions, embedder.dimensions) == (3, 3)
    assert len(client.asked) == 1
    assert make(client, dimensions=3).dimensions == 3
    assert len(client.asked) == 1


def test_empty_texts_have_a_vector_and_are_not_sent(make):
    client = Client()
    vectors = make(client).embed(["", "  \n", "a"])
    assert client.asked == [["-", "a"]]
    assert np.isfinite(vectors).all()


def test_failures_are_tried_again(make):
    client = Client(lambda texts, n: OverloadedError("503") if n % 3 else [vector(text) for text in texts])
    texts = [f"text {n}" for n in range(40)]
    np.testing.assert_allclose(make(client, batch=2).embed(texts), [unit(vector(t)) for t in texts], rtol=1e-6)


@pytest.mark.parametrize(
    "bad",
    [[[1.0, float("nan"), 1.0]], [[1.0, float("inf"), 1.0]], [[0.0, 0.0, 0.0]], [[None, 1.0, 1.0]], [], [[]], [1.0]],
)
def test_vectors_that_cannot_be_used_are_asked_for_again_then_refused(make, bad):
    once = Client(lambda texts, n: bad if n == 1 else [vector(text) for text in texts])
    assert make(once, dimensions=3).embed(["a"]).shape == (1, 3)
    always, memo = Client(lambda texts, n: bad), Memo()
    with pytest.raises(ModelError, match="embedding model client"):
        make(always, memo, dimensions=3).embed(["a"])
    assert len(always.asked) == 3
    assert memo.stats().vectors == {}


def test_vectors_of_another_size_are_refused(make):
    with pytest.raises(ModelError, match=r"3 numbers where 384 .* set embedding.dimensions to 3"):
        make(Client(), dimensions=384).embed(["a"])
    client = Client(lambda texts, n: [[1.0] * n] * len(texts))
    embedder = make(client)
    embedder.embed(["a"])
    with pytest.raises(ModelError, match=r"2 numbers where 1 were"):
        embedder.embed(["b"])


def test_a_batch_past_the_context_is_halved(make):
    client = Client(context=100)
    texts = [f"{n:030d}" for n in range(10)]
    np.testing.assert_allclose(make(client).embed(texts), [unit(vector(text)) for text in texts], rtol=1e-6)


@given(st.lists(st.text("ae ", min_size=1, max_size=9), min_size=20, max_size=40).map(" ".join))
def test_a_text_past_the_context_counts_whole(text):
    client = Client(lambda texts, n: [[text.count("a"), text.count("e"), 1.0] for text in texts], context=40)
    embedder = RemoteEmbedder(client, Memo(), EmbeddingSettings(), LLMSettings(), Background(LeapingLoop))
    (found,) = embedder.embed([text])
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)
    asked = [one for batch in client.asked for one in batch if len(one) <= 40]
    assert set("".join(asked)) - {"-"} == set(text)
    embedder.close()


def test_halves_weigh_as_much_as_they_are_long(make):
    client = Client(lambda texts, n: [[1.0, 0.0] if "a" in text else [0.0, 1.0] for text in texts], context=30)
    (found,) = make(client).embed(["a" * 10 + " " + "e" * 29])
    np.testing.assert_allclose(found, unit([10, 30]), rtol=1e-6)


def test_a_model_that_takes_no_text_is_refused(make):
    with pytest.raises(ModelError, match="takes no text"):
        make(Client(context=0)).embed(["a long text for so small a model"])


def test_usage(make):
    memo, failed = Memo(), OverloadedError("503")
    embedder = make(Client(lambda texts, n: failed if n == 1 else [vector(text) for text in texts]), memo, batch=4)
    embedder.embed(["four" * 4] * 2 + ["a" * 8, "b" * 8, "c" * 8, "d" * 8])
    usage = embedder.usage["embedding"]
    assert (usage.calls, usage.hits, usage.failed, usage.tokens) == (2, 0, 1, TokenUsage(12))
    assert usage.seconds == pytest.approx(0.2)
    embedder.embed(["a" * 8, "e"])
    assert embedder.usage["embedding"].hits == 1
