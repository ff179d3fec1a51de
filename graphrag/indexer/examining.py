"""Examine a set-up: models, prompts, index, memo and disk. What is found is judged by `checkup`."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from graphrag import tokens
from graphrag.errors import BuildInProgressError, GraphRAGError, ModelError, StorageError
from graphrag.indexer.extraction import NO_CLAIMS, OPEN_TYPES
from graphrag.indexer.extraction_replies import SCHEMA
from graphrag.messages import Message, Request
from graphrag.models import checkup
from graphrag.models.background import Background
from graphrag.models.base import ChatModel, Embedder
from graphrag.models.budget import prompt_tokens
from graphrag.models.checkup import Check, Need, Vectors
from graphrag.models.measuring import STAGE, measure
from graphrag.models.memo import Memo
from graphrag.prompts import Prompts
from graphrag.settings import Settings
from graphrag.storage.base import Store
from graphrag.storage.places import is_remote, place

PASSAGES = (
    "[1] Anna Berg directs the observatory of Ostrava. In 1998 she discovered the comet Halvorsen with Pavel Novak.",
    "[1] Tidewater Lines sold the ferry Calanthe to Jonas Brandt in Port Selwyn. He moored it at the north quay.",
)
TRIAL_TOKENS = 1024
"""The longest reply to one of them."""
PARAPHRASES = ("The mill was sold to a baker in spring.", "In spring a baker bought the mill.")
UNRELATED = "Comets are made of ice and dust."
LEAST_FREE = 1 << 30
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What is examined. Nothing it finds is raised."""

    root: Path
    settings: Settings
    embedder: Embedder
    """One that remembers nothing: what it says now is wanted."""
    store: Store

    def run(self, chat: Callable[[], ChatModel] | None) -> list[Check]:
        """All checks; `chat` gives the model, and None stands for none configured."""
        return [*self._chat(chat), *self._embedding(), *self._disk()]

    def _chat(self, chat: Callable[[], ChatModel] | None) -> Iterator[Check]:
        if chat is None:
            yield checkup.NO_MODEL
            return
        try:
            prompts = Prompts(self.root / self.settings.prompts.dir)
            model = chat()
        except GraphRAGError as error:
            yield Check("language model", "failed", str(error), "see docs: serve on a GPU")
            return
        background = Background()
        try:
            measured = background.run(measure(model, trials(prompts)))
            background.run(model.close())
        finally:
            background.close()
        yield from checkup.of_chat(measured, needs(prompts, self.settings), self.settings.llm)

    def _embedding(self) -> Iterator[Check]:
        try:
            vectors = embedded(self.embedder)
            configured = self.embedder.name, self.embedder.dimensions
        except ModelError as error:
            yield checkup.of_embedding(error)
            return
        yield checkup.of_embedding(vectors)
        try:
            build = self.store.current()
        except StorageError as error:
            yield Check("index", "failed", str(error), "run graphrag index to make it anew")
            return
        yield checkup.of_index(build and (build.embedding_model, build.dimensions), configured)

    def _disk(self) -> Iterator[Check]:
        storage = self.settings.storage
        if storage.shared_memo:
            yield reachable("memo", storage.shared_memo)
        else:
            yield memory(self.root / storage.memo)
        yield reachable("storage", storage.uri) if is_remote(storage.uri) else disk(self.root / storage.uri)


def trials(prompts: Prompts) -> list[Request]:
    """Two extraction calls on passages of two sentences, of which the second could use a prefix cache."""
    return [
        Request(
            STAGE, prompts.render("extract", types=OPEN_TYPES, claims=NO_CLAIMS, passages=text), SCHEMA, TRIAL_TOKENS
        )
        for text in PASSAGES
    ]


def needs(prompts: Prompts, settings: Settings) -> Sequence[Need]:
    """How long the prompts of the two stages that read most may get, without a further turn."""
    extract = prompt_tokens(trials(prompts)[0])
    report = sum(tokens.count(message.content) for message in _report(prompts))
    return (
        Need("an extraction call", extract + settings.extraction.window, "extraction.window"),
        Need("a report call", report + settings.reports.input_tokens, "reports.input_tokens"),
    )


def _report(prompts: Prompts) -> tuple[Message, ...]:
    return prompts.render("report", max_findings="5", communities="")


def embedded(embedder: Embedder) -> Vectors:
    """What the model makes of some sentences. Raises ModelError."""
    import numpy as np

    first, second, other = embedder.embed([*PARAPHRASES, UNRELATED]).astype(np.float64)
    return Vectors(
        embedder.name,
        (embedder.dimensions, len(first)),
        tuple(float(np.linalg.norm(vector)) for vector in (first, second, other)),
        float(first @ second),
        float(max(first @ other, second @ other)),
    )


def memory(path: Path) -> Check:
    """Whether the memo can be read."""
    if not path.exists():
        return Check("memo", "ok", f"{path} is not there yet")
    memo = Memo(path)
    try:
        found = memo.stats()
    except StorageError as error:
        return Check("memo", "failed", str(error), "mend or delete the file; replies would be paid for again")
    finally:
        memo.close()
    return Check("memo", "ok", f"{sum(found.replies.values()):,} replies, {sum(found.vectors.values()):,} vectors")


def reachable(name: str, uri: str) -> Check:
    """Whether object storage can be written, read and locked."""
    try:
        with place(uri, Path()).lock("doctor.lock", "doctor") as hold:
            hold.write(b"graphrag")
    except BuildInProgressError:
        pass
    except GraphRAGError as error:
        return Check(name, "failed", str(error), "see docs: keep an index in object storage")
    return Check(name, "ok", f"{uri} can be written and locked")


def disk(folder: Path) -> Check:
    """Whether a folder, or the nearest one above it that is there, can be written and has room."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"graphrag")
        free = shutil.disk_usage(there).free
    except OSError as error:
        return Check(
            "disk", "failed", f"cannot write to {there}: {error.strerror}", "give it rights, or set storage.uri"
        )
    found = f"{free / (1 << 30):,.1f} GiB free at {there}"
    if free < LEAST_FREE:
        return Check("disk", "warning", found, "make room, or set storage.uri to another disk")
    return Check("disk", "ok", found)
