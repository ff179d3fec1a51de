"""What model servers say of themselves, in the forms that the usual ones say it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from graphrag.models.completions import mapping, size


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
    settings = mapping(mapping(props).get("default_generation_settings"))
    return size(settings.get("n_ctx")) or None


def loaded_context(processes: object, model: str) -> int | None:
    """Tokens a model was loaded with by Ollama, from GET /api/ps; it may know it as `model:latest`."""
    loaded = mapping(processes).get("models")
    for item in cast("list[object]", loaded) if isinstance(loaded, list) else []:
        if str(mapping(item).get("name")) in (model, f"{model}:latest"):
            return size(mapping(item).get("context_length")) or None
    return None


def _context(model: Mapping[str, object]) -> int | None:
    """vLLM and SGLang; many proxies; llama-server."""
    for value in (model.get("max_model_len"), model.get("context_length"), mapping(model.get("meta")).get("n_ctx")):
        if known := size(value):
            return known
    return None
