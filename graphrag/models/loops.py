"""Notice that a small model says the same again and again, and keep what came before.

Two signs: records (of a list, or lines) that were all there before, one after another; and an end
that repeats itself exactly, whatever it is made of.
"""

import re
from collections.abc import Iterator

_DIVIDER = re.compile(r"(?<=[\]})])\s*,\s*(?=[\[{(])|\n")
_STALE = 20
"""So many records in a row that were there before are a loop."""
_FRESH = 4
"""As many records as a new one makes up for: a loop may vary now and then."""
_SHORTEST = 12
"""Letters and digits of a record that says something: `},` and "same" recur in any list."""
_LONGEST_RECORD = 4096

_BLOCK = 512
_TAIL = 8192
_REPEATED = 1024
"""Characters of a repeating end, at least; less may be a list of equal numbers."""
_BLANK = 300
_PERIODS = 4
_PROBE = 64


class LoopWatch:
    """Hears a reply piece by piece, and says when it has begun to go in circles.

    Linear in the reply's length: looks at it in blocks, each with a bounded tail before it.
    """

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._new = 0
        self._tail = ""
        self._records = _Records()

    def __call__(self, piece: str) -> bool:
        """Whether what was heard so far, this piece included, ends in a loop."""
        self._pieces.append(piece)
        self._new += len(piece)
        if self._new < _BLOCK:
            return False
        block = "".join(self._pieces)
        self._pieces, self._new = [], 0
        self._tail = (self._tail + block)[-max(_TAIL, len(block)) :]
        return self._records.stale(block) or _period(self._tail) > 0


def trim(text: str) -> str:
    """A reply cut in a loop, without its repeated end: what came before, and one copy."""
    seen = _Seen()
    for record, end in _ended(text):
        if seen.stale(record, end):
            return text[: seen.last_new]
    period = _period(text[-_TAIL:])
    if not period:
        return text
    start = len(text) - period
    while start > 0 and text[start - 1] == text[start - 1 + period]:
        start -= 1
    # The copy may end inside a record, whose rest must not be lost: half a name is another name.
    record = _DIVIDER.search(text, start + period, start + 2 * period)
    return text[: record.start() if record else start + period]


class _Records:
    """The records of a text that arrives in blocks."""

    def __init__(self) -> None:
        self._rest = ""
        self._seen = _Seen()

    def stale(self, block: str) -> bool:
        text = self._rest + block
        end = 0
        for record, end_of_record in _ended(text):
            end = end_of_record
            if self._seen.stale(record, end):
                return True
        self._rest = text[end:][-_LONGEST_RECORD:]
        return False


class _Seen:
    """Which records were there before, and how long there was hardly a new one."""

    def __init__(self) -> None:
        self._before: set[str] = set()
        self._score = 0
        self.last_new = 0
        """Where the last new record ended."""

    def stale(self, record: str, end: int) -> bool:
        key = "".join(filter(str.isalnum, record))
        if len(key) < _SHORTEST:
            return False
        if key in self._before:
            self._score += 1
            return self._score >= _STALE
        self._before.add(key)
        self._score = max(0, self._score - _FRESH)
        self.last_new = end
        return False


def _ended(text: str) -> Iterator[tuple[str, int]]:
    """The records of a text that something follows, each with where it ends."""
    start = 0
    for divider in _DIVIDER.finditer(text):
        yield text[start : divider.start()], divider.start()
        start = divider.end()


def _period(tail: str) -> int:
    """The length of what the end of a text repeats; 0 if it does not."""
    if len(tail) >= _BLANK and not tail[-_BLANK:].strip():
        return 1
    probe = tail[-_PROBE:]
    at = len(tail) - _PROBE
    while at > 0 and (at := tail.rfind(probe, 0, at + _PROBE - 1)) >= 0:
        period = len(tail) - _PROBE - at
        span = max(_REPEATED, _PERIODS * period)
        if span > len(tail):
            return 0
        if tail[-span:-period] == tail[period - span :]:
            return period
    return 0
