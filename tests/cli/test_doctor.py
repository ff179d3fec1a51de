import json
import socket
from pathlib import Path

import numpy as np
import pytest
from commands import Command
from samples import MILLS, indexed

from graphrag import Settings
from graphrag.indexer.examining import PARAPHRASES, UNRELATED
from graphrag.models.memo import Memo

GRAPH = {
    "entities": [[name, "thing", "1", f"{name} is named."] for name in ("Anna Berg", "Ostrava", "Halvorsen")],
    "relationships": [["Anna Berg", "Halvorsen", "7", "1", "She discovered it."]],
    "claims": [],
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a model that says what doctor hopes to hear."""
    rules = [{"match": "one word", "reply": "ready"}, {"reply": GRAPH}]
    (tmp_path / "rules.json").write_text(json.dumps(rules))
    (tmp_path / "settings.yaml").write_text("llm: {provider: fake, model: rules.json}")
    return tmp_path


def states(out: str) -> dict[str, str]:
    return {check["name"]: check["state"] for check in json.loads(out)["checks"]}


def test_a_sound_set_up(root: Path, graphrag: Command):
    done = graphrag("doctor", "--root", root)

    assert (done.code, done.err) == (0, "")
    assert "3 entities and 1 relationships" in done.out
    assert "embedding" in done.out
    assert "failed" not in done.out


def test_without_a_model_it_says_what_works_and_how_to_configure_one(tmp_path: Path, graphrag: Command):
    done = graphrag("doctor", "--root", tmp_path)

    assert done.code == 0
    text = " ".join(done.out.split())
    assert "index --method fast" in text
    assert "set llm.provider" in text


def test_what_failed_is_told_by_the_exit_code_and_in_json(root: Path, graphrag: Command):
    (root / "rules.json").write_text(json.dumps([{"match": "one word", "reply": "ready"}, {"reply": "I cannot."}]))

    done = graphrag("doctor", "--root", root, "--json")

    assert done.code == 1
    assert states(done.out)["extraction"] == "failed"
    assert states(done.out)["chat"] == "ok"
    assert all(check["advice"] for check in json.loads(done.out)["checks"] if check["state"] == "failed")


@pytest.fixture
def url() -> str:
    """Where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


@pytest.mark.enable_socket
def test_a_server_that_is_not_there(tmp_path: Path, graphrag: Command, url: str):
    (tmp_path / "settings.yaml").write_text(f"llm: {{provider: openai, model: m, base_url: '{url}'}}")

    done = graphrag("doctor", "--root", tmp_path, "--json")

    assert done.code == 1
    assert states(done.out)["server"] == "failed"
    assert "chat" not in states(done.out)
    assert states(done.out)["disk"] == "ok"


@pytest.mark.enable_socket
def test_an_embedding_server_that_is_gone_is_found_out_though_its_vectors_are_remembered(
    tmp_path: Path, graphrag: Command, url: str
):
    (tmp_path / "settings.yaml").write_text(f"embedding: {{provider: openai, model: e, base_url: '{url}'}}")
    memo = Memo(tmp_path / "cache" / "memo.sqlite")
    memo.put_vectors("openai/e", 0, dict(zip([*PARAPHRASES, UNRELATED], np.eye(3, dtype=np.float32), strict=True)))
    memo.close()

    done = graphrag("doctor", "--root", tmp_path, "--json")

    assert done.code == 1
    assert states(done.out)["embedding"] == "failed"
    assert states(done.out)["memo"] == "ok"


def test_a_key_never_shows(root: Path, graphrag: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GRAPHRAG_LLM__API_KEY", "sk-very-secret-indeed")

    done = graphrag("doctor", "--root", root, "--json")

    assert "sk-very" not in done.out + done.err


def test_an_index_of_another_embedding_model(root: Path, graphrag: Command):
    indexed(root, MILLS, settings=Settings())  # by shared words

    done = graphrag("doctor", "--root", root, "--json")

    assert done.code == 1
    assert states(done.out)["index"] == "failed"
