"""Condense the descriptions of entities and relationships that many passages describe.

Descriptions are joined without a model until they pass a threshold; only then a model condenses
them, many subjects a call. One too long for a call is condensed in parts first.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast
from zlib import crc32

from graphrag import tokens
from graphrag.asking import Asking
from graphrag.errors import UnusableReplyError
from graphrag.indexer.echoes import Instructions
from graphrag.indexer.graph import Graph
from graphrag.indexer.keeping import keep
from graphrag.language import fold_text, sentences
from graphrag.messages import Reply, ReplySchema, Request, Unanswered
from graphrag.models.replies import to_object
from graphrag.records import Failure

STAGE = "summaries"
LABEL = "Summarising descriptions"
CALL_TOKENS = 3000
"""Descriptions a call reads."""
CALL_SUBJECTS = 8
"""Subjects a call writes about: a long reply keeps everyone waiting."""
CUT_EVERY = 16
"""What is longer than a call reads is cut, once a part is half full, after one sentence in this many, chosen by
its text: parts then find back into step after a description came or went (content-defined chunking)."""
LEFT_OUT = "the model's reply leaves it out"
ROUNDS = 3
"""How often a description may be condensed: 3,000 tokens become a few hundred each time."""

SCHEMA = ReplySchema(
    "descriptions",
    {
        "type": "object",
        "properties": {
            "descriptions": {
                "type": "array",
                "items": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2},
                "maxItems": CALL_SUBJECTS,
            }
        },
        "required": ["descriptions"],
        "additionalProperties": False,
    },
)


@dataclass(frozen=True, slots=True)
class Subject:
    """Something to be described anew: an entity, a relationship, or a part of what is said of one."""

    id: str
    title: str
    text: str


def condense(graph: Graph, asking: Asking, threshold: int) -> tuple[Graph, tuple[Failure, ...]]:
    """The graph with every description of more than `threshold` tokens condensed.

    A description that no usable reply was had for stays as it was, and is a Failure of the stage
    "summaries". Raises what `ChatService.ask` raises.
    """
    subjects = [Subject(entity.id, entity.title, entity.description) for entity in graph.entities]
    subjects += [Subject(edge.id, f"{edge.source} — {edge.target}", edge.description) for edge in graph.relationships]
    texts: dict[str, str] = {}
    failed: dict[str, Failure] = {}
    todo = [subject for subject in subjects if _is_long(subject.text, threshold)]
    for _ in range(ROUNDS):
        written, failures = _condense(todo, asking)
        texts |= written
        failed |= failures
        # What was told in one piece is as short as the model makes it.
        parted = [subject for subject in todo if subject.id not in failures and _is_long(subject.text, CALL_TOKENS)]
        shorter = [replace(subject, text=written[subject.id]) for subject in parted]
        todo = [subject for subject in shorter if _is_long(subject.text, threshold)]
    return _described(graph, texts), tuple(failed.values())


def _is_long(text: str, threshold: int) -> bool:
    # No token is shorter than a byte, so most texts need not be counted.
    return len(text.encode()) > threshold and tokens.count(text) > threshold


def _described(graph: Graph, texts: dict[str, str]) -> Graph:
    return replace(
        graph,
        entities=tuple(replace(e, description=texts.get(e.id, e.description)) for e in graph.entities),
        relationships=tuple(replace(r, description=texts.get(r.id, r.description)) for r in graph.relationships),
    )


def _condense(subjects: Sequence[Subject], asking: Asking) -> tuple[dict[str, str], dict[str, Failure]]:
    """One round: the new descriptions by id, and what failed. What a reply leaves out is asked for
    once more, alone."""
    parts = [part for subject in subjects for part in _parts(subject)]
    told = _recalled(parts, asking)
    asked, unanswered = _ask(list(_packed(part for part in parts if part not in told)), asking)
    told |= asked
    left_out = [part for part in parts if part not in told and part not in unanswered]
    again, still = _ask([[part] for part in left_out], asking)
    told |= again
    unanswered |= still
    written: dict[str, list[str]] = {part.id: [] for part in parts if part in told}
    for part in parts:
        if part.id in written:
            written[part.id].append(told.get(part, part.text))
    failed = {part.id: Failure(STAGE, part.title, unanswered.get(part, LEFT_OUT)) for part in parts if part not in told}
    return {id_: " ".join(texts) for id_, texts in written.items()}, failed


def _recalled(parts: Sequence[Subject], asking: Asking) -> dict[Subject, str]:
    """The descriptions that are remembered."""
    calls = [[part] for part in parts]
    known = asking.service.recall([_plan(call, asking) for call in calls], _parser(calls, asking)) if calls else []
    return {part: answer[1] for part, answer in zip(parts, known, strict=True) if answer}


def _ask(calls: Sequence[Sequence[Subject]], asking: Asking) -> tuple[dict[Subject, str], dict[Subject, str]]:
    """The descriptions that replies hold, and why there are none of the subjects of other calls."""
    if not calls:
        return {}, {}
    answers = asking.ask([_plan(call, asking) for call in calls], _parser(calls, asking), LABEL)
    told: dict[Subject, str] = {}
    unanswered: dict[Subject, str] = {}
    packed: list[Subject] = []
    for call, answer in zip(calls, answers, strict=True):
        if isinstance(answer, Unanswered):
            unanswered |= dict.fromkeys(call, answer.reason)
            continue
        said = {subject: answer[number] for number, subject in enumerate(call, start=1) if number in answer}
        told |= said
        packed += said if len(call) > 1 else ()
    texts = [json.dumps({"descriptions": [["1", told.pop(subject)]]}, ensure_ascii=False) for subject in packed]
    requests = [_plan([subject], asking) for subject in packed]
    kept = keep(list(zip(requests, texts, strict=True)), _parser([[subject] for subject in packed], asking), asking)
    return told | {subject: own[1] for subject, own in zip(packed, kept, strict=True) if own}, unanswered


def _parser(calls: Sequence[Sequence[Subject]], asking: Asking) -> Callable[[Reply], dict[int, str]]:
    """What reads the replies to these calls."""
    of_request = {_plan(call, asking).messages: call for call in calls}
    instructions = Instructions("\n".join(message.content for message in _plan((), asking).messages))

    def parse(reply: Reply) -> dict[int, str]:
        call = of_request[reply.request.messages] if reply.request else ()
        return _own(_parse(reply), call, instructions)

    return parse


def _own(texts: Mapping[int, str], call: Sequence[Subject], instructions: Instructions) -> dict[int, str]:
    """The texts about the subjects of a call, without what was copied from the instructions. A reply
    without any is not remembered: the subjects would be left out for good."""
    given = {number: fold_text(subject.text) for number, subject in enumerate(call, start=1)}
    cleaned = {number: instructions.without_echoes(texts[number], given[number]) for number in given.keys() & texts}
    if not any(cleaned.values()):
        raise UnusableReplyError(LEFT_OUT)
    return {number: text for number, text in cleaned.items() if text}


def _plan(call: Sequence[Subject], asking: Asking) -> Request:
    lines = (f"[{number}] {_line(s.title)}: {_line(s.text)}" for number, s in enumerate(call, start=1))
    return Request(STAGE, asking.prompts.render("summarize", entities="\n".join(lines)), SCHEMA)


def _line(text: str) -> str:
    return " ".join(text.split())


def _parse(reply: Reply) -> dict[int, str]:
    parsed = to_object(reply.text)
    rows = parsed.data.get("descriptions")
    if not parsed.complete or not isinstance(rows, list):
        raise UnusableReplyError("the reply holds no whole list of descriptions")
    found: dict[int, str] = {}
    for row in cast("list[object]", rows):
        number, text = (*map(str, cast("list[object]", row)), "", "")[:2] if isinstance(row, list) else ("", "")
        number = number.strip("[] ")
        if number.isdecimal() and len(number) < 6:
            found.setdefault(int(number), text.strip())
    if not found:
        raise UnusableReplyError("the reply holds no description")
    return found


def _packed(subjects: Iterable[Subject]) -> Iterator[list[Subject]]:
    call: list[Subject] = []
    size = 0
    for subject in subjects:
        length = tokens.count(subject.text)
        if call and (len(call) == CALL_SUBJECTS or size + length > CALL_TOKENS):
            yield call
            call, size = [], 0
        call.append(subject)
        size += length
    if call:
        yield call


def _ends(held: Sequence[str], size: int) -> bool:
    return 2 * size >= CALL_TOKENS and crc32(held[-1].encode()) % CUT_EVERY == 0


def _parts(subject: Subject) -> Iterator[Subject]:
    """A subject in parts that a call can read, cut between sentences: of one that came into the middle only
    the part around it is another one."""
    held: list[str] = []
    size = 0
    long = _is_long(subject.text, CALL_TOKENS)
    for span in sentences(subject.text):
        text = subject.text[span.start : span.end].strip()
        length = tokens.count(text)
        if held and (size + length > CALL_TOKENS or (long and _ends(held, size))):
            yield replace(subject, text=" ".join(held))
            held, size = [], 0
        held.append(text)
        size += length
    if held:
        yield replace(subject, text=" ".join(held))
