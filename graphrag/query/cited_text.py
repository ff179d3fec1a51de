"""An answer as it is written: handles in it become checked citations, sentence by sentence.

Text goes out as it comes. Handles are held back; when a sentence is whole it is checked against
the text units that it cites, and the marks of those that bear it out follow it. A handle that
stands for nothing shown, or for nothing that supports its sentence, never goes out.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from graphrag.answers import ContextItem, RetrievedUnit, Sentence
from graphrag.language import LONG_SENTENCE, sentences
from graphrag.query.checking import Checker, states_something
from graphrag.query.citing import Evidence, Numbering, Statement
from graphrag.query.sources import HANDLE, LETTERS, Sources

UNSUPPORTED = "[?]"
"""Follows a sentence that the sources do not support."""
LONGEST_BRACKET = 150
"""Characters around a handle in a bracket of anything but handles."""
INDIRECT = 0.5
"""What support by a report counts, against that of a passage: a model wrote it."""
NESTED = 5
"""Citations may hide in each other this deep."""
LONGEST_SENTENCE = 4000
"""Characters after which a sentence ends, whatever it holds."""

_HANDLES = re.compile(rf"(?<![A-Za-z\d]){HANDLE.pattern}(?![A-Za-z\d])")
_SOME = rf"[^\[\]【】]{{0,{LONGEST_BRACKET}}}"
_LETTERS = "".join(LETTERS.values())
_LIST = rf"[{_LETTERS}\d\s,;&+–and-]*"
# A bracket with a handle anywhere in it, however long where it is a list of them, or a reference as
# other programs' reports have them; with the white space before, which goes where they go.
_BRACKET = (
    rf"[\[【](?:{_SOME}{_HANDLES.pattern}{_SOME}|(?={_LIST}?{_HANDLES.pattern}){_LIST}+"
    r"|\s*Data:[^\[\]【】]*|\s*NONE\s*)[\]】]"
)
_CITATION = re.compile(rf"\s{{0,8}}{_BRACKET}(?:\s{{0,8}}[,;&]?\s{{0,8}}{_BRACKET})*", re.IGNORECASE)
# "He did. [T1]." has one stop too many.
_STOPPED = re.compile(rf"(?<=[.!?…]){_CITATION.pattern}\s{{0,8}}[.,;](?!\w)", re.IGNORECASE)
_NONE = re.compile(r"[\[【]\s*NONE\s*[\]】]", re.IGNORECASE)
_MARK_LIKE = re.compile(r"\s{0,8}[\[【]\s*(?:\?|\d+(?:\s*[,;–-]\s*\d+)*)\s*[\]】]")
_BEGINNING = re.compile(rf"[\[【](?=\s*(?:[{_LETTERS}]?\d|\?))")
_HELD = 2 * LONGEST_BRACKET + 8
_OPEN = re.compile(
    rf"(?:(?<=[\]】])\s{{0,8}}[,;&])?\s{{0,8}}[\[【](?:[^\[\]【】]{{0,{_HELD}}}|{_LIST}|\s*Data:[^\[\]【】]*)\Z"
    r"|(?<=[\]】])\s{0,8}[,;&]\s{0,8}\Z",
    re.IGNORECASE,
)
_SPACE = re.compile(r"\s+")
_CLOSERS = "\"”’'»)*_"
_MAY_END = re.compile(rf"[.!?…]+[{_CLOSERS}]*(?=[\s\[【])|[。！？]+[{_CLOSERS}]*|\n")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a text may cite, and what its sentences are checked with."""

    items: Sequence[ContextItem]
    sources: Sources
    checker: Checker
    question: str

    def check(self, sentence: str, handles: Sequence[str]) -> Statement:
        """A sentence with the evidence for it: in the text units beneath what it cites; in the text of
        what it cites, if that is no passage; else in any passage that was shown."""
        if not states_something(sentence):
            return Statement(sentence, (), 0.0, None)
        known = {item.handle: item for item in self.items}
        cited = [known[handle] for handle in dict.fromkeys(handles) if handle in known]
        others = [item for item in self.items if item.kind == "text_unit" and item not in cited]
        found = self._in_units(sentence, cited) or self._in_items(sentence, cited) or self._in_units(sentence, others)
        evidence, score = found or ((), 0.0)
        return Statement(sentence, evidence[:1] if not cited else evidence, score, bool(evidence))

    def _in_units(self, sentence: str, items: Sequence[ContextItem]) -> tuple[tuple[Evidence, ...], float] | None:
        units = self.sources.beneath(items)
        checked = self.checker.check(sentence, units, self.question) if units else None
        return (checked.evidence, checked.score) if checked and checked.supported else None

    def _in_items(self, sentence: str, items: Sequence[ContextItem]) -> tuple[tuple[Evidence, ...], float] | None:
        """The places nearest to a sentence beneath the reports, entities … whose own text says it."""
        found: list[Evidence] = []
        score = 0.0
        for item in items:
            text = RetrievedUnit(item.handle, 1.0, item.text, item.id, item.title, "")
            checked = self.checker.check(sentence, [text], self.question) if item.kind != "text_unit" else None
            if checked and checked.supported:
                below = self.checker.check(sentence, self.sources.beneath([item]), self.question)
                found += [replace(place, via=item.title or item.text) for place in below.evidence[:1]]
                score = max(score, checked.score)
        return (tuple(found), score * INDIRECT) if found else None

    def bearers(self, statement: Statement) -> tuple[ContextItem, ...]:
        """The items that a checked statement rests on: for each place the passage, if it was shown,
        else the first item above it."""
        found: dict[str, ContextItem] = {}
        for evidence in statement.evidence:
            above = [item for item in self.items if evidence.unit.text_unit_id in item.text_unit_ids]
            above.sort(key=lambda item: item.kind != "text_unit")
            found |= {item.handle: item for item in above[:1]}
        return tuple(found.values())


