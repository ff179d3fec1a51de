"""What a question gets: answers with their citations, and the events on the way there.

All frozen and compared by value, like the records of the index.
"""

from dataclasses import dataclass, field
from typing import Literal

Method = Literal["local", "global", "drift", "basic"]
"""The query methods an answer can come from (`auto` is resolved to one of them)."""
ItemKind = Literal["text_unit", "entity", "relationship", "claim", "report", "finding"]


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """How a question is to be answered, beside its method."""

    strict: bool = False
    """Leave out of the answer what the sources do not support, instead of marking it."""
    response_type: str = ""
    """The form of the answer in words, such as "a list of three points"; empty: as suits the question."""
    community_level: int | None = None
    """Reports of this level and coarser ones only; None: of all levels."""
    dynamic_selection: bool | None = None
    """Whether global search lets the model choose reports, from the top down; None: as the settings say."""
    filters: tuple[str, ...] = ()
    """Conditions on the metadata of documents, all of which must hold: "author=Doyle", "date>=1890"."""
    max_calls: int | None = None
    """Calls of the model that the question may take."""
    max_tokens: int | None = None
    """Tokens, prompt and completion together."""
    timeout: float | None = None
    """Seconds after which no call is waited for."""


@dataclass(frozen=True, slots=True)
class RetrievedUnit:
    """A text unit as retrieval ranks it, best first."""

    text_unit_id: str
    score: float
    """Comparable within one result list only."""
    text: str
    document_id: str
    document_title: str
    source_id: str
    """The document's own id in the input."""


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a sentence of an answer stands: `quote` is `text[start:end]` of its text unit."""

    number: int
    document_title: str
    document_id: str
    source_id: str
    text_unit_id: str
    start: int
    end: int
    quote: str
    via: str = ""
    """The report, entity or relationship that says so, if not the quote itself: then the quote is the
    nearest place beneath it."""


@dataclass(frozen=True, slots=True)
class ContextItem:
    """One thing the answer was made from."""

    kind: ItemKind
    id: str
    title: str
    text: str
    score: float
    text_unit_ids: tuple[str, ...] = ()
    """The text units that it rests on."""
    handle: str = ""
    """What the model cites it by, such as T3; empty if no model saw it."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of an answer and what was found when it was checked."""

    text: str
    citations: tuple[int, ...] = ()
    """Numbers of the answer's citations that bear it out."""
    supported: bool | None = None
    """None if it states nothing that could be checked: a heading, a transition."""


@dataclass(frozen=True, slots=True)
class Step:
    """A node of the DRIFT hierarchy: what was asked, what was found, what it led to."""

    question: str
    answer: str
    score: float
    """Relevance to the original question, 0 to 1."""
    citations: tuple[int, ...] = ()
    """Numbers of the answer's citations."""
    children: tuple["Step", ...] = ()
    """Best first."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer cost."""

    model_calls: int = 0
    remembered: int = 0
    """Replies that the memo had from before: they cost nothing."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question, whichever method gave it."""

    question: str
    method: Method
    text: str
    """Prose with citation marks, `[1]`, each the number of an item of `citations`; `[?]` follows a
    sentence that the sources do not support."""
    citations: tuple[Citation, ...] = ()
    context: tuple[ContextItem, ...] = ()
    sentences: tuple[Sentence, ...] = ()
    """What `text` is made of."""
    found: bool = True
    """Whether the collection holds an answer; if not, `text` says so."""
    hierarchy: Step | None = None
    """What DRIFT asked and found; None for other methods."""
    stands_for: str = ""
    """The question made to stand alone, where it was part of a conversation; it was answered."""
    route: str = ""
    """Why `auto` chose this method; empty if the caller chose it."""
    stopped: str = ""
    """Why the search went no further; of DRIFT, always one of its stop rules."""
    notices: tuple[str, ...] = ()
    """What was not as it should be: the answer is the best that could be had all the same."""
    usage: Usage = field(default_factory=Usage)

    @property
    def groundedness(self) -> float:
        """The share of the sentences that state something which the sources support; 1 if none does."""
        checked = [sentence.supported for sentence in self.sentences if sentence.supported is not None]
        return sum(checked) / len(checked) if checked else 1.0


# --- On the way to an answer -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Routed:
    """Which method answers, and why."""

    method: Method
    reason: str


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What was found for a question, for the model to read."""

    question: str
    items: tuple[ContextItem, ...]


@dataclass(frozen=True, slots=True)
class QuestionAsked:
    """DRIFT follows a question up."""

    question: str
    parent: str
    """The question that it came from."""
    depth: int
    expected: float
    """What it is thought to add, 0 to 1."""


@dataclass(frozen=True, slots=True)
class QuestionAnswered:
    """An intermediate answer: of DRIFT's primer or a follow-up, or of a batch of global search."""

    question: str
    answer: str
    score: float
    """0 to 1, as the model says."""


@dataclass(frozen=True, slots=True)
class Token:
    """The next piece of the answer's text. All pieces since the last `Restarted` joined are
    `Answer.text`."""

    text: str


@dataclass(frozen=True, slots=True)
class Restarted:
    """The text so far is void, as the model broke off: the answer begins anew."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The whole answer; always the last event."""

    answer: Answer


Event = Routed | Retrieved | QuestionAsked | QuestionAnswered | Token | Restarted | Finished
