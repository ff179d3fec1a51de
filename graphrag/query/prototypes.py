"""Questions of each kind, about nothing in particular: what a question is like tells its kind.

A few of each in several languages; they are embedded by whatever model the index has. For the model
that ships their vectors do too (`scripts/embed_prototypes.py`): a process that answers one question
has no time for forty-five.
"""

from collections.abc import Mapping
from importlib.resources import as_file, files
from itertools import accumulate
from typing import TYPE_CHECKING, Literal

from graphrag.models.base import Embedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Kind = Literal["local", "multi-hop", "global"]
"""One fact at one place, several facts joined, or the whole collection."""

PROTOTYPES: Mapping[Kind, tuple[str, ...]] = {
    "local": (
        "Who founded the company?",
        "When did the war end?",
        "What is the name of his wife?",
        "What colour was the coat?",
        "How much did the house cost?",
        "capital of the province",
        "Did the captain survive?",
        "Tell me the date of the contract.",
        "At what time does the train leave?",
        "그 회사는 누가 세웠나요?",
        "가격은 얼마인가요?",
        "Wo wurde sie geboren?",
        "Quel âge avait-il ?",
        "¿Cómo se llama su hermana?",
        "他几岁？",
    ),
    "multi-hop": (
        "How is the director related to the founder?",
        "What connects the accident with the sale of the company?",
        "Who is the husband of the woman who directed the film?",
        "What is the difference between the two proposals?",
        "How did the fire change the plans of the owner?",
        "Contrast the way the mother and the teacher react.",
        "relationship between the mayor and the builder",
        "Which of the two brothers was older?",
        "Where did the company that bought the ship have its seat?",
        "두 사람은 어떤 관계인가요?",
        "두 제안의 차이를 비교해 줘",
        "In welchem Verhältnis stehen die beiden Männer?",
        "Comparez les deux frères.",
        "¿Qué relación hay entre el alcalde y el constructor?",
        "这两个人是什么关系？",
    ),
    "global": (
        "What are the main themes?",
        "Give me an overview of the documents.",
        "How is society portrayed?",
        "What lessons can be learned?",
        "Which problems come up most often?",
        "How are women depicted?",
        "What kinds of risks are mentioned across the reports?",
        "What does the author think of the law?",
        "What do all the cases have in common?",
        "전체 주제를 요약해 줘",
        "등장인물을 모두 나열해 줘",
        "Welche Themen kehren immer wieder?",
        "Quels sont les thèmes principaux ?",
        "¿Cuál es el mensaje general?",
        "主要主题是什么？",
    ),
}

SHIPPED: Mapping[str, str] = {"embedded/all-MiniLM-L6-v2-int8": "prototypes.npy"}
"""Files in `graphrag/data` by the name of the embedder that made them: half-precision vectors of all
prototypes, in their order."""


def texts() -> list[str]:
    """All prototypes, kind by kind."""
    return [text for kind in PROTOTYPES.values() for text in kind]


def vectors(embedder: Embedder) -> "Mapping[Kind, NDArray[np.float32]]":
    """Unit vectors of the prototypes of each kind, shape (prototypes, dimensions)."""
    import numpy as np

    every = _shipped(SHIPPED[embedder.name]) if embedder.name in SHIPPED else embedder.embed(texts())
    ends = list(accumulate(map(len, PROTOTYPES.values())))
    return dict(zip(PROTOTYPES, np.split(every, ends[:-1]), strict=True))


def _shipped(name: str) -> "NDArray[np.float32]":
    import numpy as np

    with as_file(files("graphrag").joinpath("data", name)) as path:
        return np.load(path).astype(np.float32)
