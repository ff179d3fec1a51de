"""Take over an index that another program made: its records as they are, its vectors made here."""

import time
from dataclasses import replace

from graphrag.indexer import embedding, graph, synonyms
from graphrag.indexer.pipeline import Content, Pipeline, summarize
from graphrag.indexer.previous import IMPORT
from graphrag.records import Index, IndexSummary, content_id


def adopt(index: Index, pipeline: Pipeline) -> IndexSummary:
    """Publish an imported index. Its relationships become the facts that searches start from."""
    started = time.monotonic()
    with pipeline.store.lock():
        index = replace(index, facts=graph.state(index.relationships, index.entities))
        facts = embedding.of_facts(index.facts, index.entities, pipeline.embedder, pipeline.progress)
        rest = embedding.of_rest(index, pipeline.embedder, pipeline.progress)
        fingerprint = content_id(IMPORT, *(document.id for document in index.documents))
        build = pipeline.build(fingerprint, summarize(index, IMPORT), started)
        index = replace(index, entities=synonyms.link(index.entities, rest["entities"].vectors))
        return pipeline.publish(Content(index, {"facts": facts, **rest}), build)
