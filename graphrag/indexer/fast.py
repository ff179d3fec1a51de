"""The method `fast`: no model, everything from the text itself, on one screen."""

from collections.abc import Sequence
from dataclasses import dataclass

from graphrag.indexer import fast_extraction, fast_reporting, graph
from graphrag.indexer.graph import Graph
from graphrag.indexer.method import Drawn, Reported
from graphrag.progress import Progress
from graphrag.records import Community, Document, TextUnit
from graphrag.settings import Settings
from graphrag.storage.schema import Searchable

NO_CONTEXTS = (
    "chunking.contextual is llm, but the method fast asks no model: names stand for contexts, as with entities"
)


@dataclass(frozen=True, slots=True)
class Fast:
    """A `Method` that costs nothing."""

    settings: Settings
    progress: Progress

    name = "fast"
    describes = False
    fingerprint = ""

    def draw(self, documents: Sequence[Document], text_units: Sequence[TextUnit]) -> Drawn:
        """The graph of names and key phrases."""
        self.progress("Extracting entities and relationships", 0, 0)
        extractions = fast_extraction.extract(documents, text_units, self.settings.extraction)
        self.progress("Building the graph", 0, 0)
        notices = (NO_CONTEXTS,) if self.settings.chunking.contextual == "llm" else ()
        return Drawn(graph.build(extractions, self.settings.extraction.max_descriptions), notices=notices)

    def report(
        self, communities: Sequence[Community], graph: Graph, text_units: Sequence[TextUnit], facts: Searchable
    ) -> Reported:
        """Reports of the most central sentences."""
        self.progress("Writing community reports", 0, 0)
        return Reported(
            tuple(fast_reporting.write(communities, graph, facts.vectors, text_units, self.settings.reports))
        )
