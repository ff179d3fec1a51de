"""A chat model that says what it is told to: for tests, of this package and of those who use it.

    chat = FakeChat(["first reply", Reply("second, cut off", "length"), OverloadedError("busy")])
    chat = FakeChat(lambda request: "yes" if "ghost" in request.messages[-1].content else "no")

Or from settings, `llm.provider: fake` with `llm.model` the path of a JSON file: a list of rules,
`[{"match": "ghost|spirit", "reply": "yes"}, {"reply": "no"}]`. The first whose regular expression
is found in the last message replies; one without `match` always does. A reply that is not a text
is said as JSON.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from graphrag.errors import ModelRefusedError, SettingsError
from graphrag.messages import Reply, Request, TokenUsage
from graphrag.models.base import Watch
from graphrag.models.completions import with_usage

Said = str | Reply | Exception
"""What a scripted model does: says a text or a reply, or fails."""
PIECE = 16
"""Characters that `watch` hears at a time."""


class FakeChat:
    """A `ChatModel` that is scripted. `requests` are those it was asked, in order."""

    def __init__(self, answer: Callable[[Request], Said] | Sequence[Said], name: str = "fake") -> None:
        """Answers with what `answer` returns, or with its items in turn; then ModelRefusedError."""
        self.name = name
        self.parameters: Mapping[str, object] = {}
        self.requests: list[Request] = []
        self.closed = False
        self._answer = answer if callable(answer) else _in_turn(answer)

    @classmethod
    def load(cls, path: Path) -> "FakeChat":
        """One that goes by a JSON file of rules. Raises SettingsError."""
        try:
            rules = [_rule(item) for item in cast("list[object]", json.loads(path.read_text("utf-8")))]
        except (OSError, ValueError, TypeError, re.error) as error:
            raise SettingsError(f"llm.model: {path} is no list of rules for a fake model: {error}") from None

        def answer(request: Request) -> Said:
            prompt = request.messages[-1].content
            found = next((rule.reply for rule in rules if rule.match.search(prompt)), None)
            return ModelRefusedError(f"no rule of {path} matches this prompt") if found is None else found

        return cls(answer, name=f"fake/{path.name}")

    async def chat(self, request: Request, watch: Watch) -> Reply:
        """See `ChatModel`. Tokens are counted where the script does not say them."""
        self.requests.append(request)
        said = self._answer(request)
        if isinstance(said, Exception):
            raise said
        reply = said if isinstance(said, Reply) else Reply(said)
        for end in range(PIECE, len(reply.text) + PIECE, PIECE):
            if watch(reply.text[end - PIECE : end]):
                reply = replace(reply, text=reply.text[:end], finish="loop")
                break
        return reply if reply.usage != TokenUsage() else with_usage(request, reply)

    async def close(self) -> None:
        """Note that it was closed."""
        self.closed = True


@dataclass(frozen=True, slots=True)
class _Rule:
    match: re.Pattern[str]
    reply: str


def _rule(item: object) -> _Rule:
    rule = cast("dict[str, object]", item) if isinstance(item, dict) else {}
    if "reply" not in rule or rule.keys() - {"match", "reply"}:
        raise ValueError(f"a rule has 'reply' and perhaps 'match', not {json.dumps(item)[:80]}")
    reply = rule["reply"]
    text = reply if isinstance(reply, str) else json.dumps(reply, ensure_ascii=False)
    return _Rule(re.compile(str(rule.get("match", ""))), text)


def _in_turn(answers: Sequence[Said]) -> Callable[[Request], Said]:
    rest = iter(answers)
    return lambda _: next(rest, ModelRefusedError(f"the script has {len(answers)} replies, and was asked for more"))
