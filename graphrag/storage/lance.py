"""The store on LanceDB: with `lance_*` beside it, the only place in the package that knows it.

A build writes new versions of the tables that it changes, then a manifest that names the versions.
Readers go by the manifest, so a build that is under way, was killed, or came later is never seen.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from graphrag.errors import IndexNotFoundError, StorageError
from graphrag.storage import manifest as manifests
from graphrag.storage.base import Build, Version
from graphrag.storage.lance_errors import storage_errors
from graphrag.storage.lance_reader import LanceReader
from graphrag.storage.lance_tables import open_tables
from graphrag.storage.manifest import Manifest
from graphrag.storage.places import Folder, Hold, Place

if TYPE_CHECKING:
    import pyarrow as pa

    from graphrag.storage.lance_writing import Writer, Written

MANIFEST = "manifest.json"
TABLES = "lancedb"
LOCK = "lock"
RETENTION = timedelta(days=1)
"""How long a reader may go on reading a build that another has replaced, and that build can be gone back to."""


class LanceStore:
    """An index in a folder or in object storage: `manifest.json`, `lock`, and the tables under `lancedb`."""

    def __init__(self, place: Place | Path, retention: timedelta = RETENTION) -> None:
        """Touches nothing yet."""
        self.place: Place = Folder(place) if isinstance(place, Path) else place
        self.retention = retention
        self._hold: Hold | None = None

    def current(self) -> Build | None:
        """The published build; None if there is none, or none that can be read.

        Raises StorageError if a newer version of the package made it.
        """
        manifest = self._manifest()
        return manifest.build if manifest else None

    def open(self) -> LanceReader:
        """A reader of the published build, whatever is published later (for the retention).

        Raises IndexNotFoundError if nothing has been published, StorageError if it is damaged.
        """
        manifest = self._manifest()
        if manifest is None:
            if self.place.read(MANIFEST) is not None:
                raise StorageError(f"the index in {self.place} is damaged; {self._remedy}")
            raise IndexNotFoundError(f"there is no index in {self.place}; make one with `graphrag index`")
        with storage_errors(f"the index in {self.place} is damaged; {self._remedy}"):
            tables = open_tables(self.place.uri(TABLES), manifest.versions, self.place.storage_options)
        return LanceReader(str(self.place), manifest.build, tables, manifest.patched.keys())

    @contextmanager
    def lock(self) -> Generator[None]:
        """Hold the right to publish; freed when the holder dies.

        Raises BuildInProgressError at once if another process or thread holds it.
        """
        with self.place.lock(LOCK, MANIFEST) as hold:
            self._hold = hold
            try:
                yield
            finally:
                self._hold = None

    def publish(self, tables: "Mapping[str, pa.Table]", build: Build, *, whole: bool = False) -> None:
        """Replace the index by these tables, all at once; readers opened before keep theirs.

        Only rows that differ are written, unless `whole`. On StorageError the build published before stays.
        """
        before = self._manifest()
        now = datetime.now(UTC)
        same_model = before and before.build.embedding_model == build.embedding_model
        known = before.versions if before and same_model and not whole else {}
        with storage_errors(f"cannot write the index in {self.place}"):
            writer = self._writer()
            written: dict[str, Written] = {}
            for name, data in tables.items():
                if self._hold:
                    self._hold.check()
                before_it = known.get(name)
                written[name] = writer.whole(name, data) if before_it is None else writer.changes(name, data, before_it)
            versions = {name: done.version for name, done in written.items()}
            manifest = (
                before.followed_by(build, versions, now) if before else Manifest(manifests.FORMAT, build, versions)
            )
            patched = {name: since for name, since in manifest.patched.items() if versions[name] == known.get(name)}
            patched |= {name: manifest.patched.get(name, now) for name, done in written.items() if done.patched}
            self._write(replace(manifest, patched=patched))
        # The build is out: what cannot be cleaned up now is cleaned up by the next one.
        with suppress(StorageError):
            self.clean()

    def versions(self) -> list[Version]:
        """The builds that can be gone back to, oldest first; the published one is the last. May be empty."""
        manifest = self._manifest()
        return manifest.known() if manifest else []

    def rollback(self, number: int) -> Version:
        """Publish a build of before again. Raises StorageError where it is not kept."""
        before = self._manifest()
        if before and before.number == number:
            return before.known()[-1]
        manifest = before and before.back_to(number, datetime.now(UTC))
        if manifest is None:
            kept = ", ".join(str(version.number) for version in self.versions() if not version.published) or "none"
            raise StorageError(f"no version {number} of the index in {self.place} is kept; there is {kept}")
        self._write(manifest)
        return manifest.known()[-1]

    def is_due(self) -> bool:
        """Whether `clean` would do anything."""
        manifest = self._manifest()
        due = datetime.now(UTC) - self.retention
        return bool(manifest and (manifest.without(due) != manifest or manifest.stale(due)))

    def clean(self, *, everything: bool = False) -> None:
        """Remove what was replaced before the retention, or everything that was, from the files too.

        Nothing is opened where nothing is due. Readers of what is removed fail from then on.
        """
        before = self._manifest()
        if before is None:
            return
        now = datetime.now(UTC)
        due = now if everything else now - self.retention
        manifest = before.without(due)
        stale = before.stale(due)
        if not everything and not stale and manifest == before:
            return
        with storage_errors(f"cannot clean up the index in {self.place}"):
            writer = self._writer()
            # What killed builds left after the published version can only be removed before a later one.
            anew = manifest.versions if everything else stale
            versions = {name: writer.anew(name, manifest.versions[name]) for name in anew}
            patched = {name: since for name, since in manifest.patched.items() if name not in versions}
            manifest = replace(manifest, versions={**manifest.versions, **versions}, patched=patched)
            if manifest != before:
                self._write(manifest)
            for name in manifest.versions:
                if everything:
                    writer.discard_all(name)
                else:
                    writer.discard(name, {versions[name] for versions in manifest.tables if name in versions})

    @property
    def _remedy(self) -> str:
        return f"delete {self.place.uri(TABLES)} and rebuild with `graphrag index`"

    def _existing(self) -> set[str]:
        return {folder.removesuffix(".lance") for folder in self.place.folders(TABLES)}

    def _manifest(self) -> Manifest | None:
        data = self.place.read(MANIFEST)
        manifest = manifests.from_bytes(data, str(self.place)) if data else None
        # Tables that somebody deleted must not pass for a finished build: there is work to do.
        return manifest if manifest and manifest.versions.keys() <= self._existing() else None

    def _write(self, manifest: Manifest) -> None:
        data = manifests.to_bytes(manifest)
        if self._hold:
            self._hold.write(data)
        else:
            self.place.write(MANIFEST, data)

    def _writer(self) -> "Writer":
        import lancedb

        from graphrag.storage.lance_writing import Writer

        database = lancedb.connect(self.place.uri(TABLES), storage_options=dict(self.place.storage_options))
        return Writer(database, self._existing())
