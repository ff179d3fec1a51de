"""The Python API as an application uses it."""

import asyncio
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from extractor import configured, graph, model, town
from fakes import WordEmbedder
from numpy.typing import NDArray
from samples import MILLS, TWO_HOPS, check_citations, indexed, write_rows

from graphrag import Answer, GraphRAG, RetrievedUnit, Settings, engine
from graphrag.answers import Usage
from graphrag.errors import (
    BudgetExceededError,
    IndexMismatchError,
    IndexNotFoundError,
    InputError,
    InterchangeError,
    MissingDependencyError,
    QueryError,
    SettingsError,
    StorageError,
    UnavailableError,
)
from graphrag.indexer.pipeline import IMPORT_REPLACED
from graphrag.models.fake import FakeChat
from graphrag.records import Estimate
from graphrag.storage.schema import TABLES, columns

METHODS = ["local", "global", "drift", "basic"]


def timeless(answer: Answer) -> Answer:
    return replace(answer, usage=Usage())


# --- Asking ------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_every_method_answers_with_citations(mills: GraphRAG, method: Any):
    answer = mills.query(TWO_HOPS, method)

    check_citations(answer, mills)
    assert (answer.method, answer.route, answer.question) == (method, "", TWO_HOPS)
    assert answer.citations
    assert answer.context
    assert (answer.hierarchy is not None) == (method == "drift")
    assert (answer.usage.model_calls, answer.usage.seconds >= 0) == (0, True)


def test_auto_says_which_method_and_why(mills: GraphRAG):
    chosen = mills.query("Who is Otto Veit?")

    assert (chosen.method, chosen.route) == ("local", "it names Otto Veit")
    assert timeless(mills.query("Who is Otto Veit?", "auto")) == timeless(chosen)


def test_the_method_of_the_settings(mills: GraphRAG):
    settings = Settings.model_validate({"query": {"method": "basic", "sentences": 1}})

    answer = GraphRAG(mills.root, settings, embedder=WordEmbedder()).query(TWO_HOPS)

    assert (answer.method, len(answer.citations)) == ("basic", 1)


@pytest.mark.parametrize("method", ["local", "basic"])
@pytest.mark.parametrize("k", [1, 3, 50])
def test_retrieve(mills: GraphRAG, method: Any, k: int):
    found = mills.retrieve(TWO_HOPS, k, method)

    texts = {row["id"]: row["text"] for row in mills.table("text_units").to_pylist()}
    assert len(found) == min(k, len(MILLS))
    assert all(isinstance(unit, RetrievedUnit) and unit.text == texts[unit.text_unit_id] for unit in found)
    assert [unit.score for unit in found] == sorted((unit.score for unit in found), reverse=True)
    assert {unit.source_id for unit in found} <= {f"row-{n}" for n in range(1, len(MILLS) + 1)}


def test_the_async_twins_do_the_same(mills: GraphRAG, tmp_path: Path):
    write_rows(tmp_path, MILLS)
    fresh = GraphRAG(tmp_path, embedder=WordEmbedder())

    async def ask() -> tuple[Any, ...]:
        summary = await fresh.aindex("fast")
        return summary, *await asyncio.gather(fresh.aquery(TWO_HOPS, "drift"), fresh.aretrieve(TWO_HOPS, 3, "basic"))

    summary, answer, found = asyncio.run(ask())

    assert (summary.changed, summary.documents) == (True, len(MILLS))
    assert timeless(answer) == timeless(mills.query(TWO_HOPS, "drift"))
    assert found == mills.retrieve(TWO_HOPS, 3, "basic")


def test_one_object_in_several_threads(mills: GraphRAG):
    fresh = GraphRAG(mills.root, embedder=WordEmbedder())
    expected = [timeless(mills.query(TWO_HOPS, method)) for method in METHODS]

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda method: timeless(fresh.query(TWO_HOPS, method)), METHODS * 2))

    assert found == expected * 2


# --- Looking inside ----------------------------------------------------------------------


def test_the_graph(mills: GraphRAG):
    graph = mills.graph()

    assert type(graph) is nx.Graph
    entities = {row["title"]: row for row in mills.table("entities").to_pylist()}
    edges = {frozenset((row["source"], row["target"])) for row in mills.table("relationships").to_pylist()}
    assert set(graph.nodes) == set(entities)
    assert {frozenset(edge) for edge in graph.edges} == edges
    assert graph.has_edge("Brightwell Mill", "Corvane Group")
    assert dict(graph.degree) == {title: row["degree"] for title, row in entities.items()}
    node = graph.nodes["Otto Veit"]
    assert (node["id"], node["type"]) == (entities["Otto Veit"]["id"], entities["Otto Veit"]["type"])
    assert all(weight > 0 for _, _, weight in graph.edges(data="weight"))


@pytest.mark.parametrize("name", TABLES)
def test_tables_as_arrow_and_pandas(mills: GraphRAG, name: str):
    table, frame = mills.table(name), mills.dataframe(name)

    assert isinstance(table, pa.Table)
    assert isinstance(frame, pd.DataFrame)
    assert set(columns(name).names) <= set(table.column_names)
    assert list(frame.columns) == table.column_names
    assert list(frame["id"]) == table["id"].to_pylist()


