"""Whether an index is whole, for tests to ask after each build."""

from graphrag import GraphRAG
from graphrag.indexer.integrity import Checked


def assert_whole(rag: GraphRAG) -> Checked:
    """Fail with all that is wrong with the published index; what was counted."""
    checked = rag.check()
    assert checked.faults == (), "\n".join(f"{fault.table} {fault.item}: {fault.what}" for fault in checked.faults)
    return checked
