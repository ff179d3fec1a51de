"""Take a question apart without a model: what it asks beside the names in it, and its clauses.

"What is the population of the state where Dodge City Regional Airport is located?" names an airport,
and a search for it finds the airport, and others. What is asked of the next passage on the way is the
rest: the population of the state. A sentence with several relative clauses asks several things.
"""

import re
from collections.abc import Iterable

from graphrag.language import FUNCTION_WORDS, WORD, Span

LEAST_WORDS = 2
"""Content words of a clause that is worth a search."""
MOST_CLAUSES = 4

_CLAUSE = re.compile(
    r"[,;，、；]\s*|\s+(?:(?:in|of|on|at|to|from|by|for|with)\s+)?(?:that|which|who|whose|whom|where|when)\s+",
    re.IGNORECASE,
)


def rest(question: str, names: Iterable[Span]) -> str:
    """The question without what stands in some spans, which do not overlap; all of it where nothing
    that means anything would be left."""
    left, position = "", 0
    for name in sorted(names, key=lambda span: span.start):
        left += question[position : name.start] + " "
        position = name.end
    left = " ".join((left + question[position:]).split())
    return left if content_words(left) else question


def clauses(question: str) -> list[str]:
    """The parts of a question between its relative pronouns and commas, none if it is one; at most
    `MOST_CLAUSES`."""
    parts = [part.strip(" ?？") for part in _CLAUSE.split(" ".join(question.split()))]
    told = [part for part in parts if len(content_words(part)) >= LEAST_WORDS]
    return told[:MOST_CLAUSES] if len(told) > 1 else []


def content_words(text: str) -> list[str]:
    """The words of a text that are not only grammar."""
    return [word for match in WORD.finditer(text) if (word := match.group().casefold()) not in FUNCTION_WORDS]
