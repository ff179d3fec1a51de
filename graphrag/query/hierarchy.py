"""The tree of questions and answers that DRIFT grows, and its ranking."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from graphrag.answers import ContextItem, Step
from graphrag.query.citing import Numbering, Statement

NOTHING = "nothing was found"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A question that a step leaves open."""

    question: str
    score: float
    """How much it would add, 0 to 1, as the step says."""
    topic: str
    """What tells it from other questions: they are compared by it."""
    focus: tuple[str, ...] = ()
    """Ids of entities that it is about."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a step found."""

    statements: tuple[tuple[Statement, tuple[ContextItem, ...]], ...] = ()
    """What it answers, checked, each with the items that bear it out."""
    score: float = 0.0
    """How much of the question it answers, 0 to 1, as it says itself."""
    suggestions: tuple[Suggestion, ...] = ()
    items: tuple[ContextItem, ...] = ()
    """What it was shown, best first."""
    tokens: int = 0
    """Of the prompts, or of the passages read."""
    calls: int = 0

    @property
    def answer(self) -> str:
        """Its statements as text."""
        return " ".join(statement.text for statement, _ in self.statements)


@dataclass(slots=True)
class Node:
    """A step in the tree."""

    question: str
    found: Found
    relevance: float
    """To the original question, 0 to 1."""
    parent: "Node | None" = None
    children: "list[Node]" = field(default_factory=list["Node"])

    @property
    def depth(self) -> int:
        """0 for the root."""
        return len(self.path()) - 1

    def path(self) -> "list[Node]":
        """The nodes from the root to this one."""
        return [*(self.parent.path() if self.parent else []), self]

    def walk(self) -> "Iterator[Node]":
        """This node and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()

    def grow(self, question: str, found: Found, relevance: float) -> "Node":
        """A child of it."""
        child = Node(question, found, relevance, self)
        self.children.append(child)
        return child


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A question chosen to be asked."""

    parent: Node
    suggestion: Suggestion
    expected: float
    """What it is thought to add, 0 to 1."""

    @property
    def question(self) -> str:
        """What is asked."""
        return self.suggestion.question


def to_step(node: Node, numbering: Numbering) -> Step:
    """A node as the answer shows it; its children most relevant first."""
    marks = tuple(dict.fromkeys(mark for statement, _ in node.found.statements for mark in numbering.marks(statement)))
    children = sorted(node.children, key=lambda child: (-child.relevance, child.question))
    below = tuple(to_step(child, numbering) for child in children)
    return Step(node.question, node.found.answer or NOTHING, round(node.relevance, 4), marks, below)
