"""What is said to a chat model and what it says back: values, compared by content."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["system", "user", "assistant"]
Finish = Literal["stop", "length", "loop"]
"""Why a reply ended: the model was done, its token limit was reached, or it was cut because it
repeated itself."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class ReplySchema:
    """The JSON schema a reply must match, where the server can see to that."""

    name: str
    definition: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Request:
    """One call of a chat model, planned and not yet made."""

    stage: str
    """What the call is for: usage is summed by it. Not part of what is asked."""
    messages: tuple[Message, ...]
    schema: ReplySchema | None = None
    max_tokens: int = 0
    """The longest reply, in tokens; 0 leaves it to the model service."""

    def key(self) -> str:
        """A hash of what is asked: of all but the stage."""
        schema = self.schema and [self.schema.name, self.schema.definition]
        asked = [[[m.role, m.content] for m in self.messages], schema, self.max_tokens]
        text = json.dumps(asked, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """The tokens of one call or of many."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    """Tokens of the prompt that the server had in its prefix cache, where it says so."""

    def __add__(self, other: "TokenUsage") -> "TokenUsage":
        return TokenUsage(self.prompt + other.prompt, self.completion + other.completion, self.cached + other.cached)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a chat model said."""

    text: str
    finish: Finish = "stop"
    usage: TokenUsage = TokenUsage()
    request: Request | None = field(default=None, compare=False, repr=False)
    """What it is the reply to, for those who parse it: the model service sees to that."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """What a request came to that no usable reply was had for: the reason, for people to read."""

    reason: str
    overflow: bool = False
    """The request is longer than the model's context: a smaller one may do."""
    asked: bool = True
    """False if the request was only planned: there is nothing to make up for."""
    partial: object | None = None
    """What was understood of an unusable reply all the same, for want of a better one: it is not
    remembered."""
    spent: bool = False
    """The budget of the session did not allow the call, or its time was up."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Stands in a streamed reply where the model broke off and begins anew: the text so far is void."""
