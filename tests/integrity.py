"""Whether what a test built is whole: to be called after any build."""

from graphrag import GraphRAG
from graphrag.indexer import integrity
from graphrag.indexer.integrity import Checked
from graphrag.storage.lance import LanceStore


def assert_whole(rag: GraphRAG) -> Checked:
    """Every reference leads somewhere and every count is right in the index that was published last."""
    checked = integrity.check(LanceStore(rag.root / rag.settings.storage.uri).open())
    assert checked.faults == ()
    return checked
