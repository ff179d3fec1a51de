"""What a mock model server answers to this project's prompts.

A plug-in of such a server: `answer(request, mock)` recognises a prompt and returns the kind of
call, the completion and whether it is JSON. The content is the server's own (`mock.extract`),
the same that other systems get from it, in this project's reply forms: the extraction of a chunk
has as many records as theirs, with descriptions as long. What is asked about a question is answered by
reading the prompt (`reading`): for that the server needs this project's interpreter.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

# The server runs this file by its path.
sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import reading

PASSAGE = re.compile(r"^\[(\d+)\] (.*)$", re.MULTILINE)
HEAD = re.compile(r"(C\d+) \(at most (\d+)")
PAIR = re.compile(r"^(\d+)\. (.*?) \([^()]*\).*? \| (.*?) \([^()]*\)", re.MULTILINE)
LEADING_TITLE = re.compile(r"^\([^()]*\) ")


def answer(request: dict[str, Any], mock: Any) -> tuple[str, str, bool] | None:
    messages = request["messages"]
    system = "".join(m["content"] for m in messages if m["role"] == "system")
    user = [m["content"] for m in messages if m["role"] == "user"]
    if system.startswith("You turn passages of text into a knowledge graph"):
        more = len(user) > 1
        return ("more" if more else "extract"), extraction(user[0], more, mock), True
    if system.startswith("You help a search engine to find passages"):
        return "context", contexts(user[0], mock), True
    if system.startswith("You shorten descriptions"):
        return "summarize", summaries(user[0], mock), True
    if system.startswith("You write reports about communities"):
        return "report", reports(user[0], mock), True
    if system.startswith("You are given numbered pairs of names"):
        return "resolve", resolved(user[0]), True
    if read := reading.answer(system, "\n".join(user)):
        return *read, read[1].startswith("{")
    return None


def extraction(text: str, more: bool, mock: Any) -> str:
    passages = {number: LEADING_TITLE.sub("", passage) for number, passage in PASSAGE.findall(text)}
    entities, relations = mock.pick("\n\n".join(passages.values()), more)
    return compact(
        {
            "entities": [[name, mock.typ(name).lower(), mock.edesc(name, sentence)] for name, sentence in entities],
            "relationships": [
                [a, b, str(min(10, 3 + 2 * count)), numbers(passages, a, b), mock.rdesc(a, b, sentence)]
                for a, b, sentence, count in relations
            ],
            "claims": [],
        }
    )


def numbers(passages: dict[str, str], *names: str) -> str:
    """The passages that hold all of these names."""
    held = [n for n, text in passages.items() if all(name.lower() in text.lower() for name in names)]
    return ",".join(held[:3]) or next(iter(passages))


def summaries(text: str, mock: Any) -> str:
    return compact({"descriptions": [[number, mock.words(subject, 90)] for number, subject in PASSAGE.findall(text)]})


def contexts(text: str, mock: Any) -> str:
    """A sentence of some 25 words for each passage, of its own words."""
    return compact({"contexts": [[number, mock.words(passage, 25)] for number, passage in PASSAGE.findall(text)]})


def reports(text: str, mock: Any) -> str:
    """Reports as long as the prompt asks for: a summary of two sentences, and findings of two."""
    written: list[dict[str, object]] = []
    for section in re.split(r"\n\n(?=C\d+ \()", text):
        head, *lines = section.splitlines()
        label, most = HEAD.match(head).groups()
        rows = [line.split(" | ") for line in lines]
        names = [row[1] for row in rows] or ["the subject"]
        bodies = [mock.words(row[-1], 34) for row in rows]
        written.append(
            {
                "id": label,
                "title": " and ".join(names[:2]),
                "summary": f"The community revolves around {', '.join(names[:4])}. {mock.words(bodies[0], 25)}.",
                "rank": f"{2 + mock.h32(names[0]) % 70 / 10:.1f}",
                "why": f"The rating reflects the importance of {names[0]} for the community.",
                "findings": [
                    [f"{row[1]} and its role in the community", f"{row[1]} is a key member of it. {body}.", row[0]]
                    for row, body in list(zip(rows, bodies, strict=True))[: int(most)]
                ],
            }
        )
    return compact({"reports": written})


def resolved(text: str) -> str:
    """Pairs that differ in number only ("the spirit", "the spirits") or hold one another's words."""
    same = [
        int(number)
        for number, a, b in PAIR.findall(text)
        if set(a.lower().split()) <= set(b.lower().split()) or set(b.lower().split()) <= set(a.lower().split())
    ]
    return compact({"same": same})


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
