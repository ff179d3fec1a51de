"""From documents to text units: whole sentences under their headings, within a token limit.

A text is cut into pieces (heading lines, sentences, items of lists, tables and blocks of code), pieces
are gathered into sections (a heading or a rule starts one unless the section before is tiny), and each
section is packed into units. A table or a block of code that is too long for one unit is cut between its
lines. A piece over the limit is cut at word boundaries, a word over the limit by characters. Time is
linear in the length of the text, whatever it looks like.
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from graphrag import language, tokens
from graphrag.indexer import headings
from graphrag.indexer.headings import Heading, Mark
from graphrag.records import Document, TextUnit, content_id
from graphrag.settings import ChunkingSettings

_WORD_START = re.compile(r"(?<=\s)(?=\S)")
_VISIBLE = re.compile(r"\S|\Z")
_PAGE_BREAK = re.compile("\f")
_LINE = re.compile(r"[^\n]*\n\s*|[^\n]+\Z")
_BLOCK = 10_000
_COLUMNS, _LONGEST_HEADER = "Columns", 300


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of text that is not cut any further, ``text[start:end]``."""

    start: int
    end: int
    tokens: int
    is_heading: bool
    """Or a rule, which parts a text as a heading does."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Neighbouring pieces, and the tokens of the text they make together."""

    pieces: Sequence[_Piece]
    tokens: int


def split_all(documents: Iterable[Document], settings: ChunkingSettings) -> list[TextUnit]:
    """The text units of a collection, document by document, in reading order; ids are unique.

    Of several units with one id (the same passage under the same title), the first in order of
    document id and place keeps it and the others get ids with their number, so that the order of
    the input has no say in it.
    """
    units = [unit for document in documents for unit in split(document, settings)]
    ids: dict[tuple[str, int, int], str] = {}
    seen = Counter[str]()
    for unit in sorted(units, key=_place):
        ids[_place(unit)] = content_id(unit.id, str(seen[unit.id])) if seen[unit.id] else unit.id
        seen[unit.id] += 1
    return [replace(unit, id=ids[_place(unit)], human_readable_id=number) for number, unit in enumerate(units)]


