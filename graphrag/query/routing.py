"""Which method suits a question: cheap signals only, no model.

The collection decides as much as the question does: a question that names something the graph
knows is local, one that asks about everything is global.
"""

import re

from graphrag.answers import Method
from graphrag.query.retrieval import Retriever

_WHOLE = re.compile(
    r"\b(themes?|topics?|overall|overview|summar\w+|main|major|common|general(?:ly)?|across|throughout|whole|entire|"
    r"collection|corpus|dataset|documents|trends?|patterns?)\b|\babout\W*$|전체|전반|요약|주제|주요|경향|공통",
    re.IGNORECASE,
)
_JOINS = re.compile(
    r"\b(how|why|relat\w+|connect\w+|between|compar\w+|differ\w+|influenc\w+|affect\w+|chang\w+|role|lead|led)\b"
    r"|관계|영향|차이|비교|어떻게|왜",
    re.IGNORECASE,
)


def route(question: str, retriever: Retriever) -> tuple[Method, str]:
    """The method for a question, and why, in words for the user."""
    named = [retriever.graph.entity_titles[p - len(retriever.graph.unit_ids)] for p in retriever.names_in(question)]
    if not retriever.graph.entity_ids:
        return "basic", "the index has no entities"
    whole = _WHOLE.search(question)
    if whole and not _proper(named):
        return "global", f"it asks about the collection ('{whole.group()}') and names nothing in particular"
    joins = _JOINS.search(question)
    if joins and len(named) != 0:
        return "drift", f"it asks how things hang together ('{joins.group()}')"
    if named:
        return "local", f"it names {', '.join(named[:3])}"
    return "local", "nothing says that it is about the whole collection"


def _proper(names: list[str]) -> bool:
    """Whether one is a name and not a word: written with a capital, or in a script that has none."""
    return any(name[:1].isupper() or name[:1].lower() == name[:1].upper() for name in names)
