"""What calls cost, and the point beyond which none is made."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import request, run

from graphrag.errors import BudgetExceededError
from graphrag.messages import Reply, ReplySchema, Request, TokenUsage
from graphrag.models.budget import Budget, Prices, Purse, StageUsage, Usage, prompt_tokens, spent
from graphrag.tokens import count


def test_prices_are_per_million():
    assert Prices(2.0, 8.0).cost(TokenUsage(500_000, 250_000)) == pytest.approx(3.0)


def test_usage_adds_up_by_stage():
    usage = Usage()
    usage.add("a", StageUsage(calls=1, tokens=TokenUsage(5, 1), seconds=2))
    usage.add("a", StageUsage(failed=1))
    usage.add("b", StageUsage(hits=3))
    before = usage.by_stage()
    usage.add("b", StageUsage(hits=1))
    assert before == {
        "a": StageUsage(calls=1, failed=1, tokens=TokenUsage(5, 1), seconds=2),
        "b": StageUsage(hits=3),
    }


def test_what_the_server_says_counts_else_what_is_counted():
    assert spent(request("a"), Reply("b", usage=TokenUsage(7, 1, 3))) == TokenUsage(7, 1, 3)
    assert spent(request("a b c"), Reply("b c")).completion == count("b c")


def test_the_schema_is_part_of_the_prompt():
    plain = request("a")
    schema = ReplySchema("reply", {"type": "object", "properties": {"name": {"type": "string"}}})
    assert prompt_tokens(Request("extract", plain.messages, schema)) > prompt_tokens(plain) + 10


@given(
    st.lists(st.tuples(st.integers(1, 300), st.integers(1, 3)), max_size=30),
    st.integers(0, 5000),
)
def test_when_replies_are_as_expected_the_budget_is_never_exceeded_and_used_as_far_as_it_goes(calls, most):
    purse = Purse(Budget(max_tokens=most), Prices())
    asked = request("text", max_tokens=50)
    prompt = prompt_tokens(asked)
    total = 0

    async def call(wait):
        nonlocal total
        reserved = await purse.reserve(asked)
        await asyncio.sleep(wait)
        total += prompt + 50
        purse.settle("extract", reserved, TokenUsage(prompt, 50))

    async def main():
        return await asyncio.gather(*(call(wait) for _, wait in calls), return_exceptions=True)

    errors = [outcome for outcome in run(main()) if outcome]
    assert all(isinstance(error, BudgetExceededError) for error in errors)
    assert total <= most
    assert not errors or total + prompt + 50 > most


def test_a_failed_call_gives_back_what_was_set_aside():
    async def main():
        purse = Purse(Budget(max_tokens=600), Prices())
        for _ in range(100):
            reserved = await purse.reserve(request("a"))
            purse.settle("extract", reserved, None)

    run(main())


def test_calls_are_limited_whatever_becomes_of_them():
    async def main():
        purse = Purse(Budget(max_calls=2), Prices())
        for left in (1, 0):
            purse.settle("extract", await purse.reserve(request("a")), None)
            assert purse.calls_left == left
        with pytest.raises(BudgetExceededError, match="called 2 times"):
            await purse.reserve(request("a"))
        assert (purse.lacking, purse.tokens_left) == ("--max-calls", None)

    run(main())


def test_calls_are_kept_for_what_comes_later():
    async def main():
        purse = Purse(Budget(max_tokens=2000, max_calls=3), Prices())
        first = await purse.reserve(request("a", max_tokens=50), spare=2)
        with pytest.raises(BudgetExceededError, match="called 1 times; what is left is kept for the answer"):
            await purse.reserve(request("a"), spare=2)
        await purse.reserve(request("a", max_tokens=50))
        purse.settle("extract", first, TokenUsage(1000, 900))
        # What is lacking now is not what was lacking first.
        with pytest.raises(BudgetExceededError, match=r"1,900 of 2,000 tokens"):
            await purse.reserve(request("a", max_tokens=500))
        assert purse.calls_left == 1

    run(main())


@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 8))
def test_calls_that_leave_some_never_take_the_last(most, spare, asked):
    async def main():
        purse = Purse(Budget(max_calls=most), Prices())
        return purse, await asyncio.gather(
            *(purse.reserve(request("a"), spare) for _ in range(asked)), return_exceptions=True
        )

    purse, outcomes = run(main())
    made = sum(isinstance(outcome, TokenUsage) for outcome in outcomes)
    assert made == min(asked, max(0, most - spare))
    assert purse.calls_left == most - made


def test_what_is_left_is_neither_spent_nor_set_aside():
    async def main():
        purse = Purse(Budget(max_tokens=1000), Prices())
        reserved = await purse.reserve(request("a", max_tokens=100))
        assert purse.tokens_left == 1000 - reserved.prompt - 100
        purse.settle("extract", reserved, TokenUsage(900, 300))
        assert purse.tokens_left == 0

    run(main())
