"""Where an index is kept: a folder, or a part of a bucket in object storage.

Both keep named pieces of bytes, written whole or not at all, hold one lock each, and tell LanceDB
where its tables go. Credentials of object storage come from the environment (`AWS_ACCESS_KEY_ID`,
`AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_ENDPOINT_URL`) or the machine's role.
"""

from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from graphrag.errors import BuildInProgressError, StorageError
from graphrag.storage.files import replacing

BUILDING = "another `graphrag index` is building this index; wait for it to finish"


class Hold(Protocol):
    """A lock that is held."""

    def check(self) -> None:
        """Raise BuildInProgressError if somebody else has the lock by now."""
        ...

    def write(self, data: bytes) -> None:
        """Write what the lock guards, unless another holder has written it since this one took the lock:
        BuildInProgressError then."""
        ...


class Place(Protocol):
    """Named pieces of bytes; in names `/` separates parts. Every method raises StorageError if the place
    cannot be used."""

    @property
    def storage_options(self) -> Mapping[str, str]:
        """What LanceDB needs to know beside `uri`; no secrets."""
        ...

    def read(self, name: str) -> bytes | None:
        """The piece of that name; None if there is none."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Put a piece in place of an older one, at once: a reader finds either, whole."""
        ...

    def delete(self, name: str) -> None:
        """Remove a piece, if there is one."""
        ...

    def names(self, prefix: str) -> list[str]:
        """The names that begin with the prefix and `/`, sorted."""
        ...

    def folders(self, prefix: str) -> set[str]:
        """The parts of names that come right after the prefix and `/` and have more after them. Cheap."""
        ...

    def lock(self, name: str, guarded: str = "") -> AbstractContextManager[Hold]:
        """Hold the lock of that name, which guards the writes of one piece; freed when the holder dies.

        Raises BuildInProgressError at once if another process or thread holds it.
        """
        ...

    def uri(self, name: str) -> str:
        """Where LanceDB finds a database of that name."""
        ...

    def __str__(self) -> str:
        """As the user knows it."""
        ...


class Folder:
    """A folder of this machine, made when it is first written to."""

    storage_options: Mapping[str, str] = {}

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def read(self, name: str) -> bytes | None:
        """The content of a file."""
        with self._errors("read"):
            try:
                return (self.path / name).read_bytes()
            except FileNotFoundError:
                return None

    def write(self, name: str, data: bytes) -> None:
        """Replace a file at once."""
        target = self.path / name
        with self._errors("write"):
            target.parent.mkdir(parents=True, exist_ok=True)
            with replacing(target) as temporary:
                temporary.write_bytes(data)

    def delete(self, name: str) -> None:
        """Remove a file, if there is one."""
        with self._errors("write"):
            (self.path / name).unlink(missing_ok=True)

    def names(self, prefix: str) -> list[str]:
        """The files under a folder, those of writes that were cut short left out."""
        with self._errors("read"):
            files = (path for path in (self.path / prefix).rglob("*") if path.is_file())
            return sorted(path.relative_to(self.path).as_posix() for path in files if not path.name.startswith("."))

    def folders(self, prefix: str) -> set[str]:
        """The folders in a folder."""
        with self._errors("read"):
            folder = self.path / prefix
            return {path.name for path in folder.iterdir() if path.is_dir()} if folder.is_dir() else set()

    @contextmanager
    def lock(self, name: str, guarded: str = "") -> Generator[Hold]:
        """A lock of the operating system, which frees it when the process ends, however it ends."""
        from filelock import FileLock, Timeout

        lock = FileLock(self.path / name)
        with self._errors("write in"):
            self.path.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise BuildInProgressError(BUILDING) from None
        try:
            yield _FolderHold(self, guarded)
        finally:
            lock.release()

    def uri(self, name: str) -> str:
        """The path of a folder in it."""
        return str(self.path / name)

    @contextmanager
    def _errors(self, what: str) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(f"cannot {what} {self.path}: {error.strerror or error}") from error


class _FolderHold:
    """It lasts as long as the process: nobody can have taken it over."""

    def __init__(self, folder: Folder, guarded: str) -> None:
        self._folder, self._guarded = folder, guarded

    def check(self) -> None:
        """Nothing to find out."""

    def write(self, data: bytes) -> None:
        """Replace the file."""
        self._folder.write(self._guarded, data)


def is_remote(uri: str) -> bool:
    """Whether a setting means object storage, not a path."""
    return "://" in uri


def place(uri: str, root: Path) -> Place:
    """The place that a setting means; a path is relative to `root`.

    Raises SettingsError for a URI of another kind or with secrets in it, MissingDependencyError.
    """
    if not is_remote(uri):
        return Folder(root / uri)
    from graphrag.storage.buckets import Bucket

    return Bucket(uri)
