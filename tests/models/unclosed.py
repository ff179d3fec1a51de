"""A process that does not close what it asks with: `python unclosed.py ROOT MEMO [half | atexit]`.

Prints how often the model was asked. `half` leaves a stream at its first token; `atexit` closes when it is late.
"""

import atexit
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fakes import WordEmbedder

from graphrag import GraphRAG, Settings
from graphrag.answers import Event, Token
from graphrag.models.fake import FakeChat

QUESTION = "Who owns Brightwell Mill?"


def opened(root: str | Path, memo: str | Path) -> tuple[GraphRAG, FakeChat]:
    """The index in a folder with another memo, and the model it asks."""
    chat = FakeChat(lambda _: "The mill is owned by the Corvane Group. [T1] It is so. " * 3)
    settings = Settings.model_validate({"storage": {"memo": str(memo)}})
    return GraphRAG(root, settings, chat=chat, embedder=WordEmbedder()), chat


def is_enough(event: Event) -> bool:
    """Whether nobody reads on."""
    return "half" in sys.argv and isinstance(event, Token)


if __name__ == "__main__":
    rag, chat = opened(sys.argv[1], sys.argv[2])
    if "atexit" in sys.argv:
        atexit.register(rag.close)
    events = rag.stream(QUESTION, "basic")
    any(is_enough(event) for event in events)
    sys.stdout.write(f"{len(chat.requests)}\n")
