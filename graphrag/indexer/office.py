"""PDF and Office files as Markdown, with a form feed between pages or slides."""

import re
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from itertools import accumulate, pairwise
from pathlib import Path

from graphrag.errors import InputError, MissingDependencyError

CONVERTERS = {
    ".pdf": "PdfConverter",
    ".docx": "DocxConverter",
    ".pptx": "PptxConverter",
    ".xlsx": "XlsxConverter",
}
"""Those of markitdown, by suffix."""
PAGE_BREAK = "\f"
_SLIDE = re.compile(r"\s*<!-- Slide number: \d+ -->\n")
_PARAGRAPH = re.compile(r"\n\n+")
_NUMBERED = re.compile(
    r"(?:\A|(?<=\n\n)|(?<=\f))[ \t]*(?P<number>\d{1,2}(?:\.\d{1,2}){0,3})\.?[ \t]+"
    r"(?P<title>[^\W\d_][^\n]{1,80})(?=\n\n|\n?\Z)"
)
_UNFINISHED = (".", ",", ";", ":")
LEAST_BELOW = 300
"""Characters below a numbered heading, on average; with fewer they are items of a list."""


def is_readable() -> bool:
    """Whether the extra `documents` is installed."""
    return find_spec("markitdown") is not None


def to_markdown(path: Path) -> tuple[str, str]:
    """The Markdown of a file with a suffix of CONVERTERS, and the title it gives itself, or "".

    Raises InputError with the reason if it cannot be read, MissingDependencyError without the extra.
    """
    try:
        markitdown = import_module("markitdown")
    except ImportError:
        raise MissingDependencyError(f"reading {path.suffix} files", "documents") from None
    suffix = path.suffix.lower()
    # One converter only: with all of them, a broken file is read as plain text.
    converter = getattr(markitdown.converters, CONVERTERS[suffix])()
    reader = markitdown.MarkItDown(enable_builtins=False, enable_plugins=False)
    reader.register_converter(converter)
    try:
        result = reader.convert_local(path)
        return _paged(result.markdown, path, suffix), result.title or ""
    except Exception as error:  # Whatever the parsers behind it raise, it is this file that is at fault.
        raise InputError(f"cannot be read: {' '.join(str(error).split())[:500]}") from None


def _paged(text: str, path: Path, suffix: str) -> str:
    if suffix == ".pptx":
        before, *slides = _SLIDE.split(text)
        return f"\n\n{PAGE_BREAK}\n".join([before + slides[0], *slides[1:]]) if slides else text
    # The converter keeps the pages of prose apart, but runs those of a file with tables together.
    if suffix == ".pdf" and PAGE_BREAK not in text:
        text = with_page_breaks(text, import_module("pdfminer.high_level").extract_text(path).split(PAGE_BREAK)[:-1])
    return with_headings(text) if suffix == ".pdf" else text


def with_headings(text: str) -> str:
    """The text of a file that marks no headings with marks before those that are numbered.

    They are the lines that stand alone and count from 1 without a gap, level by level: 1, 1.1, 1.2, 2 …
    """
    found: list[re.Match[str]] = []
    last: tuple[int, ...] = (0,)
    for match in _NUMBERED.finditer(text):
        number = tuple(map(int, match["number"].split(".")))
        if number in _next(last) and not match["title"].rstrip().endswith(_UNFINISHED):
            found.append(match)
            last = number
    if len(found) < 2 or len(text) < LEAST_BELOW * len(found):
        return text
    starts = [0, *(match.start("number") for match in found), len(text)]
    parts = [text[start:end] for start, end in pairwise(starts)]
    return parts[0] + "".join(
        f"{'#' * (match['number'].count('.') + 2)} {part}" for match, part in zip(found, parts[1:], strict=True)
    )


def _next(number: tuple[int, ...]) -> set[tuple[int, ...]]:
    """What may follow a number: its first part, the next one of its level or of one above."""
    deeper = {(*number, 1)} if number != (0,) else set[tuple[int, ...]]()
    return deeper | {(*number[:level], number[level] + 1) for level in range(len(number))}


def with_page_breaks(text: str, pages: Sequence[str]) -> str:
    """The text of a file with a break where each page but the first begins.

    `pages` are the same pages as another reader gave them, whose white space, order and marks of
    tables differ. So letters are counted: a page begins with the paragraph that has the most nearly as
    many before it, from the last break on, as the page before has.
    """
    starts = [0, *(found.end() for found in _PARAGRAPH.finditer(text))]
    before = [0, *accumulate(_letters(text[start:end]) for start, end in pairwise(starts))]
    breaks: list[int] = []
    place = 0
    for letters in map(_letters, pages[:-1]):
        places = range(place + (letters > 0), len(starts))
        if not places:
            break
        # Counted anew from each break, so that what one page is off by is not handed on to the next.
        goal = before[place] + letters
        place = min(places, key=lambda n: abs(before[n] - goal))
        breaks.append(starts[place])
    return PAGE_BREAK.join(text[start:end] for start, end in pairwise([0, *breaks, len(text)]))


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))
