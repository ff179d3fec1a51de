"""The manifest: which version of every table makes up the published build, and which made up those before."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from graphrag.errors import StorageError
from graphrag.storage.base import Build, Version

FORMAT = 1
"""Of the manifest and the tables; a reader refuses a higher one."""


@dataclass(frozen=True, slots=True)
class Superseded:
    """A build that another has replaced: readers may still be on it."""

    versions: Mapping[str, int]
    since: datetime
    number: int = 0
    """0 for one of which no more is known than its tables."""
    build: Build | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is published."""

    format: int
    build: Build
    versions: Mapping[str, int]
    superseded: tuple[Superseded, ...] = ()
    """Oldest first."""
    number: int = 1
    """Of the build, counted from the first one of the folder."""
    patched: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    """Tables that were changed row by row since they were written, and when first: their rows are in
    another order, and the bytes of rows that were taken out are in their files still."""

    @property
    def tables(self) -> list[Mapping[str, int]]:
        """Table versions that must stay."""
        return [self.versions, *(old.versions for old in self.superseded)]

    def known(self) -> list[Version]:
        """The builds that can be gone back to, oldest first; the published one is the last."""
        before = [Version(old.number, old.build, published=False) for old in self.superseded if old.build]
        return [*before, Version(self.number, self.build, published=True)]

    def followed_by(self, build: Build, versions: Mapping[str, int], now: datetime) -> "Manifest":
        """The manifest of a new build that replaces this one."""
        last = max([self.number, *(old.number for old in self.superseded)])
        return Manifest(FORMAT, build, versions, (*self.superseded, self._retired(now)), last + 1, self.patched)

    def back_to(self, number: int, now: datetime) -> "Manifest | None":
        """The manifest of a build of before, which replaces this one; None if it is not known."""
        for old in self.superseded:
            if old.number == number and old.build:
                others = tuple(other for other in self.superseded if other is not old)
                return replace(
                    self,
                    build=old.build,
                    versions=old.versions,
                    number=number,
                    superseded=(*others, self._retired(now)),
                )
        return None

    def without(self, older_than: datetime) -> "Manifest":
        """The manifest without what was replaced before then."""
        return replace(self, superseded=tuple(old for old in self.superseded if old.since > older_than))

    def stale(self, since: datetime) -> list[str]:
        """The tables whose files hold rows that were taken out by then."""
        return [name for name, patched in self.patched.items() if patched <= since]

    def _retired(self, now: datetime) -> Superseded:
        return Superseded(self.versions, now, self.number, self.build)


def to_bytes(manifest: Manifest) -> bytes:
    """As it is stored."""
    return TypeAdapter(Manifest).dump_json(manifest, indent=1)


def from_bytes(data: bytes, where: str) -> Manifest | None:
    """What was stored; None if it cannot be read. Raises StorageError if a newer version wrote it."""
    try:
        values: Any = json.loads(data)
        if isinstance(values, dict) and isinstance(values.get("format"), int) and values["format"] > FORMAT:  # pyright: ignore[reportUnknownMemberType]
            raise StorageError(f"the index in {where} was made by a newer version: upgrade graphrag-drift")
        return TypeAdapter(Manifest).validate_python(values)
    except ValueError:
        return None
