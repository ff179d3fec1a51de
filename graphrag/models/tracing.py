"""A span for every call of a model, where OpenTelemetry is installed; nothing elsewhere.

Attributes follow the semantic conventions for generative AI. What was asked and answered is not
among them.
"""

import importlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cache
from typing import Any

from graphrag.messages import TokenUsage

Ended = Callable[[TokenUsage], None]
"""Told what the call took."""


@contextmanager
def call(operation: str, model: str, stage: str) -> Generator[Ended]:
    """The span of a call, while it runs; `operation` is "chat" or "embeddings"."""
    tracing = _opentelemetry()
    if tracing is None:
        yield _ignore
        return
    attributes = {"gen_ai.operation.name": operation, "gen_ai.request.model": model, "graphrag.stage": stage}
    # The text of an error may quote what was asked: only its type is recorded.
    with tracing.get_tracer("graphrag").start_as_current_span(
        f"{operation} {model}",
        kind=tracing.SpanKind.CLIENT,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:

        def ended(usage: TokenUsage) -> None:
            span.set_attribute("gen_ai.usage.input_tokens", usage.prompt)
            span.set_attribute("gen_ai.usage.output_tokens", usage.completion)

        try:
            yield ended
        except BaseException as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(tracing.Status(tracing.StatusCode.ERROR))
            raise


@cache
def _opentelemetry() -> Any:
    """The package's tracing module, or None."""
    try:
        return importlib.import_module("opentelemetry.trace")
    except ImportError:
        return None


def _ignore(usage: TokenUsage) -> None:
    """No span to write it to."""
