"""The wire format of chat completions: a request as JSON, a reply from server-sent events or whole.

Read by hand: an object for each token would cost more than all else an index takes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from graphrag import tokens
from graphrag.errors import ConnectionLostError, UnusableReplyError
from graphrag.messages import Finish, Message, Reply, Request, TokenUsage
from graphrag.models.base import Watch

PLAIN_TEMPLATE = "{% for message in messages %}{{ message['content'] }}\n\n{% endfor %}"
"""A chat template (Jinja) for base models, which have none: the turns one after another."""

MOST_LINE = 1 << 20
"""Bytes of an event of a stream."""
_MOST_TOKENS = 1 << 40
"""Of one call: what a server says beyond this is nonsense, and too much for a database."""
_LENGTH = {"length", "max_tokens"}
_LOST = {"abort", "error", "cancelled"}


class ServerSaysError(Exception):
    """An error in the midst of a stream, as the server worded it."""

    def __init__(self, body: Mapping[str, object]) -> None:
        super().__init__("the server reports an error within its reply")
        self.body = body
        """The event, as JSON."""
        inner = body.get("error")
        code = cast("dict[str, object]", inner if isinstance(inner, dict) else body).get("code")
        self.status = code if isinstance(code, int) and 400 <= code < 600 else 500
        """The status it would have come with, had it come before the reply began."""


def said(messages: Sequence[Message]) -> list[dict[str, str]]:
    """A conversation as JSON."""
    return [{"role": message.role, "content": sendable(message.content)} for message in messages]


def sendable(text: str) -> str:
    """A text without half surrogate pairs, which have no UTF-8."""
    return text.encode("utf-8", "ignore").decode("utf-8")


class ReplyStream:
    """One reply, fed with the bytes of its server-sent events as they arrive."""

    def __init__(self, watch: Watch) -> None:
        """`watch` hears every piece; an empty one is a sign of life (a model that reasons)."""
        self._watch = watch
        self._rest = bytearray()
        self.events = 0
        """How many have come, comments not counted."""
        self._pieces: list[str] = []
        self._finish = ""
        self._usage: TokenUsage | None = None
        self._cut = False

    def feed(self, data: bytes) -> bool:
        """Read what has arrived, whole events or not; true when no more is wanted.

        Raises ServerSaysError, UnusableReplyError and ConnectionLostError.
        """
        if b"\n" not in data:
            self._rest += data
            if len(self._rest) > MOST_LINE:
                raise ConnectionLostError("the server sends data without an end in place of a reply")
            return False
        *lines, rest = (bytes(self._rest) + data if self._rest else data).split(b"\n")
        self._rest[:] = rest
        return any(line.startswith(b"data:") and self._event(line[5:]) for line in lines)

    def reply(self) -> Reply:
        """The whole; its usage is zero if the server told none.

        Raises ConnectionLostError where the stream ended before the reply did.
        """
        if not self._cut and not self._finish:
            raise ConnectionLostError("the connection was lost half-way through a reply")
        finish = "loop" if self._cut else _finish(self._finish)
        return Reply("".join(self._pieces), finish, self._usage or TokenUsage())

    def _event(self, data: bytes) -> bool:
        self.events += 1
        text = data.strip()
        if text == b"[DONE]":
            return True
        return self.hear(parsed(text))

    def hear(self, event: Mapping[str, Any]) -> bool:
        """Read one event; true when no more is wanted. Raises as `feed` does."""
        if choice := _first(event):
            self._cut = self._delta(choice)
        elif "choices" not in event and ("error" in event or event.get("object") == "error"):
            raise ServerSaysError(event)
        if usage := event.get("usage"):
            self._usage = usage_of(usage)
        return self._cut

    def _delta(self, choice: Mapping[str, Any]) -> bool:
        self._finish = str(choice.get("finish_reason") or self._finish)
        delta = mapping(choice.get("delta"))
        piece = delta.get("content")
        if isinstance(piece, str) and piece:
            self._pieces.append(piece)
            return self._watch(piece)
        _check(delta)
        return self._watch("")


def whole(data: bytes, watch: Watch) -> Reply:
    """A reply that came in one piece. Raises ServerSaysError and UnusableReplyError."""
    body = parsed(data)
    choice = _first(body)
    if not choice:
        raise ServerSaysError(body)
    message = mapping(choice.get("message"))
    text = str(message.get("content") or "")
    if not text:
        _check(message)
    finish = _finish(str(choice.get("finish_reason") or "stop"))
    return Reply(text, "loop" if watch(text) else finish, usage_of(body.get("usage")))


def usage_of(usage: object) -> TokenUsage:
    """The tokens that a server says a call took."""
    told = mapping(usage)
    cached = mapping(told.get("prompt_tokens_details")).get("cached_tokens") or told.get("prompt_cache_hit_tokens")
    return TokenUsage(size(told.get("prompt_tokens")), size(told.get("completion_tokens")), size(cached))


def with_usage(request: Request, reply: Reply) -> Reply:
    """A reply with about what it took, where nobody says or its stream was cut."""
    prompt = sum(tokens.count(message.content) for message in request.messages)
    return replace(reply, usage=TokenUsage(prompt, reply.usage.completion or tokens.count(reply.text)))


def parsed(data: bytes) -> dict[str, Any]:
    """A JSON object. Raises ConnectionLostError for anything else."""
    try:
        event: object = json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise ConnectionLostError("the server sent something that is not JSON in place of a reply") from None
    if not isinstance(event, dict):
        raise ConnectionLostError("the server sent something other than a JSON object in place of a reply")
    return cast("dict[str, Any]", event)


def _finish(reason: str) -> Finish:
    if reason == "content_filter":
        raise UnusableReplyError("the server's content filter held the reply back")
    if reason in _LOST:
        raise ConnectionLostError(f"the server gave the reply up ({reason})")
    return "length" if reason in _LENGTH else "stop"


def _check(message: Mapping[str, Any]) -> None:
    if refusal := message.get("refusal"):
        raise UnusableReplyError(f"the model declines: {' '.join(str(refusal).split())[:200]}")


def _first(event: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = event.get("choices")
    return mapping(cast("list[object]", choices)[0]) if isinstance(choices, list) and choices else {}


def mapping(value: object) -> Mapping[str, Any]:
    """The members of a JSON object; none of anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def size(value: object) -> int:
    """A number of tokens, as a server tells it; 0 for anything else."""
    return min(value, _MOST_TOKENS) if isinstance(value, int) and value > 0 else 0
