import json

import pytest
from click.testing import CliRunner

from graphrag.cli.cache import cache
from graphrag.errors import StorageError
from graphrag.messages import Message, Reply, Request, TokenUsage
from graphrag.models.memo import Memo, Origin

MODEL = Origin.of("qwen", {"temperature": 0})


def asked(text):
    return Request("extract", (Message("user", text),))


@pytest.fixture
def root(tmp_path):
    memo = Memo(tmp_path / "cache" / "memo.sqlite")
    memo.put(MODEL, asked("a"), Reply("Élan \ud83d", "length", TokenUsage(5, 2, 1)))
    memo.put(MODEL, asked("b"), Reply("b", usage=TokenUsage(7, 3)))
    memo.close()
    return tmp_path


@pytest.fixture
def run(root):
    def call(*arguments):
        done = CliRunner().invoke(cache, [*arguments, "--root", str(root)])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.output

    return call


def test_stats(run, root):
    found = json.loads(run("stats", "--json"))
    assert found["models"] == [{"model": "qwen", "parameters": {"temperature": 0}, "replies": 2}]
    assert found["stages"] == {"extract": 2}
    assert found["tokens"] == {"prompt": 12, "completion": 5, "cached": 1}
    assert found["bytes"] > 0
    shown = run("stats")
    assert "qwen" in shown
    assert "12" in shown


def test_prune(run):
    assert json.loads(run("prune", "--json")) == {"forgotten": 0}
    assert json.loads(run("prune", "--older-than", "0", "--json")) == {"forgotten": 2}
    assert json.loads(run("stats", "--json"))["models"] == []
    assert run("prune") == "Forgot 0\n"


def test_export_writes_a_recording(run, root, tmp_path):
    (root / "settings.yaml").write_text("llm: {provider: openai, model: qwen}")
    assert "2 replies of qwen" in run("export", str(tmp_path / "recording.jsonl"))
    header, *lines = map(json.loads, (tmp_path / "recording.jsonl").read_text("ascii").splitlines())
    assert header == {"format": 1, "model": "qwen", "parameters": {"temperature": 0}}
    assert lines == [
        {"key": asked("a").key(), "stage": "extract", "text": "Élan \ud83d", "finish": "length", "usage": [5, 2, 1]},
        {"key": asked("b").key(), "stage": "extract", "text": "b", "finish": "stop", "usage": [7, 3, 0]},
    ]


def test_export_takes_the_model_of_the_settings_or_the_one_that_is_named(run, root, tmp_path):
    memo = Memo(root / "cache" / "memo.sqlite")
    memo.put(Origin.of("other.gguf", {}), asked("a"), Reply("c"))
    memo.close()
    file = str(tmp_path / "recording.jsonl")
    with pytest.raises(StorageError, match=r"replies of other\.gguf, qwen, not of ''"):
        run("export", file)
    assert json.loads(run("export", file, "--model", "qwen", "--json"))["replies"] == 2
    (root / "settings.yaml").write_text("llm: {provider: llamacpp, model: models/other.gguf}")
    assert json.loads(run("export", file, "--json")) == {"file": file, "model": "other.gguf", "replies": 1}


@pytest.mark.parametrize("command", [("stats",), ("prune",), ("export", "file")])
def test_without_a_memo_there_is_a_line(run, root, command):
    (root / "cache" / "memo.sqlite").unlink()
    with pytest.raises(StorageError, match="there is no memo at"):
        run(*command)


def test_an_empty_memo_has_nothing_to_export(run, tmp_path):
    run("prune", "--older-than", "0")
    with pytest.raises(StorageError, match="nothing to export"):
        run("export", str(tmp_path / "file"))
    assert not (tmp_path / "file").exists()
