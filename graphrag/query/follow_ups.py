"""Which question to ask next: best first, by what it is expected to add.

Expected value = (what the step that raised it says it would add + its likeness to the original
question) / 2, times its novelty against all that was asked, chosen or found. Questions about the
same thing are one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphrag.models.base import Embedder
from graphrag.query.hierarchy import FollowUp, Node, Suggestion

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAME = 0.92
"""Cosine from which two questions are one."""
NEW_BELOW = 0.5
"""Cosine to the nearest thing known up to which a question is all new."""
LEAST = 0.05
"""Expected value under which nothing is asked."""


@dataclass(slots=True)
class Frontier:
    """The open questions. `asked` begins with the original one, which they may well be like."""

    embedder: Embedder
    question: "NDArray[np.float32]"
    """The original question's vector."""
    asked: "list[NDArray[np.float32]]" = field(default_factory=list["NDArray[np.float32]"])
    found: "list[NDArray[np.float32]]" = field(default_factory=list["NDArray[np.float32]"])
    """Of what steps stated."""
    _open: "list[tuple[Node, Suggestion, NDArray[np.float32]]]" = field(
        default_factory=list["tuple[Node, Suggestion, NDArray[np.float32]]"]
    )

    def learn(self, texts: Sequence[str]) -> None:
        """Something was found: questions about it are less new."""
        if texts:
            self.found.extend(self.embedder.embed(texts))

    def new(self, texts: Sequence[str], repeated: float) -> list[str]:
        """Those that say something that was not found before, nor by one of them before it."""
        fresh: list[str] = []
        seen = list(self.found)
        for text, vector in zip(texts, self.embedder.embed(texts) if texts else (), strict=True):
            if _nearest(vector, seen) < repeated:
                fresh.append(text)
                seen.append(vector)
        return fresh

    def open(self, node: Node) -> None:
        """Add what a step leaves open; of two questions about one thing the higher scored stays."""
        suggestions = [suggestion for suggestion in node.found.suggestions if suggestion.topic]
        if not suggestions:
            return
        for suggestion, vector in zip(suggestions, self.embedder.embed([s.topic for s in suggestions]), strict=True):
            if _nearest(vector, self.asked) >= SAME:
                continue
            same = [place for place, (_, _, other) in enumerate(self._open) if float(vector @ other) >= SAME]
            if any(self._open[place][1].score >= suggestion.score for place in same):
                continue
            self._open = [each for place, each in enumerate(self._open) if place not in same]
            self._open.append((node, suggestion, vector))

    def take(self, most: int) -> list[FollowUp]:
        """The best open questions, at most so many; each counts as known for those after it."""
        chosen: list[FollowUp] = []
        while self._open and len(chosen) < most:
            values = [self._expected(suggestion, vector) for _, suggestion, vector in self._open]
            best = max(range(len(values)), key=lambda place: (values[place], -place))
            if values[best] < LEAST:
                break
            node, suggestion, vector = self._open.pop(best)
            chosen.append(FollowUp(node, suggestion, values[best]))
            self.asked.append(vector)
            self._open = [each for each in self._open if float(each[2] @ vector) < SAME]
        return chosen

    def _expected(self, suggestion: Suggestion, vector: "NDArray[np.float32]") -> float:
        likeness = max(float(vector @ self.question), 0.0)
        novelty = min((1 - _nearest(vector, [*self.asked[1:], *self.found])) / (1 - NEW_BELOW), 1.0)
        return (suggestion.score + likeness) / 2 * max(novelty, 0.0)


def _nearest(vector: "NDArray[np.float32]", others: "Sequence[NDArray[np.float32]]") -> float:
    """The largest cosine to any of them."""
    return max((float(vector @ other) for other in others), default=0.0)
