"""A chat model in this process, on llama.cpp: GGUF files, on CPU or GPU, replies held to a schema."""

import asyncio
import difflib
import mmap
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any, cast

from graphrag.errors import MissingDependencyError, ModelRefusedError, SettingsError
from graphrag.messages import Reply, Request
from graphrag.models import completions, refusals
from graphrag.models.base import Watch
from graphrag.models.completions import PLAIN_TEMPLATE, ReplyStream, ServerSaysError
from graphrag.models.refusals import Server
from graphrag.models.structured import Level, response_format
from graphrag.settings import LLMSettings

CONTEXT = 10_240
"""Tokens of prompt and reply together, for each call at once, where the settings say nothing."""
PARALLEL = 4
"""Calls at once, unless `llm.options.n_parallel` says otherwise: each has memory of its own."""
_OUTCOME_FREE = {"n_parallel", "n_gpu_layers", "cpuparams", "cpuparams_batch", "n_batch", "n_ubatch"}
_HUB_FILE = re.compile(r"([\w.-]+/[\w.-]+)/([\w./-]+\.gguf)")
_HUB_QUANT = re.compile(r"([\w.-]+/[\w.-]+):([\w.-]+)")


class LlamaCppChat:
    """A `ChatModel` that runs here. `settings.model` is a path, `org/repo/file.gguf` or `org/repo:Q4_K_M`
    of the Hugging Face hub; `settings.options` are fields of llama.cpp's `common_params`, nested
    ones as mappings, and `lora`, the path of an adapter or several."""

    def __init__(self, settings: LLMSettings) -> None:
        """Loads nothing yet. Raises SettingsError and MissingDependencyError."""
        xllamacpp = _import("xllamacpp", "a model on llama.cpp", "llamacpp")
        self._settings = settings
        self._options = dict(settings.options)
        self._parallel = int(self._options.pop("n_parallel", min(settings.concurrency, PARALLEL)))
        self._lora = self._options.pop("lora", [])
        _set(xllamacpp.CommonParams(), self._options, "llm.options")
        if not settings.model:
            raise SettingsError("llm.model is empty: give the path of a GGUF file, or org/repo/file.gguf of the hub")
        self.name = Path(settings.model).name
        self.structured: Level = "schema" if settings.structured == "auto" else settings.structured
        self._server: Any = None
        self._loading = Lock()
        self._threads: ThreadPoolExecutor | None = None

    @property
    def parameters(self) -> Mapping[str, object]:
        """Temperature, further fields, and those options that a reply depends on."""
        given = self._settings
        options = {name: value for name, value in given.options.items() if name not in _OUTCOME_FREE}
        return {
            "temperature": given.temperature,
            "body": dict(given.body),
            "options": options,
        }

    async def context(self) -> int | None:
        """Tokens that one call may take, prompt and reply together."""
        return self._settings.context or CONTEXT

    async def chat(self, request: Request, watch: Watch) -> Reply:
        """See `ChatModel`. The first call loads the model, which may take a minute."""
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[Mapping[str, Any] | None] = asyncio.Queue()
        stopped = False

        def hear(event: Mapping[str, Any] | None) -> bool:
            # In a thread of llama.cpp's: an exception would be lost there.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(events.put_nowait, event)
                return stopped
            return True

        self._threads = self._threads or ThreadPoolExecutor(self._parallel, "llamacpp")
        saying = loop.run_in_executor(self._threads, self._say, self._body(request), hear)
        saying.add_done_callback(lambda _: events.put_nowait(None))
        stream = ReplyStream(watch)
        try:
            while (event := await events.get()) is not None and not stream.hear(event):
                pass
        except ServerSaysError as error:
            about = Server("llama.cpp", self.name, "no key", ())
            raise refusals.error(about, error.status, error.body, {}) from None
        finally:
            stopped = True
        if saying.done():
            saying.result()
        reply = stream.reply()
        return reply if reply.usage.prompt else completions.with_usage(request, reply)

    async def close(self) -> None:
        """Let go of the model; the next call loads it again."""
        threads, self._threads = self._threads, None
        if threads:
            await asyncio.to_thread(threads.shutdown)
        self._server = None

    def _body(self, request: Request) -> dict[str, object]:
        form = response_format(request.schema, self.structured)
        return {
            "messages": completions.said(request.messages),
            "temperature": self._settings.temperature,
            "max_tokens": request.max_tokens or self._settings.max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
            **({"response_format": form} if form else {}),
            **self._settings.body,
        }

    def _say(self, body: dict[str, object], hear: Any) -> None:
        with self._loading:
            self._server = self._server or self._load()
        self._server.handle_chat_completions(body, hear)

    def _load(self) -> Any:
        xllamacpp = _import("xllamacpp", "a model on llama.cpp", "llamacpp")
        path = _find(self._settings.model)
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_parallel = self._parallel
        params.n_ctx = (self._settings.context or CONTEXT) * self._parallel
        # It listens for HTTP as well: anywhere but where another server is.
        params.port = 0
        params.warmup = False
        params.verbosity = -1
        if not _has_template(path):
            params.chat_template = PLAIN_TEMPLATE
        _set(params, self._options, "llm.options")
        adapters = [self._lora] if isinstance(self._lora, str) else list(self._lora)
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0) for adapter in adapters]
        try:
            return xllamacpp.Server(params)
        except (RuntimeError, ValueError) as error:
            raise ModelRefusedError(f"llama.cpp cannot load {path}: {' '.join(str(error).split())[:200]}") from None


