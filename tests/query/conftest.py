from collections.abc import Callable

import pytest
from fakes import WordEmbedder
from samples import MILLS, indexed

from graphrag import GraphRAG
from graphrag.models.base import Embedder
from graphrag.models.embedded import EmbeddedEmbedder
from graphrag.query.checking import Checker
from graphrag.query.context import Tools
from graphrag.query.retrieval import Retriever
from graphrag.settings import QuerySettings
from graphrag.storage.lance import LanceStore


@pytest.fixture(scope="session")
def make_tools() -> Callable[..., Tools]:
    """What query methods need, for an index that was made with `embedder`."""

    def make(rag: GraphRAG, embedder: Embedder | None = None, **settings: object) -> Tools:
        embedder = embedder or WordEmbedder()
        query = QuerySettings.model_validate(settings)
        retriever = Retriever(LanceStore(rag.root / "output").open(), embedder, query.retrieval)
        return Tools(retriever, embedder, Checker(embedder), query)

    return make


@pytest.fixture(scope="session")
def tools(mills: GraphRAG, make_tools: Callable[..., Tools]) -> Tools:
    """For the collection MILLS by shared words."""
    return make_tools(mills)


@pytest.fixture(scope="session")
def real_tools(tmp_path_factory: pytest.TempPathFactory, make_tools: Callable[..., Tools]) -> Tools:
    """For the collection MILLS by the model that ships."""
    model = EmbeddedEmbedder()
    return make_tools(indexed(tmp_path_factory.mktemp("real"), MILLS, model), model)


@pytest.fixture(scope="session")
def nameless(tmp_path_factory: pytest.TempPathFactory) -> GraphRAG:
    """Documents in which nothing has a name: an index without entities."""
    texts = [("", "it rained all day long."), ("", "the snow fell all night."), ("", "then the sun came out again.")]
    return indexed(tmp_path_factory.mktemp("nameless"), texts)
