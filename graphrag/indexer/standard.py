"""The method `standard`: a chat model reads the text and writes the reports, on one screen."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from graphrag.asking import Asking
from graphrag.indexer import contextual, extraction, graph, reporting, resolution, summarizing
from graphrag.indexer.at_once import at_once
from graphrag.indexer.connecting import connect
from graphrag.indexer.contextual import Contexts
from graphrag.indexer.extraction import Extracted
from graphrag.indexer.graph import Graph
from graphrag.indexer.method import Drawn, Reported
from graphrag.indexer.resolution import Resolution
from graphrag.models.base import Embedder
from graphrag.progress import silent
from graphrag.records import Community, Document, Extraction, Failure, TextUnit, content_id
from graphrag.settings import Settings
from graphrag.storage.schema import Searchable


@dataclass(frozen=True, slots=True)
class Standard:
    """A `Method` that asks a model, as little as it can."""

    settings: Settings
    asking: Asking
    embedder: Embedder
    resolve: bool = True
    """Whether names that mean the same entity are found and merged."""

    name = "standard"
    describes = True

    @property
    def fingerprint(self) -> str:
        """Of the model, the form and length of its replies, and the prompts."""
        llm = self.settings.llm
        replies = f"{llm.max_tokens} {llm.structured}"
        return content_id(self.asking.service.model, replies, self.asking.prompts.fingerprint, str(self.resolve))

    def draw(self, documents: Sequence[Document], text_units: Sequence[TextUnit]) -> Drawn:
        """The graph of what the model finds, names resolved and descriptions condensed; and contexts, if it
        is to write them."""
        found, contexts = self._read(documents, text_units)
        names = self._resolve(found.extractions)
        resolved = connect(resolution.apply(found.extractions, names), text_units)
        built = graph.build(resolved, max_descriptions=sys.maxsize)
        # Facts are made of what relationships say; entities can wait until reports are written.
        told, failures = self._condense(replace(built, entities=()), self.asking)
        return Drawn(
            graph.with_aliases(replace(built, relationships=told.relationships), found.extractions, names.canonical),
            graph.claims(resolved, built.entities),
            (*found.failures, *(contexts.failures if contexts else ()), *names.failures, *failures),
            (*found.notices, *names.notices()),
            contexts.texts if contexts else None,
        )

    def _read(self, documents: Sequence[Document], text_units: Sequence[TextUnit]) -> tuple[Extracted, Contexts | None]:
        def extract() -> Extracted:
            return extraction.extract(documents, text_units, self.asking, self.settings.extraction)

        if self.settings.chunking.contextual != "llm":
            return extract(), None
        quiet = replace(self.asking, progress=silent)
        return at_once(extract, lambda: contextual.write(documents, text_units, quiet))

    def _condense(self, graph: Graph, asking: Asking) -> tuple[Graph, tuple[Failure, ...]]:
        return summarizing.condense(graph, asking, self.settings.extraction.summarize_above)

    def _resolve(self, extractions: Sequence[Extraction]) -> Resolution:
        if not (self.resolve and self.settings.resolution.enabled):
            return Resolution({})
        return resolution.resolve(extractions, self.embedder, self.asking, self.settings.resolution)

    def report(
        self, communities: Sequence[Community], graph: Graph, text_units: Sequence[TextUnit], facts: Searchable
    ) -> Reported:
        """Reports that the model writes, and meanwhile the entities' descriptions condensed: the
        beginning of a description is all that a report reads of it."""
        quiet = replace(self.asking, progress=silent)
        reported, (condensed, failures) = at_once(
            lambda: reporting.write(communities, graph, text_units, self.asking, self.settings.reports),
            lambda: self._condense(replace(graph, relationships=()), quiet),
        )
        return replace(reported, failures=(*failures, *reported.failures), entities=condensed.entities)
