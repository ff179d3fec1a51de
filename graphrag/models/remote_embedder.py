"""An `Embedder` over a server or any other asynchronous model: batched, remembered, checked."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from graphrag.errors import (
    ConnectionLostError,
    ContextOverflowError,
    ModelError,
    OverloadedError,
    UnusableReplyError,
)
from graphrag.messages import TokenUsage
from graphrag.models import calling, tracing
from graphrag.models.background import Background
from graphrag.models.budget import StageUsage, Usage
from graphrag.models.calling import Caller
from graphrag.models.limits import Limiter, Place
from graphrag.models.memo import Memo
from graphrag.settings import EmbeddingSettings, LLMSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = dict[str, NDArray[np.float32]]

NOTHING = "-"
"""What is embedded in place of an empty text, which servers refuse."""
REQUESTS_AT_ONCE = 16
STAGE = "embedding"
"""What its usage goes by."""
_SHORTEST = 16
"""Characters of a text too short to be past any context."""
_CHARACTERS = 4
"""Of a token, about."""


class EmbeddingClient(Protocol):
    """Gives the vectors of texts: a server, or a model in this process.

    One call, one attempt; used from one event loop at a time.
    """

    @property
    def name(self) -> str:
        """Which model, as its maker calls it."""
        ...

    async def embed(self, texts: Sequence[str]) -> "NDArray[np.float32] | Sequence[Sequence[float]]":
        """A vector of any length for each text, in their order; no text is empty.

        Raises ModelError as a ChatModel does.
        """
        ...

    async def close(self) -> None:
        """Let go of connections or of the loaded model."""
        ...


class RemoteEmbedder:
    """An `Embedder` in front of an EmbeddingClient, for any thread.

    Raises ModelError for vectors that are of another size, not finite or zero.
    """

    def __init__(
        self,
        client: EmbeddingClient,
        memo: Memo,
        settings: EmbeddingSettings,
        llm: LLMSettings,
        background: Background | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Of `llm` only concurrency, patience and attempts count. `close` closes client and memo."""
        self._client = client
        self._memo = memo
        self._settings = settings
        self._attempts = llm.attempts
        self._dimensions = settings.dimensions
        self._usage = Usage()
        self._caller = Caller(Limiter(llm.concurrency), llm.patience, draw)
        self._background = background or Background()

    @property
    def name(self) -> str:
        """That of the client's model."""
        return self._client.name

    @property
    def usage(self) -> Mapping[str, StageUsage]:
        """What was asked until now: calls of many texts each, hits by the text, and about how many tokens."""
        return self._usage.by_stage()

    @property
    def at_once(self) -> int:
        """Texts to give it at once: as many as keep its server busy."""
        return self._settings.batch * REQUESTS_AT_ONCE

    @property
    def dimensions(self) -> int:
        """As in the settings; else the model is asked for a vector, once."""
        if not self._dimensions:
            self._look_up([NOTHING])
        return self._dimensions

    def embed(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Unit vectors, shape (len(texts), dimensions).

        A text that the memo knows is not asked for again. The vector of a text longer than the
        model's context is the mean of its halves', weighted by length.
        """
        import numpy as np

        asked = [text if text.strip() else NOTHING for text in texts]
        vectors = self._look_up(list(dict.fromkeys(asked)))
        return np.array([vectors[text] for text in asked], dtype=np.float32).reshape(len(texts), self.dimensions)

    def recall(self, texts: Sequence[str]) -> "NDArray[np.float32] | None":
        """The vectors of these texts if the memo has them all, without asking the model; else None."""
        import numpy as np

        asked = [text if text.strip() else NOTHING for text in texts]
        known = self._memo.vectors(self.name, self._settings.dimensions, list(dict.fromkeys(asked)))
        return np.stack([known[text] for text in asked]) if asked and len(known) == len(set(asked)) else None

    def close(self) -> None:
        """Cancel what runs, and let go of the client and of the memo."""
        self._background.run(self._client.close())
        self._background.close()
        self._memo.close()

    def _look_up(self, texts: list[str]) -> "Vectors":
        vectors = self._memo.vectors(self.name, self._settings.dimensions, texts)
        if vectors:
            self._usage.add(STAGE, StageUsage(hits=len(vectors)))
        for vector in vectors.values():
            self._check_size(len(vector))
        missing = [text for text in texts if text not in vectors]
        size = self._settings.batch

        async def embed(start: int) -> None:
            found = await self._embed(missing[start : start + size])
            self._memo.put_vectors(self.name, self._settings.dimensions, found)
            vectors.update(found)

        if missing:
            self._background.run(calling.together(map(embed, range(0, len(missing), size))))
        return vectors

    async def _embed(self, texts: list[str]) -> "Vectors":
        """The vectors of a batch, halved as often as the model's context asks for."""
        try:
            return await self._answered(texts)
        except ContextOverflowError:
            if len(texts) == 1:
                return {texts[0]: await self._halved(texts[0])}
        middle = len(texts) // 2
        return await self._embed(texts[:middle]) | await self._embed(texts[middle:])

    async def _halved(self, text: str) -> "NDArray[np.float32]":
        if len(text) < _SHORTEST:
            raise ModelError(f"the embedding model {self.name} takes no text, however short: try another one")
        space = text.rfind(" ", len(text) // 4, len(text) // 2 + 1)
        middle = space if space > 0 else len(text) // 2
        parts = [part if part.strip() else NOTHING for part in (text[:middle], text[middle:])]
        vectors = await self._embed(list(dict.fromkeys(parts)))
        return _unit(len(parts[0]) * vectors[parts[0]] + len(parts[1]) * vectors[parts[1]])

    async def _answered(self, texts: list[str]) -> "Vectors":
        """Call until the vectors can be used."""
        problem = ""
        for number in range(self._attempts):
            try:
                return await self._caller.call(partial(self._attempt, texts), again=number > 0)
            except UnusableReplyError as error:
                problem = str(error)
        raise ModelError(problem)

    async def _attempt(self, texts: list[str], place: Place) -> "Vectors":
        try:
            with tracing.call("embeddings", self.name, STAGE):
                given = await self._client.embed(texts)
        except (OverloadedError, ConnectionLostError, UnusableReplyError):
            self._usage.add(STAGE, StageUsage(failed=1))
            raise
        tokens = sum(map(len, texts)) // _CHARACTERS
        seconds = asyncio.get_running_loop().time() - place.started
        self._usage.add(STAGE, StageUsage(calls=1, tokens=TokenUsage(tokens), seconds=seconds))
        vectors = self._checked(given, texts)
        place.answered(tokens)
        return {text: _unit(vector) for text, vector in zip(texts, vectors, strict=True)}

    def _checked(
        self, given: "NDArray[np.float32] | Sequence[Sequence[float]]", texts: Sequence[str]
    ) -> "NDArray[np.float32]":
        import numpy as np

        vectors = _matrix(given)
        if vectors.ndim != 2 or len(vectors) != len(texts) or not vectors.size:
            raise UnusableReplyError(
                f"the embedding model {self.name} did not give a vector for each text: use another"
            )
        self._check_size(vectors.shape[1])
        if not np.isfinite(vectors).all() or not vectors.any(axis=1).all():
            raise UnusableReplyError(
                f"the embedding model {self.name} gives vectors that are zero or not numbers: use another"
            )
        return vectors

    def _check_size(self, size: int) -> None:
        self._dimensions = self._dimensions or size
        if size != self._dimensions:
            raise ModelError(
                f"the embedding model {self.name} gives vectors of {size} numbers where {self._dimensions} "
                f"were expected: set embedding.dimensions to {size} and index again"
            )


def _matrix(given: "NDArray[np.float32] | Sequence[Sequence[float]]") -> "NDArray[np.float32]":
    """A row for each vector; no rows if they are not all numbers, or not all of one size."""
    import numpy as np

    try:
        return np.asarray(given, dtype=np.float32)
    except (TypeError, ValueError):
        return np.empty((0, 0), dtype=np.float32)


def _unit(vector: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """In double precision on the way: a float32 square can overflow. Halves that cancel out stay zero."""
    import numpy as np

    wide = vector.astype(np.float64)
    return (wide / (np.linalg.norm(wide) or 1.0)).astype(np.float32)
