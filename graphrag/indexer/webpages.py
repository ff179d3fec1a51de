"""HTML as Markdown, so that its headings and sections survive; nothing that a page refers to is followed.

Web pages are rarely well-formed. Those of older tools leave out the end tags that HTML lets them
leave out, which Beautiful Soup takes for nesting, thousands deep; here the tags that HTML says end
an element end it. Broken tags are text, and read in linear time.
"""

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bs4 import BeautifulSoup, Tag
from markdownify import MarkdownConverter

UNREAD = ["title", "script", "style", "template", "noscript"]
_BLOCKS = "p ul ol dl div table h1 h2 h3 h4 h5 h6 hr pre blockquote section article header footer".split()
_IMPLIED_ENDS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(_BLOCKS, frozenset({"p"})),
    "li": frozenset({"li"}),
    **dict.fromkeys(["dt", "dd"], frozenset({"dt", "dd"})),
    "tr": frozenset({"tr"}),
    **dict.fromkeys(["td", "th"], frozenset({"td", "th"})),
    **dict.fromkeys(["option", "optgroup"], frozenset({"option"})),
}
"""The open elements that the start tag of another ends."""
_CONTAINERS = frozenset("body ul ol dl table select div section article blockquote".split())
"""What an element inside cannot end."""
_NAMES: Mapping[str, str] = {
    **{name: name for name in ("author", "date", "description", "keywords")},
    **{f"dc.{theirs}": ours for theirs, ours in (("creator", "author"), ("date", "date"))},
    "article:published_time": "date",
}
"""Ours, by those that pages use."""
_HEADINGS = [f"h{level}" for level in range(1, 7)]
_SECTIONS = ["section", "article"]
_LAYOUT: Mapping[str, Sequence[str]] = {
    "table": ["thead", "tbody", "tfoot", "tr", "td", "th"],
    "ul": ["li"],
    "ol": ["li"],
}
"""What pages are laid out with beside its proper use, and its parts."""
# A tag that is not closed before the next one begins.
_BROKEN_TAG = re.compile(r"<(?=[^<>]*(?:<|\Z))")


@dataclass(frozen=True, slots=True)
class WebPage:
    """What an HTML page says, and what it says of itself."""

    text: str
    """Markdown."""
    title: str
    """That of <title>, else <h1>; empty if it has none."""
    metadata: Mapping[str, object]
    """Of <meta>: author, date, description, keywords (a list) and language, if it has them."""


def to_markdown(text: str) -> WebPage:
    """An HTML page as Markdown."""
    with warnings.catch_warnings(action="ignore"):  # Advice on text that looks like a path or XML.
        soup = _Soup(_BROKEN_TAG.sub("&lt;", _without_comments(text)), "html.parser")
    titles = (tag.get_text() for tag in (soup.title, soup.h1) if tag)
    title = next((title for title in titles if title.strip()), "")
    metadata = dict(_metadata(soup))
    for tag in soup(UNREAD):
        tag.decompose()
    _lay_out(soup)
    converter = MarkdownConverter(
        heading_style="ATX", strip=["a", "img"], escape_asterisks=False, escape_underscores=False
    )
    return WebPage(converter.convert_soup(soup).strip(), title, metadata)


def _metadata(soup: BeautifulSoup) -> Iterator[tuple[str, object]]:
    """The first of each name; what stands later in a page is less likely to be about all of it."""
    seen: set[str] = set()
    for tag in soup("meta"):
        name = _NAMES.get(str(tag.get("name") or tag.get("property") or "").lower(), "")
        content = " ".join(str(tag.get("content") or "").split())
        if name and content and name not in seen:
            seen.add(name)
            keywords = [word for part in content.split(",") if (word := part.strip())]
            yield name, keywords if name == "keywords" else content
    language = soup.html and soup.html.get("lang")
    if language:
        yield "language", str(language)


def _lay_out(soup: BeautifulSoup) -> None:
    """Make headings and sections of what is one: headings inside tables and lists would be no lines of their own."""
    for tag in soup.find_all(role="heading"):
        level = str(tag.get("aria-level") or "")
        tag.name = f"h{level}" if level in "123456" and level else "h2"
    for tag in soup("summary"):
        tag.name = "p"
    headed, nested = _around(soup(_HEADINGS)), _around(soup("table"))
    for tag in soup(list(_LAYOUT)):
        if id(tag) in headed or (tag.name == "table" and id(tag) in nested):
            _flatten(tag)
    for tag in soup(_SECTIONS):
        if id(tag) not in headed:
            _set_apart(soup, tag)


def _around(tags: Iterable[Tag]) -> set[int]:
    """The `id` of each element that holds one of some."""
    found: set[int] = set()
    for tag in tags:
        parent = tag.parent
        while parent is not None and id(parent) not in found:
            found.add(id(parent))
            parent = parent.parent
    return found


def _flatten(tag: Tag) -> None:
    """A table or list that lays out a page as its parts, one below the other."""
    parts, inner = _LAYOUT[tag.name], [tag]
    while inner:
        children = [child for child in inner.pop().children if isinstance(child, Tag) and child.name in parts]
        inner += children
        for child in children:
            child.name = "div"
    tag.name = "div"


def _set_apart(soup: BeautifulSoup, tag: Tag) -> None:
    """A rule before and after a section without a heading, where there is something."""
    # Inside of it: to insert beside it takes as long as it has siblings.
    before, after = tag.find_previous_sibling(), tag.find_next_sibling()
    if before and before.name not in ("hr", *_HEADINGS):
        tag.insert(0, soup.new_tag("hr"))
    if after and after.name not in ("hr", *_HEADINGS, *_SECTIONS):
        tag.append(soup.new_tag("hr"))


def _without_comments(text: str) -> str:
    parts: list[str] = []
    position = 0
    while (start := text.find("<!--", position)) >= 0:
        end = text.find("-->", start)
        parts.append(text[position:start])
        if end < 0:
            return "".join(parts)
        position = end + len("-->")
    return "".join([*parts, text[position:]])


class _Soup(BeautifulSoup):
    """A parse tree in which a start tag ends the elements that HTML says it ends."""

    def handle_starttag(self, name: str, *args: Any, **kwargs: Any) -> Tag | None:
        ended = _IMPLIED_ENDS.get(name, frozenset[str]())
        tag = self.currentTag
        while ended and tag is not None and tag.name not in _CONTAINERS:
            if tag.name in ended:
                self.endData()  # The text so far is inside.
                self._popToTag(tag.name)
                break
            tag = tag.parent
        return super().handle_starttag(name, *args, **kwargs)
