"""DRIFT search: start from community reports, follow what they raise, keep the hierarchy.

Dynamic Reasoning and Inference with Flexible Traversal (Microsoft Research, 2024): a primer over
the reports nearest to the question, follow-ups answered by local search, and a hierarchy of what
was asked and found. A follow-up here is the question again, turned on an entity that the step
before raised: those go first that are near to the question both in meaning and in the graph, and
none is followed twice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from graphrag.answers import Answer, Step
from graphrag.query import findings
from graphrag.query.citing import Numbering, Statement
from graphrag.query.context import NOTHING_FOUND, Tools, unit_items
from graphrag.query.findings import RankedFinding
from graphrag.query.passage_graph import strings
from graphrag.query.retrieval import fuse, vectors_of
from graphrag.storage.base import Hit

PRIMER_FINDINGS = 3
STEP_STATEMENTS = 2
CONTEXT_UNITS = 20


@dataclass(slots=True)
class _Node:
    """A step: what was asked, what was found, and the steps it led to."""

    question: str
    statements: Sequence[Statement]
    text_units: Sequence[Hit]
    raised: Sequence[str]
    """Ids of the entities that it leads to, nearest in the graph first."""
    children: "list[_Node]" = field(default_factory=list["_Node"])

    @property
    def score(self) -> float:
        return max((statement.score for statement in self.statements), default=0.0)

    def walk(self) -> "Iterator[_Node]":
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class _FollowUp:
    parent: _Node
    entity_id: str
    title: str


def search(tools: Tools, question: str) -> Answer:
    """Answer from all that the primer and `drift.rounds` rounds of follow-ups found."""
    root, primer = _primer(tools, question)
    graph = tools.retriever.graph
    offset = len(graph.unit_ids)
    # What the question names was asked about already.
    followed = {graph.entity_ids[position - offset] for position in tools.retriever.names_in(question)}
    frontier = [root]
    for _ in range(tools.settings.drift.rounds):
        chosen = _most_promising(tools, question, frontier, followed)
        frontier = [_follow(tools, question, follow_up) for follow_up in chosen]
    hits = fuse(node.text_units for node in root.walk())[:CONTEXT_UNITS]
    units = tools.retriever.units(hits)
    statements = tools.answerer.answer(question, units, tools.settings.sentences)
    numbering = Numbering()
    text = numbering.prose(statements) or NOTHING_FOUND
    hierarchy = _step(root, numbering)
    context = (*findings.items(primer), *unit_items(units))
    return Answer(question, "drift", text, numbering.citations(), context, hierarchy=hierarchy)


def _primer(tools: Tools, question: str) -> tuple[_Node, list[RankedFinding]]:
    """What the reports nearest to the question say, and the entities they are about."""
    retriever = tools.retriever
    reports = retriever.hybrid("community_reports", question, tools.settings.drift.reports)
    ranked = findings.choose(tools, question, [hit.id for hit in reports], PRIMER_FINDINGS)
    statements = findings.state(tools, ranked, PRIMER_FINDINGS)
    local = retriever.local(question, tools.settings.local.k)
    raised = dict.fromkeys([*(hit.id for hit in local.entities), *_members(tools, ranked)])
    return _Node(question, statements, local.text_units, tuple(raised)), ranked


def _members(tools: Tools, ranked: Sequence[RankedFinding]) -> Iterator[str]:
    """The entities of the communities that the findings are from."""
    wanted = {finding.community for finding in ranked}
    table = tools.retriever.reader.table("communities", ["community", "entity_ids"])
    for row in table.to_pylist():
        if row["community"] in wanted:
            yield from row["entity_ids"]


def _most_promising(tools: Tools, question: str, nodes: Sequence[_Node], followed: set[str]) -> list[_FollowUp]:
    """The best follow-ups among all that some nodes raised; marks them as followed."""
    parents = {entity: node for node in reversed(nodes) for entity in node.raised if entity not in followed}
    rows = tools.retriever.reader.rows("entities", list(parents), ["id", "title", "vector"])
    ids = strings(rows["id"])
    titles = dict(zip(ids, strings(rows["title"]), strict=True))
    likeness = vectors_of(rows) @ tools.retriever.vector(question)
    by_meaning = [Hit(id_, float(score)) for id_, score in zip(ids, likeness, strict=True)]
    by_meaning.sort(key=lambda hit: (-hit.score, hit.id))
    by_graph = [[Hit(id_, 0.0) for id_ in node.raised if id_ in titles and parents[id_] is node] for node in nodes]
    chosen = [hit.id for hit in fuse([by_meaning, *by_graph])[: tools.settings.drift.follow_ups]]
    followed.update(chosen)
    return [_FollowUp(parents[id_], id_, titles[id_]) for id_ in chosen]


def _follow(tools: Tools, question: str, follow_up: _FollowUp) -> _Node:
    """Ask the question of one entity, by local search."""
    asked = f"{follow_up.title}: {question}"
    found = tools.retriever.local(asked, tools.settings.local.k, focus=[follow_up.entity_id])
    statements = tools.answerer.answer(asked, tools.retriever.units(found.text_units), STEP_STATEMENTS)
    node = _Node(asked, statements, found.text_units, tuple(hit.id for hit in found.entities))
    follow_up.parent.children.append(node)
    return node


def _step(node: _Node, numbering: Numbering) -> Step:
    """A node as the answer shows it; of its children, the best first."""
    marks = tuple(mark for statement in node.statements for mark in numbering.marks(statement))
    text = " ".join(" ".join(statement.text.split()) for statement in node.statements)
    children = sorted(node.children, key=lambda child: (-child.score, child.question))
    step = Step(node.question, text or NOTHING_FOUND, round(node.score, 4), marks)
    return replace(step, children=tuple(_step(child, numbering) for child in children))
