"""The replies of an extracting model: their form, and which of them can be used."""

import re
from collections.abc import Sequence
from dataclasses import replace

from graphrag.errors import UnusableReplyError
from graphrag.indexer.grounding import share_in_text
from graphrag.language import fold
from graphrag.messages import Reply, ReplySchema
from graphrag.models.replies import GraphReply, graph_reply

LEAST_OWN = 0.3
"""A reply of whose names a smaller share is in its text was made of something else: the
instructions, another language, or what the model knows by heart."""
MOST_ROWS = 120
"""Rows of one kind in a reply: a bound for models that would never stop."""

BROKEN = "the reply breaks off in the middle"

_RECORDS = re.compile(r"[{\[(<]")
"""What replies with records in whatever form have, and prose has not."""

_TUPLES = re.compile(r"<\|>[^<>]*\)[\s#`]*\Z")
"""The end of a reply in tuples whose last record is whole."""

Answered = tuple[Reply, GraphReply]
"""A reply and what it holds."""


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


def parse(reply: Reply) -> Answered:
    """The first reply of a conversation. Raises UnusableReplyError for one that holds nothing, is of
    something else than its text, or, with what it holds as its `partial`, is broken."""
    found = graph_reply(reply.text)
    if reply.request and share_in_text(reply.request.messages[-1].content, found) < LEAST_OWN:
        raise UnusableReplyError("most names of the reply are not in the text")
    return _whole(reply, found)


def parse_further(reply: Reply) -> Answered:
    """A later one: asked for more, a model may say in prose that there is none. Raises as `parse`,
    whatever the reply is of."""
    return _whole(reply, graph_reply(reply.text) if _RECORDS.search(reply.text) else GraphReply())


def _whole(reply: Reply, found: GraphReply) -> Answered:
    """Asked for again, a broken reply may come whole."""
    if is_broken(reply, found):
        raise UnusableReplyError(BROKEN, (reply, found))
    return reply, found


def is_broken(reply: Reply, found: GraphReply) -> bool:
    """Whether the model was not done and had not reached its limit: the rest was lost on the way.
    Tuples may lack their end mark, which many models forget."""
    return not (found.complete or _TUPLES.search(reply.text)) and reply.finish == "stop"


class Said:
    """What the turns of a conversation named until now."""

    def __init__(self, found: GraphReply) -> None:
        """`found`: in the first turn."""
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
