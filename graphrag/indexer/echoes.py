"""Tell what a model found in a text from what it copied from its instructions.

Small models copy examples, and any model may be talked by a document into repeating its prompt.
Compared are runs of words, so that a copy is known wherever it begins and ends.
"""

import re
from collections.abc import Iterator

from graphrag.language import fold_text, holds_name, sentences

RUN = 6
"""Words in a row that two texts do not share by chance."""

_EXAMPLES = re.compile(r"^Example\b.*", re.MULTILINE | re.DOTALL)


class Instructions:
    """What a model was told, without the text it was told it about."""

    def __init__(self, text: str) -> None:
        """From the first line "Example …" on, the text is taken for examples of replies."""
        examples = _EXAMPLES.search(text)
        rules = text[: examples.start()] if examples else text
        self._text = f" {fold_text(rules)} "
        self._rules = frozenset(_runs(rules))
        self._examples = frozenset(_runs(examples[0])) if examples else frozenset[str]()

    def echoed(self, text: str, given: str, about: str = "") -> bool:
        """Whether a text copies the instructions in what is not `given` to the model (folded).

        That an example says the same of `about` (folded) is no copy: examples may be of the
        collection itself.
        """
        found = {run for run in _runs(text) if run in self._rules or run in self._examples}
        if about and holds_name(fold_text(text), about):
            found &= self._rules
        return any(run not in given for run in found)

    def without_echoes(self, text: str, given: str, about: str = "") -> str:
        """A text without the sentences that are copies."""
        if not self.echoed(text, given):
            return text
        parts = [text[span.start : span.end].strip() for span in sentences(text)]
        return " ".join(part for part in parts if not (self._quoted(part) or self.echoed(part, given, about)))

    def _quoted(self, sentence: str) -> bool:
        """Whether all of a short sentence stands in the rules."""
        return sentence.count(" ") > 1 and f" {fold_text(sentence)} " in self._text


def _runs(text: str) -> Iterator[str]:
    words = fold_text(text).split(" ")
    for start in range(len(words) - RUN + 1):
        yield " ".join(words[start : start + RUN])