def test_pandas_is_optional(mills: GraphRAG, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engine, "find_spec", lambda name: None)

    with pytest.raises(MissingDependencyError, match=r"pip install 'graphrag-drift\[pandas\]'"):
        mills.dataframe("entities")


def test_export_and_import(mills: GraphRAG, tmp_path: Path):
    rows = mills.export_parquet(tmp_path / "parquet")
    mills.export_graphml(tmp_path / "graph.graphml")
    other = GraphRAG(tmp_path / "other", embedder=WordEmbedder())

    summary = other.import_parquet(tmp_path / "parquet")

    assert summary.method == "import"
    assert rows == {name: mills.table(name).num_rows for name in rows}
    for name in rows:
        assert other.table(name)["id"].to_pylist() == mills.table(name)["id"].to_pylist()
    assert nx.read_graphml(tmp_path / "graph.graphml").nodes.keys() == mills.graph().nodes.keys()
    for method in METHODS:
        check_citations(other.query(TWO_HOPS, method), other)


def test_indexing_over_an_imported_index_says_that_it_is_replaced(mills: GraphRAG, tmp_path: Path):
    mills.export_parquet(tmp_path / "parquet")
    rag = GraphRAG(tmp_path, embedder=WordEmbedder())
    rag.import_parquet(tmp_path / "parquet")
    write_rows(tmp_path, MILLS)

    first, second = rag.index(), rag.index()

    assert (first.changed, first.notices) == (True, (IMPORT_REPLACED,))
    assert (second.changed, second.notices) == (False, ())


# --- Building ----------------------------------------------------------------------------


def test_create_makes_a_folder_ready(tmp_path: Path):
    rag = GraphRAG.create(tmp_path / "new")

    assert rag.settings == Settings()
    with pytest.raises(InputError, match="holds no documents"):
        rag.index()
    with pytest.raises(SettingsError, match="--force"):
        GraphRAG.create(tmp_path / "new")
    assert GraphRAG.create(str(tmp_path / "new"), force=True).root == tmp_path / "new"


def test_the_folders_of_the_settings(tmp_path: Path):
    settings = Settings.model_validate({"input": {"dir": "texts"}, "storage": {"uri": "here"}})
    write_rows(tmp_path, MILLS).rename(tmp_path / "texts")

    rag = GraphRAG(tmp_path, settings, embedder=WordEmbedder())

    assert rag.index().changed
    assert (tmp_path / "here" / "manifest.json").exists()
    assert rag.retrieve("trout", 1)


class Interrupted(WordEmbedder):
    """Does something else first when it is next asked."""

    def __init__(self) -> None:
        super().__init__()
        self.first: Callable[[], object] = lambda: None

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        first, self.first = self.first, lambda: None
        first()
        return super().embed(texts)


@pytest.mark.parametrize("method", METHODS)
def test_a_query_is_not_disturbed_by_a_build_that_ends_meanwhile(tmp_path: Path, method: Any):
    model = Interrupted()
    rag = indexed(tmp_path, MILLS, model)
    undisturbed = timeless(rag.query(TWO_HOPS, method))
    again = GraphRAG(tmp_path, embedder=model)

    model.first = lambda: indexed(tmp_path, [("Otto Veit", "Otto Veit closed the last mill of Dresden.")])
    during = again.query(TWO_HOPS, method)
    after = again.query(TWO_HOPS, method)

    assert timeless(during) == undisturbed
    assert {citation.quote for citation in after.citations} == {"Otto Veit closed the last mill of Dresden."}
    check_citations(after, again)


# --- With a language model ---------------------------------------------------------------


def read_by(chat: FakeChat | None, root: Path, **settings: Any) -> GraphRAG:
    return GraphRAG(root, configured(**settings), chat=chat, embedder=WordEmbedder())


@pytest.mark.parametrize("method", ["standard", "auto"])
def test_a_model_of_the_applications_own_reads_the_text(tmp_path: Path, method: Any):
    write_rows(tmp_path, town(3))
    chat = model()

    summary = read_by(chat, tmp_path).index(method)

    assert (summary.method, summary.failures) == ("standard", ())
    assert {used.stage for used in summary.usage} == {request.stage for request in chat.requests}
    assert sum(used.calls for used in summary.usage) == len(chat.requests)
    assert all(used.prompt_tokens > used.completion_tokens > 0 for used in summary.usage)
    assert chat.closed


@pytest.mark.parametrize("method", METHODS)
def test_what_a_model_read_is_queried_without_it(tmp_path: Path, method: Any):
    write_rows(tmp_path, town(2))
    rag = read_by(model(), tmp_path)
    rag.index()

    answer = read_by(None, tmp_path).query("Who was taught by Bruno Harlow?", method)

    check_citations(answer, rag)
    assert answer.citations


