"""Group text units into windows: what one call of the extracting model reads.

Text units are small, for retrieval; a call carries instructions that cost more than one of them.
A window holds whole text units, of a long document its own only, of short documents several, and
tells them apart by number, so that whatever is extracted is still known by its text unit.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from zlib import crc32

from graphrag import tokens
from graphrag.language import sentences
from graphrag.records import Document, TextUnit

SHORT = 0.5
"""A document of less than this share of a window shares its window with its neighbours."""
CUT_EVERY = 4
"""Among short documents a window that is half full ends at one text unit in this many, chosen by its
id: windows then find back into step after a document came or went (content-defined chunking)."""
LEAST_TOKENS = 16
"""A passage of fewer tokens is not split any further."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A text unit, or a part of one, as a model reads it."""

    text_unit_id: str
    text: str
    n_tokens: int
    about: str = ""
    """Title and headings above it, as far as the input gave them."""
    document_id: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """The passages of one call, numbered from 1."""

    passages: tuple[Passage, ...]

    @property
    def n_tokens(self) -> int:
        """Tokens of all passages."""
        return sum(passage.n_tokens for passage in self.passages)

    @property
    def units(self) -> frozenset[str]:
        """The ids of its text units."""
        return frozenset(passage.text_unit_id for passage in self.passages)

    @property
    def text(self) -> str:
        """One passage a line: no text can look like the beginning of another passage. What passages
        are about stands once, above the first of them: before each, small models take it for text."""
        return "\n".join(_lines(self.passages))


def group(documents: Sequence[Document], text_units: Sequence[TextUnit], size: int) -> list[Window]:
    """Windows of at most `size` tokens where text units allow it, in reading order.

    Every text unit with text is in one window.
    """
    return list(_windows(text_units, _titles(documents), size))


def passages(documents: Sequence[Document], text_units: Sequence[TextUnit]) -> list[Passage]:
    """Every text unit with text as a model reads it, in their order."""
    titles = _titles(documents)
    return [_passage(unit, titles.get(unit.document_id, "")) for unit in text_units if unit.text.strip()]


def _titles(documents: Sequence[Document]) -> dict[str, str]:
    return {document.id: document.title for document in documents if document.titled}


def _windows(text_units: Sequence[TextUnit], titles: dict[str, str], size: int) -> Iterator[Window]:
    shared: list[Passage] = []
    for document_id, units in groupby(text_units, key=lambda unit: unit.document_id):
        passages = [_passage(unit, titles.get(document_id, "")) for unit in units if unit.text.strip()]
        if sum(passage.n_tokens for passage in passages) < SHORT * size:
            for passage in passages:
                if shared and (_full(shared, passage, size) or _ends(shared, size)):
                    yield Window(tuple(shared))
                    shared = []
                shared.append(passage)
        else:
            if shared:
                yield Window(tuple(shared))
                shared = []
            yield from balanced(passages, size)
    if shared:
        yield Window(tuple(shared))


def balanced(passages: Sequence[Passage], size: int) -> Iterator[Window]:
    """As few windows of `size` tokens as hold the passages, as even as these allow.

    The largest window decides how long a server with free slots takes.
    """
    total = sum(passage.n_tokens for passage in passages)
    share = total / max(1, math.ceil(total / size))
    held: list[Passage] = []
    seen = boundary = 0.0
    for passage in passages:
        if held and seen + passage.n_tokens / 2 > boundary + share:
            yield Window(tuple(held))
            held = []
            boundary += share
        held.append(passage)
        seen += passage.n_tokens
    if held:
        yield Window(tuple(held))


def halves(window: Window) -> tuple[Window, ...]:
    """Two smaller windows with the same text; none if it is too small to split."""
    first, *rest = window.passages
    if rest:
        middle = _middle([passage.n_tokens for passage in window.passages])
        return Window(window.passages[:middle]), Window(window.passages[middle:])
    return tuple(Window((part,)) for part in _split(first))


def _split(passage: Passage) -> tuple[Passage, ...]:
    """A passage in two: between sentences if it has several, else between words, else anywhere."""
    if passage.n_tokens < 2 * LEAST_TOKENS:
        return ()
    spans = [passage.text[span.start : span.end] for span in sentences(passage.text)]
    words = passage.text.split()
    if len(words) > 1:
        parts = spans if len(spans) > 1 else words
        middle = _middle([len(part) for part in parts])
        texts = (" ".join(parts[:middle]), " ".join(parts[middle:]))
    else:
        middle = len(passage.text) // 2
        texts = (passage.text[:middle], passage.text[middle:])
    return tuple(replace(passage, text=text, n_tokens=tokens.count(text)) for text in texts)


def _middle(sizes: Sequence[int]) -> int:
    """Where to cut a sequence so that both parts are as equal as can be, neither of them empty."""
    total, seen = sum(sizes), 0
    best, position = total, 1
    for index, size in enumerate(sizes[:-1], start=1):
        seen += size
        if abs(total - 2 * seen) < best:
            best, position = abs(total - 2 * seen), index
    return position


def _passage(unit: TextUnit, title: str) -> Passage:
    about = " > ".join(dict.fromkeys(filter(None, [title, *unit.headings])))
    return Passage(unit.id, unit.text, unit.n_tokens, about, unit.document_id)


def _full(held: Sequence[Passage], passage: Passage, size: int) -> bool:
    return sum(other.n_tokens for other in held) + passage.n_tokens > size


def _ends(held: Sequence[Passage], size: int) -> bool:
    half_full = sum(passage.n_tokens for passage in held) >= SHORT * size
    return half_full and crc32(held[-1].text_unit_id.encode()) % CUT_EVERY == 0


def _lines(passages: Sequence[Passage]) -> Iterator[str]:
    above = ""
    for number, passage in enumerate(passages, start=1):
        about = " ".join(passage.about.split())
        if about != above:
            yield f"# {about}".rstrip()
        above = about
        yield f"[{number}] {' '.join(passage.text.split())}"
