"""What kind of collection it is: a model looks through a sample of its text units.

What it says ends up in instructions. Each text is cut to size, put on one line, and can neither
hold a placeholder nor begin the part of the user.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

from graphrag.asking import Asking
from graphrag.errors import UnusableReplyError
from graphrag.indexer.windows import Window, group
from graphrag.messages import Reply, ReplySchema, Request, Unanswered
from graphrag.models.replies import to_object
from graphrag.records import Document, TextUnit

STAGE = "prompt tuning"
LABEL = "Adapting the prompts"
LEAST_TOKENS = 40
"""A text unit of fewer tokens says little about its collection."""
MOST_TYPES = 12
LEAST_WORDS = 3
"""Of a persona: an article, what it is, and of what kind."""
LONGEST = {"domain": 80, "persona": 240, "language": 40, "type": 30}
"""Characters."""

_TYPE = re.compile(r"[^\W\d_][\w &/-]*")
_YOU_ARE = re.compile(r"^you(?:'re| are)\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Options:
    """What is known of the collection, and how much of it is looked at."""

    domain: str = ""
    """Empty: found out; and so is the language."""
    language: str = ""
    limit: int = 15
    """Text units in the sample."""
    selection: Literal["random", "top"] = "random"
    """Anywhere in the documents, or from their beginnings; always from as many as possible."""
    discover_entity_types: bool = True
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Profile:
    """What kind of collection it is. Each text is one line that may stand in instructions."""

    domain: str
    persona: str
    """Goes on after "You are"."""
    language: str
    entity_types: tuple[str, ...] = ()


SCHEMA = ReplySchema(
    "collection",
    {
        "type": "object",
        "properties": {
            "domain": {"type": "string"},
            "persona": {"type": "string"},
            "language": {"type": "string"},
            "entity_types": {"type": "array", "items": {"type": "string"}, "maxItems": MOST_TYPES},
        },
        "required": ["domain", "persona", "language", "entity_types"],
        "additionalProperties": False,
    },
)


def sample(text_units: Sequence[TextUnit], options: Options) -> list[TextUnit]:
    """At most `limit` text units, spread over the documents, in reading order.

    Every document gives one before any gives a second. The same collection and seed give the
    same sample, in which a new document changes little: places are drawn by hash.
    """
    of_document: dict[str, list[TextUnit]] = defaultdict(list)
    worded = [unit for unit in text_units if unit.text.strip()]
    for unit in [unit for unit in worded if unit.n_tokens >= LEAST_TOKENS] or worded:
        of_document[unit.document_id].append(unit)
    places: list[tuple[int, bytes, str]] = []
    for document_id, units in of_document.items():
        ordered = units if options.selection == "top" else sorted(units, key=lambda unit: _draw(options, unit.id))
        places += [(place, _draw(options, document_id), unit.id) for place, unit in enumerate(ordered)]
    chosen = {id_ for _, _, id_ in sorted(places)[: options.limit]}
    return [unit for unit in text_units if unit.id in chosen]


def ask(documents: Sequence[Document], sampled: Sequence[TextUnit], asking: Asking, options: Options) -> Profile:
    """The profile of a collection, from a sample of it; one that the model cannot hold is halved.

    Raises UnusableReplyError where the model does not say, and what `ChatService.ask` raises.
    """
    units = list(sampled)
    while True:
        request = plan(whole(documents, units), asking, options)
        (answer,) = asking.ask([request], parse, LABEL)
        if not isinstance(answer, Unanswered):
            return _known(answer, options)
        if not answer.overflow or len(units) == 1:
            raise UnusableReplyError(f"the model does not say what the collection is about: {answer.reason}")
        units = units[: len(units) // 2]


def plan(window: Window, asking: Asking, options: Options) -> Request:
    """The request that a sample is put to the model with."""
    known = [f"It is known that the {name} is: {value}." for name, value in _given(options).items()]
    messages = asking.prompts.render("tune_profile", known="\n".join(known), passages=window.text)
    return Request(STAGE, messages, SCHEMA)


def parse(reply: Reply) -> Profile:
    """What a reply says of the collection; raises UnusableReplyError where it does not say what it is about.

    Small models give a name out of the text as the persona: then it is made from the domain.
    """
    data = to_object(reply.text).data
    domain, persona, language = (line(data.get(name), name) for name in ("domain", "persona", "language"))
    if not domain:
        raise UnusableReplyError("the reply names no domain")
    persona = _YOU_ARE.sub("", persona)
    if len(persona.split()) < LEAST_WORDS:
        persona = f"an attentive reader of {domain}"
    return Profile(domain, persona, language, _types(data.get("entity_types")))


def introduction(profile: Profile) -> str:
    """Who reads, and what: the beginning of a prompt."""
    written = f", written mostly in {profile.language}" if profile.language else ""
    return f"You are {profile.persona}. The collection: {profile.domain}{written}.\n\n"


def usual_types(profile: Profile) -> str:
    """The kinds of entities in a sentence; empty if none are known."""
    return f"Usual in this collection: {', '.join(profile.entity_types)}." if profile.entity_types else ""


def line(value: object, kind: str) -> str:
    """A text of a model or a user as one line that may stand in a prompt, without its full stop;
    empty for what is no text."""
    text = " ".join(harmless(value).split()) if isinstance(value, str) else ""
    most = LONGEST[kind]
    return (text if len(text) <= most else text[:most].rpartition(" ")[0]).rstrip(" .")


def harmless(text: str) -> str:
    """A text that cannot hold a placeholder, nor what UTF-8 cannot; single braces stay."""
    encodable = text.encode("utf-8", "ignore").decode("utf-8")
    return re.sub(r"\{(?=\{)|\}(?=\})", lambda brace: f"{brace[0]} ", encodable)


def whole(documents: Sequence[Document], units: Sequence[TextUnit]) -> Window:
    """Text units, none of them blank, in one window."""
    (window,) = group(documents, units, 4 * sum(unit.n_tokens for unit in units) + 1)
    return window


def _draw(options: Options, id_: str) -> bytes:
    return hashlib.sha256(f"{options.seed} {id_}".encode("utf-8", "surrogatepass")).digest()


def _types(value: object) -> tuple[str, ...]:
    items = cast("list[object]", value) if isinstance(value, list) else list[object](str(value or "").split(","))
    types = [line(item, "type").lower() for item in items]
    return tuple(dict.fromkeys(kind for kind in types if _TYPE.fullmatch(kind)))[:MOST_TYPES]


def _known(profile: Profile, options: Options) -> Profile:
    """The profile with what the user knows better."""
    given = _given(options)
    return replace(
        profile,
        domain=given.get("domain", profile.domain),
        language=given.get("language", profile.language),
        entity_types=profile.entity_types if options.discover_entity_types else (),
    )


def _given(options: Options) -> dict[str, str]:
    given = {"domain": line(options.domain, "domain"), "language": line(options.language, "language")}
    return {name: value for name, value in given.items() if value}
