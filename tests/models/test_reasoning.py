"""Reasoning is taken out of replies, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrag.models.reasoning import strip


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("<think>Let me see.</think>{}", "{}"),
        ("\n<think>\nLet me\nsee.\n</think>\n\n{}", "{}"),
        ("<THINK>a</think><reasoning effort='low'>b</reasoning> {}", "{}"),
        ("<thinking>a <think> b</thinking>{}", "{}"),
        ("<think>it was cut", ""),
        ("I should list them.\n</think>\n[1]", "[1]"),
        ("Well. <think>hm</think>[1]", "[1]"),
        ("<think></think>plain", "plain"),
        (" no reasoning ", " no reasoning "),
        ('{"description": "He wrote </think> on the wall"}', '{"description": "He wrote </think> on the wall"}'),
        ('["a <think> b"]', '["a <think> b"]'),
        ('<think>x</think>["</think>"]', '["</think>"]'),
    ],
)
def test_strip(text, reply):
    assert strip(text) == reply


@given(st.text().filter(lambda text: "</" not in text), st.sampled_from(["think", "thinking", "reasoning"]), st.text())
def test_what_follows_the_reasoning_is_kept(thought, tag, reply):
    assert strip(f"<{tag}>{thought}</{tag}>" + "[" + reply) == ("[" + reply).strip()
