"""Heading lines of a text: Markdown `# Title` and AsciiDoc `== Title` (or wiki `== Title ==`)."""

import re
from dataclasses import dataclass

# A fenced block is matched first, so that a comment in a shell example is not a heading. A single
# `=` is a heading only where AsciiDoc has its document title: at the very start. Lines are bounded
# so that a paragraph after a stray mark, however long, is not taken for a heading.
_HEADING = re.compile(
    r"^(?P<fence>`{3,})[\s\S]*?(?:^(?P=fence)|\Z)"
    r"|(?:\A\s*(?P<first>#{1,6}|={1,6})|^\f?(?P<marks>#{1,6}|={2,6}))"
    r"[ \t]+(?P<title>\S[^\n]{0,200})(?:\n\s*|\Z)",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading line with the white space after it, ``text[start:end]``; level 1 is outermost.

    Before the first heading of a text, leading white space belongs to it too, and so does a page
    break (form feed) at the start of its line.
    """

    start: int
    end: int
    level: int
    title: str


def find(text: str) -> list[Heading]:
    """The headings of a text whose lines end in a line feed, in order; linear in its length."""
    return [
        Heading(match.start(), match.end(), len(match["first"] or match["marks"]), _bare(match["title"]))
        for match in _HEADING.finditer(text)
        if match["fence"] is None
    ]


def _bare(title: str) -> str:
    """The title without closing marks; "C#" keeps its own, which no space sets apart."""
    title = title.rstrip()
    opened = title.rstrip("#=")
    return opened.rstrip() if opened[-1:].isspace() else title
