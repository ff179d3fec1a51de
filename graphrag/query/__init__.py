"""The query engine: from a question to an answer with citations."""
