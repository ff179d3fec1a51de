"""HTML as Markdown, so that its headings survive; nothing that a page refers to is followed.

Web pages are rarely well-formed. Those of older tools leave out the end tags that HTML lets them
leave out, which Beautiful Soup takes for nesting, thousands deep; here the tags that HTML says end
an element end it. Broken tags are text, and read in linear time.
"""

import re
import warnings
from collections.abc import Iterator, Mapping
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
