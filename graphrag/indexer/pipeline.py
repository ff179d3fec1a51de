"""The whole build on one screen."""

import hashlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from graphrag.errors import IndexingError
from graphrag.indexer import chunking, clustering, embedding, fast_extraction, fast_reporting, graph, loading
from graphrag.models.base import Embedder
from graphrag.progress import Progress
from graphrag.records import Document, Extraction, Failure, Index, IndexSummary, TextUnit
from graphrag.settings import Settings
from graphrag.storage import schema
from graphrag.storage.base import Build, Store
from graphrag.storage.schema import Searchable

FORMAT = "1"
"""Raised when the same input and settings would give another index than before."""
IMPORT = "import"
"""The method of an index that another program made."""
IMPORT_REPLACED = "the imported index was replaced by one of the input folder"


@dataclass(frozen=True, slots=True)
class Content:
    """Everything a build publishes: the records, and what searches see of them by table."""

    index: Index
    searchable: Mapping[str, Searchable]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Builds indexes: what with, where to, and who is told."""

    settings: Settings
    embedder: Embedder
    store: Store
    progress: Progress

    def run(self, folder: Path) -> IndexSummary:
        """Make the index match the input folder; do nothing if it does already.

        Raises InputError, IndexingError (BuildInProgressError among them) or StorageError; the
        index published before is then untouched.
        """
        started = time.monotonic()
        before = self.store.current()
        if before and before.fingerprint == self._fingerprint(folder):
            return _unchanged(before, time.monotonic() - started)
        with self.store.lock():
            fingerprint = self._fingerprint(folder)
            self.progress("Reading documents", 0, 0)
            loaded = loading.read(folder, self.settings.input)
            self.progress("Splitting into text units", 0, 0)
            text_units = chunking.split_all(loaded.documents, self.settings.chunking)
            if not text_units:
                raise IndexingError(f"no document in {folder} holds any text")
            self.progress("Extracting entities and relationships", 0, 0)
            extractions = fast_extraction.extract(loaded.documents, text_units, self.settings.extraction)
            content = self.assemble(loaded.documents, text_units, extractions)
            summary = summarize(content.index, "fast", loaded.failures, loaded.notices)
            published = self.publish(content, fingerprint, summary, started)
        replaced = (IMPORT_REPLACED,) if before and before.method == IMPORT else ()
        return replace(published, notices=(*replaced, *published.notices))

    def assemble(
        self, documents: Sequence[Document], text_units: Sequence[TextUnit], extractions: Sequence[Extraction]
    ) -> Content:
        """From what was extracted to everything that is published."""
        self.progress("Building the graph", 0, 0)
        built = graph.build(extractions, self.settings.extraction.max_descriptions)
        facts = built.facts or graph.state(built.relationships, built.entities)
        built = replace(built, facts=facts)
        linked = graph.link(text_units, built)
        self.progress("Detecting communities", 0, 0)
        today = datetime.now(UTC).date().isoformat()
        communities = clustering.detect(built, self.settings.communities, period=today)
        stated = embedding.of_facts(built.facts, built.entities, self.embedder, self.progress)
        self.progress("Writing community reports", 0, 0)
        reports = fast_reporting.write(communities, built, stated.vectors, linked, self.settings.reports)
        index = Index(
            documents=tuple(documents),
            text_units=tuple(linked),
            entities=built.entities,
            relationships=built.relationships,
            facts=built.facts,
            communities=tuple(communities),
            community_reports=tuple(reports),
        )
        return Content(index, {"facts": stated, **embedding.of_rest(index, self.embedder, self.progress)})

    def publish(self, content: Content, fingerprint: str, summary: IndexSummary, started: float) -> IndexSummary:
        """Replace the published index by this one, all at once. Call inside `store.lock()`."""
        self.progress("Publishing", 0, 0)
        tables = {
            name: schema.to_table(
                name, getattr(content.index, name), content.searchable.get(name), content.index.text_units
            )
            for name in schema.TABLES
        }
        summary = replace(summary, seconds=round(time.monotonic() - started, 2))
        build = Build(
            fingerprint=fingerprint,
            method=summary.method,
            embedding_model=self.embedder.name,
            dimensions=self.embedder.dimensions,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            summary=asdict(summary),
        )
        self.store.publish(tables, build)
        return summary

    def _fingerprint(self, folder: Path) -> str:
        """A hash of all that the index depends on: input, settings of the indexer, model."""
        parts = [FORMAT, "fast", self.embedder.name, loading.fingerprint(folder)]
        sections = ("input", "chunking", "extraction", "communities", "reports")
        parts += [getattr(self.settings, section).model_dump_json() for section in sections]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def summarize(index: Index, method: str, failures: Sequence[Failure] = (), notices: Sequence[str] = ()) -> IndexSummary:
    """What a build made, counted."""
    levels = Counter(community.level for community in index.communities)
    return IndexSummary(
        changed=True,
        method=method,
        documents=len(index.documents),
        text_units=len(index.text_units),
        entities=len(index.entities),
        relationships=len(index.relationships),
        communities={level: levels[level] for level in sorted(levels)},
        reports=len(index.community_reports),
        seconds=0.0,
        failures=tuple(failures),
        notices=tuple(notices),
    )


def _unchanged(build: Build, seconds: float) -> IndexSummary:
    fields: dict[str, Any] = dict(build.summary)
    fields["communities"] = {int(level): count for level, count in fields["communities"].items()}
    fields["failures"] = tuple(Failure(**failure) for failure in fields["failures"])
    fields["notices"] = tuple(fields["notices"])
    fields |= {"changed": False, "seconds": round(seconds, 2)}
    return IndexSummary(**fields)
