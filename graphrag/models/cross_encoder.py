"""A reranker in this process, on PyTorch and `transformers`: a cross-encoder reads question and text
as one and gives a single number (Nogueira and Cho 2019, arXiv:1901.04085).

Weights are read from safetensors alone, and no code of a model is run.
"""

from collections.abc import Sequence
from functools import cached_property
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any

from graphrag.errors import MissingDependencyError, ModelRefusedError, SettingsError, UnusableReplyError
from graphrag.settings import RerankingSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BATCH = 32
"""Pairs read at once; fewer where they do not fit into the GPU's memory."""
LONGEST = 512
"""Tokens of question and text together; what is longer is cut."""


class CrossEncoder:
    """A `Reranker` that runs here, for any thread. `settings.model` is a folder or a hub id of a
    sequence classifier with one label (or two, of which the second means relevant)."""

    def __init__(self, settings: RerankingSettings) -> None:
        """Loads nothing yet. Raises SettingsError, or MissingDependencyError without PyTorch."""
        if not settings.model:
            raise SettingsError("reranking.model is empty: give a folder or a hub id")
        self._torch, self._transformers = _import("torch"), _import("transformers")
        self._batch = BATCH
        self._lock = Lock()
        self.name = settings.model

    def scores(self, question: str, texts: Sequence[str]) -> "NDArray[np.float32]":
        """See `Reranker`; these are logits. Raises ModelError."""
        import numpy as np

        found = np.zeros(len(texts), dtype=np.float32)
        # Texts of like length together: the shorter ones of a batch are filled up.
        waiting = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        with self._lock:
            while waiting:
                batch = waiting[: self._batch]
                try:
                    found[batch] = self._run(question, [texts[place] for place in batch])
                except self._torch.OutOfMemoryError:
                    self._torch.cuda.empty_cache()
                    self._shrink(len(batch))
                else:
                    waiting = waiting[len(batch) :]
        if not np.isfinite(found).all():
            raise UnusableReplyError(f"the reranker {self.name!r} gives scores that are no numbers: use another")
        return found

    def _run(self, question: str, texts: Sequence[str]) -> "NDArray[np.float32]":
        tokenizer, model = self._loaded
        pairs = tokenizer(
            [question] * len(texts),
            [text or " " for text in texts],
            padding=True,
            truncation=True,
            max_length=min(LONGEST, int(tokenizer.model_max_length)),
            return_tensors="pt",
        )
        try:
            with self._torch.inference_mode():
                logits = model(**pairs.to(model.device)).logits.float().cpu().numpy()
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            if isinstance(error, self._torch.OutOfMemoryError):
                raise
            raise ModelRefusedError(f"{self.name!r} fails: {_words(error)}") from None
        return logits[:, -1] - (logits[:, 0] if logits.shape[1] == 2 else 0)

    def _shrink(self, size: int) -> None:
        if size == 1:
            raise ModelRefusedError(f"a single text does not fit into the memory of the GPU with {self.name!r}")
        self._batch = size // 2

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """The tokenizer and the model, read when they are first needed."""
        torch, auto = self._torch, self._transformers
        try:
            tokenizer = auto.AutoTokenizer.from_pretrained(self.name, trust_remote_code=False)
            model = auto.AutoModelForSequenceClassification.from_pretrained(
                self.name, dtype="auto", use_safetensors=True, trust_remote_code=False
            )
        except (OSError, ValueError, TypeError, RuntimeError, KeyError) as error:
            raise ModelRefusedError(f"transformers cannot load {self.name!r}: {_words(error)}") from None
        if model.config.num_labels > 2:
            raise ModelRefusedError(f"{self.name!r} has {model.config.num_labels} labels: it is no reranker")
        # Without a filler a model that was made from a chat model reads one pair at a time.
        tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token or tokenizer.unk_token
        if model.config.pad_token_id is None:
            model.config.pad_token_id = tokenizer.pad_token_id
        return tokenizer, model.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _import(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise MissingDependencyError("a reranker on PyTorch", "transformers") from None
