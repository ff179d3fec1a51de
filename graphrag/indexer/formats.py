"""One reader per file format: what a file holds, before anything is decided about it.

Documents are untrusted: nothing that they refer to is opened, and whatever is wrong with one
is an InputError with the reason.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from pathlib import Path
from typing import cast

from graphrag.errors import InputError
from graphrag.indexer import front_matter, headings, office, office_properties, tables
from graphrag.indexer.tables import BrokenRow, Row


@dataclass(frozen=True, slots=True)
class Page:
    """A file that is one document."""

    text: str
    title: str = ""
    """Empty if the file does not say."""
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds: one page, or the rows of a table."""

    items: tuple[Page | Row | BrokenRow, ...]
    encoding: str = ""
    """The encoding, if it had to be guessed."""


def read(path: Path) -> Content:
    """What a file with one of the SUFFIXES holds.

    Raises InputError with the reason if it cannot be made sense of, OSError if it cannot be read,
    MissingDependencyError if its format needs a package that is not installed.
    """
    if not path.stat().st_size:
        raise InputError("is empty")
    suffix = path.suffix.lower()
    try:
        if suffix in _FILE_READERS:
            return Content(tuple(_FILE_READERS[suffix](path)))
        text, encoding = _decoded(path.read_bytes())
        if text.isspace():
            raise InputError("is empty")
        return Content(tuple(_TEXT_READERS[suffix](text)), encoding)
    except RecursionError:
        raise InputError("is nested too deeply") from None


# --- Values ------------------------------------------------------------------------------


LARGEST_INTEGER = 1 << 63


def clean(text: str) -> str:
    """The text with lines that end in a line feed and without lone surrogates, which are no text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def plain(value: object) -> object:
    """The value as JSON can hold it: dates in ISO 8601, NaN as None, bytes as their length."""
    match value:
        case None | bool():
            return value
        case int():
            # JSON has no bound, but what reads it has; and digits beyond 4300 are refused by Python.
            return value if abs(value) < LARGEST_INTEGER else None
        case str():
            return clean(value)
        case float():
            return value if math.isfinite(value) else None
        case date() | time():
            return value.isoformat()
        case bytes():
            return f"<{len(value)} bytes>"
        case Mapping():
            return {clean(str(key)): plain(item) for key, item in cast("Mapping[object, object]", value).items()}
        case list() | tuple():
            return [plain(item) for item in cast("Sequence[object]", value)]
        case _:
            return str(value)


# --- Encoding ----------------------------------------------------------------------------

# Left to itself, the detector takes short Western texts for Macintosh or DOS encodings.
_ENCODINGS = (
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "koi8_r"),
    *("cp949", "cp932", "euc_jp", "gb18030", "big5", "tis_620"),
)
_LOOKS_BINARY = "looks binary"


def _decoded(data: bytes) -> tuple[str, str]:
    """The text and, if it is neither UTF-8 nor marked as UTF-16, the encoding it seems to be in."""
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text, guessed = data.decode(encoding), ""
    except UnicodeDecodeError:
        text, guessed = _guessed(data)
    if "\0" in text:
        raise InputError(_LOOKS_BINARY)
    return clean(text), guessed


def _guessed(data: bytes) -> tuple[str, str]:
    from charset_normalizer import from_bytes

    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    if len(text) - len(text.encode("ascii", "ignore")) > 10 * broken:
        return text, "UTF-8 all the same, with some broken characters"
    matches = [] if b"\0" in data else list(from_bytes(data, cp_isolation=list(_ENCODINGS)))
    if not matches:
        raise InputError(_LOOKS_BINARY)
    encodings = [match.encoding for match in matches]
    # What reads well as Central European or Baltic and as Western is far more often Western.
    western = "cp1252" in encodings and encodings[0] in ("cp1250", "cp1257")
    encoding = "cp1252" if western else encodings[0]
    return data.decode(encoding, "replace"), encoding


# --- Readers of pages --------------------------------------------------------------------


def _page(text: str) -> Iterator[Page]:
    yield Page(text)


def _markdown(text: str) -> Iterator[Page]:
    values, body = front_matter.split(text)
    metadata = _plain(values)
    title = metadata.pop("title", None)
    yield Page(body, str(title or _first_title(body)), metadata)


def _plain(values: Mapping[str, object]) -> dict[str, object]:
    return {clean(str(key)): plain(value) for key, value in values.items()}


def _first_title(text: str) -> str:
    return next((heading.title for heading in headings.find(text) if heading.level == 1), "")


def _html(text: str) -> Iterator[Page]:
    from graphrag.indexer.webpages import to_markdown

    page = to_markdown(text)
    yield Page(page.text, page.title, _plain(page.metadata))


def _office(path: Path) -> Iterator[Page]:
    text, title = office.to_markdown(path)
    text = clean(text)
    yield Page(text, title or _first_title(text), _plain(office_properties.read(path)))


_TEXT_READERS: Mapping[str, Callable[[str], Iterator[Page | Row | BrokenRow]]] = {
    ".txt": _page,
    ".md": _markdown,
    ".markdown": _markdown,
    ".adoc": _markdown,
    ".asciidoc": _markdown,
    ".html": _html,
    ".htm": _html,
    ".csv": tables.comma_separated,
    ".tsv": tables.tab_separated,
    ".json": tables.json_objects,
    ".jsonl": tables.json_lines,
    ".ndjson": tables.json_lines,
}
_FILE_READERS: Mapping[str, Callable[[Path], Iterator[Page | Row | BrokenRow]]] = {
    ".parquet": tables.parquet,
    **dict.fromkeys(office.CONVERTERS, _office),
}
SUFFIXES = frozenset({*_TEXT_READERS, *_FILE_READERS})