def test_auto_takes_the_model_of_the_settings(tmp_path: Path):
    write_rows(tmp_path, [("", "Anna met Bruno.")])
    reply = graph([["Anna", "person", "x"], ["Bruno", "person", "y"]], [["Anna", "Bruno", "5", "1", "They met."]])
    (tmp_path / "rules.json").write_text(json.dumps([{"reply": reply}]))
    rag = read_by(None, tmp_path, llm={"provider": "fake", "model": "rules.json"})

    assert rag.index().method == "standard"
    assert {row["title"] for row in rag.table("entities").to_pylist()} == {"Anna", "Bruno"}
    assert rag.index("fast").method == "fast"


def test_an_estimate_asks_and_writes_nothing(tmp_path: Path):
    write_rows(tmp_path, town(3))
    chat = model()
    rag = read_by(chat, tmp_path)
    before = set(tmp_path.rglob("*"))

    first = rag.estimate()

    assert set(tmp_path.rglob("*")) == before
    assert chat.requests == []
    assert first == rag.estimate("standard")
    assert first.stages[0].calls > 0
    assert rag.estimate("fast") == Estimate((), 0.0)
    rag.index()
    asked = len(chat.requests)
    assert first.stages[0].calls == sum(request.stage == first.stages[0].stage for request in chat.requests)
    assert [stage.calls for stage in rag.estimate().stages] == [0] * 4
    assert len(chat.requests) == asked


def test_a_budget_is_kept_and_what_was_paid_for_is_not_lost(tmp_path: Path):
    write_rows(tmp_path, town(3))
    chat, rest = model(), model()

    with pytest.raises(BudgetExceededError, match="--max-tokens"):
        read_by(chat, tmp_path).index(max_tokens=5_000)
    summary = read_by(rest, tmp_path).index(max_tokens=1_000_000)

    assert summary.usage[0].remembered == len(chat.requests) > 0
    assert summary.usage[0].calls == sum(request.stage == summary.usage[0].stage for request in rest.requests)


# --- Errors ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ask",
    [
        lambda rag: rag.query("Who?"),
        lambda rag: rag.retrieve("Who?"),
        lambda rag: rag.graph(),
        lambda rag: rag.table("entities"),
        lambda rag: rag.dataframe("entities"),
        lambda rag: rag.export_parquet("somewhere"),
        lambda rag: rag.export_graphml("somewhere"),
    ],
)
def test_no_index_yet(tmp_path: Path, ask: Callable[[GraphRAG], object]):
    with pytest.raises(IndexNotFoundError, match=r"there is no index in .*; make one with `graphrag index`"):
        ask(GraphRAG(tmp_path))


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda rag: rag.query(""), "the question is empty"),
        (lambda rag: rag.query(" \n", "local"), "the question is empty"),
        (lambda rag: rag.retrieve(""), "the question is empty"),
        (lambda rag: rag.query("Who?", "magic"), "unknown query method 'magic': use auto, local"),
        (lambda rag: rag.retrieve("Who?", method="drift"), "unknown retrieval method 'drift': use local or basic"),
        (lambda rag: rag.retrieve("Who?", 0), "k must be at least 1"),
        (lambda rag: rag.index("magic"), "unknown indexing method 'magic': use auto, standard or fast"),
        (lambda rag: rag.table("magic"), "unknown table 'magic': use documents, "),
        (lambda rag: rag.dataframe("magic"), "unknown table 'magic'"),
    ],
)
def test_what_cannot_be_asked(mills: GraphRAG, ask: Callable[[GraphRAG], object], message: str):
    with pytest.raises(QueryError, match=message):
        ask(mills)


@pytest.mark.parametrize("model", [WordEmbedder("words", 32), WordEmbedder("other", 64)], ids=["dimensions", "name"])
def test_an_index_of_another_embedding_model(tmp_path: Path, model: WordEmbedder):
    indexed(tmp_path, MILLS)
    rag = GraphRAG(tmp_path, embedder=model)

    with pytest.raises(IndexMismatchError, match=r"words \(64 dimensions\).*run `graphrag index`"):
        rag.query("Who?")


def test_a_language_model_that_is_not_configured(mills: GraphRAG):
    with pytest.raises(UnavailableError, match="--method fast"):
        mills.index("standard")
    with pytest.raises(UnavailableError, match="--method fast"):
        mills.estimate("standard")


def test_where_nothing_can_be_written(mills: GraphRAG, tmp_path: Path):
    (tmp_path / "file").write_text("")
    write_rows(tmp_path, MILLS)

    with pytest.raises(InterchangeError):
        mills.export_parquet(tmp_path / "file")
    with pytest.raises(InterchangeError):
        mills.export_graphml(tmp_path / "file" / "graph.graphml")
    with pytest.raises(StorageError):
        GraphRAG(tmp_path, Settings.model_validate({"storage": {"uri": "file"}}), embedder=WordEmbedder()).index()


def test_closing_lets_go_of_a_served_embedder_and_the_next_call_takes_it_up_again(tmp_path: Path):
    settings = Settings.model_validate({"embedding": {"provider": "openai", "model": "m", "base_url": "http://h/v1"}})

    with GraphRAG(tmp_path, settings) as rag:
        rag.close()
    with GraphRAG(tmp_path, embedder=WordEmbedder()) as rag:
        assert rag.settings.embedding.provider == "embedded"