def supported(text: str, shown: Shown) -> list[tuple[Statement, tuple[ContextItem, ...]]]:
    """The sentences of a whole text that what was shown bears out, each with the items that do."""
    reading = CitedText(shown, strict=True)
    reading.feed(text)
    reading.close()
    return [(statement, shown.bearers(statement)) for statement in reading.statements if statement.supported]


class CitedText:
    """Takes a reply piece by piece, and gives the text that the user sees."""

    def __init__(self, shown: Shown, numbering: Numbering | None = None, *, strict: bool = False) -> None:
        """Without `numbering` nothing is marked. `strict`: sentences that are not supported are left
        out, so that a sentence goes out only when it is whole."""
        self.statements: list[Statement] = []
        self.sentences: list[Sentence] = []
        self.found = True
        """False if the model says that the sources do not answer the question."""
        self._shown = shown
        self._numbering = numbering
        self._strict = strict
        self._raw = ""
        self._out = ""
        """What of the unfinished sentence is out already."""
        self._gap = ""
        """White space that goes out when something follows."""
        self._begun = False

    def feed(self, piece: str) -> str:
        """What the next piece adds to the text."""
        self._raw += piece
        added: list[str] = []
        while end := _sentence_end(self._raw):
            added.append(self._finish(self._raw[:end]))
            self._raw = self._raw[end:]
        if not self._strict:
            added.append(self._advance())
        return "".join(added)

    def close(self) -> str:
        """What is left when the reply has ended."""
        raw, self._raw = _OPEN.sub("", self._raw), ""
        return self._finish(raw)

    def _advance(self) -> str:
        """As much of the unfinished sentence as can be told: no white space at its end, and no
        bracket that may yet become a citation."""
        told = _settled(bare(_settled(self._raw))).rstrip()
        added = told[len(self._out) :]
        if not added:
            return ""
        begin = self._gap if not self._out else ""
        self._out = told
        self._gap = "" if begin else self._gap
        self._begun = True
        return begin + added

    def _finish(self, raw: str) -> str:
        if _NONE.search(raw) and not self.statements:
            self.found = False
        text, tail = bare(raw).rstrip(), _gap_after(raw)
        out, self._out = self._out, ""
        sentence = " ".join(text.split())
        if not sentence:
            self._gap += tail if self._begun else ""
            return ""
        handles = [handle for match in _CITATION.finditer(raw) for handle in _HANDLES.findall(match[0])]
        # That nothing answers needs no source; whatever follows it does.
        silent = not self.found and not self.statements
        statement = Statement(sentence, (), 0.0, None) if silent else self._shown.check(sentence, handles)
        gap, self._gap = self._gap, tail
        if self._strict and statement.supported is False:
            self._gap = (gap if "\n" in gap else tail) if self._begun else ""
            return ""
        self.statements.append(statement)
        numbers = self._numbering.marks(statement) if self._numbering else ()
        self.sentences.append(Sentence(sentence, numbers, statement.supported))
        marks = [f"[{number}]" for number in numbers]
        if self._numbering and statement.supported is False:
            marks.append(UNSUPPORTED)
        begin = gap if not out else ""
        self._begun = True
        return " ".join([begin + text[len(out) :], *marks])


