"""Reasoning is taken out of replies, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrag.messages import Restart
from graphrag.models.reasoning import Gate, strip, unopened


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


TAGS = ["<think>", "</think>", "<thinking a='b'>", "</thinking >", "<REASONING>", "</reasoning>", "<think", "</", "<"]
pieces = st.lists(st.sampled_from([*TAGS, ">", " ", "\n", "a", "word ", "{", "[1]", "`", "``", '"', "("]), max_size=16)


def passed(gate, pieces):
    """What has passed since the last Restart, after each piece."""
    said = ""
    for piece in pieces:
        for part in gate(piece):
            said = "" if isinstance(part, Restart) else said + part
        yield said


@given(pieces, st.booleans())
def test_what_passes_is_a_beginning_of_the_reply(pieces, unopened):
    *_, said = ["", *passed(Gate(unopened), pieces)]
    assert strip("".join(pieces)).startswith(said)


@given(pieces, st.booleans())
def test_how_a_reply_is_split_does_not_matter_in_the_end(pieces, unopened):
    text = "".join(pieces)
    ends = [["", *passed(Gate(unopened), split)][-1] for split in (pieces, text, [text])]
    assert len(set(ends)) == 1


@given(st.lists(st.text("ab <>/{`\n", min_size=1), max_size=9))
def test_what_is_no_tag_is_not_held_for_long(pieces):
    for number, said in enumerate(passed(Gate(), pieces)):
        text = "".join(pieces[: number + 1])
        assert text.startswith(said)
        assert not text[len(said) :].strip(" \n`") or text[len(said) :].lstrip().startswith("<")
        assert len(text) - len(said) < 11 or not text.strip()


def test_reasoning_does_not_pass_and_what_follows_does_at_once():
    text = "\n<think>one</think> <thought>two</thought>\n\nThe reply. It goes on"
    said = list(passed(Gate(), text))
    begin = text.index("The")
    assert not any(said[:begin])
    assert said[begin:] == [text[begin : end + 1].rstrip() for end in range(begin, len(text))]


def test_reasoning_that_no_tag_opened_is_taken_back_or_held():
    text = "I wonder.</think>Yes"
    assert list(passed(Gate(), ["I wonder.", "</think>", "Yes"])) == ["I wonder.", "", "Yes"]
    assert list(passed(Gate(), [text])) == ["Yes"]
    assert list(passed(Gate(), ["Well. ", "<think>", "hm", "</think>", "[1]"])) == [*["Well. "] * 3, "", "[1]"]
    assert list(passed(Gate(unopened=True), ["I wonder.", "</think>", "Yes"])) == ["", "", "Yes"]


@pytest.mark.parametrize(
    ("text", "found"),
    [("Hm.</think>{}", True), ("Yes.", False), ("<think>a</think>b", None), ("{}", None), (" ", None)],
)
def test_whether_reasoning_is_unopened(text, found):
    assert unopened(text) is found
