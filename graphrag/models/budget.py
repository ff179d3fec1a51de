"""What calls cost, by stage, and how much they may cost.

For use inside one event loop, except for `Usage`, which any thread may read and add to.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock

from graphrag.errors import BudgetExceededError
from graphrag.messages import Reply, Request, TokenUsage
from graphrag.tokens import count

FIRST_GUESS = 500
"""Completion tokens of a reply when none of its stage was seen yet."""
_MEMORY = 0.2
_PER_MESSAGE = 4


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that calls may cost; None: no limit."""

    max_tokens: int | None = None
    """Prompt and completion together."""
    max_cost: float | None = None
    """In the currency of the prices."""
    max_calls: int | None = None
    """Calls that reach the model, repeated ones too; what the memo answers is none."""
    seconds: float | None = None
    """From the beginning of the session; then calls in flight are cancelled."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Per million tokens, in any currency."""

    prompt: float = 0.0
    completion: float = 0.0

    def cost(self, usage: TokenUsage) -> float:
        """What so many tokens cost."""
        return (usage.prompt * self.prompt + usage.completion * self.completion) / 1e6


@dataclass(frozen=True, slots=True)
class StageUsage:
    """What the calls of one stage came to."""

    calls: int = 0
    """Calls that were answered."""
    hits: int = 0
    """Requests that the memo answered."""
    failed: int = 0
    """Attempts that failed, or whose reply could not be used."""
    tokens: TokenUsage = field(default_factory=TokenUsage)
    seconds: float = 0.0
    """Of all calls, added up."""

    def __add__(self, other: "StageUsage") -> "StageUsage":
        return StageUsage(
            self.calls + other.calls,
            self.hits + other.hits,
            self.failed + other.failed,
            self.tokens + other.tokens,
            self.seconds + other.seconds,
        )


class Usage:
    """Usage by stage, added up as it occurs."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._stages: defaultdict[str, StageUsage] = defaultdict(StageUsage)

    def add(self, stage: str, usage: StageUsage) -> None:
        """Count it."""
        with self._lock:
            self._stages[stage] += usage

    def by_stage(self) -> dict[str, StageUsage]:
        """What was counted until now."""
        with self._lock:
            return dict(self._stages)


class Purse:
    """Keeps calls within a budget: what each will take is set aside before it starts."""

    def __init__(self, budget: Budget, prices: Prices) -> None:
        self._budget = budget
        self._prices = prices
        self._calls = 0
        self._spent = TokenUsage()
        self._reserved = TokenUsage()
        self._expected: dict[str, float] = {}
        self._settled: asyncio.Future[None] | None = None
        self.lacking = ""
        """What there was too little of for a call: the option that limits it; empty until then."""

    @property
    def calls_left(self) -> int | None:
        """Calls that may still start, not below 0; None: any number."""
        most = self._budget.max_calls
        return None if most is None else max(0, most - self._calls)

    @property
    def tokens_left(self) -> int | None:
        """Tokens that are neither spent nor set aside, not below 0; None: any number."""
        most, taken = self._budget.max_tokens, self._spent + self._reserved
        return None if most is None else max(0, most - taken.prompt - taken.completion)

    async def reserve(self, request: Request, spare: int = 0) -> TokenUsage:
        """Set aside what a call will take, by its prompt and the replies of its stage.

        If others have to end first to know whether it fits, wait for them. Raises
        BudgetExceededError if it does not fit, or would leave fewer than `spare` calls.
        """
        needed = self._needed(request)
        while self._over(self._spent + self._reserved + needed, spare):
            over = self._over(self._spent + needed, spare)
            if over or self.lacking:
                self.lacking = self.lacking or over
                raise BudgetExceededError(self._explain(over or self.lacking))
            self._settled = self._settled or asyncio.get_running_loop().create_future()
            await asyncio.shield(self._settled)
        self._calls += 1
        self._reserved += needed
        return needed

    def settle(self, stage: str, reserved: TokenUsage, spent: TokenUsage | None) -> None:
        """A call has ended, and took so much (None: nothing that is known)."""
        self._reserved += TokenUsage(-reserved.prompt, -reserved.completion)
        if spent:
            self._spent += spent
            mean = self._expected.get(stage, spent.completion)
            self._expected[stage] = mean + _MEMORY * (spent.completion - mean)
        if self._settled:
            self._settled.set_result(None)
            self._settled = None

    def _needed(self, request: Request) -> TokenUsage:
        if self._budget.max_tokens is None and self._budget.max_cost is None:
            return TokenUsage()
        guess = round(self._expected.get(request.stage, FIRST_GUESS))
        return TokenUsage(prompt_tokens(request), min(guess, request.max_tokens or guess))

    def _over(self, usage: TokenUsage, spare: int) -> str:
        """The option whose limit one more call would be past if this is the usage with it; empty if none."""
        budget = self._budget
        if self.calls_left is not None and self.calls_left <= spare:
            return "--max-calls"
        if budget.max_tokens is not None and usage.prompt + usage.completion > budget.max_tokens:
            return "--max-tokens"
        return "--max-cost" if budget.max_cost is not None and self._prices.cost(usage) > budget.max_cost else ""

    def _explain(self, lacking: str) -> str:
        budget, tokens = self._budget, self._spent.prompt + self._spent.completion
        match lacking:
            case "--max-calls" if self.calls_left:
                return f"the model was called {self._calls} times; what is left is kept for the answer"
            case "--max-calls":
                return f"the model was called {self._calls} times, and may not be more often"
            case "--max-tokens":
                spent = f"{tokens:,} of {budget.max_tokens:,} tokens"
            case _:
                spent = f"{self._prices.cost(self._spent):.4g} of {budget.max_cost}"
        return f"spent {spent}, too little is left for the next call"


def prompt_tokens(request: Request) -> int:
    """About how many tokens a request's prompt is, its schema included."""
    asked = sum(count(message.content) + _PER_MESSAGE for message in request.messages)
    schema = json.dumps(dict(request.schema.definition), ensure_ascii=False) if request.schema else ""
    return asked + count(schema)


def heard_usage(request: Request, pieces: Sequence[str]) -> TokenUsage:
    """About what a call took that failed after these pieces of its reply."""
    return TokenUsage(prompt_tokens(request), count("".join(pieces)))


def spent(request: Request, reply: Reply) -> TokenUsage:
    """What a call took: as the server says, else counted."""
    if reply.usage.prompt or reply.usage.completion:
        return reply.usage
    return TokenUsage(prompt_tokens(request), count(reply.text))
