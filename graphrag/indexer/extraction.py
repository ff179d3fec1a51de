"""Extract entities, relationships and claims from text units with a chat model.

A call reads a window of numbered passages; what it answers is checked against them before it is
believed. A reply that looks sparse or was cut off is continued in the same conversation; a window
that no usable reply was had for, or one that only ran in circles, is asked again in halves; what
then is still missing is a Failure, and so is a conversation that ends in a broken reply, although
what it holds is kept.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from graphrag.asking import Asking
from graphrag.indexer.echoes import Instructions
from graphrag.indexer.extraction_memory import ExtractionMemory
from graphrag.indexer.extraction_replies import BROKEN, SCHEMA, Answered, Said, is_broken, parse, parse_further
from graphrag.indexer.grounding import Grounded, ground, merge
from graphrag.indexer.windows import Window, group, halves, passages
from graphrag.messages import Message, Reply, Request, Unanswered
from graphrag.models.replies import GraphReply
from graphrag.records import Document, Extraction, Failure, TextUnit
from graphrag.settings import ExtractionSettings

STAGE = "extraction"
SPARSE = 200
"""A complete reply with fewer entities than one in this many tokens of text looks sparse."""
LEAST_GLEANED = 200
"""Windows of fewer tokens are not gleaned: a short text may well name little."""
SPLITS = 6
"""How often a window that overflows the model's context is halved; any other is halved once."""
LABEL = "Extracting entities and relationships"
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
class _Answer:
    """A usable reply, and the request it answers, so that the conversation can go on."""

    request: Request
    reply: Reply
    found: GraphReply
    window: Window


@dataclass(frozen=True, slots=True)
class _Missed:
    """A request about a window, or a part of one, without a usable reply."""

    request: Request
    window: Window
    answer: Unanswered

    def partial(self) -> list[_Answer]:
        """What can be read of an unusable reply, if there is anything."""
        if self.answer.partial is None:
            return []
        return [_Answer(self.request, *cast("Answered", self.answer.partial), self.window)]


_Parse = Callable[[Reply], Answered]


def extract(
    documents: Sequence[Document], text_units: Sequence[TextUnit], asking: Asking, settings: ExtractionSettings
) -> Extracted:
    """One Extraction a text unit, in order; empty where nothing was found.

    A text unit, or a part of one, that no usable or no whole reply was had for is a Failure of the
    stage "extraction". Raises what `ChatService.ask` raises.
    """
    extractor = _Extractor(asking, settings)
    instructions = extractor.instructions()
    memory = ExtractionMemory.of(asking, STAGE, instructions, settings)
    given = passages(documents, text_units)
    known = memory.recall(given)
    unread = [unit for unit in text_units if unit.id not in known]
    windows = group(documents, unread, settings.window)
    found, failed, notices = _read(windows, unread, extractor, Instructions(instructions))
    # A window is asked for again as it was, or mending would give another index than going well at once.
    again = {unit for window in windows if failed.keys() & window.units for unit in window.units}
    memory.remember(given, {unit: extraction for unit, extraction in found.items() if unit not in again})
    known |= found
    failures = _failures(documents, unread, failed)
    return Extracted(tuple(known[unit.id] for unit in text_units), tuple(failures), tuple(notices))


def _read(
    windows: Sequence[Window], text_units: Sequence[TextUnit], extractor: "_Extractor", instructions: Instructions
) -> tuple[dict[str, Extraction], dict[str, str], list[str]]:
    """What the model finds in text units, why it has failed some, both by id, and what is to be said of it."""
    read, missed = extractor.read_all(windows)
    gleaned, ungleaned = extractor.glean(read)
    read += gleaned
    failed = {missed.window: missed.answer.reason for missed in (*missed, *ungleaned)}
    failed |= {window: BROKEN for window, answer in _last(read).items() if is_broken(answer.reply, answer.found)}
    grounded = [ground(answer.window, answer.found, instructions) for answer in read]
    ids = [unit.id for unit in text_units]
    merged = merge([found for reply in grounded for found in reply.extractions], ids)
    reasons = {unit: reason for window, reason in failed.items() for unit in window.units}
    return dict(zip(ids, merged, strict=True)), reasons, list(_notices(read, grounded))


