"""What model servers say of themselves, in the forms that the usual ones say it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that a server offers."""

    name: str
    context: int | None = None
    """Tokens it reads and writes in one call, where the server says so."""


def served(body: object) -> tuple[ServedModel, ...]:
    """The models in a reply to GET /models; none if it is something else."""
    data = body.get("data") if isinstance(body, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    items = cast("list[object]", data) if isinstance(data, list) else []
    models = [cast("dict[str, object]", item) for item in items if isinstance(item, dict)]
    return tuple(ServedModel(str(model["id"]), _context(model)) for model in models if model.get("id"))


def slot_context(props: object) -> int | None:
    """Tokens a slot of llama-server holds, from GET /props."""
    settings = _mapping(_mapping(props).get("default_generation_settings"))
    return _size(settings.get("n_ctx"))


def loaded_context(processes: object, model: str) -> int | None:
    """Tokens a model was loaded with by Ollama, from GET /api/ps; it may know it as `model:latest`."""
    loaded = _mapping(processes).get("models")
    for item in cast("list[object]", loaded) if isinstance(loaded, list) else []:
        if str(_mapping(item).get("name")) in (model, f"{model}:latest"):
            return _size(_mapping(item).get("context_length"))
    return None


def _context(model: Mapping[str, object]) -> int | None:
    """vLLM and SGLang; many proxies; llama-server."""
    for value in (model.get("max_model_len"), model.get("context_length"), _mapping(model.get("meta")).get("n_ctx")):
        if size := _size(value):
            return size
    return None


def _size(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def _mapping(value: object) -> Mapping[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
