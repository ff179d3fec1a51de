"""Take the thinking aloud of reasoning models out of their replies."""

import re

_TAG = r"think|thinking|thought|reasoning"
_BLOCK = re.compile(rf"\s*<({_TAG})\b[^<>]*>.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_END = re.compile(rf"</(?:{_TAG})\s*>", re.IGNORECASE)
# What no train of thought begins with: such a text is the reply itself, and a tag in it is quoted.
_REPLY = ("{", "[", "(", '"', "```")


def strip(text: str) -> str:
    """A reply without the blocks of reasoning it begins with.

    A block that was never closed is the whole text; one whose opening tag is missing (chat
    templates put it into the prompt) ends with its closing tag. A tag further inside stays: it
    may be quoted from a document.
    """
    rest = text
    while block := _BLOCK.match(rest):
        rest = rest[block.end() :]
    if not rest.lstrip().startswith(_REPLY) and (end := _END.search(rest)):
        rest = rest[end.end() :]
    return rest if rest is text else rest.strip()
