import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fakes import WordEmbedder
from samples import MILLS, write_rows

from graphrag.errors import BuildInProgressError, IndexingError, InputError
from graphrag.indexer.fast import Fast
from graphrag.indexer.pipeline import Pipeline
from graphrag.models.base import Embedder
from graphrag.progress import Progress, silent
from graphrag.records import IndexSummary
from graphrag.settings import CommunitySettings, ReportSettings, Settings
from graphrag.storage.base import Build
from graphrag.storage.lance import LanceStore
from graphrag.storage.schema import TABLES


class Watched(LanceStore):
    """Counts what is published."""

    published = 0

    def publish(self, tables: Mapping[str, Any], build: Build, *, whole: bool = False) -> None:
        super().publish(tables, build, whole=whole)
        self.published += 1


@pytest.fixture
def store(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "output")


@dataclass(frozen=True)
class Fastly:
    """A pipeline that runs the method `fast`."""

    pipeline: Pipeline

    def run(self, folder: Path) -> IndexSummary:
        return self.pipeline.run(folder, Fast(self.pipeline.settings, self.pipeline.progress))


def pipeline(
    store: LanceStore,
    settings: Settings | None = None,
    embedder: Embedder | None = None,
    progress: Progress = silent,
) -> Fastly:
    return Fastly(Pipeline(settings or Settings(), embedder or WordEmbedder(), store, progress))


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder with its size and the time of its last change."""
    stats = {str(path): path.stat() for path in folder.rglob("*") if path.is_file()}
    return {path: (stat.st_size, stat.st_mtime_ns) for path, stat in stats.items()}


def ids(store: LanceStore) -> dict[str, list[str]]:
    reader = store.open()
    return {name: sorted(reader.table(name, ["id"])["id"].to_pylist()) for name in TABLES}


# --- Doing nothing -----------------------------------------------------------------------


def test_a_second_run_does_nothing_and_touches_nothing(tmp_path: Path, store: Watched):
    folder = write_rows(tmp_path, MILLS)
    first = pipeline(store).run(folder)
    before = snapshot(tmp_path)

    with store.lock():  # It does not even want the right to publish.
        second = pipeline(store).run(folder)

    assert (first.changed, second.changed, store.published) == (True, False, 1)
    assert snapshot(tmp_path) == before
    counted = ("method", "documents", "text_units", "entities", "relationships", "communities", "reports")
    assert [getattr(second, field) for field in counted] == [getattr(first, field) for field in counted]


@pytest.mark.parametrize(
    ("settings", "changed"),
    [
        (Settings(reports=ReportSettings(max_findings=1)), True),
        (Settings(communities=CommunitySettings(max_size=2)), True),
        (Settings.model_validate({"chunking": {"size": 16}}), True),
        (Settings.model_validate({"extraction": {"min_phrase_count": 1}}), True),
        (Settings.model_validate({"query": {"sentences": 1, "method": "drift"}}), False),
    ],
    ids=["reports", "communities", "chunking", "extraction", "query"],
)
def test_settings_that_matter_to_the_index_rebuild_it(
    tmp_path: Path, store: Watched, settings: Settings, changed: bool
):
    folder = write_rows(tmp_path, MILLS)
    pipeline(store).run(folder)

    assert pipeline(store, settings).run(folder).changed is changed


def test_another_embedding_model_rebuilds(tmp_path: Path, store: Watched):
    folder = write_rows(tmp_path, MILLS)
    pipeline(store).run(folder)

    assert pipeline(store, embedder=WordEmbedder("other", 32)).run(folder).changed
    assert (store.open().build.embedding_model, store.open().build.dimensions) == ("other", 32)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "new.txt").write_text("A new document."),
        lambda folder: (folder / "rows.jsonl").write_text('{"text": "Another text about Ilse Tarnow."}'),
        lambda folder: (folder / "rows.jsonl").rename(folder / "renamed.jsonl"),
    ],
    ids=["added", "edited", "renamed"],
)
def test_a_change_of_the_input_rebuilds(tmp_path: Path, store: Watched, change: Any):
    folder = write_rows(tmp_path, MILLS)
    pipeline(store).run(folder)
    change(folder)

    assert pipeline(store).run(folder).changed
    assert not pipeline(store).run(folder).changed


def test_an_untouched_copy_of_the_input_is_no_change(tmp_path: Path, store: Watched):
    folder = write_rows(tmp_path, MILLS)
    pipeline(store).run(folder)
    os.utime(folder / "rows.jsonl", (0, 0))

    assert not pipeline(store).run(folder).changed


# --- Failing -----------------------------------------------------------------------------


def test_what_a_build_left_out_is_said_again_until_it_is_mended(tmp_path: Path, store: Watched):
    folder = write_rows(tmp_path, MILLS)
    (folder / "broken.txt").write_bytes(b"\0\1\2")

    first, second = pipeline(store).run(folder), pipeline(store).run(folder)

    assert (first.changed, second.changed, store.published) == (True, False, 1)
    assert [failure.item for failure in first.failures] == ["broken.txt"]
    assert second.failures == first.failures
    assert store.open().build.summary["failures"] == [
        {"stage": "loading", "item": "broken.txt", "reason": first.failures[0].reason, "passing": False}
    ]
    (folder / "broken.txt").unlink()
    assert pipeline(store).run(folder).failures == ()
    assert not pipeline(store).run(folder).changed


@pytest.mark.parametrize("spoil", [lambda folder: folder.unlink(), lambda folder: folder.write_bytes(b"\0")])
def test_a_failed_build_leaves_the_index_before(tmp_path: Path, store: Watched, spoil: Any):
    folder = write_rows(tmp_path, MILLS)
    pipeline(store).run(folder)
    before = ids(store)
    spoil(folder / "rows.jsonl")

    with pytest.raises(InputError):
        pipeline(store).run(folder)

    assert ids(store) == before


def test_a_failing_model_leaves_the_index_before_and_the_lock_free(tmp_path: Path, store: Watched):
    class Failing(WordEmbedder):
        def embed(self, texts: Any) -> Any:
            raise IndexingError("the server is down")

    folder = write_rows(tmp_path, MILLS)
    pipeline(store).run(folder)
    before = ids(store)

    with pytest.raises(IndexingError, match="the server is down"):
        pipeline(store, embedder=Failing("failing")).run(folder)

    assert ids(store) == before
    assert pipeline(store, embedder=WordEmbedder("other")).run(folder).changed


def test_a_build_while_another_has_the_lock_is_refused(tmp_path: Path, store: Watched):
    folder = write_rows(tmp_path, MILLS)

    with store.lock(), pytest.raises(BuildInProgressError):
        pipeline(LanceStore(store.place.path)).run(folder)

    assert store.current() is None


# --- What is built -----------------------------------------------------------------------


def test_the_order_and_names_of_the_files_decide_no_id(tmp_path: Path):
    def build(name: str, order: list[int]) -> dict[str, list[str]]:
        folder = tmp_path / name / "input"
        folder.mkdir(parents=True)
        for place, number in enumerate(order):
            title, text = MILLS[number]
            (folder / f"{place}.md").write_text(f"# {title}\n\n{text}" if title else text, "utf-8")
        store = LanceStore(tmp_path / name / "output")
        pipeline(store, Settings(communities=CommunitySettings(max_size=3))).run(folder)
        return ids(store)

    forwards = build("forwards", list(range(len(MILLS))))

    assert all(forwards[name] for name in TABLES if name != "covariates")
    assert build("backwards", list(reversed(range(len(MILLS))))) == forwards
    assert build("mixed", [3, 0, 6, 1, 5, 2, 4]) == forwards


def test_tables_lead_to_each_other(tmp_path: Path, store: Watched):
    pipeline(store).run(write_rows(tmp_path, MILLS))

    reader = store.open()
    found = {name: {row["id"]: row for row in reader.table(name).to_pylist()} for name in TABLES}

    for table, column, target in (
        ("documents", "text_unit_ids", "text_units"),
        ("text_units", "entity_ids", "entities"),
        ("text_units", "relationship_ids", "relationships"),
        ("entities", "text_unit_ids", "text_units"),
        ("relationships", "text_unit_ids", "text_units"),
        ("facts", "entity_ids", "entities"),
        ("facts", "text_unit_ids", "text_units"),
        ("communities", "entity_ids", "entities"),
        ("communities", "relationship_ids", "relationships"),
        ("communities", "text_unit_ids", "text_units"),
    ):
        assert {id_ for row in found[table].values() for id_ in row[column]} <= set(found[target]), (table, column)
    texts = {row["id"]: row["text"] for row in found["documents"].values()}
    for unit in found["text_units"].values():
        assert texts[unit["document_id"]][unit["start"] : unit["end"]] == unit["text"]
    titles = {row["title"] for row in found["entities"].values()}
    assert {row[end] for row in found["relationships"].values() for end in ("source", "target")} <= titles


def test_the_summary_counts_the_tables(tmp_path: Path, store: Watched):
    summary = pipeline(store).run(write_rows(tmp_path, MILLS))

    rows = {name: store.open().table(name, ["id"]).num_rows for name in TABLES}
    assert summary.method == "fast"
    assert summary.failures == ()
    assert (summary.documents, summary.text_units) == (rows["documents"], rows["text_units"])
    assert (summary.entities, summary.relationships) == (rows["entities"], rows["relationships"])
    assert (sum(summary.communities.values()), summary.reports) == (rows["communities"], rows["community_reports"])


def test_a_collection_without_any_entity(tmp_path: Path, store: Watched):
    summary = pipeline(store).run(write_rows(tmp_path, [("", "it rained and it was cold.")]))

    assert summary.text_units == 1
    assert (summary.entities, summary.relationships, summary.communities, summary.reports) == (0, 0, {}, 0)


def test_a_document_without_any_entity_among_others(tmp_path: Path, store: Watched):
    summary: IndexSummary = pipeline(store).run(write_rows(tmp_path, [*MILLS, ("", "it rained and it was cold.")]))

    assert summary.documents == len(MILLS) + 1
    rows = store.open().table("text_units").to_pylist()
    assert [row["entity_ids"] for row in rows if row["text"].startswith("it rained")] == [[]]


def test_every_stage_says_that_it_began(tmp_path: Path, store: Watched):
    stages: list[str] = []
    watched = pipeline(store, progress=lambda stage, done, total: stages.append(stage))

    watched.run(write_rows(tmp_path, MILLS))

    begun = list(dict.fromkeys(stages))
    assert begun[0] == "Reading documents"
    assert begun[-1] == "Publishing"
    assert len(begun) >= 9
