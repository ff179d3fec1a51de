"""The whole build on one screen."""

import hashlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from graphrag import tokens
from graphrag.errors import IndexingError
from graphrag.indexer import chunking, clustering, embedding, graph, loading
from graphrag.indexer.loading import Loaded
from graphrag.indexer.method import Drawn, Method, Reported
from graphrag.models.base import Embedder
from graphrag.progress import Progress
from graphrag.records import Document, Failure, Index, IndexSummary, TextUnit
from graphrag.settings import Settings
from graphrag.storage import schema
from graphrag.storage.base import Build, Store
from graphrag.storage.schema import Searchable

FORMAT = "2"
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

    def run(self, folder: Path, method: Method) -> IndexSummary:
        """Make the index match the input folder; do nothing if it does already.

        Failures that may pass are tried again, though. Raises InputError, IndexingError
        (BuildInProgressError and BudgetExceededError among them), ModelError or StorageError;
        the index published before is then untouched.
        """
        started = time.monotonic()
        before = self.store.current()
        if before and before.fingerprint == self._fingerprint(folder, method):
            summary = _unchanged(before, time.monotonic() - started)
            if not any(failure.passing for failure in summary.failures):
                return summary
        with self.store.lock():
            fingerprint = self._fingerprint(folder, method)
            loaded, text_units = self.read(folder)
            drawn = method.draw(loaded.documents, text_units)
            content, reported = self.assemble(loaded.documents, text_units, drawn, method)
            passing = [replace(failure, passing=True) for failure in (*drawn.failures, *reported.failures)]
            summary = summarize(
                content.index,
                method.name,
                (*loaded.failures, *passing),
                (*loaded.notices, *drawn.notices, *reported.notices),
            )
            published = self.publish(content, fingerprint, summary, started)
        replaced = (IMPORT_REPLACED,) if before and before.method == IMPORT else ()
        return replace(published, notices=(*replaced, *published.notices))

    def read(self, folder: Path) -> tuple[Loaded, list[TextUnit]]:
        """The documents of the input folder and their text units."""
        self.progress("Reading documents", 0, 0)
        loaded = loading.read(folder, self.settings.input)
        self.progress("Splitting into text units", 0, 0)
        text_units = chunking.split_all(loaded.documents, self.settings.chunking)
        if not text_units:
            raise IndexingError(f"no document in {folder} holds any text")
        return loaded, text_units

    def assemble(
        self, documents: Sequence[Document], text_units: Sequence[TextUnit], drawn: Drawn, method: Method
    ) -> tuple[Content, Reported]:
        """From the graph to everything that is published."""
        facts = drawn.graph.facts or graph.state(drawn.graph.relationships, drawn.graph.entities)
        built = replace(drawn.graph, facts=facts)
        linked = graph.link(text_units, built, drawn.claims)
        self.progress("Detecting communities", 0, 0)
        today = datetime.now(UTC).date().isoformat()
        communities = clustering.detect(built, self.settings.communities, period=today)
        stated = embedding.of_facts(built.facts, built.entities, self.embedder, self.progress)
        reported = method.report(communities, built, linked, stated)
        index = Index(
            documents=tuple(documents),
            text_units=tuple(linked),
            entities=built.entities if reported.entities is None else reported.entities,
            relationships=built.relationships,
            facts=built.facts,
            communities=tuple(communities),
            community_reports=reported.reports,
            covariates=drawn.claims,
        )
        return Content(index, {"facts": stated, **embedding.of_rest(index, self.embedder, self.progress)}), reported

    def publish(self, content: Content, fingerprint: str, summary: IndexSummary, started: float) -> IndexSummary:
        """Replace the published index by this one, all at once. Call inside `store.lock()`."""
        self.progress("Publishing", 0, 0)
        # The store's library comes in now: the two need not be in memory at once.
        tokens.release()
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

    def _fingerprint(self, folder: Path, method: Method) -> str:
        """A hash of all that the index depends on: input, settings of the indexer, models, prompts."""
        parts = [FORMAT, method.name, method.fingerprint, self.embedder.name, loading.fingerprint(folder)]
        sections = ("input", "chunking", "extraction", "resolution", "communities", "reports")
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
    fields |= {"changed": False, "seconds": round(seconds, 2), "usage": ()}
    return IndexSummary(**fields)