@dataclass(frozen=True, slots=True)
class _Extractor:
    asking: Asking
    settings: ExtractionSettings

    def read_all(self, windows: Sequence[Window]) -> tuple[list[_Answer], list[_Missed]]:
        """The windows' replies, and the windows, or parts of them, without one."""
        read: list[_Answer] = []
        failed: list[_Missed] = []
        todo = list(windows)
        for split in range(SPLITS + 1):
            done, missed = self._ask([(self._plan(window), window) for window in todo], parse)
            read += done
            todo = [half for answer in done if not split and _strayed(answer) for half in halves(answer.window)]
            for each in missed:
                again = split == 0 or (each.answer.overflow and split < SPLITS)
                smaller = halves(each.window) if again and each.answer.asked else ()
                partial = each.partial() if not smaller else []
                todo += smaller
                read += partial
                if not smaller and not partial:
                    failed.append(each)
        return read, failed

    def glean(self, read: Sequence[_Answer]) -> tuple[list[_Answer], list[_Missed]]:
        """What a further turn of the same conversations adds, where a reply looks sparse or was cut
        off; and the windows that no such turn could be had for."""
        gleaned: list[_Answer] = []
        failed: list[_Missed] = []
        said = {answer.window: Said(answer.found) for answer in read}
        last = list(read)
        for _ in range(self.settings.gleanings):
            plans = [(self._more(answer), answer.window) for answer in last if _lacks(answer)]
            last, missed = self._ask(plans, parse_further)
            last += [answer for each in missed for answer in each.partial()]
            gleaned += [replace(answer, found=said[answer.window].news(answer.found)) for answer in last]
            failed += [each for each in missed if not each.partial()]
        return gleaned, failed

    def instructions(self) -> str:
        """All that the model is told beside its passages."""
        return "\n".join(message.content for message in self._plan(Window(())).messages)

    def _ask(self, plans: Sequence[tuple[Request, Window]], parse: _Parse) -> tuple[list[_Answer], list[_Missed]]:
        read: list[_Answer] = []
        missed: list[_Missed] = []
        if not plans:
            return read, missed
        requests = [request for request, _ in plans]
        answers = self.asking.ask(requests, parse, LABEL)
        for (request, window), answer in zip(plans, answers, strict=True):
            if isinstance(answer, Unanswered):
                missed.append(_Missed(request, window, answer))
            else:
                read.append(_Answer(request, *answer, window))
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

    def _more(self, answer: _Answer) -> Request:
        said = Message("assistant", answer.reply.text)
        return Request(STAGE, (*answer.request.messages, said, *self.asking.prompts.render("extract_more")), SCHEMA)


def _strayed(answer: _Answer) -> bool:
    """Whether a model ran in a loop before it came to any relationship: of a smaller window it may
    keep hold."""
    return answer.reply.finish == "loop" and not answer.found.relationships


def _lacks(answer: _Answer) -> bool:
    """Whether a further turn may find more. A model that ran in a loop would only run on."""
    if answer.reply.finish == "loop":
        return False
    size = answer.window.n_tokens
    sparse = size >= LEAST_GLEANED and len(answer.found.entities) * SPARSE < size
    return sparse or not answer.found.complete


def _last(read: Sequence[_Answer]) -> dict[Window, _Answer]:
    """What each conversation ended in."""
    return {answer.window: answer for answer in read}


def _cut(read: Sequence[_Answer]) -> int:
    """Conversations that ended in a reply cut by its limit."""
    return sum(not answer.found.complete and answer.reply.finish == "length" for answer in _last(read).values())


def _notices(read: Sequence[_Answer], grounded: Sequence[Grounded]) -> Iterator[str]:
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


def _failures(
    documents: Sequence[Document], text_units: Sequence[TextUnit], reasons: Mapping[str, str]
) -> Iterator[Failure]:
    """One Failure a text unit that was missed, in whole or in part; by id, why it was."""
    titles = {document.id: document.title for document in documents}
    for unit in text_units:
        if unit.id in reasons:
            item = f"{titles.get(unit.document_id, unit.document_id)}, text unit {unit.human_readable_id}"
            yield Failure(STAGE, item, reasons[unit.id])
