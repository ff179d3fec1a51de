"""What tells one indexing method from another: how the graph is drawn and who writes the reports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from graphrag.indexer.graph import Graph
from graphrag.records import Claim, Community, Document, Entity, Failure, Report, TextUnit
from graphrag.storage.schema import Searchable


@dataclass(frozen=True, slots=True)
class Drawn:
    """The knowledge graph of a collection."""

    graph: Graph
    claims: tuple[Claim, ...] = ()
    failures: tuple[Failure, ...] = ()
    notices: tuple[str, ...] = ()
    contexts: Mapping[str, str] | None = None
    """What text units leave unsaid, by their ids; None if no model was asked for it."""


@dataclass(frozen=True, slots=True)
class Reported:
    """The reports of a graph's communities, one each, in their order."""

    reports: tuple[Report, ...]
    failures: tuple[Failure, ...] = ()
    notices: tuple[str, ...] = ()
    entities: tuple[Entity, ...] | None = None
    """Those of the graph with their descriptions condensed, where the method does so."""


class Method(Protocol):
    """An indexing method; `fast` and `standard` are the two there are."""

    @property
    def name(self) -> str:
        """What `--method` calls it."""
        ...

    @property
    def fingerprint(self) -> str:
        """A hash of all its results depend on beside input and settings: model and prompts."""
        ...

    @property
    def describes(self) -> bool:
        """Whether a description is of its entity alone, so that entities with nearly the same vector mean
        nearly the same: sentences that several share are none."""
        ...

    def draw(self, documents: Sequence[Document], text_units: Sequence[TextUnit]) -> Drawn:
        """The knowledge graph of these text units."""
        ...

    def report(
        self, communities: Sequence[Community], graph: Graph, text_units: Sequence[TextUnit], facts: Searchable
    ) -> Reported:
        """The communities' reports; `facts` are those of the graph, embedded."""
        ...
