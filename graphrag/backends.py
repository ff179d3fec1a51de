"""Which models the settings mean: with `engine`, the only place that names concrete backends.

Each is imported when it is chosen, so that nothing is loaded that a run does not need.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from graphrag.errors import SettingsError, UnavailableError
from graphrag.models.base import ChatModel, Embedder, Reranker
from graphrag.models.budget import Budget
from graphrag.models.cached import CachedEmbedder
from graphrag.models.dry_run import RememberedVectors
from graphrag.models.embedded import EmbeddedEmbedder
from graphrag.models.memo import Memo
from graphrag.models.remembering import RememberingEmbedder
from graphrag.models.remote_embedder import EmbeddingClient, RemoteEmbedder
from graphrag.models.service import ModelService
from graphrag.settings import LLMSettings, Settings


@dataclass(frozen=True, slots=True)
class Backends:
    """Makes the models of one root folder."""

    root: Path
    settings: Settings

    def memo(self) -> Memo:
        """What models said before. Raises SettingsError or MissingDependencyError if it cannot be had."""
        storage = self.settings.storage
        if not storage.shared_memo:
            return Memo(self.root / storage.memo)
        from graphrag.models.shared_memo import SharedMemo
        from graphrag.storage.places import place

        file = f"memo-{sha256(storage.shared_memo.encode()).hexdigest()[:16]}.sqlite"
        return SharedMemo(self.root / "cache" / file, place(storage.shared_memo, self.root))

    def chat_model(self, remembered: bool = False) -> ChatModel:
        """The configured chat model; if `remembered`, what its server was found to do some days ago is
        believed, else found out anew.

        Raises UnavailableError if there is none, SettingsError or MissingDependencyError if it cannot be had.
        """
        llm = self.settings.llm
        match llm.provider:
            case "openai":
                from graphrag.models.openai import OpenAIChat
                from graphrag.models.structured import LevelMemory

                return OpenAIChat(llm, levels=LevelMemory(self.memo, remembered))
            case "llamacpp":
                from graphrag.models.llamacpp import LlamaCppChat

                return LlamaCppChat(self._with_file(llm))
            case "transformers":
                from graphrag.models.transformers import TransformersChat

                return TransformersChat(self._with_file(llm))
            case "fake":
                from graphrag.models.fake import FakeChat

                return FakeChat.load(self._file("a file of replies"))
            case "replay":
                from graphrag.models.replay import ReplayChat

                return ReplayChat(self._file("a recording"))
            case "none":
                raise UnavailableError(
                    "no language model is configured: set llm.provider, llm.model and llm.base_url in settings.yaml, "
                    "or use --method fast, which needs none"
                )

    @contextmanager
    def chat_service(self, model: ChatModel | None = None, budget: Budget | None = None) -> Generator[ModelService]:
        """The way to the chat model, for as long as a piece of work takes. Raises SettingsError for a
        budget in money without prices."""
        llm = self.settings.llm
        if budget and budget.max_cost is not None and not (llm.prompt_price or llm.completion_price):
            raise SettingsError("--max-cost needs prices: set llm.prompt_price and llm.completion_price")
        service = ModelService(
            model or self.chat_model(remembered=True), self.memo(), self.settings.llm, budget or Budget()
        )
        try:
            yield service
        finally:
            service.close()

    def embedder(self, memo: Memo | None = None) -> Embedder:
        """The configured embedding model; it connects to or loads nothing yet, and embeds no text
        twice if it can help it. Raises MissingDependencyError."""
        match self.settings.embedding.provider:
            case "embedded":
                return CachedEmbedder(EmbeddedEmbedder())
            case "multilingual":
                from graphrag.models.multilingual import MultilingualEmbedder

                return CachedEmbedder(MultilingualEmbedder())
            case "openai" | "transformers":
                pass
        client = self._embedding_client()
        return RemoteEmbedder(client, memo or self.memo(), self.settings.embedding, self.settings.llm)

    def remembering(self, embedder: Embedder) -> Embedder:
        """The embedder, with a memory for what no index keeps the vectors of: names that are compared."""
        # The vectors of a server are remembered as it is.
        own = isinstance(embedder, CachedEmbedder)
        return RememberingEmbedder(embedder, self.memo) if own else embedder

    def silent_embedder(self, configured: Embedder) -> Embedder:
        """One that asks no server, for a dry run: the configured one where it asks none itself."""
        if not isinstance(configured, RemoteEmbedder):
            return configured
        return RememberedVectors(configured, EmbeddedEmbedder())

    def reranker(self) -> Reranker | None:
        """The configured reranker, if there is one; it connects to or loads nothing yet.

        Raises SettingsError or MissingDependencyError.
        """
        ours = self.settings.reranking
        match ours.provider:
            case "none":
                return None
            case "server":
                from graphrag.models.reranker_server import RerankerServer

                return RerankerServer(self.settings)
            case "transformers":
                from graphrag.models.cross_encoder import CrossEncoder

                path = self.root / ours.model
                found = ours.model_copy(update={"model": str(path)}) if ours.model and path.exists() else ours
                return CrossEncoder(found)

    def _embedding_client(self) -> EmbeddingClient:
        if self.settings.embedding.provider == "openai":
            from graphrag.models.openai import OpenAIEmbeddings

            return OpenAIEmbeddings(self.settings)
        from graphrag.models.transformers import TransformersEmbeddings

        return TransformersEmbeddings(self.settings.embedding)

    def _with_file(self, llm: LLMSettings) -> LLMSettings:
        """A model named by a path relative to the root folder, if there is such a file; else a hub's."""
        path = self.root / llm.model
        return llm.model_copy(update={"model": str(path)}) if llm.model and path.exists() else llm

    def _file(self, what: str) -> Path:
        llm = self.settings.llm
        if not llm.model:
            raise SettingsError(f"llm.provider {llm.provider} needs llm.model: the path of {what}")
        return self.root / llm.model
