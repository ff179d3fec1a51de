"""Chat and embedding models in this process, on PyTorch and `transformers`: for a GPU, or small models.

Calls that come together are answered together: a GPU reads sixteen prompts in the time of one.
"""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any

from graphrag.errors import (
    ContextOverflowError,
    GraphRAGError,
    MissingDependencyError,
    ModelError,
    ModelRefusedError,
    SettingsError,
)
from graphrag.messages import Finish, Reply, Request, TokenUsage
from graphrag.models import completions
from graphrag.models.base import Watch
from graphrag.models.completions import PLAIN_TEMPLATE
from graphrag.models.structured import Level
from graphrag.settings import EmbeddingSettings, LLMSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BATCH = 16
"""Calls answered together, unless `llm.options.batch_size` says otherwise."""
GATHER = 0.005
"""Seconds that calls are waited for before the first of them is answered."""
HEARD = 16
"""Tokens that `watch` hears at a time."""


@dataclass(eq=False)
class _Call:
    request: Request
    watch: Watch
    answer: "asyncio.Future[Reply]"
    heard: str = ""
    cut: bool = False
    prompt: list[int] = field(default_factory=list[int])
    longest: int = 0

    def hear(self, piece: str) -> None:
        """On the event loop, where `watch` belongs."""
        if not self.cut and not self.answer.done():
            self.heard += piece
            self.cut = self.watch(piece)


