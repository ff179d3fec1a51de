"""graphrag: ask a pile of documents the questions that no single passage answers."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphrag.answers import (
        Answer,
        Citation,
        ContextItem,
        Event,
        Finished,
        QueryOptions,
        QuestionAnswered,
        QuestionAsked,
        Restarted,
        Retrieved,
        RetrievedUnit,
        Routed,
        Sentence,
        Step,
        Token,
        Usage,
    )
    from graphrag.engine import GraphRAG
    from graphrag.errors import GraphRAGError
    from graphrag.query.conversing import Conversation
    from graphrag.records import IndexSummary
    from graphrag.settings import Settings

__all__ = [
    "Answer",
    "Citation",
    "ContextItem",
    "Conversation",
    "Event",
    "Finished",
    "GraphRAG",
    "GraphRAGError",
    "IndexSummary",
    "QueryOptions",
    "QuestionAnswered",
    "QuestionAsked",
    "Restarted",
    "Retrieved",
    "RetrievedUnit",
    "Routed",
    "Sentence",
    "Settings",
    "Step",
    "Token",
    "Usage",
]
__version__ = "0.1.0"

_HOMES = {
    "Conversation": "query.conversing",
    "GraphRAG": "engine",
    "GraphRAGError": "errors",
    "IndexSummary": "records",
    "Settings": "settings",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that importing the package costs nothing."""
    if name not in __all__:
        raise AttributeError(f"module 'graphrag' has no attribute '{name}'")
    return getattr(import_module(f"graphrag.{_HOMES.get(name, 'answers')}"), name)
