"""Extract entities, relationships and claims from text units with a chat model.

A call reads a window of numbered passages; what it answers is checked against them before it is
believed. A reply that looks sparse or was cut off is continued in the same conversation; a window
that no usable reply was had for, or one that only ran in circles, is asked again in halves; what
then is still missing is a Failure.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from graphrag.errors import UnusableReplyError
from graphrag.indexer.asking import Asking
from graphrag.indexer.echoes import Instructions
from graphrag.indexer.grounding import Grounded, ground, merge, share_in_text
from graphrag.indexer.windows import Window, group, halves
from graphrag.language import fold
from graphrag.messages import Message, Reply, ReplySchema, Request, Unanswered
from graphrag.models.replies import GraphReply, graph_reply
from graphrag.records import Document, Extraction, Failure, TextUnit
from graphrag.settings import ExtractionSettings

STAGE = "extraction"
SPARSE = 300
"""A complete reply with fewer entities than one in this many tokens of text looks sparse."""
LEAST_GLEANED = 200
"""Windows of fewer tokens are not gleaned: a short text may well name little."""
SPLITS = 6
"""How often a window that overflows the model's context is halved; any other is halved once."""
LABEL = "Extracting entities and relationships"
LEAST_OWN = 0.3
"""A reply of whose names a smaller share is in its text was made of something else: the
instructions, another language, or what the model knows by heart."""
MOST_ROWS = 120
"""Rows of one kind in a reply: a bound for models that would never stop."""

_RECORDS = re.compile(r"[{\[(<]")
"""What replies with records in whatever form have, and prose has not."""

OPEN_TYPES = (
    "one lower-case noun that fits best, such as person, organization, place, event, object, work, animal, "
    "concept. Use the same word for the same kind of thing."
)
CLAIMS = """Claims: what the passages assert or allege about an entity: deeds, decisions, disputes, changes, results.
- subject: whom it is about, an entity of your list; object: whom it concerns, or "".
- type: one or two words, such as ACQUISITION or FRAUD; status: TRUE, FALSE or SUSPECTED, as the passages have it.
- date: when, as YYYY-MM-DD, YYYY-MM or YYYY, a period as two of them with a slash, or "".
- passages, description: as above."""
NO_CLAIMS = 'Claims: none are wanted. Always write "claims":[].'


