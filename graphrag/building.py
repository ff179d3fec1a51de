"""How the engine builds indexes: the pipeline, the method and the models, put together for each piece of work."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from graphrag.backends import Backends
from graphrag.errors import InputError
from graphrag.models.base import ChatModel, Embedder, KeepingService
from graphrag.models.budget import Budget
from graphrag.models.service import ModelService
from graphrag.progress import Progress
from graphrag.records import Document, Estimate, IndexSummary, StageUsage
from graphrag.storage.base import Store

if TYPE_CHECKING:
    from graphrag.indexer.integrity import Checked
    from graphrag.indexer.pipeline import Pipeline
    from graphrag.indexer.profiling import Options
    from graphrag.indexer.prompt_tuning import Tuned
    from graphrag.indexer.standard import Standard

NO_LIMIT = Budget()
LONGEST_PATH = 1000


@dataclass(frozen=True, slots=True)
class Manner:
    """How an index is built; see `GraphRAG.index`."""

    progress: Progress
    resolve: bool = True
    budget: Budget = NO_LIMIT
    purge: bool = False


@dataclass(frozen=True, slots=True)
class Builder:
    """Builds the index of one root folder. Methods raise what `GraphRAG`'s of their names do."""

    backends: Backends
    embedder: Embedder
    store: Store
    chat: ChatModel | None

    def build(
        self,
        method: Literal["standard", "fast"],
        manner: Manner,
        *,
        add: Sequence[Document] = (),
        remove: Sequence[str] = (),
    ) -> IndexSummary:
        """Make the index match the input folder and these edits."""
        from graphrag.indexer.editing import Edits

        if remove:
            self.store.open()
        pipeline = self._pipeline(self.embedder, manner.progress)
        edits = Edits(tuple(add), tuple(remove))
        if method == "fast":
            from graphrag.indexer.fast import Fast

            fast = Fast(self.backends.settings, manner.progress)
            summary = pipeline.run(self._input, fast, edits, purge=manner.purge)
            if manner.purge:
                with closing(self.backends.memo()) as memo:
                    memo.forget_unused()
            return summary
        with self.backends.chat_service(self.chat, manner.budget) as service:
            standard = self._standard(service, manner.progress, manner.resolve, self.embedder)
            summary = pipeline.run(self._input, standard, edits, purge=manner.purge)
            if manner.purge:
                service.forget_unused()
            return replace(summary, usage=_used(service))

    def documents(self, given: Sequence[str | Path], metadata: Mapping[str, object], title: str) -> list[Document]:
        """Texts and files as documents."""
        from graphrag.indexer import loading

        found: list[Document] = []
        for each in given:
            if isinstance(each, str):
                if not any(map(str.isspace, each)) and len(each) < LONGEST_PATH and Path(each).is_file():
                    raise InputError(
                        f"'{each}' is a text of one word and the name of a file: pass a Path to add the file"
                    )
                found.append(loading.from_text(each, title, metadata))
            else:
                read = loading.read_file(each, self.backends.settings.input)
                found += [loading.with_metadata(document, metadata) for document in read]
        return found

    def check(self, repair: bool) -> "Checked":
        """Whether the index is whole, after a repair if that is wanted."""
        from graphrag.indexer import integrity

        checked = integrity.check(self.store.open())
        if not (repair and any(fault.repairable for fault in checked.faults)):
            return checked
        with self.store.lock():
            reader = self.store.open()
            found = integrity.check(reader).faults
            # Another time, so that whoever has the build open sees that it is another one.
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            self.store.publish(integrity.mended(reader), replace(reader.build, created=now))
        repaired = tuple(fault for fault in found if fault.repairable)
        return replace(integrity.check(self.store.open()), repaired=repaired)

    def estimate(self, progress: Progress, resolve: bool) -> Estimate:
        """What a build by `standard` would ask of the model."""
        from graphrag.indexer.estimating import Estimating
        from graphrag.models.budget import Prices
        from graphrag.models.dry_run import DryRun
        from graphrag.models.memo import Origin

        llm, model, memo = self.backends.settings.llm, self.chat or self.backends.chat_model(), self.backends.memo()
        dry_run = DryRun(Origin.of(model.name, model.parameters), memo, llm.max_tokens)
        embedder = self.backends.silent_embedder(self.embedder)
        standard = self._standard(dry_run, progress, resolve, embedder)
        prices = Prices(llm.prompt_price, llm.completion_price)
        try:
            return Estimating(self._pipeline(embedder, progress), standard, dry_run, prices).estimate(self._input)
        finally:
            memo.close()

    def adopt(self, folder: Path, progress: Progress) -> IndexSummary:
        """Replace the index by one in parquet files."""
        from graphrag.indexer.importing import adopt
        from graphrag.storage.interchange import read_parquet

        return adopt(read_parquet(folder), self._pipeline(self.embedder, progress))

    def tune_prompts(
        self, options: "Options", target: Path, force: bool, progress: Progress
    ) -> "tuple[Tuned, list[Path]]":
        """Write prompts adapted to the input."""
        from graphrag.asking import Asking
        from graphrag.indexer import prompt_tuning
        from graphrag.prompts import Prompts

        prompt_tuning.check_target(target, force)
        loaded, text_units = self._pipeline(self.embedder, progress).read(self._input)
        with self.backends.chat_service(self.chat) as service:
            asking = Asking(service, Prompts(), progress)
            tuned = prompt_tuning.tune(text_units, loaded.documents, asking, options)
        return tuned, prompt_tuning.write(tuned, target, force)

    @property
    def _input(self) -> Path:
        return self.backends.root / self.backends.settings.input.dir

    def _pipeline(self, embedder: Embedder, progress: Progress) -> "Pipeline":
        from graphrag.indexer.pipeline import Pipeline

        return Pipeline(self.backends.settings, embedder, self.store, progress)

    def _standard(self, service: KeepingService, progress: Progress, resolve: bool, embedder: Embedder) -> "Standard":
        from graphrag.asking import Asking
        from graphrag.indexer.standard import Standard
        from graphrag.prompts import Prompts

        settings = self.backends.settings
        prompts = Prompts(self.backends.root / settings.prompts.dir)
        names = self.backends.remembering(embedder)
        return Standard(settings, Asking(service, prompts, progress), names, resolve)


def _used(service: ModelService) -> tuple[StageUsage, ...]:
    return tuple(
        StageUsage(
            stage=stage,
            calls=used.calls,
            remembered=used.hits,
            failed=used.failed,
            prompt_tokens=used.tokens.prompt,
            completion_tokens=used.tokens.completion,
            cached_tokens=used.tokens.cached,
            seconds=round(used.seconds, 2),
        )
        for stage, used in service.usage.items()
    )
