"""What the contexts of one question hold, by the handles that a model cites it by.

A handle is a letter for the kind and a number: T passages, E entities, R relationships, C claims,
P reports, F findings. An item keeps its handle however often it is shown, so that an intermediate
answer and the final one cite the same thing by the same name.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from graphrag.answers import ContextItem, ItemKind, RetrievedUnit
from graphrag.language import DATA_REFERENCE
from graphrag.query.retrieval import Retriever
from graphrag.storage.base import Hit

LETTERS: Mapping[ItemKind, str] = {
    "text_unit": "T",
    "entity": "E",
    "relationship": "R",
    "claim": "C",
    "report": "P",
    "finding": "F",
}
HANDLE = re.compile(rf"[{''.join(LETTERS.values())}]\d{{1,6}}")
MOST_UNITS = 20
"""Text units looked through beneath one item: a report may rest on all of a book."""
HEADINGS: Mapping[ItemKind, str] = {
    "report": "Community reports",
    "finding": "Findings",
    "entity": "Entities",
    "relationship": "Relationships",
    "claim": "Claims",
    "text_unit": "Passages",
}
"""The sections of a context, in their order."""

_MARK = re.compile(rf"[\[【](\s*(?:NONE|{HANDLE.pattern}\s*(?:[,;]\s*{HANDLE.pattern}\s*)*)\s*)[\]】]", re.IGNORECASE)
_CONTROLS = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], " ")


class Sources:
    """The items shown so far, and the text units that they rest on."""

    def __init__(self, retriever: Retriever) -> None:
        self._retriever = retriever
        self._handles: dict[tuple[str, ...], str] = {}
        self._items: dict[str, ContextItem] = {}
        self._counts: Counter[str] = Counter()
        self._units: dict[str, RetrievedUnit] = {}

    def add(self, items: Iterable[ContextItem]) -> tuple[ContextItem, ...]:
        """The items with their handles."""
        return tuple(map(self._add, items))

    def _add(self, item: ContextItem) -> ContextItem:
        # A report has many findings.
        key = (item.kind, item.id, item.text) if item.kind == "finding" else (item.kind, item.id)
        if key not in self._handles:
            letter = LETTERS[item.kind]
            self._counts[letter] += 1
            self._handles[key] = f"{letter}{self._counts[letter]}"
        known = replace(item, handle=self._handles[key])
        self._items.setdefault(known.handle, known)
        return known

    @property
    def items(self) -> tuple[ContextItem, ...]:
        """All that was shown, in the order in which it first was."""
        return tuple(self._items.values())

    def shown(self, kind: ItemKind, id_: str) -> bool:
        """Whether something was in a context before."""
        return (kind, id_) in self._handles

    def get(self, handle: str) -> ContextItem | None:
        """What a handle stands for."""
        return self._items.get(handle)

    def beneath(self, items: Iterable[ContextItem]) -> list[RetrievedUnit]:
        """The text units that items rest on, without repeats."""
        ids = list(dict.fromkeys(id_ for item in items for id_ in item.text_unit_ids[:MOST_UNITS]))
        missing = [Hit(id_, 0.0) for id_ in ids if id_ not in self._units]
        if missing:
            self._units |= {unit.text_unit_id: unit for unit in self._retriever.units(missing)}
        return [self._units[id_] for id_ in ids if id_ in self._units]

    def know(self, units: Iterable[RetrievedUnit]) -> None:
        """Keep text units that were read already."""
        self._units |= {unit.text_unit_id: unit for unit in units}


def line(item: ContextItem) -> str:
    """An item as a model reads it: one line, whatever its text holds. What looks like a handle in it
    is text of a document, and is written with other brackets."""
    title, text = plain(item.title), plain(item.text)
    return f"[{item.handle}] {title}: {text}" if title and text else f"[{item.handle}] {title or text}"


def render(items: Sequence[ContextItem]) -> str:
    """A context: a section a kind, a line an item."""
    sections = (
        "\n".join([f"{heading}:", *(line(item) for item in items if item.kind == kind)])
        for kind, heading in HEADINGS.items()
        if any(item.kind == kind for item in items)
    )
    return "\n\n".join(sections)


def plain(text: str) -> str:
    """A text on one line, without control characters, data references and what looks like a handle."""
    text = " ".join(DATA_REFERENCE.sub("", text).translate(_CONTROLS).split())
    return _MARK.sub(r"(\1)", text)
