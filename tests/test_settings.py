from pathlib import Path

import pytest
from pydantic import ValidationError

from graphrag import settings
from graphrag.errors import SettingsError
from graphrag.settings import Settings


def load(root: Path, text: str) -> Settings:
    (root / "settings.yaml").write_text(text, "utf-8")
    return settings.load(root)


def test_without_a_file_all_is_default(tmp_path: Path):
    assert settings.load(tmp_path) == Settings()


def test_the_file_that_init_writes_says_the_defaults(tmp_path: Path):
    settings.create(tmp_path)

    assert settings.load(tmp_path) == Settings()


@pytest.mark.parametrize("text", ["", "# nothing\n", "chunking:\n  # size: 3\n", "{}"])
def test_what_is_empty_or_commented_out_is_default(tmp_path: Path, text: str):
    assert load(tmp_path, text) == Settings()


def test_the_file_is_read(tmp_path: Path):
    found = load(tmp_path, "chunking: {size: 77}\nquery:\n  global: {k: 3}\n  method: drift\n")

    assert (found.chunking.size, found.chunking.overlap) == (77, 0)
    assert (found.query.global_.k, found.query.method) == (3, "drift")


def test_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GRAPHRAG_CHUNKING__SIZE", "55")
    monkeypatch.setenv("GRAPHRAG_LLM__API_KEY", "secret")

    found = load(tmp_path, "chunking: {size: 77, overlap: 5}")

    assert (found.chunking.size, found.chunking.overlap) == (55, 5)
    assert found.llm.api_key is not None
    assert found.llm.api_key.get_secret_value() == "secret"
    assert "secret" not in f"{found!r} {found.model_dump_json()}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chunkin: {size: 3}", r"unknown key 'chunkin'; did you mean 'chunking'\?"),
        ("chunking: {siz: 300}", r"unknown key 'chunking.siz'; did you mean 'chunking.size'\?"),
        (
            "query: {retrieval: {dampin: 0.5}}",
            r"unknown key 'query.retrieval.dampin'; did you mean 'query.retrieval.damping'\?",
        ),
        ("query: {globl: {k: 1}}", r"unknown key 'query.globl'; did you mean 'query.global'\?"),
        ("chunking: {size: 3}", "chunking.size: Input should be greater than or equal to 16"),
        ("chunking: {size: many}", "chunking.size: Input should be a valid integer"),
        ("chunking: 5", "chunking: Input should be a valid dictionary"),
        ("llm: 5", "llm: Input should be a valid dictionary"),
        ("query: {method: magic}", "query.method: Input should be 'auto', 'local'"),
        ("llm: {api_key: hush}", r"GRAPHRAG_LLM__API_KEY"),
        ("- a\n- b", "must hold keys and values"),
        ("a: [", "cannot read .*settings.yaml"),
        ("\x00", "cannot read .*settings.yaml"),
    ],
)
def test_what_cannot_be_used_is_one_line_that_names_the_key(tmp_path: Path, text: str, message: str):
    with pytest.raises(SettingsError, match=message) as error:
        load(tmp_path, text)

    assert "\n" not in str(error.value)
    assert "hush" not in str(error.value)


def test_a_file_that_is_not_utf8(tmp_path: Path):
    (tmp_path / "settings.yaml").write_bytes(b"input: {dir: \xff}")

    with pytest.raises(SettingsError, match="cannot read"):
        settings.load(tmp_path)


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("GRAPHRAG_CHUNKING__SIZ", r"did you mean 'chunking.size'\?"),
        ("GRAPHRAG_CHUNKIN__SIZE", "did you mean GRAPHRAG_CHUNKING__"),
        ("GRAPHRAG_CHUNKING__SIZE", "chunking.size: Input should be a valid integer"),
        ("GRAPHRAG_CHUNKING", "environment variable"),
    ],
)
def test_a_wrong_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, message: str):
    monkeypatch.setenv(variable, "many")

    with pytest.raises(SettingsError, match=message):
        settings.load(tmp_path)


def test_settings_are_frozen():
    with pytest.raises(ValidationError):
        Settings().chunking.size = 5


def test_create_refuses_to_overwrite(tmp_path: Path):
    path = settings.create(tmp_path / "new")
    path.write_text("mine")

    with pytest.raises(SettingsError, match="use --force"):
        settings.create(tmp_path / "new")

    assert path.read_text() == "mine"
    assert settings.create(tmp_path / "new", force=True).read_text("utf-8").startswith("# Settings")
    assert (tmp_path / "new" / "input").is_dir()


def test_create_where_nothing_can_be_written(tmp_path: Path):
    (tmp_path / "file").write_text("")

    with pytest.raises(SettingsError, match="cannot write"):
        settings.create(tmp_path / "file")
