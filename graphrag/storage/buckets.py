"""A part of a bucket in object storage: the only place in the package that knows obstore.

Tested with the S3 protocol. `gs://` and `az://` go the same way through the same library, with the
variables of the environment that it reads for them.
"""

import os
import re
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from graphrag.errors import BuildInProgressError, MissingDependencyError, SettingsError, StorageError
from graphrag.storage.leases import Lease, Stamp, leased

SCHEMES = ("s3", "gs", "az")
PATIENCE = timedelta(seconds=15)
"""How long a request is tried again: shorter than what a lease has to spare."""


class Bucket:
    """The objects under a URI such as `s3://bucket/path`. It connects to nothing yet.

    Raises SettingsError for a URI of another kind or with secrets in it, MissingDependencyError.
    """

    def __init__(self, uri: str, now: Callable[[], datetime] | None = None) -> None:
        """`now` is the clock by which leases end; by default that of the storage."""
        _check(uri)
        self._uri = uri.rstrip("/")
        self._now = now
        self._store = _store(self._uri)

    def __str__(self) -> str:
        return self._uri

    @property
    def storage_options(self) -> Mapping[str, str]:
        """The endpoint, if there is one of its own; secrets LanceDB finds in the environment itself."""
        endpoint = _endpoint(self._uri)
        return {"aws_endpoint": endpoint, "allow_http": str(_plain(endpoint)).lower()} if endpoint else {}

    def uri(self, name: str) -> str:
        """The URI of a part of it."""
        return f"{self._uri}/{name}"

    def read(self, name: str) -> bytes | None:
        """The content of an object."""
        found = self.read_stamped(name)
        return found and found[0]

    def write(self, name: str, data: bytes) -> None:
        """Put an object: storage shows it when it has all of it."""
        with self._errors():
            self._store.put(name, data)

    def delete(self, name: str) -> None:
        """Remove an object, if there is one."""
        with self._errors():
            self._store.delete(name)

    def names(self, prefix: str) -> list[str]:
        """The objects under a prefix; a request for each thousand."""
        with self._errors():
            return sorted(item["path"] for batch in self._store.list(f"{prefix}/") for item in batch)

    def folders(self, prefix: str) -> set[str]:
        """The common prefixes under a prefix, by one request."""
        with self._errors():
            found = self._store.list_with_delimiter(prefix)["common_prefixes"]
        return {path.rstrip("/").rpartition("/")[2] for path in found}

    @contextmanager
    def lock(self, name: str, guarded: str = "") -> "Generator[BucketHold]":
        """A lease: see `leases` for what it promises."""
        with leased(self, name) as lease:
            found = self.read_stamped(guarded) if guarded else None
            yield BucketHold(self, lease, guarded, found and found[1])

    # --- Compare and set ------------------------------------------------------------------

    def read_stamped(self, name: str) -> tuple[bytes, Stamp] | None:
        """An object and which writing of it this is."""
        with self._errors():
            try:
                got = self._store.get(name)
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error):
                    raise
                return None
            meta = got.meta
            stamp = Stamp(meta.get("e_tag"), meta.get("version"), meta["last_modified"])
            return bytes(got.bytes()), stamp

    def swap(self, name: str, data: bytes, expected: Stamp | None) -> Stamp | None:
        """A conditional write; None if the condition does not hold."""
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        with self._errors():
            try:
                put = self._store.put(name, data, mode=_mode(expected), use_multipart=False)
                return Stamp(put.get("e_tag"), put.get("version"))
            except (AlreadyExistsError, PreconditionError):
                pass
        # A write whose answer was lost is tried again, and refused because of itself.
        found = self.read_stamped(name)
        return found[1] if found and found[0] == data else None

    def age(self, stamp: Stamp) -> float:
        """Seconds since a writing of an object; to the second."""
        if stamp.modified is None:
            return 0.0
        return ((self._now or self._clock)() - stamp.modified).total_seconds()

    def _clock(self) -> datetime:
        """What time the storage says it is."""
        with self._errors():
            self._store.put("clock", b"")
            return self._store.head("clock")["last_modified"]

    @contextmanager
    def _errors(self) -> Generator[None]:
        from obstore.exceptions import BaseError

        if _first_user() != os.getpid():
            raise StorageError(
                f"cannot use {self._uri} in a process that was forked from one that used object storage: "
                "start processes by 'spawn' or 'forkserver'"
            )
        try:
            yield
        except (BaseError, OSError) as error:
            # Not chained: the library's text holds addresses and what the server said.
            raise StorageError(f"cannot use {self._uri}: {reason(error)}") from None


