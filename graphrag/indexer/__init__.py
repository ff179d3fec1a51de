"""The indexer: from documents to a searchable knowledge graph, one module a step."""