class TransformersChat:
    """A `ChatModel` that runs here. `settings.model` is a folder or a hub id; `settings.options` go to
    `from_pretrained`, but for `batch_size` and `device`; `settings.body` to `generate`.
    Replies are not held to a schema."""

    structured: Level = "text"

    def __init__(self, settings: LLMSettings) -> None:
        """Loads nothing yet. Raises SettingsError."""
        options = dict(settings.options)
        _check(settings.model, options, "llm")
        self._settings = settings
        self._batch = int(options.pop("batch_size", BATCH))
        self._loaded = _Loaded(settings.model, "AutoModelForCausalLM", options)
        self._waiting: list[_Call] = []
        self._answering: asyncio.Task[None] | None = None
        self._thread: ThreadPoolExecutor | None = None
        self.name = settings.model

    @property
    def parameters(self) -> Mapping[str, object]:
        """Temperature, further fields, and the options but for those of speed."""
        given = self._settings
        options = {name: value for name, value in given.options.items() if name not in ("batch_size", "device")}
        said: dict[str, object] = {"temperature": given.temperature}
        return said | {"body": dict(given.body), "options": options}

    async def chat(self, request: Request, watch: Watch) -> Reply:
        """See `ChatModel`. The first call loads the model."""
        loop = asyncio.get_running_loop()
        call = _Call(request, watch, loop.create_future())
        self._waiting.append(call)
        if self._answering is None or self._answering.done():
            self._answering = asyncio.create_task(self._answer_all())
        try:
            return await call.answer
        finally:
            call.cut = True

    async def context(self) -> int | None:
        """Tokens that one call may take, prompt and reply together. Loads the model."""
        return await asyncio.to_thread(self._positions)

    async def close(self) -> None:
        """Let go of the model; the next call loads it again."""
        thread, self._thread = self._thread, None
        if thread:
            await asyncio.to_thread(thread.shutdown)
        self._loaded.drop()

    async def _answer_all(self) -> None:
        loop = asyncio.get_running_loop()
        self._thread = self._thread or ThreadPoolExecutor(1, "transformers")
        await asyncio.sleep(GATHER)
        while self._waiting:
            batch, self._waiting = self._waiting[: self._batch], self._waiting[self._batch :]
            batch = [call for call in batch if not call.answer.done()]
            try:
                outcomes = await loop.run_in_executor(self._thread, self._generate, batch, loop)
            except Exception as error:  # of PyTorch's, of any kind: its callers must not wait forever
                outcomes: Sequence[Reply | GraphRAGError] = [_explained(error, self.name)] * len(batch)
            for call, outcome in zip(batch, outcomes, strict=True):
                _settle(call, outcome)

    def _generate(self, batch: list[_Call], loop: asyncio.AbstractEventLoop) -> list[Reply | ModelError]:
        """The replies to some calls, in their order; halves them while they do not fit the GPU."""
        fitting = [call for call in batch if self._encode(call)]
        try:
            replies = self._run(fitting, loop) if fitting else []
        except self._loaded.torch.OutOfMemoryError:
            self._loaded.torch.cuda.empty_cache()
            if len(fitting) == 1:
                replies = [
                    ContextOverflowError(f"a prompt of {len(fitting[0].prompt)} tokens exceeds the GPU's memory")
                ]
            else:
                half = self._batch = len(fitting) // 2
                replies = self._generate(fitting[:half], loop) + self._generate(fitting[half:], loop)
        answered = dict(zip(map(id, fitting), replies, strict=True))
        return [answered.get(id(call)) or self._overflow(call) for call in batch]

    def _overflow(self, call: _Call) -> ModelError:
        size = f"{len(call.prompt)} tokens, and {self._positions()} are its context"
        return ContextOverflowError(f"the request is longer than {self.name!r} reads: {size}")

    def _encode(self, call: _Call) -> bool:
        """Set the tokens of a call's prompt, and how many may follow; false if none may."""
        tokenizer = self._loaded.tokenizer
        template = None if tokenizer.chat_template else PLAIN_TEMPLATE
        text = tokenizer.apply_chat_template(
            completions.said(call.request.messages), chat_template=template, tokenize=False, add_generation_prompt=True
        )
        # A template writes the model's own marks; a plain text gets them from the tokenizer.
        call.prompt = list(tokenizer(text, add_special_tokens=template is not None)["input_ids"])
        wanted = call.request.max_tokens or self._settings.max_tokens
        call.longest = min(wanted, self._positions() - len(call.prompt))
        return call.longest > 0

    def _run(self, batch: list[_Call], loop: asyncio.AbstractEventLoop) -> "list[Reply | ModelError]":
        torch, tokenizer, model = self._loaded.torch, self._loaded.tokenizer, self._loaded.model
        width = max(len(call.prompt) for call in batch)
        ends = _ends(model, tokenizer)
        filler = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else min(ends, default=0)
        ids = torch.tensor([[filler] * (width - len(call.prompt)) + call.prompt for call in batch])
        mask = torch.tensor([[0] * (width - len(call.prompt)) + [1] * len(call.prompt) for call in batch])
        chosen = {"do_sample": True, "temperature": self._settings.temperature} if self._settings.temperature else {}
        with torch.inference_mode():
            output = model.generate(
                input_ids=ids.to(model.device),
                attention_mask=mask.to(model.device),
                max_new_tokens=max(call.longest for call in batch),
                pad_token_id=filler,
                stopping_criteria=[_Watching(batch, width, self._loaded, loop)],
                **({"do_sample": False} | chosen | self._settings.body),
            )
        rows = output[:, width:].tolist()
        return [self._reply(call, row, ends) for call, row in zip(batch, rows, strict=True)]

    def _reply(self, call: _Call, row: list[int], ends: set[int]) -> Reply:
        end = next((place for place, token in enumerate(row) if token in ends), None)
        said = row[: min(call.longest, len(row) if end is None else end)]
        text = call.heard if call.cut else self._loaded.tokenizer.decode(said, skip_special_tokens=True)
        finish: Finish = "loop" if call.cut else "stop" if end is not None and end < call.longest else "length"
        return Reply(text, finish, TokenUsage(len(call.prompt), len(said)))

    def _positions(self) -> int:
        config = self._loaded.model.config.get_text_config()
        most = int(getattr(config, "max_position_embeddings", 0) or getattr(config, "n_positions", 0) or 1 << 20)
        return min(self._settings.context or most, most)


class _Watching:
    """A stopping criterion, called after every token: ends a row that is long enough or was cut."""

    def __init__(self, batch: list[_Call], start: int, loaded: "_Loaded", loop: asyncio.AbstractEventLoop) -> None:
        self._batch, self._start, self._loaded, self._loop = batch, start, loaded, loop

    def __call__(self, ids: Any, scores: Any, **_: object) -> Any:
        count = ids.shape[1] - self._start
        if count % HEARD == 0:
            pieces = self._loaded.tokenizer.batch_decode(ids[:, -HEARD:], skip_special_tokens=True)
            for call, piece in zip(self._batch, pieces, strict=True):
                if piece:
                    self._loop.call_soon_threadsafe(call.hear, piece)
        done = [call.cut or count >= call.longest for call in self._batch]
        return self._loaded.torch.tensor(done, device=ids.device)


