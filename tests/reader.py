"""A model that answers questions by rules: from the sources in its prompt it takes the sentences that
share most words with the question, and asks about names it finds there."""

import json
import re
from collections.abc import Callable

from graphrag.language import FUNCTION_WORDS, search_terms, sentences
from graphrag.messages import Request
from graphrag.models.fake import FakeChat, Said

SOURCE = re.compile(r"^\[([A-Z]\d+)\] (?:[^:\n]{0,120}: )?(.*)$", re.MULTILINE)
QUESTION = re.compile(r"^(?:Question(?: of this step)?): (.*)$", re.MULTILINE)
MAIN = re.compile(r"^Main question: (.*)$", re.MULTILINE)
NAME = re.compile(r"(?<![.\w])(?!(?:The|It|He|She|A|In|At|But|And)\b)[A-Z]\w+(?: [A-Z]\w+)+")


def answer(request: Request) -> str:
    """What the model says to any request of a query."""
    text = request.messages[-1].content
    question = (QUESTION.findall(text) or [""])[-1]
    told = best(question, text, 3)
    prose = " ".join(f"{sentence} [{handle}]" for handle, sentence in told)
    system = request.messages[0].content
    if "follow_ups" in system:
        main = (MAIN.findall(text) or [""])[0]
        names = dict.fromkeys(name for _, line in SOURCE.findall(text) for name in NAME.findall(line))
        ups = [
            [f"What is known of {name}?", 60 - 10 * n] for n, name in enumerate([n for n in names if n not in main][:3])
        ]
        return json.dumps({"answer": prose, "score": 50 if told else 0, "follow_ups": ups}, ensure_ascii=False)
    if '"points"' in system:
        return json.dumps({"points": [[f"{sentence} [{handle}]", 70] for handle, sentence in told]}, ensure_ascii=False)
    if "invent" in system:
        return f"It is told that {question}"
    return prose or "[NONE] The sources say nothing of it."


def best(question: str, text: str, most: int) -> list[tuple[str, str]]:
    """Sentences of the sources with the handles of their lines, those that share most words first."""
    asked = set(search_terms(question).split()) - FUNCTION_WORDS
    found: list[tuple[int, int, str, str]] = []
    for place, (handle, line) in enumerate(SOURCE.findall(text)):
        for span in sentences(line):
            sentence = line[span.start : span.end].strip()
            shared = len(asked & set(search_terms(sentence).split()))
            if shared and sentence[-1:] in ".!?":
                found.append((-shared, place, handle, sentence))
    return [(handle, sentence) for _, _, handle, sentence in sorted(found)[:most]]


def model(*changes: Callable[[Request], Said | None]) -> FakeChat:
    """One that answers as the first of `changes` says that says anything, else as it should."""
    return FakeChat(
        lambda request: next((said for change in changes if (said := change(request)) is not None), answer(request))
    )