@dataclass(frozen=True, slots=True)
class Extracted:
    """What was found, an Extraction a text unit in their order, and what was not."""

    extractions: tuple[Extraction, ...]
    failures: tuple[Failure, ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Read:
    """A usable reply, and the request it answers, so that the conversation can go on."""

    request: Request
    reply: Reply
    found: GraphReply
    window: Window


class _Said:
    """What the turns of a conversation named until now."""

    def __init__(self, found: GraphReply) -> None:
        self._entities: set[str] = set()
        self._pairs: set[frozenset[str]] = set()
        self.news(found)

    def news(self, found: GraphReply) -> GraphReply:
        """A further turn without what the others said: models repeat themselves although told not to."""
        entities, pairs = self._entities, self._pairs
        new = replace(
            found,
            entities=tuple(row for row in found.entities if fold(row[0]) not in entities),
            relationships=tuple(row for row in found.relationships if _pair(row) not in pairs),
        )
        entities |= {fold(row[0]) for row in new.entities}
        pairs |= {_pair(row) for row in new.relationships}
        return new


def _pair(row: Sequence[str]) -> frozenset[str]:
    return frozenset(map(fold, row[:2]))


Missed = tuple[Window, Unanswered]
_Parse = Callable[[Reply], tuple[Reply, GraphReply]]


def extract(
    documents: Sequence[Document], text_units: Sequence[TextUnit], asking: Asking, settings: ExtractionSettings
) -> Extracted:
    """One Extraction a text unit, in order; empty where nothing was found.

    A text unit, or a part of one, that no usable reply was had for is a Failure of the stage
    "extraction". Raises what `ChatService.ask` raises.
    """
    extractor = _Extractor(asking, settings)
    read, missed = extractor.read_all(group(documents, text_units, settings.window))
    gleaned, ungleaned = extractor.glean(read)
    read += gleaned
    missed += ungleaned
    instructions = extractor.instructions()
    grounded = [ground(answer.window, answer.found, instructions) for answer in read]
    return Extracted(
        merge([found for reply in grounded for found in reply.extractions], [unit.id for unit in text_units]),
        tuple(_failures(documents, text_units, missed)),
        tuple(_notices(read, grounded)),
    )


@dataclass(frozen=True, slots=True)
class _Extractor:
    asking: Asking
    settings: ExtractionSettings

    def read_all(self, windows: Sequence[Window]) -> tuple[list[_Read], list[Missed]]:
        """The windows' replies, and the windows, or parts of them, without one."""
        read: list[_Read] = []
        failed: list[Missed] = []
        todo = list(windows)
        for split in range(SPLITS + 1):
            done, missed = self._ask([(self._plan(window), window) for window in todo], _lenient if split else _strict)
            read += done
            todo = [half for answer in done if not split and _strayed(answer) for half in halves(answer.window)]
            for window, answer in missed:
                again = split == 0 or (answer.overflow and split < SPLITS)
                smaller = halves(window) if again and answer.asked else ()
                todo += smaller
                if not smaller:
                    failed.append((window, answer))
        return read, failed

    def glean(self, read: Sequence[_Read]) -> tuple[list[_Read], list[Missed]]:
        """What a further turn of the same conversations adds, where a reply looks sparse or was cut
        off; and the windows that no such turn could be had for."""
        gleaned: list[_Read] = []
        missed: list[Missed] = []
        said = {answer.window: _Said(answer.found) for answer in read}
        last = list(read)
        for _ in range(self.settings.gleanings):
            plans = [(self._more(answer), answer.window) for answer in last if _lacks(answer)]
            last, unanswered = self._ask(plans, _further)
            gleaned += [replace(answer, found=said[answer.window].news(answer.found)) for answer in last]
            missed += unanswered
        return gleaned, missed

    def instructions(self) -> Instructions:
        """All that the model is told beside its passages."""
        return Instructions("\n".join(message.content for message in self._plan(Window(())).messages))

    def _ask(self, plans: Sequence[tuple[Request, Window]], parse: _Parse) -> tuple[list[_Read], list[Missed]]:
        read: list[_Read] = []
        missed: list[Missed] = []
        if not plans:
            return read, missed
        requests = [request for request, _ in plans]
        answers = self.asking.ask(requests, parse, LABEL)
        for (request, window), answer in zip(plans, answers, strict=True):
            if isinstance(answer, Unanswered):
                missed.append((window, answer))
            else:
                read.append(_Read(request, *answer, window))
        return read, missed

    def _plan(self, window: Window) -> Request:
        types = self.settings.entity_types
        messages = self.asking.prompts.render(
            "extract",
            types=f"one of {', '.join(types)}. Leave out what is none of these." if types else OPEN_TYPES,
            claims=CLAIMS if self.settings.claims else NO_CLAIMS,
            passages=window.text,
        )
        return Request(STAGE, messages, SCHEMA)

    def _more(self, answer: _Read) -> Request:
        said = Message("assistant", answer.reply.text)
        return Request(STAGE, (*answer.request.messages, said, *self.asking.prompts.render("extract_more")), SCHEMA)


def _strict(reply: Reply) -> tuple[Reply, GraphReply]:
    """A reply that breaks off although its model had not reached its limit was lost on the way:
    asked for again it may come whole."""
    _, found = _lenient(reply)
    if not found.complete and reply.finish == "stop":
        raise UnusableReplyError("the reply breaks off in the middle")
    return reply, found


def _lenient(reply: Reply) -> tuple[Reply, GraphReply]:
    found = graph_reply(reply.text)
    if reply.request and share_in_text(reply.request.messages[-1].content, found) < LEAST_OWN:
        raise UnusableReplyError("most names of the reply are not in the text")
    return reply, found


def _further(reply: Reply) -> tuple[Reply, GraphReply]:
    """Asked for more, a model may say in prose that there is none."""
    return reply, graph_reply(reply.text) if _RECORDS.search(reply.text) else GraphReply()


def _strayed(answer: _Read) -> bool:
    """Whether a model ran in a loop before it came to any relationship: of a smaller window it may
    keep hold."""
    return answer.reply.finish == "loop" and not answer.found.relationships


def _lacks(answer: _Read) -> bool:
    """Whether a further turn may find more. A model that ran in a loop would only run on."""
    if answer.reply.finish == "loop":
        return False
    size = answer.window.n_tokens
    sparse = size >= LEAST_GLEANED and len(answer.found.entities) * SPARSE < size
    return sparse or not answer.found.complete


def _cut(read: Sequence[_Read]) -> int:
    """Conversations that ended in a reply cut by its limit."""
    last = {answer.window: answer for answer in read}
    return sum(not answer.found.complete and answer.reply.finish == "length" for answer in last.values())


def _notices(read: Sequence[_Read], grounded: Sequence[Grounded]) -> Iterator[str]:
    rejected = sum(answer.found.rejected for answer in read)
    dropped = sum(found.dropped for found in grounded)
    looped = sum(answer.reply.finish == "loop" for answer in read)
    if rejected:
        yield f"{rejected} records of the model's replies could not be read and were left out"
    if dropped:
        yield f"{dropped} records that name something not in their text were left out"
    if cut := _cut(read):
        yield f"{cut} replies were cut at llm.max_tokens and may lack records: raise it, or lower extraction.window"
    if looped:
        yield f"{looped} replies repeated themselves and were cut; what came before is kept"


def _rows(fields: int) -> dict[str, object]:
    row = {"type": "array", "items": {"type": "string"}, "minItems": fields, "maxItems": fields}
    return {"type": "array", "items": row, "maxItems": MOST_ROWS}


SCHEMA = ReplySchema(
    "graph",
    {
        "type": "object",
        "properties": {"entities": _rows(3), "relationships": _rows(5), "claims": _rows(7)},
        "required": ["entities", "relationships", "claims"],
        "additionalProperties": False,
    },
)


def _failures(
    documents: Sequence[Document], text_units: Sequence[TextUnit], missed: Sequence[tuple[Window, Unanswered]]
) -> Iterator[Failure]:
    """One Failure a text unit that was missed, in whole or in part."""
    titles = {document.id: document.title for document in documents}
    reasons = {passage.text_unit_id: answer.reason for window, answer in missed for passage in window.passages}
    for unit in text_units:
        if unit.id in reasons:
            item = f"{titles.get(unit.document_id, unit.document_id)}, text unit {unit.human_readable_id}"
            yield Failure(STAGE, item, reasons[unit.id])
