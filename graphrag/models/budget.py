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
_KEPT = "what was paid for is kept:"


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that calls may cost; None: no limit."""

    max_tokens: int | None = None
    """Prompt and completion together."""
    max_cost: float | None = None
    """In the currency of the prices."""

    @property
    def limited(self) -> bool:
        """Whether there is a limit at all."""
        return self.max_tokens is not None or self.max_cost is not None


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
        self._spent = TokenUsage()
        self._reserved = TokenUsage()
        self._expected: dict[str, float] = {}
        self._settled: asyncio.Future[None] | None = None
        self._empty = ""
        """Why no call may start any more."""

    async def reserve(self, request: Request) -> TokenUsage:
        """Set aside what a call will take, by its prompt and the replies of its stage.

        If others have to end first to know whether it fits, wait for them. Raises
        BudgetExceededError if it does not fit.
        """
        if not self._budget.limited:
            return TokenUsage()
        guess = self._expected.get(request.stage, FIRST_GUESS)
        needed = TokenUsage(prompt_tokens(request), min(round(guess), request.max_tokens or round(guess)))
        while self._lacking(self._spent + self._reserved + needed):
            lacking = self._lacking(self._spent + needed)
            if lacking or self._empty:
                self._empty = self._empty or self._explain(lacking)
                raise BudgetExceededError(self._empty)
            self._settled = self._settled or asyncio.get_running_loop().create_future()
            await asyncio.shield(self._settled)
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

    def _lacking(self, usage: TokenUsage) -> str:
        """The option whose limit a usage is past; empty if it is within both."""
        tokens, cost = self._budget.max_tokens, self._budget.max_cost
        if tokens is not None and usage.prompt + usage.completion > tokens:
            return "--max-tokens"
        return "--max-cost" if cost is not None and self._prices.cost(usage) > cost else ""

    def _explain(self, option: str) -> str:
        tokens, budget = self._spent.prompt + self._spent.completion, self._budget
        costs = f"{self._prices.cost(self._spent):.4g} of {budget.max_cost}"
        spent = costs if option == "--max-cost" else f"{tokens:,} of {budget.max_tokens:,} tokens"
        return f"spent {spent}, too little is left for the next call; {_KEPT} run again with a larger {option} to go on"


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