def split(document: Document, settings: ChunkingSettings) -> list[TextUnit]:
    """The text units of one document, in order; none if its text is blank.

    Each is ``text[start:end]`` and has at most `settings.size` tokens. Without overlap they
    partition the text. With it, a unit that does not open with a heading starts with the last
    sentences of the unit before, up to `settings.overlap` tokens, and at most half the size.

    A unit's id is that of its text and the title that the input gave the document: it survives
    edits elsewhere in the document and renaming of its file. Within one document it may not be
    unique; `split_all` sees to that.

    Form feeds break the text into pages; a text without them has none. A unit that begins within a
    table has the titles of its columns as its context.
    """
    text = document.text
    if not text or text.isspace():
        return []
    overlap = min(settings.overlap, settings.size // 2)
    size = settings.size - overlap
    marks = list(headings.marks(text))
    found = [mark.heading for mark in marks if mark.heading]
    sections = _sections(_pieces(text, marks, size), size // 4)
    groups = [group for section in sections for group in _packed(text, section, size)]
    if overlap:
        groups = list(_overlapped(text, groups, overlap, settings.size))
    tables = [mark for mark in marks if mark.header]
    return [_in_table(unit, tables) for unit in _text_units(document, groups, found)]


def _place(unit: TextUnit) -> tuple[str, int, int]:
    # Where text units overlap, two may begin at the same character.
    return unit.document_id, unit.start, unit.end


def _text_units(document: Document, groups: Iterable[_Group], found: Sequence[Heading]) -> list[TextUnit]:
    starts, paths = [heading.start for heading in found], _paths(found)
    breaks = [found.start() for found in _PAGE_BREAK.finditer(document.text)]
    title = document.title if document.titled else ""
    units: list[TextUnit] = []
    for number, group in enumerate(groups):
        start, end = group.pieces[0].start, group.pieces[-1].end
        passage = document.text[start:end]
        unit = TextUnit(
            id=content_id("text_unit", title, passage),
            text=passage,
            n_tokens=group.tokens,
            document_id=document.id,
            start=start,
            end=end,
            headings=paths[bisect_right(starts, start)],
            page=bisect_right(breaks, _first_character(document.text, start)) + 1 if breaks else None,
            human_readable_id=number,
        )
        units.append(unit)
    return units


def _in_table(unit: TextUnit, tables: Sequence[Mark]) -> TextUnit:
    """A unit that goes on with a table is found by the titles of its columns, too."""
    place = bisect_left(tables, unit.start, key=lambda table: table.start) - 1
    within = place >= 0 and unit.start < tables[place].end
    return replace(unit, context=f"{_COLUMNS}: {tables[place].header}"[:_LONGEST_HEADER]) if within else unit


def _first_character(text: str, start: int) -> int:
    """Where the first character that can be seen is: page breaks are white space, on either side of it."""
    visible = _VISIBLE.search(text, start)
    return visible.start() if visible else start


def _paths(found: Iterable[Heading]) -> list[tuple[str, ...]]:
    """The headings in force, outermost first: before the first heading, and after each."""
    stack: list[Heading] = []
    paths: list[tuple[str, ...]] = [()]
    for heading in found:
        while stack and stack[-1].level >= heading.level:
            stack.pop()
        stack.append(heading)
        paths.append(tuple(above.title for above in stack))
    return paths


# --- Pieces ------------------------------------------------------------------------------


def _pieces(text: str, marks: Iterable[Mark], size: int) -> Iterator[_Piece]:
    position = 0
    for mark in marks:
        yield from _prose(text, position, mark.start, size)
        yield from _marked(text, mark, size)
        position = mark.end
    yield from _prose(text, position, len(text), size)


def _prose(text: str, start: int, end: int, size: int) -> Iterator[_Piece]:
    """Sentence by sentence."""
    return _cut(text, [*_sentence_starts(text, start, end), end], size)


def _marked(text: str, mark: Mark, size: int) -> Iterator[_Piece]:
    whole = _piece(text, mark.start, mark.end, mark.kind in ("heading", "rule"))
    if whole.is_heading:
        return _shares(text, whole, size)
    if mark.kind == "item":
        return iter([whole]) if whole.tokens <= size // 4 else _prose(text, mark.start, mark.end, size)
    # There should be room for the heading above.
    if whole.tokens <= size - size // 8:
        return iter([whole])
    lines = (found.end() for found in _LINE.finditer(text, mark.start, mark.end))
    return _cut(text, [mark.start, *lines], size)


def _cut(text: str, edges: Sequence[int], size: int) -> Iterator[_Piece]:
    for start, end in pairwise(edges):
        yield from _shares(text, _piece(text, start, end, False), size)


def _piece(text: str, start: int, end: int, is_heading: bool) -> _Piece:
    return _Piece(start, end, tokens.count(text[start:end]), is_heading)


def _sentence_starts(text: str, start: int, end: int) -> Iterator[int]:
    """Block by block: the segmenter's time is quadratic in a text of nothing but quotation marks."""
    while start < end:
        word = _WORD_START.search(text, start + _BLOCK, min(end, start + 2 * _BLOCK))
        edge = word.start() if word else min(end, start + _BLOCK)
        spans = language.sentences(text[start:edge])
        if edge < end and len(spans) > 1:
            del spans[-1]  # Perhaps not whole: the next block begins with it.
        yield from (start + span.start for span in spans)
        start += spans[-1].end


def _shares(text: str, piece: _Piece, size: int) -> Iterator[_Piece]:
    """The piece itself if it is within the size, else its parts, cut again where they are not."""
    if piece.tokens <= size:
        yield piece
        return
    # Parts that aim at the very size would miss it half of the time, and be cut in two.
    parts = piece.tokens // (size - size // 8) + 1
    edges = [piece.start, *_breaks(text, piece.start, piece.end, parts), piece.end]
    for start, end in pairwise(edges):
        yield from _shares(text, _piece(text, start, end, piece.is_heading and start == piece.start), size)


def _breaks(text: str, start: int, end: int, parts: int) -> list[int]:
    """Where to cut a stretch into about equal parts: before words, inside one only if it is all there is."""
    goals = [start + (end - start) * part // parts for part in range(1, parts)]
    breaks: list[int] = []
    for goal in goals:
        if breaks and goal <= breaks[-1]:
            continue
        word = _WORD_START.search(text, goal, end)
        if word is None:
            break
        breaks.append(word.start())
    earlier = (word.start() for word in _WORD_START.finditer(text, start + 1, goals[0]))
    return breaks or list(earlier)[-1:] or goals


# --- Groups ------------------------------------------------------------------------------


def _sections(pieces: Iterable[_Piece], least: int) -> Iterator[list[_Piece]]:
    """Pieces by section. A heading that follows fewer than `least` tokens does not start one."""
    section: list[_Piece] = []
    total = 0
    for piece in pieces:
        if piece.is_heading and total >= least and not section[-1].is_heading:
            yield section
            section, total = [], 0
        section.append(piece)
        total += piece.tokens
    yield section


def _packed(text: str, section: Sequence[_Piece], size: int) -> Iterator[_Group]:
    """The section in groups as full as can be; what would leave a tiny last one is halved."""
    first, rest = 0, sum(piece.tokens for piece in section)
    while first < len(section):
        goal = (rest + 1) // 2 if size < rest < size + size // 4 else size
        end = _filled(section, first, goal, size)
        # Tokens of a whole are now and then more than those of its parts.
        while (group := _group(text, section[first:end])).tokens > size:
            end -= 1
        yield group
        rest -= sum(piece.tokens for piece in group.pieces)
        first = end


def _filled(section: Sequence[_Piece], first: int, goal: int, size: int) -> int:
    """One past the last piece of a group: at least one piece, no heading at the end of a group."""
    total = section[first].tokens
    end = first + 1
    while end < len(section) and total < goal and total + section[end].tokens <= size:
        total += section[end].tokens
        end += 1
    if end == len(section):
        return end
    last = end
    while last > first and section[last - 1].is_heading:
        last -= 1
    return last if last > first else end


def _group(text: str, pieces: Sequence[_Piece]) -> _Group:
    if len(pieces) == 1:
        return _Group(pieces, pieces[0].tokens)
    return _Group(pieces, tokens.count(text[pieces[0].start : pieces[-1].end]))


def _overlapped(text: str, groups: Sequence[_Group], overlap: int, size: int) -> Iterator[_Group]:
    """Each group with the end of the one before, but not across a heading: nothing goes on there."""
    yield groups[0]
    for before, group in pairwise(groups):
        if group.pieces[0].is_heading:
            yield group
        else:
            longer = _group(text, [*_tail(before.pieces, overlap), *group.pieces])
            yield longer if longer.tokens <= size else group


def _tail(pieces: Sequence[_Piece], limit: int) -> Sequence[_Piece]:
    total, first = 0, len(pieces)
    while first and (total := total + pieces[first - 1].tokens) <= limit:
        first -= 1
    return pieces[first:]
