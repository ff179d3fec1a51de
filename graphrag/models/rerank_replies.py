"""What a server's `/rerank` answers, as scores: untrusted data.

A list of results, bare (Text Embeddings Inference) or under `results` (Cohere, Jina, vLLM,
llama-server) or `data` (Voyage), each with `index` and `relevance_score` or `score`.
"""

import json
import math
from collections.abc import Iterator
from typing import cast

from graphrag.errors import UnusableReplyError

LARGEST = 1e30
"""Beyond it a score does not fit into 32 bits."""


def read(body: bytes, count: int) -> list[float]:
    """The scores of `count` texts, in their order, from a reply in either form.

    Raises UnusableReplyError unless there is one finite score for each text and none for any other.
    """
    found: dict[int, float] = {}
    for index, score in _rows(body):
        if not 0 <= index < count or index in found:
            raise UnusableReplyError(f"a second one, or one too many, for text {index} of {count}")
        found[index] = score
    if len(found) < count:
        raise UnusableReplyError(f"{count - len(found)} of {count} texts have none")
    return [found[index] for index in range(count)]


def _rows(body: bytes) -> Iterator[tuple[int, float]]:
    try:
        data: object = json.loads(body)
    except (ValueError, RecursionError):
        raise UnusableReplyError("the reply is not JSON") from None
    if isinstance(data, dict):
        told = cast("dict[str, object]", data)
        data = told.get("results", told.get("data"))
    if not isinstance(data, list):
        raise UnusableReplyError("the reply has no list of results")
    for item in cast("list[object]", data):
        row = cast("dict[str, object]", item) if isinstance(item, dict) else {}
        index, score = row.get("index"), row.get("relevance_score", row.get("score"))
        if type(index) is not int or not isinstance(score, int | float) or isinstance(score, bool):
            raise UnusableReplyError("a result has no index or no score")
        if abs(score) > LARGEST or not math.isfinite(score):
            raise UnusableReplyError("a score is no finite number")
        yield index, float(score)
