"""How much of recorded replies the parser turns into data, against a count of its own."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import data
from graphrag.errors import UnusableReplyError
from graphrag.models.replies import graph_reply, to_object

RECORDINGS = (
    data.FOLDER / "llm_recordings" / "mock_cache.json",
    data.FOLDER / "llm_recordings" / "nano_graphrag_dickens_hhy" / "kv_store_llm_response_cache.json",
)
# Counted on its own, without the parser: every tag of a record that a delimiter follows.
OPENER = re.compile(r'\(\s*["“]?(?:entity|relation(?:ship)?)["”]?\s*<\|>')
STRENGTH = re.compile(r'[>"”]\s*"?\d+(?:\.\d+)?"?\)')


@dataclass
class Tally:
    replies: int = 0
    parsed: int = 0
    records: int = 0
    """Record openers in the text."""
    recovered: int = 0
    strengths: int = 0
    """Numbers that end a record, in the text."""
    strengths_recovered: int = 0
    complete: int = 0
    rejected: int = 0


def main() -> None:
    print("\nreplies: recorded gpt-4o output, as the parser reads it")
    if not RECORDINGS[0].exists():
        print("the shared recordings are not on this machine")
        return
    columns = ("replies", "parsed", "complete", "records", "recovered", "share", "rejected", "strengths", "recovered")
    print(f"{'':32}" + "".join(f"{column:>11}" for column in columns))
    for name, tally in measure().items():
        share = f"{tally.recovered / tally.records:.1%}" if tally.records else "–"
        figures = (
            tally.replies,
            tally.parsed,
            tally.complete,
            tally.records,
            tally.recovered,
            share,
            tally.rejected,
            tally.strengths,
            tally.strengths_recovered,
        )
        print(f"{name:32}" + "".join(f"{figure:>11}" for figure in figures))


def measure() -> dict[str, Tally]:
    """By kind of reply; prose holds nothing to parse, and must be refused."""
    tallies: dict[str, Tally] = {}
    for path in RECORDINGS:
        for text in _texts(path):
            _add(tallies.setdefault(_kind(text), Tally()), text)
    return dict(sorted(tallies.items()))


def _texts(path: Path) -> Iterator[str]:
    for entry in json.loads(path.read_text("utf-8")).values():
        yield entry["return"]


def _kind(text: str) -> str:
    if "<|>" in text:
        return "tuples" if text.startswith("(") else "tuples after something else"
    return "JSON" if text.lstrip().startswith("{") else "prose"


def _add(tally: Tally, text: str) -> None:
    tally.replies += 1
    try:
        if "<|>" not in text:
            tally.complete += to_object(text).complete
        else:
            reply = graph_reply(text)
            tally.records += len(OPENER.findall(text))
            tally.recovered += len(reply.entities) + len(reply.relationships)
            tally.strengths += len(STRENGTH.findall(text))
            tally.strengths_recovered += sum(bool(row[2]) for row in reply.relationships)
            tally.complete += reply.complete
            tally.rejected += reply.rejected
        tally.parsed += 1
    except UnusableReplyError:
        return