class TransformersEmbeddings:
    """An embedding model that runs here: the mean of its last layer, as sentence-transformers has it."""

    def __init__(self, settings: EmbeddingSettings, llm: LLMSettings | None = None) -> None:
        """Loads nothing yet; on the device that `llm.options` names, if they do. Raises SettingsError."""
        _check(settings.model, {}, "embedding")
        device = {"device": llm.options["device"]} if llm and "device" in llm.options else {}
        self._settings = settings
        self._loaded = _Loaded(settings.model, "AutoModel", device)
        self.name = f"transformers/{settings.model}"

    async def embed(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Unit vectors, shape (len(texts), dimensions), in the order of the texts.

        A text longer than the model reads is read piece by piece; its vector is their mean.
        """
        return await asyncio.to_thread(self._embed, texts)

    async def close(self) -> None:
        """Let go of the model; the next call loads it again."""
        self._loaded.drop()

    def _embed(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        import numpy as np

        size = int(self._loaded.model.config.hidden_size)
        sums = np.zeros((len(texts), size), dtype=np.float32)
        for start in range(0, len(texts), self._settings.batch):
            batch = list(texts[start : start + self._settings.batch])
            owners, vectors = self._run(batch)
            np.add.at(sums, owners + start, vectors)
        return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)

    def _run(self, texts: list[str]) -> "tuple[NDArray[np.int64], NDArray[np.float32]]":
        """For each piece of the texts the text that it is of, and the sum of its tokens' vectors."""
        import numpy as np

        torch, tokenizer, model = self._loaded.torch, self._loaded.tokenizer, self._loaded.model
        most = min(int(tokenizer.model_max_length), int(getattr(model.config, "max_position_embeddings", 0) or 512))
        tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token or tokenizer.unk_token
        pieces = tokenizer(
            [text or " " for text in texts],
            padding=True,
            truncation=True,
            max_length=most,
            return_overflowing_tokens=True,
            return_tensors="pt",
        )
        mask = pieces["attention_mask"].to(model.device)
        with torch.inference_mode():
            states = model(input_ids=pieces["input_ids"].to(model.device), attention_mask=mask).last_hidden_state
        sums = (states.float() * mask.unsqueeze(-1)).sum(dim=1).cpu().numpy()
        return np.asarray(pieces["overflow_to_sample_mapping"], dtype=np.int64), sums


class _Loaded:
    """A model and its tokenizer, from when they are first asked for."""

    def __init__(self, name: str, kind: str, options: Mapping[str, Any]) -> None:
        self._name, self._kind, self._options = name, kind, dict(options)
        self._lock = Lock()
        self._both: tuple[Any, Any] | None = None

    @property
    def torch(self) -> Any:
        return _import("torch")

    @property
    def model(self) -> Any:
        return self._load()[0]

    @property
    def tokenizer(self) -> Any:
        return self._load()[1]

    def drop(self) -> None:
        self._both = None

    def _load(self) -> tuple[Any, Any]:
        with self._lock:
            if self._both is None:
                self._both = self._read()
            return self._both

    def _read(self) -> tuple[Any, Any]:
        torch, transformers = _import("torch"), _import("transformers")
        options = {"dtype": "auto", **self._options}
        device = options.pop("device", "cuda" if torch.cuda.is_available() else "cpu")
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(self._name, trust_remote_code=False)
            model = getattr(transformers, self._kind).from_pretrained(self._name, **options)
            return (model if "device_map" in options else model.to(device)).eval(), tokenizer
        except (OSError, ValueError, TypeError, RuntimeError, KeyError) as error:
            words = " ".join(str(error).split())[:200]
            raise ModelRefusedError(f"transformers cannot load {self._name!r}: {words}") from None


def _check(model: str, options: Mapping[str, object], section: str) -> None:
    if not model:
        raise SettingsError(f"{section}.model is empty: give a folder or a hub id")
    if "trust_remote_code" in options:
        raise SettingsError(f"{section}.options.trust_remote_code: code of a model is never run; remove it")


def _ends(model: Any, tokenizer: Any) -> set[int]:
    """The tokens that end a reply: a model may have several."""
    told = (model.generation_config.eos_token_id, tokenizer.eos_token_id)
    return {int(token) for one in told if one is not None for token in (one if isinstance(one, list) else [one])}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _explained(error: Exception, name: str) -> GraphRAGError:
    if isinstance(error, GraphRAGError):
        return error
    return ModelRefusedError(f"{name!r} fails: {type(error).__name__}: {' '.join(str(error).split())[:200]}")


def _settle(call: _Call, outcome: Reply | Exception) -> None:
    if call.answer.done():
        return
    if isinstance(outcome, Exception):
        call.answer.set_exception(outcome)
        return
    if outcome.finish != "loop":
        # What followed the last piece that it heard.
        call.watch(outcome.text[len(call.heard) :])
    call.answer.set_result(outcome)


def _import(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise MissingDependencyError("a model on PyTorch", "transformers") from None
