"""How long work tells whoever waits for it how far it is."""

from typing import Protocol


class Progress(Protocol):
    """Called with the name of a stage, how much of it is done, and how much there is.

    A stage begins with its first call and ends with the first call of the next.
    """

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Report; must not raise."""
        ...


def silent(stage: str, done: int, total: int) -> None:
    """A Progress that tells nobody."""
