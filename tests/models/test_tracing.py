"""One span a call where OpenTelemetry is installed, with no text in it; nothing elsewhere."""

import sys
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace

import pytest

from graphrag.messages import TokenUsage
from graphrag.models import tracing


class Spans(ModuleType):
    """As much of OpenTelemetry's tracing module as is used."""

    SpanKind = SimpleNamespace(CLIENT="client")
    StatusCode = SimpleNamespace(ERROR="error")

    def __init__(self):
        super().__init__("opentelemetry.trace")
        self.spans = []

    def Status(self, code):  # noqa: N802  (its name there)
        return code

    def get_tracer(self, name):
        return self

    @contextmanager
    def start_as_current_span(self, name, kind, attributes, record_exception, set_status_on_exception):
        assert not record_exception
        assert not set_status_on_exception
        span = SimpleNamespace(name=name, attributes=dict(attributes), status=None)
        span.set_attribute = span.attributes.__setitem__
        span.set_status = lambda status: setattr(span, "status", status)
        self.spans.append(span)
        yield span


@pytest.fixture
def installed(monkeypatch):
    """Whether the package is there."""

    def install(module):
        monkeypatch.setitem(sys.modules, "opentelemetry", module and ModuleType("opentelemetry"))
        monkeypatch.setitem(sys.modules, "opentelemetry.trace", module)
        tracing._opentelemetry.cache_clear()

    yield install
    tracing._opentelemetry.cache_clear()


def test_a_call_is_a_span(installed):
    installed(spans := Spans())
    with tracing.call("chat", "qwen", "extract") as ended:
        ended(TokenUsage(7, 3))
    (span,) = spans.spans
    assert span.name == "chat qwen"
    assert span.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "qwen",
        "graphrag.stage": "extract",
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
    }
    assert span.status is None


def test_a_failure_is_named_and_its_text_is_not(installed):
    installed(spans := Spans())
    with pytest.raises(ValueError, match="secret"), tracing.call("chat", "qwen", "extract"):
        raise ValueError("secret prompt")
    (span,) = spans.spans
    assert span.attributes["error.type"] == "ValueError"
    assert span.status == "error"
    assert "secret" not in str(span)


def test_without_the_package_nothing_happens(installed):
    installed(None)
    with tracing.call("chat", "qwen", "extract") as ended:
        ended(TokenUsage(7, 3))
