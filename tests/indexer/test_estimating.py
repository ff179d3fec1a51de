"""What a build would ask, counted without asking."""

import shutil
from pathlib import Path

import pytest
from extractor import PROMPTS, SMALL, Built, build, configured, model, town
from fakes import WordEmbedder
from samples import write_rows

from graphrag.asking import Asking
from graphrag.errors import BudgetExceededError, InputError
from graphrag.indexer import contextual, extraction, reporting, resolution
from graphrag.indexer.estimating import STAGES, Estimating
from graphrag.indexer.pipeline import Pipeline
from graphrag.indexer.standard import Standard
from graphrag.models.budget import Budget, Prices
from graphrag.models.dry_run import DryRun
from graphrag.models.memo import Memo, Origin
from graphrag.progress import silent
from graphrag.records import Estimate, StageEstimate
from graphrag.settings import Settings
from graphrag.storage.lance import LanceStore

TOWN = town(4)


def estimate(root: Path, settings: Settings = SMALL, prices: Prices | None = None, resolve: bool = True) -> Estimate:
    memo, chat, embedder = Memo(root / "cache" / "memo.sqlite"), model(), WordEmbedder()
    dry_run = DryRun(Origin.of(chat.name, chat.parameters), memo, settings.llm.max_tokens)
    method = Standard(settings, Asking(dry_run, PROMPTS, silent), embedder, resolve)
    pipeline = Pipeline(settings, embedder, LanceStore(root / "output"), silent)
    try:
        return Estimating(pipeline, method, dry_run, prices or Prices()).estimate(root / "input")
    finally:
        memo.close()


def stage(found: Estimate, name: str) -> StageEstimate:
    (one,) = [stage for stage in found.stages if stage.stage == name]
    return one


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Built]:
    """A town that is built. For reading only."""
    root = tmp_path_factory.mktemp("estimated")
    write_rows(root, TOWN)
    return root, build(root)


def test_before_the_first_run_extraction_is_counted_and_the_rest_is_estimated(tmp_path: Path, done: tuple[Path, Built]):
    write_rows(tmp_path, TOWN)

    found = estimate(tmp_path)

    assert [stage.stage for stage in found.stages] == list(STAGES)
    first = stage(found, extraction.STAGE)
    used = done[1].usage[extraction.STAGE]
    assert (first.exact, first.calls, first.remembered) == (True, used.calls, 0)
    assert first.prompt_tokens == pytest.approx(used.tokens.prompt, rel=0.2)
    assert first.completion_tokens > 0
    assert not any(stage.exact for stage in found.stages if stage.stage != extraction.STAGE)
    assert not (tmp_path / "output").exists()


def test_a_larger_collection_is_estimated_to_take_more(tmp_path: Path):
    write_rows(tmp_path / "large", town(40))
    write_rows(tmp_path / "small", TOWN)

    large, small = estimate(tmp_path / "large"), estimate(tmp_path / "small")

    for name in (extraction.STAGE, reporting.STAGE):
        assert 5 < stage(large, name).prompt_tokens / stage(small, name).prompt_tokens < 20


def test_after_a_run_nothing_would_be_asked_and_everything_is_counted(done: tuple[Path, Built]):
    found = estimate(done[0])

    assert [(stage.calls, stage.prompt_tokens, stage.completion_tokens, stage.cost) for stage in found.stages] == [
        (0, 0, 0, 0.0)
    ] * 4
    assert all(stage.exact for stage in found.stages)
    # Text units, pairs, descriptions and communities are remembered each by itself.
    assert stage(found, extraction.STAGE).remembered == done[1].summary.text_units
    assert all(stage(found, name).remembered >= len(done[1].asked(name)) for name in STAGES)
    assert found.cost == 0


def test_what_is_remembered_is_not_counted_again(done: tuple[Path, Built], tmp_path: Path):
    root = shutil.copytree(done[0], tmp_path / "more")
    write_rows(root, [*TOWN, ("", "Quentin Oak met Ruth Oak in Oakton. " * 8)])

    found = stage(estimate(root), extraction.STAGE)
    built = build(root)

    assert found.calls == len(built.asked(extraction.STAGE)) > 0
    assert found.remembered == done[1].summary.text_units


def test_other_settings_of_reports_cost_reports_alone(done: tuple[Path, Built]):
    found = estimate(done[0], configured(reports={"max_findings": 2}))

    assert [stage.calls for stage in found.stages if stage.stage != reporting.STAGE] == [0, 0, 0]
    assert stage(found, reporting.STAGE).calls > 0
    assert stage(found, reporting.STAGE).exact


def test_a_run_that_was_stopped_after_extraction_is_counted_to_its_end(tmp_path: Path, done: tuple[Path, Built]):
    write_rows(tmp_path, TOWN)
    spent = done[1].usage[extraction.STAGE].tokens
    with pytest.raises(BudgetExceededError):
        build(tmp_path, budget=Budget(max_tokens=spent.prompt + spent.completion + 300))

    found = estimate(tmp_path)

    assert (stage(found, extraction.STAGE).calls, stage(found, extraction.STAGE).exact) == (0, True)
    assert stage(found, resolution.STAGE).calls == len(done[1].asked(resolution.STAGE))
    assert stage(found, resolution.STAGE).prompt_tokens > 0
    assert [one.stage for one in found.stages if one.exact] == [extraction.STAGE, resolution.STAGE]
    assert stage(found, reporting.STAGE).calls == pytest.approx(len(done[1].asked(reporting.STAGE)), rel=0.5)


def test_without_resolution_it_costs_nothing(done: tuple[Path, Built]):
    assert stage(estimate(done[0], resolve=False), resolution.STAGE).remembered == 0


def test_the_cost_is_by_the_prices(tmp_path: Path):
    write_rows(tmp_path, TOWN)

    found = estimate(tmp_path, prices=Prices(2.0, 10.0))

    for one in found.stages:
        assert one.cost == pytest.approx((one.prompt_tokens * 2 + one.completion_tokens * 10) / 1e6)
    assert found.cost == pytest.approx(sum(one.cost for one in found.stages))
    assert found.cost > 0


def test_input_that_is_no_input(tmp_path: Path):
    with pytest.raises(InputError):
        estimate(tmp_path)


def test_contexts_of_a_model_are_counted_and_leave_the_rest_as_it_was(tmp_path: Path):
    settings = configured(chunking={"contextual": "llm"})
    write_rows(tmp_path, TOWN)

    before, plain = estimate(tmp_path, settings), estimate(tmp_path)
    built = build(tmp_path, settings=settings)
    after = estimate(tmp_path, settings)

    contexts = stage(before, contextual.STAGE)
    assert before.stages == (*plain.stages, contexts)
    assert (contexts.exact, contexts.calls) == (True, len(built.asked(contextual.STAGE)))
    assert contexts.prompt_tokens == pytest.approx(built.usage[contextual.STAGE].tokens.prompt, rel=0.3)
    assert [each.calls for each in after.stages] == [0] * 5
