"""What a server that refuses a request means by it: a status and a body, read as one of our errors.

Servers agree on the status codes and on little else; the texts looked for here are those of
OpenAI, vLLM, SGLang, llama-server, Ollama, Text Generation Inference and what stands before them.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import cast

from graphrag.errors import ContextOverflowError, ModelError, ModelRefusedError, OverloadedError, UnusableReplyError

LONGEST = 200
"""Characters of a server's own words that an error repeats."""

_OVERFLOW = re.compile(
    r"context_length_exceeded|exceed_context_size|maximum context length|reduce the length of"
    r"|exceeds? (the )?(available|maximum|model'?s?|max)?\s*(context|allowed length|input length)"
    r"|exceeds? (the )?(model'?s )?max(imum)?[ _]context|exceeded max context"
    r"|context (length|size|window) (is only|exceeded|of)|longer than the (model'?s )?(maximum )?context"
    r"|(prompt|input|request)( \(\d+ tokens\))? is too (long|large)|tokens.? \+ .?max_new_tokens"
    r"|inputs.? must have less than"
    r"|maximum allowed (input )?length|max_tokens must be at least 1",
    re.IGNORECASE,
)
_FORM = re.compile(r"response_format|json_schema|json schema|json_object|guided|grammar|structured", re.IGNORECASE)
_FILTER = re.compile(r"content_filter|content management|ResponsibleAI", re.IGNORECASE)
_QUOTA = re.compile(r"insufficient_quota|exceeded your current quota|billing", re.IGNORECASE)
_DURATION = re.compile(r"([\d.]+)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DATE = 64
"""Characters of the longest moment or duration that a header may hold."""
_READ = 10_000
"""Characters of a server's words that are looked at."""
_LATER = {408, 409, 425, 429}


class MalformedRequestError(ModelRefusedError):
    """The server does not take a request of this form; one without some field may do."""

    def __init__(self, message: str, words: str) -> None:
        super().__init__(message)
        self.words = words
        """What the server said, in full."""

    @property
    def names_form(self) -> bool:
        """It is the form of the reply (JSON, a schema) that the server cannot see to."""
        return bool(_FORM.search(self.words))


class UnknownModelError(ModelRefusedError):
    """The server has no such model, or nothing at all at this address."""


@dataclass(frozen=True, slots=True)
class Server:
    """Who refuses, as an error may name it: no key, no user, no query string."""

    url: str
    model: str
    key: str
    """The environment variables that its key is read from."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What no error may repeat."""

    def clean(self, text: str) -> str:
        """A text as one line, without secrets, not cut."""
        for secret in self.secrets:
            text = text.replace(secret, "…")
        return " ".join(text.split())


def error(server: Server, status: int, body: object, headers: Mapping[str, str]) -> ModelError:
    """The error that a reply with a status other than 2xx amounts to. `body`: JSON or text."""
    words = server.clean(words_of(body))[:_READ]
    said = f": {words[:LONGEST]}{'…' * (len(words) > LONGEST)}" if words else f" (status {status})"
    if status == 401:
        return ModelRefusedError(f"{server.url} refuses the key: set {server.key} to a valid one")
    if status == 403 and not _FILTER.search(words):
        return ModelRefusedError(f"{server.url} forbids this, check {server.key}{said}")
    if status == 404:
        return UnknownModelError(f"{server.url} does not know {server.model!r}{said}")
    if status == 413 or (status in (400, 422, 500) and _OVERFLOW.search(words)):
        return ContextOverflowError(f"the request is longer than the context of {server.model!r}{said}")
    if status in (400, 403, 422) and _FILTER.search(words):
        return UnusableReplyError(f"{server.url} holds the reply back, by its content filter{said}")
    if status in (400, 422) or (status in (500, 501) and _FORM.search(words)):
        return MalformedRequestError(f"{server.url} refuses the request{said}", words)
    if status == 429 and _QUOTA.search(words):
        return ModelRefusedError(f"{server.url}: the account is used up{said}")
    if status in _LATER or (status >= 500 and status != 501):
        return OverloadedError(f"{server.url} is busy or failing, status {status}{said}", retry_after(headers))
    return ModelRefusedError(f"{server.url} refuses the request, status {status}{said}")


def words_of(body: object) -> str:
    """What an error's body says, its code included, wherever the server puts them; nothing if nested too deep."""
    try:
        return _words(body)
    except RecursionError:
        return ""


def _words(body: object) -> str:
    if isinstance(body, str):
        return body
    if isinstance(body, list):
        return "; ".join(_words(item) for item in cast("list[object]", body))
    if not isinstance(body, dict):
        return ""
    told = cast("dict[str, object]", body)
    inner = next((told[key] for key in ("error", "detail", "message", "msg") if told.get(key)), None)
    if inner is None:
        return json.dumps(told)
    if not isinstance(inner, str):
        return _words(inner)
    # `code`, `type` and `param` tell a machine what the message tells people.
    marks = [str(told[key]) for key in ("code", "type", "param") if isinstance(told.get(key), str)]
    return inner + (f" [{', '.join(marks)}]" if marks else "")


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds a server asks to wait; None if it does not say. Header names in lower case."""
    if (milliseconds := _number(headers.get("retry-after-ms", ""))) is not None:
        return milliseconds / 1000
    for name in ("retry-after", "x-ratelimit-reset", "x-ratelimit-reset-requests", "x-ratelimit-reset-tokens"):
        seconds = _seconds(headers.get(name, "").strip()[:_DATE], now or datetime.now(UTC))
        if seconds is not None:
            return max(0.0, seconds)
    return None


def _seconds(value: str, now: datetime) -> float | None:
    """From a number, a moment in seconds or milliseconds since 1970, `6m0s`, or a date."""
    if not value:
        return None
    if (number := _number(value)) is not None:
        moment = number / 1000 if number > 1e11 else number
        return moment - now.timestamp() if moment > 1e8 else number
    if parts := _DURATION.fullmatch(value) or _DURATION.match(value):
        return sum((_number(n) or 0) * _SECONDS[unit] for n, unit in _DURATION.findall(value)) if parts else None
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now.timestamp()


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 <= number < 1e15 else None
