"""What PDF and Office files say of themselves: author, subject, keywords, created, modified."""

import re
import zipfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

_CORE = "docProps/core.xml"
_LARGEST = 1_000_000
"""Bytes; far more than any real one."""
_NAMES: Mapping[str, str] = {
    **{"creator": "author", "subject": "subject", "keywords": "keywords", "created": "created", "modified": "modified"},
    **{"Author": "author", "Subject": "subject", "Keywords": "keywords"},
    **{"CreationDate": "created", "ModDate": "modified"},
}
"""Ours, by those of Office (Dublin Core) and of PDF."""
_PDF_DATE = re.compile(r"D:(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:([+-])(\d\d)'?(\d\d)?|Z)?.*", re.DOTALL)


def read(path: Path) -> dict[str, object]:
    """Those that a file has; keywords are a list, times are in ISO 8601 if they can be read.

    Properties are no reason to lose a document: what is wrong with them leaves them out.
    """
    try:
        found = _of_pdf(path) if path.suffix.lower() == ".pdf" else _of_office(path)
        texts = {_NAMES[name]: " ".join(text.split()) for name, text in found if name in _NAMES}
    except Exception:  # Whatever the parsers raise.
        return {}
    return {name: _typed(name, text) for name, text in texts.items() if text}


def _of_office(path: Path) -> Iterator[tuple[str, str]]:
    etree: Any = import_module("defusedxml.ElementTree")
    with zipfile.ZipFile(path) as archive, archive.open(_CORE) as file:
        for element in etree.fromstring(file.read(_LARGEST)):
            yield element.tag.rpartition("}")[2], element.text or ""


def _of_pdf(path: Path) -> Iterator[tuple[str, str]]:
    types, utils = import_module("pdfminer.pdftypes"), import_module("pdfminer.utils")
    with path.open("rb") as file:
        parser = import_module("pdfminer.pdfparser").PDFParser(file)
        for info in import_module("pdfminer.pdfdocument").PDFDocument(parser).info:
            for name, value in info.items():
                resolved = types.resolve1(value)
                if isinstance(resolved, bytes):
                    yield name, utils.decode_text(resolved)


def _typed(name: str, text: str) -> object:
    if name == "keywords":
        return [word for part in re.split("[,;]", text) if (word := part.strip())]
    return _iso(text) if name in ("created", "modified") else text


def _iso(text: str) -> str:
    """A date of PDF (D:YYYYMMDDHHmmSS+HH'mm', the end may be missing) in ISO 8601; others as they are."""
    found = _PDF_DATE.fullmatch(text)
    if not found:
        return text
    year, month, day, hour, minute, second, sign, zone_hour, zone_minute = found.groups()
    zone = f"{sign}{zone_hour}:{zone_minute or '00'}" if sign else "+00:00"
    time = f"{hour or '00'}:{minute or '00'}:{second or '00'}{zone}"
    try:
        return datetime.fromisoformat(f"{year}-{month or '01'}-{day or '01'}T{time}").isoformat()
    except ValueError:
        return text