def bare(raw: str) -> str:
    """A text without what cites, and without what would look like a mark of ours."""
    text = raw
    for _ in range(NESTED):
        before, text = text, _MARK_LIKE.sub("", _CITATION.sub("", _STOPPED.sub("", text)))
        if text == before:
            return text.lstrip()
    return _BEGINNING.sub("(", text).lstrip()


def _settled(text: str) -> str:
    """A text without the brackets at its end that may yet be closed."""
    while (before := text) != (text := _OPEN.sub("", before)):
        pass
    return text


def _sentence_end(raw: str) -> int:
    """Where the first sentence ends, the citations and white space after it included; 0 while that
    cannot be told. What follows has no say beyond its first character, so that a text has the same
    sentences in whatever pieces it comes."""
    for mark in _MAY_END.finditer(raw):
        end = _skip(raw, mark.start() if mark[0] == "\n" else mark.end())
        if end == len(raw) or _OPEN.match(raw, end):
            break
        if not _OPEN.search(bare(raw[:end]).rstrip()) and _ends(raw, mark, end):
            return end
    return _forced(raw) if len(raw) > LONGEST_SENTENCE else 0


def _skip(raw: str, start: int) -> int:
    """The end of the citations and the white space that begin somewhere."""
    while found := _STOPPED.match(raw, start) or _CITATION.match(raw, start) or _SPACE.match(raw, start):
        start = found.end()
    return start


def _ends(raw: str, mark: re.Match[str], end: int) -> bool:
    between = _CITATION.sub(" ", raw[mark.end() : end])
    if mark[0] == "\n" or "\n" in between or mark[0][0] in "。！？":
        return True
    if _CITATION.match(raw, mark.end()) and not raw[end].islower():
        return True
    text = bare(raw[: mark.end()])
    if not between or (len(text) < LONG_SENTENCE and _in_quotes(text)):
        return False
    # An abbreviation ends nothing: with the next character there, the splitter knows.
    return sentences(f"{text} {raw[end]}")[-1].start > len(text) - 1


def _in_quotes(text: str) -> bool:
    return text.count('"') % 2 == 1 or text.count("“") > text.count("”")


def _forced(raw: str) -> int:
    """A place to cut an endless sentence: after a word, and before a bracket that is not closed."""
    head = raw[:LONGEST_SENTENCE]
    bracket = max(head.rfind("["), head.rfind("【"))
    if bracket > max(head.rfind("]"), head.rfind("】"), 0):
        return bracket
    return max(head.rfind(" ") + 1, 1) if " " in head else LONGEST_SENTENCE


def _gap_after(raw: str) -> str:
    """What stands between a sentence and the next: its line breaks, or a space."""
    text = _CITATION.sub(lambda cited: cited[0][: len(cited[0]) - len(cited[0].lstrip())], raw)
    space = text[len(text.rstrip()) :]
    return space.strip(" \t") if "\n" in space else space[:1]