def _set(target: Any, options: Mapping[str, object], where: str) -> None:
    """Set the fields of a structure of llama.cpp's by name."""
    for name, value in options.items():
        if name.startswith("_") or not hasattr(target, name):
            known = [field for field in dir(target) if not field.startswith("_")]
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            raise SettingsError(f"{where}: llama.cpp has no {name!r}; did you mean {near[0]!r}?")
        if isinstance(value, dict):
            _set(getattr(target, name), cast("dict[str, object]", value), f"{where}.{name}")
            continue
        try:
            setattr(target, name, value)
        except (TypeError, ValueError, OverflowError, AttributeError) as error:
            raise SettingsError(f"{where}.{name}: {value!r} cannot be used: {error}") from None


def _find(model: str) -> Path:
    """The file of a model, from the hub if it is not here."""
    path = Path(model).expanduser()
    if path.is_file():
        return path
    named, quantised = _HUB_FILE.fullmatch(model), _HUB_QUANT.fullmatch(model)
    if not named and not quantised:
        raise SettingsError(f"llm.model: no file {model}, and it is no org/repo/file.gguf or org/repo:QUANT of the hub")
    hub = _import("huggingface_hub", "a model of the hub", "llamacpp")
    try:
        if named:
            return Path(hub.hf_hub_download(named[1], named[2]))
        assert quantised  # noqa: S101
        repository, wanted = quantised[1], quantised[2].lower()
        names = sorted(str(name) for name in hub.list_repo_files(repository) if str(name).endswith(".gguf"))
        parts = _parts([name for name in names if wanted in name.lower()])
        if not parts:
            raise SettingsError(f"llm.model: {repository} has no {quantised[2]}; it has {', '.join(names[:8])}")
        return [Path(hub.hf_hub_download(repository, part)) for part in parts][0]  # noqa: RUF015
    except (OSError, ValueError) as error:
        raise SettingsError(f"llm.model: cannot fetch {model}: {' '.join(str(error).split())[:200]}") from None


def _parts(names: list[str]) -> list[str]:
    """The first of some files, with its other parts if it is one of several (-00001-of-00003):
    llama.cpp reads them from beside the first."""
    ends = re.compile(r"-\d{5}-of-\d{5}\.gguf$")
    return [name for name in names if name == names[0] or ends.split(name)[0] == ends.split(names[0])[0]]


def _has_template(path: Path) -> bool:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        # Metadata comes first; a large vocabulary takes a dozen megabytes.
        return data.find(b"tokenizer.chat_template", 0, 64 << 20) >= 0


def _import(name: str, feature: str, extra: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise MissingDependencyError(feature, extra) from None
