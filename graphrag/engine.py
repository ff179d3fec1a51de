"""The composition root: the only module that picks concrete backends, and the Python API."""

import asyncio
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Literal

from graphrag import settings as settings_module
from graphrag.answers import Answer, Event, Finished, QueryOptions, RetrievedUnit
from graphrag.backends import Backends
from graphrag.building import Builder, Manner
from graphrag.errors import IndexMismatchError, MissingDependencyError, QueryError
from graphrag.models.base import ChatModel, Embedder, Reranker
from graphrag.models.budget import Budget
from graphrag.models.cached import CachedEmbedder
from graphrag.models.service import ModelService
from graphrag.progress import Progress, silent
from graphrag.records import Estimate, IndexSummary
from graphrag.settings import Settings
from graphrag.storage.base import Build, Reader, Store, Version
from graphrag.storage.lance import LanceStore
from graphrag.storage.places import place
from graphrag.streams import alternate

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd
    import pyarrow as pa

    from graphrag.indexer.integrity import Checked
    from graphrag.indexer.profiling import Options
    from graphrag.indexer.prompt_tuning import Tuned
    from graphrag.models.checkup import Check
    from graphrag.query.chat import Chat
    from graphrag.query.conversing import Conversation
    from graphrag.query.engine import QueryEngine

IndexMethod = Literal["auto", "standard", "fast"]
QueryMethod = Literal["auto", "local", "global", "drift", "basic"]
RetrievalMethod = Literal["local", "basic"]


