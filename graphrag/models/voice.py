"""Says a reply as it comes, without its reasoning, whatever happens to the calls that it comes from."""

from collections.abc import Callable

from graphrag.messages import Restart
from graphrag.models.completions import sendable
from graphrag.models.reasoning import Gate


class Voice:
    """Joined, what was said since the last Restart is a beginning of the reply; at its end, the reply."""

    def __init__(self, say: Callable[[str | Restart], None]) -> None:
        self._say = say
        self._gate = Gate()
        self._said: list[str] = []
        self._void = False
        """What was said belongs to a call that failed: void as soon as there is something better."""

    @property
    def text(self) -> str:
        """What was said since the last Restart."""
        return "".join(self._said)

    def begin(self, unopened: bool) -> None:
        """A call starts; `unopened`: its reply may begin with reasoning that no tag opens."""
        self._gate = Gate(unopened)
        self._void = bool(self._said)

    def hear(self, piece: str) -> None:
        """A piece of its reply is there."""
        for part in self._gate(sendable(piece)):
            if isinstance(part, Restart):
                self._void = bool(self._said)
            else:
                self._put(part)

    def end(self, text: str) -> None:
        """The reply is complete, and this is what it is."""
        said = self.text
        if self._void or not text.startswith(said):
            self._restart()
            said = ""
        if len(text) > len(said):
            self._put(text[len(said) :])

    def _put(self, text: str) -> None:
        if self._void:
            self._restart()
        self._said.append(text)
        self._say(text)

    def _restart(self) -> None:
        self._say(Restart())
        self._said, self._void = [], False
