import json
from pathlib import Path

import numpy as np
import pytest
from fakes import WordEmbedder
from samples import MILLS, indexed

from graphrag import Settings
from graphrag.errors import MissingDependencyError, UnusableReplyError
from graphrag.indexer import examining
from graphrag.indexer.examining import Examination, disk, embedded, memory, needs, trials
from graphrag.messages import Reply
from graphrag.models.checkup import Check
from graphrag.models.fake import FakeChat
from graphrag.models.memo import Memo
from graphrag.prompts import Prompts
from graphrag.storage.lance import LanceStore

GRAPH = {
    "entities": [[name, "thing", "1", f"{name} is named."] for name in ("Anna Berg", "Ostrava", "Halvorsen")],
    "relationships": [["Anna Berg", "Halvorsen", "7", "1", "She discovered it."]],
    "claims": [],
}


def chat() -> FakeChat:
    return FakeChat(lambda request: json.dumps(GRAPH) if request.schema else "ready")


def examined(root: Path, model: FakeChat | None = None, embedder: WordEmbedder | None = None) -> dict[str, Check]:
    settings = Settings()
    examination = Examination(root, settings, embedder or WordEmbedder(), LanceStore(root / settings.storage.uri))
    return {check.name: check for check in examination.run((lambda: model) if model else None)}


def test_everything_is_looked_at_and_the_model_closed(tmp_path: Path):
    model = chat()

    found = examined(tmp_path, model)

    assert list(found) == [
        "chat",
        "reasoning",
        "context length",
        "extraction",
        "speed",
        "prefix cache",
        "embedding",
        "index",
        "memo",
        "disk",
    ]
    assert all(check.state != "failed" for check in found.values())
    assert model.closed
    assert found["extraction"].found.startswith("3 entities and 1 relationships")


def test_without_a_model_the_rest_is_looked_at(tmp_path: Path):
    assert list(examined(tmp_path)) == ["language model", "embedding", "index", "memo", "disk"]


def test_a_model_that_cannot_be_made_is_a_failed_check(tmp_path: Path):
    def missing() -> FakeChat:
        raise MissingDependencyError("a model in this process", "llamacpp")

    settings = Settings()
    first, *rest = Examination(tmp_path, settings, WordEmbedder(), LanceStore(tmp_path)).run(missing)

    assert (first.name, first.state) == ("language model", "failed")
    assert "pip install" in first.found
    assert rest


def test_a_broken_prompt_is_a_failed_check(tmp_path: Path):
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "extract.txt").write_text("No placeholder.", "utf-8")

    found = examined(tmp_path, chat())["language model"]

    assert found.state == "failed"
    assert "extract.txt" in found.found


def test_an_index_of_another_embedding_model_is_found_out(tmp_path: Path):
    indexed(tmp_path, MILLS, WordEmbedder("old"))

    assert examined(tmp_path, embedder=WordEmbedder("old"))["index"].state == "ok"
    assert examined(tmp_path, embedder=WordEmbedder("new"))["index"].state == "failed"


def test_an_embedding_model_that_fails_is_a_failed_check(tmp_path: Path):
    class Broken(WordEmbedder):
        def embed(self, texts):
            raise UnusableReplyError("no vectors came")

    found = examined(tmp_path, embedder=Broken())

    assert found["embedding"].found == "no vectors came"
    assert found["embedding"].state == "failed"
    assert "index" not in found
    assert found["disk"].state == "ok"


def test_vectors_are_told_as_they_are():
    class Doubled(WordEmbedder):
        def embed(self, texts):
            return 2 * super().embed(texts)

    vectors = embedded(Doubled())

    assert vectors.lengths == pytest.approx((2, 2, 2))
    assert vectors.sizes == (64, 64)
    assert vectors.alike > 4 * np.float64(0.3) > vectors.unlike


def test_both_trials_share_their_instructions_and_read_different_text():
    first, second = trials(Prompts())

    assert first.messages[0] == second.messages[0]
    assert first.messages[1] != second.messages[1]
    assert first.schema is not None


def test_the_longest_prompts_are_reckoned_from_the_settings():
    small = needs(Prompts(), Settings())
    large = needs(Prompts(), Settings(extraction={"window": 1900}, reports={"input_tokens": 5000}))

    assert [need.setting for need in small] == ["extraction.window", "reports.input_tokens"]
    assert [b.prompt - a.prompt for a, b in zip(small, large, strict=True)] == [1000, 1000]
    assert small[0].prompt > 900 + 500


def test_the_memo_is_read(tmp_path: Path):
    path = tmp_path / "cache" / "memo.sqlite"
    assert memory(path).state == "ok"
    assert not path.parent.exists()

    memo = Memo(path)
    memo.put_vectors("e", 0, {"a": np.ones(3, dtype=np.float32)})
    memo.close()
    assert memory(path) == Check("memo", "ok", "0 replies, 1 vectors")

    path.write_bytes(b"no database at all" * 100)
    assert memory(path).state == "failed"
    assert "delete" in memory(path).advice


def test_the_disk_is_tried_where_the_index_will_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert str(tmp_path) in disk(tmp_path / "not" / "yet").found
    assert disk(tmp_path / "not" / "yet").state == "ok"
    assert list(tmp_path.iterdir()) == []

    monkeypatch.setattr(examining, "LEAST_FREE", 1 << 60)
    assert disk(tmp_path).state == "warning"

    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    assert disk(tmp_path).state == "failed"
    assert "Permission denied" in disk(tmp_path).found


def test_replies_of_a_trial_are_judged_without_their_reasoning(tmp_path: Path):
    thinking = FakeChat(lambda request: Reply(f"<think>Hm.</think>{json.dumps(GRAPH) if request.schema else 'ready'}"))

    found = examined(tmp_path, thinking)

    assert found["extraction"].state == "ok"
    assert found["reasoning"].state == "warning"
