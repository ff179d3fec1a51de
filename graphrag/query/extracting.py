"""Answer without a model: the sentences of the sources that answer best, word for word.

A sentence is worth how near it is to the question in meaning and in words; each further one also
what it adds to those chosen before. Where the embedding model does not read the question's script,
words alone count.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from graphrag.answers import RetrievedUnit
from graphrag.language import FUNCTION_WORDS, search_terms
from graphrag.models.base import Embedder
from graphrag.models.embedded import reads
from graphrag.query.citing import Evidence, Statement, passages
from graphrag.query.comparing import products
from graphrag.ranking import diverse

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WORD_WEIGHT = 0.6
"""Of the share of the question's words, against a cosine of 1 for meaning."""
NOVELTY = 0.4
"""How much of a sentence's worth is lost to its likeness to those chosen before."""
LEAST_WORTH = 0.4
"""If the best sentence is worth less, nothing answers the question: for 120 questions that their
collection answers it was worth .57 or more; for questions about something else, mostly .2 to .4."""
LEAST_SHARED = 0.1
"""The same for the share of the question's words alone: of 60 Korean questions that their collection answers
all but one shared more with a sentence; of twelve about something else seven."""
MOST_SENTENCES = 20
"""Sentences that are embedded: those that share most words with the question. Ten passages of a book
have a hundred, yet answers hold what was asked for as often as if all were."""
SHORTEST = 3
"""Words; less is a heading or a cry."""


def quote(question: str, units: Sequence[RetrievedUnit], limit: int, embedder: Embedder) -> list[Statement]:
    """At most `limit` sentences that answer best, each with its place in `units`; none if none does.

    Those of one passage stand together.
    """
    sentences = [passage for unit in units for passage in passages(unit) if _is_sentence(passage)]
    if not sentences:
        return []
    candidates = _likeliest(question, sentences)
    worth, chosen = _choose(question, candidates, limit, embedder)
    first = {candidates[index].unit.text_unit_id: place for place, index in reversed(list(enumerate(chosen)))}
    chosen.sort(key=lambda index: (first[candidates[index].unit.text_unit_id], candidates[index].start))
    return [Statement(candidates[i].quote, (candidates[i],), float(worth[i])) for i in chosen]


def _choose(
    question: str, candidates: Sequence[Evidence], limit: int, embedder: Embedder
) -> tuple["NDArray[np.float64]", list[int]]:
    """What each candidate is worth, and where those are that answer best, best first."""
    words = _shared_words(question, [_words(passage.quote) for passage in candidates])
    if not reads(embedder.name, question):
        best: list[int] = (-words).argsort(kind="stable")[: min(limit, int((words > 0).sum()))].tolist()
        return words, best if words.max() >= LEAST_SHARED else []
    vectors = embedder.embed([question, *map(_titled, candidates)])
    worth = products(vectors[1:], vectors[0]) + WORD_WEIGHT * words
    return worth, diverse(vectors[1:], worth, limit, NOVELTY) if worth.max() >= LEAST_WORTH else []


def _is_sentence(passage: Evidence) -> bool:
    return len(_words(passage.quote)) >= SHORTEST and not passage.quote.startswith(("#", "="))


def _titled(passage: Evidence) -> str:
    return f"{passage.unit.document_title}. {passage.quote}"


def _likeliest(question: str, sentences: Sequence[Evidence]) -> list[Evidence]:
    """The sentences that, with their document's title, share most words with the question, in their order."""
    texts = [_words(passage.quote) + _words(passage.unit.document_title) for passage in sentences]
    shares = _shared_words(question, texts)
    best: list[int] = (-shares).argsort(kind="stable")[:MOST_SENTENCES].tolist()
    return [sentences[index] for index in sorted(best)]


@lru_cache(maxsize=4096)
def _words(text: str) -> tuple[str, ...]:
    # The steps of one question quote from much the same passages.
    return tuple(search_terms(text).split())


def _shared_words(question: str, texts: Sequence[Sequence[str]]) -> "NDArray[np.float64]":
    """For the words of each text the share of the question's words that it has too, 0 to 1."""
    import numpy as np

    asked = set(_words(question)) - FUNCTION_WORDS
    found = [len(asked.intersection(words)) for words in texts]
    return np.array(found) / max(len(asked), 1)
