"""The first stage: the documents of the input folder, and what could not be read of it."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from graphrag.errors import InputError, MissingDependencyError
from graphrag.indexer import formats, tables
from graphrag.indexer.formats import Page
from graphrag.indexer.tables import BrokenRow, Row
from graphrag.records import Document, Failure, content_id
from graphrag.settings import InputSettings

LONGEST_TITLE = 300


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was found in the input folder, in reading order: by path, then by row."""

    documents: tuple[Document, ...] = ()
    failures: tuple[Failure, ...] = ()
    """One for each file or row that could not be read."""
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Listing:
    """Paths below the input folder, with `/`, sorted."""

    files: tuple[str, ...]
    unknown: tuple[str, ...]
    unsafe: tuple[str, ...]
    failures: tuple[Failure, ...]


def read(folder: Path, settings: InputSettings) -> Loaded:
    """The documents of a folder and of the folders in it; those that are hidden are not looked at.

    A document that has the text (and, if the input gives one, the title) of an earlier one is
    left out with a notice. Ids are those of title and text, so that renaming a file changes
    nothing. Raises InputError if the folder is missing or not one document could be read.
    """
    listing = _listing(folder)
    if not listing.files:
        raise InputError(f"{folder} holds no documents: put files there ({', '.join(sorted(formats.SUFFIXES))})")
    parts = [_load(folder / name, name, settings) for name in listing.files]
    documents, copies = _distinct([document for part in parts for document in part.documents])
    failures = (*listing.failures, *(failure for part in parts for failure in part.failures))
    if not documents:
        raise InputError(f"no document in {folder} could be read: {failures[0].item}: {failures[0].reason}")
    notices = (
        *_skipped("file", "of unknown type", listing.unknown),
        *_skipped("link", "to nothing inside the folder", listing.unsafe),
        *(notice for part in parts for notice in part.notices),
        *copies,
    )
    return Loaded(documents, failures, notices)


def fingerprint(folder: Path) -> str:
    """A hash of the paths and contents of all files that `read` would read; nothing is parsed.

    It also changes when a package is installed without which some could not be read.

    Raises InputError if the folder is missing.
    """
    files = (part for name in _listing(folder).files for part in (name, _hash(folder / name)))
    return content_id(str(formats.reads_office()), *files)


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return "unreadable"


# --- Files -------------------------------------------------------------------------------


def _listing(folder: Path) -> _Listing:
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}: run `graphrag init` or put documents there")
    errors: list[OSError] = []
    paths: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=errors.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        linked = [name for name in folders if Path(parent, name).is_symlink()]
        paths += [Path(parent, name) for name in (*linked, *names) if not name.startswith(".")]
    root = folder.resolve()
    safe = {path for path in paths if _is_safe(path, root)}
    known = {path for path in safe if path.suffix.lower() in formats.SUFFIXES}
    return _Listing(
        files=_names(folder, known),
        unknown=_names(folder, safe - known),
        unsafe=_names(folder, set(paths) - safe),
        failures=tuple(_failure(_name(folder, Path(error.filename)), error) for error in errors),
    )


def _is_safe(path: Path, root: Path) -> bool:
    """Whether it is a file, and in the input folder even if it is a link: documents are untrusted."""
    return path.is_file() and (not path.is_symlink() or path.resolve().is_relative_to(root))


def _names(folder: Path, paths: Iterable[Path]) -> tuple[str, ...]:
    return tuple(sorted(_name(folder, path) for path in paths))


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _failure(item: str, error: Exception) -> Failure:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return Failure("loading", formats.clean(item), reason)


def _skipped(noun: str, which: str, names: Sequence[str]) -> Iterator[str]:
    if names:
        shown = formats.clean(", ".join(names[:5])) + (", ..." if len(names) > 5 else "")
        yield f"skipped {len(names)} {noun}{'s' if len(names) > 1 else ''} {which}: {shown}"


# --- Documents ---------------------------------------------------------------------------


def _load(path: Path, name: str, settings: InputSettings) -> Loaded:
    try:
        content = formats.read(path)
        created = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
        items = _with_text(content.items, settings)
    except (OSError, InputError, MissingDependencyError) as error:
        return Loaded(failures=(_failure(name, error),))
    source = formats.clean(name)
    results = [_document(item, source, created, settings) for item in items]
    return Loaded(
        documents=tuple(result for result in results if isinstance(result, Document)),
        failures=tuple(result for result in results if isinstance(result, Failure)),
        notices=(f"{source} is not UTF-8: read as {content.encoding}",) if content.encoding else (),
    )


def _with_text(items: Sequence[Page | Row | BrokenRow], settings: InputSettings) -> Sequence[Page | Row | BrokenRow]:
    """The items as they are, if a row has the text column or there is none that could."""
    if not items:
        raise InputError("has no rows")
    rows = [item for item in items if isinstance(item, Row)]
    if not rows or any(settings.text_column in row.values for row in rows):
        return items
    if len(items) == 1 and (inner := tables.unwrapped(rows[0])):
        return _with_text(inner, settings)
    columns = ", ".join(dict.fromkeys(str(column) for row in rows for column in row.values))
    raise InputError(f"has no column '{settings.text_column}': set input.text_column to one of {columns}")


def _document(item: Page | Row | BrokenRow, name: str, created: str, settings: InputSettings) -> Document | Failure:
    match item:
        case Page():
            return _from_page(item, name, created)
        case Row():
            return _from_row(item, f"{name}#{item.number}", created, settings)
        case BrokenRow():
            return Failure("loading", f"{name}#{item.number}", item.reason)


def _from_page(page: Page, source: str, created: str) -> Document | Failure:
    if not page.text or page.text.isspace():
        return Failure("loading", source, "has no text")
    title = _short(page.title)
    return Document(
        id=_identity(title, page.text),
        title=title or Path(source).stem,
        text=page.text,
        source=source,
        titled=bool(title),
        creation_date=created,
        metadata=page.metadata,
    )


def _from_row(row: Row, source: str, created: str, settings: InputSettings) -> Document | Failure:
    try:
        values = {formats.clean(str(column)): formats.plain(value) for column, value in row.values.items()}
    except RecursionError:
        return Failure("loading", source, "is nested too deeply")
    text = _string(values.pop(settings.text_column, None))
    if not text or text.isspace():
        return Failure("loading", source, "has no text")
    title = _short(_string(values.pop(settings.title_column, None)))
    source_id = _string(values.pop(settings.id_column, None))
    return Document(
        id=_identity(title, text),
        title=title or source_id or source,
        text=text,
        source=source,
        source_id=source_id,
        titled=bool(title),
        creation_date=created,
        metadata=values,
    )


def _short(title: str) -> str:
    """A title on one line. It is read with every passage below it, so it is cut where it is no title."""
    line = " ".join(title.split())
    return line if len(line) <= LONGEST_TITLE else f"{line[:LONGEST_TITLE]}…"


def _string(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _identity(title: str, text: str) -> str:
    return content_id("document", title, text) if title else content_id("document", text)


def _distinct(documents: Sequence[Document]) -> tuple[tuple[Document, ...], list[str]]:
    """The documents numbered and without copies, and a notice for each copy."""
    first: dict[str, Document] = {}
    copies: list[str] = []
    for document in documents:
        kept = first.setdefault(document.id, replace(document, human_readable_id=len(first)))
        if kept.source != document.source:
            copies.append(f"{document.source} is an exact copy of {kept.source}; indexed once")
    return tuple(first.values()), copies
