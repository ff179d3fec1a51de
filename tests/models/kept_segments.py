"""Storage that several machines share, in memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from graphrag.errors import BuildInProgressError, StorageError


class KeptSegments:
    """Objects by name, what was asked of them, and whether they can be had at all."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.down = False
        self.held = False
        self.on_write: Callable[[str], None] = lambda name: None
        self.on_read: Callable[[str], None] = lambda name: None

    def read(self, name: str) -> bytes | None:
        self._ask("read")
        self.on_read(name)
        return self.objects.get(name)

    def write(self, name: str, data: bytes) -> None:
        self._ask("write")
        self.objects[name] = data
        self.on_write(name)

    def delete(self, name: str) -> None:
        self._ask("delete")
        self.objects.pop(name, None)

    def names(self, prefix: str) -> list[str]:
        self._ask("names")
        return sorted(name for name in self.objects if name.startswith(f"{prefix}/"))

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        if self.held:
            raise BuildInProgressError("held")
        self.held = True
        try:
            yield
        finally:
            self.held = False

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.down:
            raise StorageError("cannot use the storage")