class GraphRAG:
    """An index in a folder, and the answers it gives.

    >>> rag = GraphRAG("ragtest")           # doctest: +SKIP
    >>> rag.index()                         # doctest: +SKIP
    >>> print(rag.query("Who is Scrooge?").text)  # doctest: +SKIP

    The folder holds `settings.yaml` (optional), the input, and the index. Nothing is read or
    loaded before it is needed. An object may be used by several threads; a query that has begun
    is not disturbed by a build that ends meanwhile. Every method raises `GraphRAGError`s only.
    """

    def __init__(
        self,
        root: str | Path = ".",
        settings: Settings | None = None,
        *,
        chat: ChatModel | None = None,
        embedder: Embedder | None = None,
        reranker: Reranker | None = None,
    ) -> None:
        """Open the folder `root`; whether there is an index yet shows at the first query.

        `settings` replace those of settings.yaml and the environment; `chat`, `embedder` and
        `reranker` replace the configured models. Raises SettingsError, or MissingDependencyError for the
        configured embedding model.
        """
        self.root = Path(root)
        self.settings = settings or settings_module.load(self.root)
        self._chat = chat
        self._given_embedder = embedder
        self._embedder: Embedder = CachedEmbedder(embedder) if embedder else self._backends.embedder()
        self._reranker = reranker
        self._store: Store = LanceStore(
            place(self.settings.storage.uri, self.root), timedelta(days=self.settings.storage.retention)
        )
        self._opened: tuple[Build, QueryEngine] | None = None
        self._service: ModelService | None = None
        """What questions are put to, once one was."""
        self._lasting = ExitStack()
        self._opening = Lock()

    @classmethod
    def create(cls, root: str | Path = ".", *, force: bool = False) -> "GraphRAG":
        """Make a folder ready: settings.yaml and `input/`. Raises SettingsError if it is already."""
        settings_module.create(Path(root), force)
        return cls(root)

    # --- Building -----------------------------------------------------------------------

    def index(
        self,
        method: IndexMethod = "auto",
        *,
        progress: Progress = silent,
        resolve: bool = True,
        max_tokens: int | None = None,
        max_cost: float | None = None,
        purge: bool = False,
    ) -> IndexSummary:
        """Make the index match the input folder, at the cost of what changed; nothing if it does already.

        `standard` asks the language model, for at most `max_tokens` or `max_cost`; `fast` needs
        none; `auto` is `standard` where one is configured. Without `resolve` different names
        stay different entities. With `purge` nothing is kept that the index does not need: no
        version before it, and no reply of a model that it was not made of.

        Raises InputError, IndexingError (BudgetExceededError among them), ModelError,
        StorageError, PromptError or UnavailableError; the index published before stays as it is
        then, and what was paid for is kept for the next run.
        """
        manner = Manner(progress, resolve, Budget(max_tokens, max_cost), purge)
        return self._builder.build(self._index_method(method), manner)

    async def aindex(
        self,
        method: IndexMethod = "auto",
        *,
        progress: Progress = silent,
        resolve: bool = True,
        max_tokens: int | None = None,
        max_cost: float | None = None,
        purge: bool = False,
    ) -> IndexSummary:
        """`index`, without blocking the event loop."""
        manner = Manner(progress, resolve, Budget(max_tokens, max_cost), purge)
        return await asyncio.to_thread(self._builder.build, self._index_method(method), manner)

    def add(
        self,
        *documents: "str | Path",
        metadata: Mapping[str, object] | None = None,
        title: str = "",
        progress: Progress = silent,
    ) -> IndexSummary:
        """Add documents that are not in the input folder: texts (`str`), or files (`Path`) wherever they are.

        They are kept in the index. All get the `metadata`, texts the `title`. What changed in the input
        folder is indexed with them, by the method of the index. Raises InputError, and as `index` does.
        """
        added = self._builder.documents(documents, metadata or {}, title)
        return self._builder.build(self._method_of_index(), Manner(progress), add=added)

    def remove(self, *documents: str, purge: bool = False, progress: Progress = silent) -> IndexSummary:
        """Take documents out of the index, and all that only they supported; what they contributed to is made
        anew from what is remembered.

        A document is named by its path in the input folder, its id or its title. Its file stays where it
        is, and is left out from now on as long as its text is the same. `purge` as in `index`. What changed
        in the input folder is indexed as well. Raises InputError for a document that is not there, and as
        `index` does.
        """
        manner = Manner(progress, purge=purge)
        return self._builder.build(self._method_of_index(), manner, remove=documents)

    def versions(self) -> list[Version]:
        """The builds that can be gone back to, oldest first; the published one is the last. May be empty."""
        return self._store.versions()

    def rollback(self, number: int) -> Version:
        """Publish a build of before again, at once. The next `index` makes the index match the input again.

        Raises StorageError where it is not kept any longer (`storage.retention`).
        """
        self._reader()
        with self._store.lock():
            return self._store.rollback(number)

    def clean(self) -> None:
        """Remove all versions but the published one; who reads one of them fails from then on."""
        self._reader()
        with self._store.lock():
            self._store.clean(everything=True)

    def check(self, repair: bool = False) -> "Checked":
        """Whether the index is whole: every reference, count and vector.

        With `repair`, what follows from the rest is recomputed and published, if any of it is wrong; faults
        that are left take a new build. Raises StorageError, or BuildInProgressError where a repair is due.
        """
        return self._builder.check(repair)

    def estimate(self, method: IndexMethod = "auto", *, progress: Progress = silent, resolve: bool = True) -> Estimate:
        """What `index` would ask of the language model and cost, by stage; asks it nothing.

        All zero for `fast`. Raises as `index` does.
        """
        if self._index_method(method) == "fast":
            return Estimate((), 0.0)
        return self._builder.estimate(progress, resolve)

    def import_parquet(self, folder: str | Path, *, progress: Progress = silent) -> IndexSummary:
        """Replace the index by one that Microsoft GraphRAG 3.x wrote as parquet files.

        Its vectors, if any, were made by a model that questions cannot be asked with here; all
        are made anew. Raises InterchangeError, StorageError or IndexingError.
        """
        return self._builder.adopt(Path(folder), progress)

    def tune_prompts(
        self,
        options: "Options | None" = None,
        folder: Path | None = None,
        *,
        force: bool = False,
        progress: Progress = silent,
    ) -> "tuple[Tuned, list[Path]]":
        """Write prompts adapted to the input into a folder (that of the settings); what they are, and their files.

        Raises PromptError where a prompt there was edited and `force` is false, and as `index` does.
        """
        from graphrag.indexer.profiling import Options

        target = folder or self.root / self.settings.prompts.dir
        return self._builder.tune_prompts(options or Options(), target, force, progress)

    def doctor(self) -> "list[Check]":
        """What is right and what is wrong with models, prompts, index, memo and disk, and what to change."""
        from graphrag.indexer.examining import Examination
        from graphrag.models.memo import Memo

        # It is to say what is wrong now: not to wait for it, and not from memory.
        llm = self.settings.llm.model_copy(update={"patience": 0.0})
        backends = Backends(self.root, self.settings.model_copy(update={"llm": llm}))
        chat = self._chat
        configured = chat is not None or llm.provider != "none"
        embedder = self._given_embedder or backends.embedder(Memo())
        examination = Examination(self.root, self.settings, embedder, self._store)
        return examination.run((lambda: chat or backends.chat_model()) if configured else None)

    def close(self) -> None:
        """Let go of the connections of served models; the next call takes them up again."""
        with self._opening:
            self._service = None
            self._lasting.close()
        for model in (self._embedder, self._reranker):
            close = getattr(model, "close", None)
            if close:
                close()

    def __enter__(self) -> "GraphRAG":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # --- Asking -------------------------------------------------------------------------

    def query(
        self,
        question: str,
        method: QueryMethod | None = None,
        options: QueryOptions | None = None,
        *,
        conversation: "Conversation | None" = None,
    ) -> Answer:
        """Answer a question from the index, every sentence with its citation.

        `method` None is the one in the settings (`auto`: chosen by the question, and
        `Answer.route` says why). In a conversation the question may refer to what was said before,
        and its answer becomes part of it. Without a language model the answer quotes.
        Raises QueryError, IndexNotFoundError, IndexMismatchError, and ModelError where the
        configured model cannot be asked at all.
        """
        for event in self.stream(question, method, options, conversation=conversation):
            if isinstance(event, Finished):
                return event.answer
        raise QueryError("the question was not answered")

    async def aquery(
        self,
        question: str,
        method: QueryMethod | None = None,
        options: QueryOptions | None = None,
        *,
        conversation: "Conversation | None" = None,
    ) -> Answer:
        """`query`, without blocking the event loop."""
        async for event in self.astream(question, method, options, conversation=conversation):
            if isinstance(event, Finished):
                return event.answer
        raise QueryError("the question was not answered")

    def stream(
        self,
        question: str,
        method: QueryMethod | None = None,
        options: QueryOptions | None = None,
        *,
        conversation: "Conversation | None" = None,
    ) -> Generator[Event]:
        """The way to an answer, event by event; the last is `Finished`. `query` is this, consumed.

        Closing the generator cancels what is asked. Raises as `query` does.
        """
        chosen = options or QueryOptions()
        engine = self._queries(chosen.filters)
        how = method or self.settings.query.method
        with self._session(chosen) as chat:
            yield from engine.ask(question, how, chat, chosen, conversation)

    def astream(
        self,
        question: str,
        method: QueryMethod | None = None,
        options: QueryOptions | None = None,
        *,
        conversation: "Conversation | None" = None,
    ) -> AsyncGenerator[Event]:
        """`stream`, without blocking the event loop."""
        return alternate(self.stream(question, method, options, conversation=conversation))

    def retrieve(
        self, question: str, k: int = 10, method: RetrievalMethod = "local", *, filters: Sequence[str] = ()
    ) -> list[RetrievedUnit]:
        """The k best text units for a question, best first, without an answer.

        `local` ranks by the graph, `basic` by hybrid search alone; a reranker has the last word on the
        best of them. Raises as `query` does, and ModelError where the reranker fails.
        """
        if method not in ("local", "basic"):
            raise QueryError(f"unknown retrieval method '{method}': use local or basic")
        if k < 1:
            raise QueryError(f"k must be at least 1, not {k}")
        return self._queries(filters).retrieve(question, k, method)

    async def aretrieve(
        self, question: str, k: int = 10, method: RetrievalMethod = "local", *, filters: Sequence[str] = ()
    ) -> list[RetrievedUnit]:
        """`retrieve`, without blocking the event loop."""
        return await asyncio.to_thread(self.retrieve, question, k, method, filters=filters)

    # --- Looking inside -----------------------------------------------------------------

    def table(self, name: str) -> "pa.Table":
        """A table of the index as Arrow, with its columns of `docs/reference/tables.md`."""
        from graphrag.storage.schema import TABLES

        if name not in TABLES:
            raise QueryError(f"unknown table '{name}': use {', '.join(TABLES)}")
        return self._reader().table(name)

    def dataframe(self, name: str) -> "pd.DataFrame":
        """A table of the index as pandas. Needs the extra `pandas`."""
        if find_spec("pandas") is None:
            raise MissingDependencyError("GraphRAG.dataframe", "pandas")
        return self.table(name).to_pandas()  # pyright: ignore[reportUnknownMemberType]

    def graph(self) -> "nx.Graph[str]":
        """The knowledge graph: a node an entity (by title), an edge a relationship."""
        from graphrag.storage.interchange import to_networkx

        return to_networkx(self._reader())

    def export_parquet(self, folder: str | Path) -> dict[str, int]:
        """Write the tables as Microsoft GraphRAG 3.x does; returns the rows of each."""
        from graphrag.storage.interchange import export_parquet

        return export_parquet(self._reader(), Path(folder))

    def export_graphml(self, path: str | Path) -> None:
        """Write the knowledge graph as GraphML."""
        from graphrag.storage.interchange import export_graphml

        export_graphml(self._reader(), Path(path))

    # --- Within -------------------------------------------------------------------------

    @property
    def _backends(self) -> Backends:
        return Backends(self.root, self.settings)

    @property
    def _builder(self) -> Builder:
        return Builder(self._backends, self._embedder, self._store, self._chat)

    def _method_of_index(self) -> Literal["standard", "fast"]:
        build = self._store.current()
        if build and build.method in ("standard", "fast"):
            return "standard" if build.method == "standard" else "fast"
        return self._index_method("auto")

    def _index_method(self, method: IndexMethod) -> Literal["standard", "fast"]:
        if method == "auto":
            return "standard" if self._has_model else "fast"
        if method not in ("standard", "fast"):
            raise QueryError(f"unknown indexing method '{method}': use auto, standard or fast")
        return method

    def _reader(self) -> Reader:
        """To look inside; which model made the vectors does not matter for that."""
        return self._store.open()

    def _queries(self, filters: Sequence[str] = ()) -> "QueryEngine":
        """What answers questions from the build that is published now, or from a part of it."""
        with self._opening:
            current = self._store.current()
            if self._opened is None or self._opened[0] != current:
                reader = self._store.open()
                self._check_model(reader.build)
                self._opened = reader.build, self._make_queries(reader)
            return self._opened[1].filtered(filters)

    def _make_queries(self, reader: Reader) -> "QueryEngine":
        from graphrag.query.engine import QueryEngine

        self._reranker = self._reranker or self._backends.reranker()
        return QueryEngine(reader, self._embedder, self.settings.query, self._reranker, self.settings.reranking.top)

    @contextmanager
    def _session(self, options: QueryOptions) -> "Generator[Chat | None]":
        """The way to the chat model for one question; None where there is no model."""
        from graphrag.prompts import Prompts
        from graphrag.query.chat import Chat

        if not self._has_model:
            yield None
            return
        with self._opening:
            if self._service is None:
                self._service = self._lasting.enter_context(self._backends.chat_service(self._chat))
        budget = Budget(max_tokens=options.max_tokens, max_calls=options.max_calls, seconds=options.timeout)
        with self._service.session(budget) as session:
            yield Chat(session, Prompts(self.root / self.settings.prompts.dir))

    @property
    def _has_model(self) -> bool:
        return self._chat is not None or self.settings.llm.provider != "none"

    def _check_model(self, build: Build) -> None:
        model = self._embedder
        if (build.embedding_model, build.dimensions) != (model.name, model.dimensions):
            raise IndexMismatchError(
                f"the index was made with the embedding model {build.embedding_model} ({build.dimensions} dimensions), "
                f"the settings say {model.name} ({model.dimensions}): run `graphrag index` to make it anew, "
                "or set the model back"
            )
