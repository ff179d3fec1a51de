"""The first stage: the documents of the input folder, and what could not be read of it."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from graphrag.errors import InputError, MissingDependencyError
from graphrag.indexer import deduplicating, formats, office, tables
from graphrag.indexer.editing import Kept
from graphrag.indexer.formats import Page
from graphrag.indexer.tables import BrokenRow, Row
from graphrag.records import Document, Failure, content_id
from graphrag.settings import InputSettings

LONGEST_TITLE = 300
NOTHING_KEPT = Kept()
SHOWN = 60
"""Characters of a text without a title that stand for one."""
TEXT, TITLE = "\0text", "\0title"
"""Columns that no metadata has."""


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

    files: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    unsafe: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()


def read(folder: Path, settings: InputSettings, kept: Kept = NOTHING_KEPT) -> Loaded:
    """The documents of a folder and of the folders in it, and those added by hand; hidden ones are not looked at.

    A document that has the text (and, if the input gives one, the title) of an earlier one is
    left out with a notice; `settings.dedupe` says what becomes of near-duplicates. Ids are those
    of title and text, so that renaming a file changes nothing. Raises InputError if the folder is
    missing or not one document could be read, MissingDependencyError if near-duplicates are to be
    found and the extra is not installed.
    """
    listing = _listing(folder) if folder.is_dir() or not (kept.added and kept.alone) else _Listing()
    if not listing.files and not kept.added:
        raise InputError(f"{folder} holds no documents: put files there ({', '.join(sorted(formats.SUFFIXES))})")
    parts = [_load(folder / name, name, settings) for name in listing.files]
    found = [document for part in parts for document in part.documents]
    excluded = [document for document in found if document.id in kept.excluded]
    documents, copies = _distinct([each for each in (*found, *kept.added) if each.id not in kept.excluded])
    failures = (*listing.failures, *(failure for part in parts for failure in part.failures))
    if not documents and excluded:
        raise InputError("no document would be left: to be rid of an index, delete its folder")
    if not documents:
        raise InputError(f"no document in {folder} could be read: {failures[0].item}: {failures[0].reason}")
    documents, similar = deduplicating.screened(documents, settings)
    notices = (
        *_skipped("file", "of unknown type", listing.unknown),
        *_skipped("link", "to nothing inside the folder", listing.unsafe),
        *(notice for part in parts for notice in part.notices),
        *copies,
        *similar,
        *_skipped("document", "that was removed by hand", [document.source for document in excluded]),
    )
    return Loaded(tuple(documents), failures, notices)


def read_file(path: Path, settings: InputSettings) -> tuple[Document, ...]:
    """The documents of one file, wherever it is. Raises InputError if one of them cannot be read."""
    if not path.is_file() or path.suffix.lower() not in formats.SUFFIXES:
        raise InputError(f"{path} is no file of a known type ({', '.join(sorted(formats.SUFFIXES))})")
    loaded = _load(path, path.name, settings)
    if loaded.failures:
        raise InputError(f"{loaded.failures[0].item}: {loaded.failures[0].reason}")
    return loaded.documents


def from_text(text: str, title: str = "", metadata: Mapping[str, object] | None = None) -> Document:
    """A document that is in no file. Raises InputError for a text that is empty or metadata that JSON cannot hold."""
    created = datetime.now(UTC).isoformat(timespec="seconds")
    values = {TEXT: text, TITLE: title, **_plain(metadata or {})}
    made = _from_row(Row(0, values), "", created, InputSettings(text_column=TEXT, title_column=TITLE, id_column=""))
    if isinstance(made, Failure):
        raise InputError(f"the text to add {made.reason}")
    shown = made.title or " ".join(made.text.split())[:SHOWN]
    return replace(made, title=shown, source=f"added/{made.id[:12]}")


def with_metadata(document: Document, metadata: Mapping[str, object]) -> Document:
    """The document with further fields. Raises InputError for what JSON cannot hold."""
    return replace(document, metadata={**document.metadata, **_plain(metadata)})


def _plain(metadata: Mapping[str, object]) -> dict[str, object]:
    try:
        return {str(key): formats.plain(value) for key, value in metadata.items()}
    except RecursionError:
        raise InputError("the metadata is nested too deeply") from None


def fingerprint(folder: Path, *, optional: bool = False) -> str:
    """A hash of the paths and contents of all files that `read` would read; nothing is parsed.

    It also changes when a package is installed without which some could not be read.

    Raises InputError if the folder is missing, unless it is `optional`.
    """
    if optional and not folder.is_dir():
        return ""
    files = (part for name in _listing(folder).files for part in (name, _hash(folder / name)))
    return content_id(str(office.is_readable()), *files)


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
