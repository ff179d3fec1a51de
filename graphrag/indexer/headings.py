"""What structures a text: heading lines, rules, and blocks that are better not cut.

Markdown (`# Title`, a title underlined by `===` or `---`, `<h2>Title</h2>`), AsciiDoc (`== Title`, or wiki
`== Title ==`) and reStructuredText (titles underlined, `~~~` and `^^^` below those) are read alike: what a text is
written in is rarely known. Time is linear in the length of the text.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["heading", "rule", "block", "item"]

_END = r"[ \t]*(?:\n(?:[ \t]*\n)*|\Z)"
_ITEM = r"[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t]+\S"
_CELL = r"[ \t]*:?-+:?[ \t]*"
# Alternatives in order: what is matched first is nothing else. Fenced code comes first, so that a comment in a shell
# example is no heading. A single `=` is a heading only where AsciiDoc has its document title: at the very start. Four
# equal marks alone are the edge of an AsciiDoc block, not a rule. Lines are bounded so that a paragraph after a stray
# mark, however long, is not taken for a heading. Blank lines are matched to know what follows them.
_MARK = re.compile(
    rf"^[ ]{{0,3}}(?P<fence>`{{3,}}|~{{3,}})[^`\n]*$[\s\S]*?(?:^[ ]{{0,3}}(?P=fence)[`~]*{_END}|(?P<open>\Z))"
    rf"|^\[[^\]\n]{{0,200}}\]\n(?P<listing>-{{4,}}|\.{{4,}}|\+{{4,}})\n[\s\S]*?(?:^(?P=listing){_END}|(?P<unclosed>\Z))"
    r"|(?:\A\s*(?P<first>#{1,6}|={1,6})|^\f?(?P<marks>#{1,6}|={2,6}))[ \t]+(?P<title>\S[^\n]{0,200})(?:\n\s*|\Z)"
    r"|^(?P<blank>[ \t]*\n(?:[ \t]*\n)*)"
    rf"|^\f?[ ]{{0,3}}(?P<rule>(?:-{{3,}}|\*{{3,}}|_{{3,}}|={{5,}}|'{{3,}}|(?:[-*_][ \t]+){{2,80}}[-*_])){_END}"
    rf"|^(?P<rows>[ \t]*\|[^\n]*\n(?:[ \t]*\|[^\n]*(?:\n|\Z))+"
    rf"|[^|\n]+\|[^\n]*\n{_CELL}(?:\|{_CELL})+\n(?:[^|\n]*\|[^\n]*(?:\n|\Z))*)"
    rf"|^\f?[ ]{{0,3}}(?P<over>(?![*•][ \t])[^\s<>|#=\[.:+~^-][^\n]{{0,200}})\n"
    rf"(?P<under>={{3,}}|-{{3,}}|~{{4,}}|\^{{4,}}){_END}"
    rf"|^(?P<item>{_ITEM}[^\n]*(?:\n|\Z)(?:(?!{_ITEM})(?:[ \t]+\S|\w)[^\n]*(?:\n|\Z))*)"
    rf"|^\f?[ ]{{0,3}}<[hH](?P<h>[1-6])\b[^<>\n]{{0,300}}>(?P<inner>[\s\S]{{0,500}}?)</[hH](?P=h)>{_END}",
    re.MULTILINE,
)
_LEVELS = {"=": 1, "-": 2, "~": 3, "^": 4}
_EDGE = 4
_DELIMITER = frozenset("|:- \t")
_TAG = re.compile(r"</?(?:a|b|i|u|em|strong|code|span|font|small|su[bp]|br|img)\b[^<>]*>", re.IGNORECASE)
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*\)")
_ATTRIBUTES = re.compile(r"\s*\{[#.:][^{}]*\}\s*\Z")


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


@dataclass(frozen=True, slots=True)
class Mark:
    """A part of a text that is no plain prose, ``text[start:end]``.

    A heading; a rule, which parts a text as a heading does but has no title; a block of code or a
    table, whose lines belong together; an item of a list.
    """

    kind: Kind
    start: int
    end: int
    heading: Heading | None = None
    header: str = ""
    """Of a table that has one, the titles of its columns."""


def find(text: str) -> list[Heading]:
    """The headings of a text whose lines end in a line feed, in order; linear in its length."""
    return [mark.heading for mark in marks(text) if mark.heading]


def marks(text: str) -> Iterator[Mark]:
    """Headings, rules and blocks of a text whose lines end in a line feed, in order, apart from each other."""
    fresh, rule = 0, ""
    for match in _MARK.finditer(text):
        mark = _mark(match, match.start() == fresh, rule)
        # A heading ends with the white space after it, so that what follows begins a paragraph too.
        fresh = match.end() if mark is None or mark.kind != "item" else -1
        rule = match["rule"] if match["rule"] and match[0].count("\n") == 1 else ""
        if mark:
            yield mark


def _mark(match: re.Match[str], fresh: bool, rule: str) -> Mark | None:
    """What was matched, if it is anything; `fresh`: a paragraph begins there, `rule`: on the line before."""
    start, end = match.span()
    if match["title"]:
        return _heading(match, len(match["first"] or match["marks"]), _bare(match["title"]))
    if match["over"]:
        title, under = match["over"].strip(), match["under"]
        whole = _is_underlined(title, under) and (not rule or (rule == under and len(rule) > _EDGE))
        return _heading(match, _LEVELS[under[0]], _bare(title)) if fresh and whole else None
    if match["inner"] is not None:
        return _heading(match, int(match["h"]), _bare(html.unescape(match["inner"])))
    if match["rule"]:
        edge = len(match["rule"]) == _EDGE and len(set(match["rule"])) == 1
        return Mark("rule", start, end) if fresh and not edge else None
    if match["item"]:
        return Mark("item", start, end)
    if match["rows"]:
        return Mark("block", start, end, header=_header(match["rows"]))
    if (match["fence"] and match["open"] is None) or (match["listing"] and match["unclosed"] is None):
        return Mark("block", start, end)
    return None


def _heading(match: re.Match[str], level: int, title: str) -> Mark | None:
    start, end = match.span()
    return Mark("heading", start, end, Heading(start, end, level, title)) if title else None


def _header(rows: str) -> str:
    """The first row of a table, if a line of dashes sets it apart."""
    first, second, *_ = [*rows.split("\n", 2), ""]
    cells = [" ".join(cell.split()) for cell in first.split("|")]
    return ", ".join(filter(None, cells)) if "-" in second and _DELIMITER.issuperset(second) else ""


def _is_underlined(title: str, under: str) -> bool:
    """Whether a line and the marks below it are a title: `~` and `^` have other uses, and are as long as it is."""
    return bool(re.search(r"\w", title)) and (under[0] in "=-" or abs(len(under) - len(title)) <= 2)


def _bare(title: str) -> str:
    """The title without marks; "C#" keeps its own, which no space sets apart."""
    title = title.rstrip()
    opened = title.rstrip("#=")
    title = opened.rstrip() if opened[-1:].isspace() else title
    title = _ATTRIBUTES.sub("", _LINK.sub(r"\1", _TAG.sub(" ", title))).replace("**", "")
    return " ".join(title.split())
