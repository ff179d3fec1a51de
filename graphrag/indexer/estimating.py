"""What a build would cost: counted from the requests it would plan, before any is made.

The requests of extraction are known exactly. What later stages ask depends on what extraction
finds: as long as the memo lacks some of its replies, they are estimated from the size of the text.
With all of these, they are counted, exactly only up to the first stage whose replies are missing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from graphrag.indexer import clustering, contextual, extraction, graph, reporting, resolution, summarizing
from graphrag.indexer.pipeline import Pipeline
from graphrag.indexer.previous import look_back
from graphrag.indexer.standard import Standard
from graphrag.messages import TokenUsage
from graphrag.models.budget import Prices
from graphrag.models.dry_run import DryRun
from graphrag.records import Estimate, StageEstimate, TextUnit
from graphrag.storage.schema import Searchable


@dataclass(frozen=True, slots=True)
class Ratios:
    """What a stage comes to, as measured on a novel with default settings; other texts differ by
    half or double."""

    calls: float
    """For each token of text."""
    prompt: float
    """Tokens for each token of text."""
    completion: float
    """Tokens for each token of the prompt."""


STAGES: Mapping[str, Ratios] = {
    extraction.STAGE: Ratios(1 / 850, 2.5, 0.43),
    resolution.STAGE: Ratios(1 / 20_000, 0.06, 0.02),
    summarizing.STAGE: Ratios(1 / 20_000, 0.08, 0.3),
    reporting.STAGE: Ratios(1 / 2_600, 0.85, 0.22),
}
CONTEXTS: Mapping[str, Ratios] = {contextual.STAGE: Ratios(1 / 2_000, 1.3, 0.12)}
"""One more stage where contexts are the model's; no other depends on it."""
OF_TEXT = frozenset({extraction.STAGE, contextual.STAGE})
"""Stages whose requests depend on the text alone."""


@dataclass(frozen=True, slots=True)
class Estimating:
    """What a build is estimated with."""

    pipeline: Pipeline
    method: Standard
    """Its service is `dry_run`."""
    dry_run: DryRun
    prices: Prices

    def estimate(self, folder: Path) -> Estimate:
        """What `Pipeline.run` would ask of the model for this input, by stage.

        Raises InputError, IndexingError or StorageError.
        """
        previous = look_back(self.pipeline.store, self.pipeline.embedder, self.method.name)
        loaded, text_units = self.pipeline.read(folder, previous, self.pipeline.kept(previous))
        drawn = self.method.draw(loaded.documents, text_units)
        whole = all(call.stage != extraction.STAGE for call in self.dry_run.planned)
        if whole:
            built = self.pipeline.graph(drawn, previous)
            settings = self.pipeline.settings.communities
            communities = clustering.detect(built, settings, before=previous.communities)
            self.method.report(communities, built, graph.link(text_units, built), _no_vectors())
        written = self.pipeline.settings.chunking.contextual == "llm"
        ratios = {**STAGES, **(CONTEXTS if written else {})}
        stages = tuple(self._stage(stage, each, text_units, whole) for stage, each in ratios.items())
        return Estimate(stages, sum(stage.cost for stage in stages))

    def _stage(self, stage: str, ratios: Ratios, text_units: Sequence[TextUnit], whole: bool) -> StageEstimate:
        planned = [call for call in self.dry_run.planned if call.stage == stage]
        earlier = () if stage in OF_TEXT else list(STAGES)[: list(STAGES).index(stage)]
        exact = not any(call.stage in earlier for call in self.dry_run.planned)
        calls, prompt = len(planned), sum(call.prompt for call in planned)
        if not (whole or stage in OF_TEXT):
            size = sum(unit.n_tokens for unit in text_units)
            calls, prompt = (round(size * ratio) for ratio in (ratios.calls, ratios.prompt))
        completion = round(prompt * ratios.completion)
        cost = self.prices.cost(TokenUsage(prompt, completion))
        remembered = Counter(self.dry_run.remembered)[stage]
        return StageEstimate(stage, calls, remembered, prompt, completion, exact, cost)


def _no_vectors() -> Searchable:
    import numpy as np

    return Searchable((), np.zeros((0, 1), dtype=np.float32))
