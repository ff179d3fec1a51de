"""What was found in a text unit, remembered by its text: of a changed collection only new text is read.

A window holds several text units, and is another one as soon as one of them changes, comes or goes.
So what a build found in each is kept by itself (see `keeping`), after it was held against its text.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from pydantic import TypeAdapter, ValidationError

from graphrag.asking import Asking
from graphrag.errors import UnusableReplyError
from graphrag.indexer.windows import Passage, Window
from graphrag.messages import Message, Reply, Request
from graphrag.records import Extraction, content_id
from graphrag.settings import ExtractionSettings

FORMAT = "1"
"""Raised when the same replies would be understood otherwise: replies themselves are kept, so
that nothing is paid for again."""
_EXTRACTION = TypeAdapter(Extraction)


@dataclass(frozen=True, slots=True)
class ExtractionMemory:
    """Extractions by the text of their text units and all else that they depend on."""

    asking: Asking
    stage: str
    manner: str
    """A hash of how text is read: instructions and settings."""

    @classmethod
    def of(cls, asking: Asking, stage: str, instructions: str, settings: ExtractionSettings) -> "ExtractionMemory":
        """That of a stage with these instructions."""
        how = (FORMAT, instructions, str(settings.window), str(settings.gleanings))
        return cls(asking, stage, content_id(*how))

    def recall(self, passages: Iterable[Passage]) -> dict[str, Extraction]:
        """What is known of these text units, by their ids."""
        units = list(passages)
        known = self.asking.service.recall([self._address(unit) for unit in units], _parse) if units else []
        return {
            unit.text_unit_id: replace(found, text_unit_id=unit.text_unit_id)
            for unit, found in zip(units, known, strict=True)
            if found
        }

    def remember(self, passages: Iterable[Passage], found: Mapping[str, Extraction]) -> None:
        """Keep what was found in those of the text units that `found` has."""
        kept = [(self._address(unit), found[unit.text_unit_id]) for unit in passages if unit.text_unit_id in found]
        texts = [(address, _EXTRACTION.dump_json(extraction).decode()) for address, extraction in kept]
        if texts:
            self.asking.service.remember(texts)

    def _address(self, passage: Passage) -> Request:
        """A request that nobody makes: a model's own reply about one passage has yet to be checked."""
        return Request(self.stage, (Message("system", self.manner), Message("user", Window((passage,)).text)))


def _parse(reply: Reply) -> Extraction:
    try:
        return _EXTRACTION.validate_json(reply.text)
    except ValidationError:
        raise UnusableReplyError("what is remembered is no extraction") from None
