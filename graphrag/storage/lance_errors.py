"""What LanceDB raises, as errors of this package."""

import re
from collections.abc import Generator
from contextlib import contextmanager

from graphrag.errors import StorageError


@contextmanager
def storage_errors(what: str) -> Generator[None]:
    """What is raised inside, as a StorageError that says what could not be done, and why."""
    # These three are what LanceDB raises, its ValueErrors for tables and versions that are gone included.
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        raise StorageError(f"{what} ({_line(error)})") from error


def _line(error: Exception) -> str:
    """The first line of an error, without the places in Rust sources that LanceDB adds."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    first = next(iter(text.splitlines()), type(error).__name__)
    return re.split(r", /(?:root|rustc)/", first)[0]
