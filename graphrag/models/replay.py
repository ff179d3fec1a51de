"""A chat model that repeats what another said: a recording, found by what is asked.

A recording is JSON lines in UTF-8. The first is `{"format": 1, "model": NAME, "parameters": {…}}`;
each further one a reply: `{"key": Request.key(), "stage": …, "text": …, "finish": …,
"usage": [prompt, completion, cached]}`. Of two with one key the later counts.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast, get_args

from graphrag.errors import ModelRefusedError, SettingsError
from graphrag.messages import Finish, Reply, Request, TokenUsage
from graphrag.models.base import Watch

FORMAT = 1


class ReplayChat:
    """A `ChatModel` that plays a recording."""

    def __init__(self, path: Path) -> None:
        """Reads the whole. Raises SettingsError naming the line for a file that is no recording."""
        self._path = path
        lines = _lines(path)
        _, header = next(lines, (1, dict[str, object]()))
        if header.get("format") != FORMAT or not isinstance(header.get("model"), str):
            raise SettingsError(f'{path}, line 1: a recording starts with {{"format": {FORMAT}, "model": …}}')
        parameters = header.get("parameters")
        self.name = str(header["model"])
        self.parameters = cast("dict[str, object]", parameters) if isinstance(parameters, dict) else {}
        self._replies = {str(line.get("key")): _reply(line, f"{path}, line {number}") for number, line in lines}

    async def chat(self, request: Request, watch: Watch) -> Reply:
        """The recorded reply, heard by `watch` in one piece. Raises ModelRefusedError if there is none."""
        reply = self._replies.get(request.key())
        if reply is None:
            raise ModelRefusedError(
                f"the recording {self._path} has no reply to this request (stage {request.stage}): "
                "it was made with other prompts, settings or input"
            )
        return replace(reply, finish="loop") if watch(reply.text) else reply

    async def close(self) -> None:
        """Nothing is held."""


def header(name: str, parameters: Mapping[str, object]) -> str:
    """The first line of a recording, its end included."""
    return _dump({"format": FORMAT, "model": name, "parameters": dict(parameters)})


def line(request: Request, reply: Reply) -> str:
    """The line of a recording for a reply, its end included."""
    return line_of(request.key(), request.stage, reply)


def line_of(key: str, stage: str, reply: Reply) -> str:
    """The line for a reply to the request with this key."""
    usage = [reply.usage.prompt, reply.usage.completion, reply.usage.cached]
    said = {"text": reply.text, "finish": reply.finish, "usage": usage}
    return _dump({"key": key, "stage": stage, **said})


def _dump(value: Mapping[str, object]) -> str:
    # ASCII, as half a surrogate pair in a reply has no UTF-8.
    return json.dumps(value, separators=(",", ":")) + "\n"


def _lines(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"llm.model: cannot read the recording {path}: {error}") from None
    for number, written in enumerate(text.split("\n"), 1):
        if not written.strip():
            continue
        try:
            value: object = json.loads(written)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise SettingsError(f"{path}, line {number}: not a JSON object; the recording is damaged or no recording")
        yield number, cast("dict[str, object]", value)


def _reply(line: Mapping[str, object], where: str) -> Reply:
    text, finish, usage = line.get("text"), line.get("finish", "stop"), line.get("usage", [0, 0, 0])
    counts = cast("list[object]", usage) if isinstance(usage, list) else []
    if not isinstance(line.get("key"), str) or not isinstance(text, str) or finish not in get_args(Finish):
        raise SettingsError(f"{where}: a reply has 'key', 'text' and 'finish' ({', '.join(get_args(Finish))})")
    if len(counts) != 3 or not all(isinstance(count, int) for count in counts):
        raise SettingsError(f"{where}: 'usage' is three whole numbers: prompt, completion, cached")
    return Reply(text, cast("Finish", finish), TokenUsage(*cast("list[int]", counts)))
