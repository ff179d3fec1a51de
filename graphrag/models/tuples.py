"""Records of delimited tuples: `("entity"<|>"NAME"<|>"TYPE"<|>"DESC")##…<|COMPLETE|>`, or a line each."""

import re
from collections.abc import Sequence

from graphrag.models.rows import CLAIMS, ENTITIES, KINDS, LIKE_NUMBERS, RELATIONSHIPS, Found, Kind, Row, whole

# <|> and <|#|>, and what models make of them: <||>, <#>, <|#>, </|>, "|>, |#|.
_DELIMITER = r"(?:</?[|#]{1,4}>|\|#\||(?<=[\"”])\s*\|>|<\|(?=\s*[\"“]))"
_SPLIT = re.compile(rf"{_DELIMITER}|(?<=[\"”])\s*(?=\d{{1,3}}(?:\.\d+)?\s*$)")
"""A strength right after a closing quotation mark lacks the delimiter before it."""
_QUOTE = r"[\"'“”]?"
# Without a bracket, a tag begins a record only where a line or a sentence does, not inside one.
_BEGIN = r"(?:(?P<paren>\(\s*)|(?:(?<![^\n.!?。#])|(?<=COMPLETE\|>))[ \t]*(?:(?:\d+\.|[-*•])[ \t]*)?)"
_TAG = r"(?P<tag>entity|relationship|relation|claim|content_keywords)"
_OPENER = re.compile(rf"{_BEGIN}{_QUOTE}\b{_TAG}\b{_QUOTE}\s*{_DELIMITER}", re.IGNORECASE)
_UNTAGGED = re.compile(rf"(?P<paren>\()(?P<tag>)(?=[^()\n]{{1,200}}?{_DELIMITER})")
"""Microsoft's claims are tuples without a tag."""
_END_MARK = re.compile(r"<\|\s*COMPLETE\s*\|>|<\|COMPLETE", re.IGNORECASE)
# What may stand on a line between two records: a heading, the numeral of a list, an opening quote.
_BETWEEN = re.compile(r"\*\*[^\n]*\*\*:?|#+ [^\n]*|\d+\.|[-*•]|\([\"“]")
_FRINGE = " \t\r\n#`"
_RECORD_END = re.compile(r"\)(?=\s*##|\s*$|[^\S\n]*\n[^\S\n]*\n)")
_SENTENCE_END = re.compile(r"[.!?。！？।؟…][\"'”’»)]*\s*$")
_SENTENCE = re.compile(r"[.!?。！？।؟…]")
_NOTHING = frozenset({"none", "null", "n/a"})


def starts(text: str, end: int) -> bool:
    """Whether tuples, or the mark that ends them, begin in the first `end` characters."""
    return any(pattern.search(text, 0, end) for pattern in (_OPENER, _UNTAGGED, _END_MARK))


def from_tuples(text: str) -> Found | None:
    """The records of a reply in tuples; None if it was cut before the first of them ended.

    A record begins at its opener, whatever stands or is missing before it.
    """
    openers = list(_OPENER.finditer(text)) or list(_UNTAGGED.finditer(text))
    ends = [*(opener.start() for opener in openers[1:]), len(text)]
    rows: dict[Kind, list[Row]] = {kind: [] for kind in KINDS}
    rejected = 0
    marked = not openers
    for opener, end in zip(openers, ends, strict=False):
        raw, mark, _ = _cut_at_mark(text[opener.end() : end])
        marked = bool(mark)
        body = _body(raw, bool(opener["paren"]), closed=marked or end < len(text))
        kind, row = _record(opener["tag"].casefold(), body or "")
        if row:
            rows[kind].append(row)
        elif opener["tag"].casefold() != "content_keywords":
            rejected += 1
    return Found(rows, marked, rejected) if marked or any(rows.values()) else None


def _cut_at_mark(raw: str) -> tuple[str, str, str]:
    mark = _END_MARK.search(raw)
    return (raw[: mark.start()], mark.group(), raw[mark.end() :]) if mark else (raw, "", "")


def _body(raw: str, paren: bool, closed: bool) -> str | None:
    """The fields of a record without what follows it; None if it was cut in the middle."""
    body = _without_tail(raw)
    if paren:
        end = _RECORD_END.search(body)
        whole = body[: end.start()] if end else body.rpartition(")")[0]
        ended = body.count(")") > body.count("(") or (end and end.end() < len(body))
        return (whole or body) if closed or ended else None
    return body.split("\n\n")[0] if closed or raw.endswith("\n") or _SENTENCE_END.search(raw) else None


def _without_tail(body: str) -> str:
    lines = body.split("\n")
    while len(lines) > 1 and (not (line := lines[-1].rstrip(_FRINGE)) or _BETWEEN.fullmatch(line.strip())):
        lines.pop()
    return "\n".join(lines).rstrip(_FRINGE)


def _record(tag: str, body: str) -> tuple[Kind, Row | None]:
    fields = [_unquoted(field) for field in _SPLIT.split(body)]
    if len(fields) > 3 and not fields[-1]:
        fields.pop()
    tag = tag or {3: "entity", 4: "relationship"}.get(len(fields), "claim")
    if tag == "entity":
        row = (*fields[:2], "", " ".join(fields[2:])) if len(fields) > 1 else ()
        return ENTITIES, whole(row, ENTITIES)
    if tag == "claim":
        return CLAIMS, whole(_claim(fields), CLAIMS)
    return RELATIONSHIPS, whole(_relationship(fields), RELATIONSHIPS)


def _relationship(fields: Sequence[str]) -> Row:
    if len(fields) < 3:
        return ()
    source, target, *rest = fields
    strength = rest.pop() if LIKE_NUMBERS.fullmatch(rest[-1]) else ""
    if len(rest) == 2 and any(map(_like_keywords, rest)):
        # LightRAG: keywords before the description, or, where a strength ends the record, after it.
        rest = [text for text in rest if not _like_keywords(text)] or (rest[:1] if strength else rest[1:])
    return (source, target, strength, "", " ".join(filter(None, rest)))


def _claim(fields: Sequence[str]) -> Row:
    """Microsoft's form: subject, object, type, status, start, end, description, source text; or
    ours with no passages."""
    said = ["" if field.casefold() in _NOTHING else field for field in fields]
    if len(said) < 6:
        return ()
    date, description = (said[4] or said[5], said[6]) if len(said) > 6 else (said[4], said[5])
    return (*said[:4], date, "", description)


def _like_keywords(text: str) -> bool:
    return not _SENTENCE.search(text) and all(len(part.split()) <= 3 for part in text.split(","))


def _unquoted(field: str) -> str:
    """A field without the quotation marks around it; those inside stay."""
    text = field.strip()
    for first, last in (('"', '"'), ("“", "”"), ("'", "'")):
        if len(text) > 1 and text[0] == first and text[-1] == last:
            return text[1:-1].strip()
    if text.count('"') % 2:  # only one end has it
        text = text.removeprefix('"') if text.startswith('"') else text.removesuffix('"')
    return text.strip()