class BucketHold:
    """A lease that is held, and the object that it guards as it was when it was taken."""

    def __init__(self, bucket: Bucket, lease: Lease, guarded: str, stamp: Stamp | None) -> None:
        self._bucket, self._lease, self._guarded, self._stamp = bucket, lease, guarded, stamp

    def check(self) -> None:
        """Renew the lease, which fails if somebody else has it."""
        self._lease.renew()

    def write(self, data: bytes) -> None:
        """Write the guarded object in place of the one that was there, and of no other."""
        self.check()
        written = self._bucket.swap(self._guarded, data, self._stamp)
        if written is None:
            raise BuildInProgressError(
                "another `graphrag index` published this index meanwhile; this one has not: run it again"
            )
        self._stamp = written


@cache
def _first_user() -> int:
    """The process that used object storage first. Its threads do the work: in a fork all would wait for ever."""
    return os.getpid()


def _check(uri: str) -> None:
    parts = urlsplit(uri)
    if parts.scheme not in SCHEMES or not parts.netloc:
        schemes = ", ".join(f"{scheme}://bucket/path" for scheme in SCHEMES)
        raise SettingsError(f"an index cannot be kept at {parts.scheme}://: use a path, or {schemes}")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise SettingsError(
            f"a {parts.scheme}:// address names a bucket and a path, nothing else: secrets are read from the "
            "environment only (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)"
        )


def _store(uri: str) -> Any:
    try:
        from obstore.store import from_url
    except ModuleNotFoundError:
        raise MissingDependencyError("an index in object storage", "object-storage") from None
    endpoint = _endpoint(uri)
    config: Any = {"aws_endpoint": endpoint} if endpoint else {}
    client: Any = {"allow_http": _plain(endpoint)}
    return from_url(uri, config=config, client_options=client, retry_config={"retry_timeout": PATIENCE})


def _endpoint(uri: str) -> str:
    """The server of S3's protocol, if it is not Amazon's."""
    if not uri.startswith("s3:"):
        return ""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")


def _plain(endpoint: str) -> bool:
    return endpoint.startswith("http://")


def _mode(expected: Stamp | None) -> Any:
    """The condition of a write, as obstore wants it."""
    if expected is None:
        return "create"
    stamp = {"e_tag": expected.e_tag, "version": expected.version}
    return {key: value for key, value in stamp.items() if value is not None}


def reason(error: Exception) -> str:
    """What went wrong in object storage and what to do, in words of our own: a server's may hold anything.

    For errors of LanceDB too, which come from the same library.
    """
    text = str(error)
    code = re.search(r"<Code>(\w+)</Code>", text)
    if "NoSuchBucket" in text:
        return "there is no such bucket; make it first"
    if "169.254." in text or "credential" in text.lower():
        return "no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    if re.search(r"\b40[13]\b|necessary privileges", text) or type(error).__name__ == "UnauthenticatedError":
        return f"access is refused ({code[1] if code else 'no reason given'}); check the credentials and their rights"
    if "error sending request" in text or "Connect" in text:
        return "the server cannot be reached; check AWS_ENDPOINT_URL and the network"
    return f"the server refused ({code[1] if code else type(error).__name__})"
