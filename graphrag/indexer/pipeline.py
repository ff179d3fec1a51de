"""The whole build on one screen."""

import hashlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from graphrag import tokens
from graphrag.errors import BuildInProgressError, IndexingError
from graphrag.indexer import chunking, clustering, editing, embedding, graph, loading, situating, synonyms
from graphrag.indexer.editing import Edits, Kept
from graphrag.indexer.graph import Graph
from graphrag.indexer.loading import Loaded
from graphrag.indexer.method import Drawn, Method, Reported
from graphrag.indexer.previous import IMPORT, Previous, look_back
from graphrag.models.base import Embedder
from graphrag.progress import Progress
from graphrag.records import Changes, Document, Failure, Index, IndexSummary, TextUnit
from graphrag.settings import Settings
from graphrag.storage import schema
from graphrag.storage.base import Build, Store
from graphrag.storage.order import in_order
from graphrag.storage.schema import Searchable

FORMAT = "4"
"""Raised when the same input and settings would give another index than before."""
IMPORT_REPLACED = "the imported index was replaced by one of the input folder"
NO_EDITS, NO_KEPT, NOTHING = Edits(), Kept(), Previous()


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

    def run(self, folder: Path, method: Method, edits: Edits = NO_EDITS, *, purge: bool = False) -> IndexSummary:
        """Make the index match the input folder and the edits; do nothing if it does already.

        Failures that may pass are tried again, though. With `purge` everything is looked at again,
        and nothing stays in the store that the index does not need. Raises InputError, IndexingError
        (BuildInProgressError and BudgetExceededError among them), ModelError or StorageError; the
        index published before is then untouched.
        """
        started = time.monotonic()
        before = self.store.current()
        if edits == NO_EDITS and not purge and before and self._is_current(before, folder, method):
            summary = _unchanged(before, time.monotonic() - started)
            if not any(failure.passing for failure in summary.failures):
                self._clean()
                return summary
        with self.store.lock():
            previous = look_back(self.store, self.embedder, method.name)
            kept = self.kept(previous, edits)
            content = loading.fingerprint(folder, optional=bool(kept.added))
            loaded, text_units = self.read(folder, previous, kept)
            drawn = method.draw(loaded.documents, text_units)
            made, reported = self.assemble(loaded.documents, text_units, drawn, method, previous)
            previous = replace(previous, vectors=())
            passing = [replace(failure, passing=True) for failure in (*drawn.failures, *reported.failures)]
            summary = summarize(
                made.index,
                method.name,
                (*loaded.failures, *passing),
                (*loaded.notices, *drawn.notices, *reported.notices),
            )
            hand = (tuple(document.id for document in kept.added), tuple(sorted(kept.excluded)))
            fingerprint = self._fingerprint(content, method, *hand)
            published = self.publish(made, self.build(fingerprint, summary, started, *hand), whole=purge)
            if purge:
                self.store.clean(everything=True)
        replaced = (IMPORT_REPLACED,) if before and before.method == IMPORT else ()
        return replace(published, notices=(*replaced, *published.notices), changes=_changes(previous, loaded.documents))

    def kept(self, previous: Previous, edits: Edits = NO_EDITS) -> Kept:
        """What was done to the collection by hand, edits included. Raises InputError, or IndexingError
        where there is no collection to edit."""
        build = previous.build
        if build is None:
            return Kept(edits.add)
        if build.method == IMPORT and edits != NO_EDITS:
            raise IndexingError(
                "the index was imported, and its documents are not here to be read again: put them into the "
                "input folder and run `graphrag index`"
            )
        alone = all(document.id in build.added for document in previous.documents)
        return Kept(previous.added, frozenset(build.excluded), alone).after(edits, previous.documents)

    def read(self, folder: Path, previous: Previous = NOTHING, kept: Kept = NO_KEPT) -> tuple[Loaded, list[TextUnit]]:
        """The documents of the collection and their text units, under the numbers that they had."""
        self.progress("Reading documents", 0, 0)
        loaded = loading.read(folder, self.settings.input, kept)
        self.progress("Splitting into text units", 0, 0)
        text_units = chunking.split_all(loaded.documents, self.settings.chunking)
        if not text_units:
            raise IndexingError(f"no document in {folder} holds any text")
        documents = previous.numbered("documents", loaded.documents)
        return replace(loaded, documents=documents), list(previous.numbered("text_units", text_units))

    def assemble(
        self,
        documents: Sequence[Document],
        text_units: Sequence[TextUnit],
        drawn: Drawn,
        method: Method,
        previous: Previous = NOTHING,
    ) -> tuple[Content, Reported]:
        """From the graph to everything that is published."""
        embedder = previous.remembering(self.embedder)
        built = self.graph(drawn, previous)
        claims = previous.numbered("covariates", drawn.claims)
        linked = self._in_context(graph.link(text_units, built, claims), built, drawn.contexts)
        self.progress("Detecting communities", 0, 0)
        today = datetime.now(UTC).date().isoformat()
        communities = clustering.detect(built, self.settings.communities, today, previous.communities)
        stated = embedding.of_facts(built.facts, built.entities, embedder, self.progress)
        reported = method.report(communities, built, linked, stated)
        index = Index(
            documents=tuple(documents),
            text_units=tuple(linked),
            entities=built.entities if reported.entities is None else reported.entities,
            relationships=built.relationships,
            facts=built.facts,
            communities=tuple(communities),
            community_reports=reported.reports,
            covariates=claims,
        )
        searchable = {"facts": stated, **embedding.of_rest(index, embedder, self.progress)}
        vectors = searchable["entities"].vectors if method.describes else None
        return Content(replace(index, entities=synonyms.link(index.entities, vectors)), searchable), reported

    def graph(self, drawn: Drawn, previous: Previous) -> Graph:
        """The graph with its facts, all under the numbers that they had."""
        found = drawn.graph
        return replace(
            found,
            entities=previous.numbered("entities", found.entities),
            relationships=previous.numbered("relationships", found.relationships),
            facts=previous.numbered("facts", found.facts or graph.state(found.relationships, found.entities)),
        )

    def _in_context(
        self, text_units: Sequence[TextUnit], graph: Graph, written: Mapping[str, str] | None
    ) -> list[TextUnit]:
        """The text units with what they leave unsaid: as a model wrote it, or names."""
        contexts = written
        if contexts is None:
            named = self.settings.chunking.contextual != "headings"
            contexts = situating.names_before(text_units, graph.entities) if named else {}
        told = ((unit, ". ".join(filter(None, [unit.context, contexts.get(unit.id)]))) for unit in text_units)
        return [replace(unit, context=context or None) for unit, context in told]

    def build(
        self,
        fingerprint: str,
        summary: IndexSummary,
        started: float,
        added: tuple[str, ...] = (),
        excluded: tuple[str, ...] = (),
    ) -> Build:
        """What a build says of itself."""
        return Build(
            fingerprint=fingerprint,
            method=summary.method,
            embedding_model=self.embedder.name,
            dimensions=self.embedder.dimensions,
            created=datetime.now(UTC).isoformat(timespec="milliseconds"),
            summary=asdict(replace(summary, seconds=round(time.monotonic() - started, 2))),
            added=added,
            excluded=excluded,
        )

    def publish(self, content: Content, build: Build, *, whole: bool = False) -> IndexSummary:
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
        if build.method != IMPORT:
            tables = {name: in_order(table) for name, table in tables.items()}
        self.store.publish(tables, build, whole=whole)
        return _summary(build)

    def _clean(self) -> None:
        """Let go of versions whose time is up, if nobody is building."""
        if self.store.is_due():
            with suppress(BuildInProgressError), self.store.lock():
                self.store.clean()

    def _is_current(self, build: Build, folder: Path, method: Method) -> bool:
        content = loading.fingerprint(folder, optional=bool(build.added))
        return build.fingerprint == self._fingerprint(content, method, build.added, build.excluded)

    def _fingerprint(self, content: str, method: Method, added: Sequence[str], excluded: Sequence[str]) -> str:
        """A hash of all that the index depends on: input, settings of the indexer, models, prompts."""
        parts = [FORMAT, method.name, method.fingerprint, self.embedder.name, content, *added, "", *excluded]
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


def _changes(previous: Previous, documents: Sequence[Document]) -> Changes | None:
    if previous.build is None or previous.build.method == IMPORT:
        return None
    return editing.changes(
        {document.id: document.source for document in previous.documents},
        {document.id: document.source for document in documents},
    )


def _summary(build: Build) -> IndexSummary:
    fields: dict[str, Any] = {**build.summary, "usage": (), "changes": None}
    fields["communities"] = {int(level): count for level, count in fields["communities"].items()}
    fields["failures"] = tuple(Failure(**dict(failure)) for failure in fields["failures"])
    fields["notices"] = tuple(fields["notices"])
    return IndexSummary(**fields)


def _unchanged(build: Build, seconds: float) -> IndexSummary:
    return replace(_summary(build), changed=False, seconds=round(seconds, 2))
