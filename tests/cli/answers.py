"""An answer with a little of everything, and a model that gives some."""

import json
from pathlib import Path

from graphrag.answers import Answer, Citation, ContextItem, Sentence, Step, Usage

QUOTE = "Brightwell Mill stands\non the river Aune, below the weir and above the bridge."
CITATIONS = (
    Citation(1, "Brightwell \x1bMill", "d1", "row-1", "0123456789abcdef", 0, len(QUOTE), QUOTE),
    Citation(2, "Aune", "d2", "row-2", "fedcba9876543210", 4, 20, "The Aune [bold]is short."),
    Citation(3, "Otto Veit", "d3", "row-3", "aaaabbbbccccdddd", 0, 9, "Otto Veit"),
)
TREE = Step(
    "Where is the mill?",
    "On a river.",
    1.0,
    (1,),
    (Step("Which river?", "The Aune.", 0.75, (2, 3), (Step("How long is it?", "Short.", 0.25),)),),
)
ANSWER = Answer(
    question="And where is it?",
    method="drift",
    text="The mill stands on the Aune. [1] It is made of cheese. [?]\n\nThe Aune is short. [2]",
    citations=CITATIONS,
    context=(
        ContextItem("text_unit", "u1", "Brightwell Mill", QUOTE, 0.5, ("u1",), "T1"),
        ContextItem("entity", "e1", "Aune", "A river.\x9b31m", 0.25, ("u2",), "E1"),
    ),
    sentences=(
        Sentence("The mill stands on the Aune.", (1,), True),
        Sentence("It is made of cheese.", (), False),
        Sentence("The Aune is short.", (2,), True),
        Sentence("So.", (), None),
    ),
    hierarchy=TREE,
    stands_for="Where is Brightwell Mill?",
    route="it asks how things hang together ('where')",
    stopped="depth: 2 rounds of follow-ups",
    notices=("1 of 3 report\x1b calls failed",),
    usage=Usage(12, 3, 30_000, 4_120, 12.34),
)


def with_model(root: Path, *rules: dict[str, str]) -> Path:
    """A folder whose language model replies by rules."""
    (root / "replies.json").write_text(json.dumps(rules), "utf-8")
    (root / "settings.yaml").write_text("llm: {provider: fake, model: replies.json}\n", "utf-8")
    return root
