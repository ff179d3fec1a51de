"""Every setting and its default, once.

Read from `settings.yaml` in the root folder; every key is also an environment variable,
`GRAPHRAG_` and the path joined by `__` (`GRAPHRAG_CHUNKING__SIZE=400`), which wins. Secrets are
read from the environment only.
"""

import difflib
import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from graphrag.errors import SettingsError

SETTINGS_FILE = "settings.yaml"
ENV_PREFIX = "GRAPHRAG_"
ENV_DELIMITER = "__"


class Section(BaseModel):
    """A part of the settings: frozen, and strict about its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LLMSettings(Section):
    """The large language model. `none`: everything runs on the embedded default."""

    provider: Literal["none", "openai", "llamacpp", "transformers", "fake", "replay"] = "none"
    model: str = Field(default="", description="the model's name, a path (llamacpp: GGUF; replay: recording) or hub id")
    base_url: str = Field(default="", description="of an OpenAI-compatible server; empty: OpenAI's own")
    api_key: SecretStr | None = Field(default=None, exclude=True, description="GRAPHRAG_LLM__API_KEY only")
    headers: dict[str, str] = Field(default={}, description="further headers of every request; no secrets")
    body: dict[str, Any] = Field(default={}, description="further fields of every request, such as top_p or lora")
    options: dict[str, Any] = Field(default={}, description="for llamacpp or transformers, when it loads a model")
    temperature: float = Field(default=0.0, ge=0)
    max_tokens: int = Field(default=4096, ge=16, description="longest reply, in tokens")
    context: int = Field(default=0, ge=0, description="tokens the model reads at most; 0: the server's word")
    structured: Literal["auto", "schema", "json", "text"] = Field(
        default="auto", description="how replies are held to their form; auto finds out what the server can do"
    )
    concurrency: int = Field(default=64, ge=1, description="most calls in flight; fewer while the server is slow")
    timeout: float = Field(default=300, gt=0, description="seconds without a sign of life before a call is lost")
    attempts: int = Field(default=3, ge=1, description="tries of a call whose replies cannot be used")
    patience: float = Field(default=600, ge=0, description="seconds to wait for a server that fails or is away")
    prompt_price: float = Field(default=0.0, ge=0, description="per million prompt tokens")
    completion_price: float = Field(default=0.0, ge=0, description="per million completion tokens")


class EmbeddingSettings(Section):
    """The embedding model. `embedded` is all-MiniLM-L6-v2, shipped with the package, for English;
    `multilingual` is multilingual-e5-small, an extra, for a hundred languages."""

    provider: Literal["embedded", "multilingual", "openai", "transformers"] = "embedded"
    model: str = Field(default="", description="the model's name at the server, a path, or hub id")
    base_url: str = Field(default="", description="of a compatible server; empty: that of llm, then OpenAI's")
    api_key: SecretStr | None = Field(default=None, exclude=True, description="GRAPHRAG_EMBEDDING__API_KEY only")
    dimensions: int = Field(default=0, ge=0, description="0: as many as the model gives")
    batch: int = Field(default=128, ge=1, description="texts a request")


class RerankingSettings(Section):
    """A second look at the passages that were found, by a model that reads each with the question."""

    provider: Literal["none", "server", "transformers"] = "none"
    model: str = Field(default="", description="the model's name at the server, a folder, or hub id")
    base_url: str = Field(default="", description="of the server that has /rerank; empty: that of llm")
    api_key: SecretStr | None = Field(default=None, exclude=True, description="GRAPHRAG_RERANKING__API_KEY only")
    form: Literal["auto", "documents", "texts"] = Field(
        default="auto", description="what the server calls passages: most documents, Text Embeddings Inference texts"
    )
    top: int = Field(default=50, ge=1, description="passages that are looked at again, for each search")
    timeout: float = Field(default=30.0, gt=0, description="seconds after which their order stays as it was")


class InputSettings(Section):
    """Where documents are, and which columns of tabular input mean what."""

    dir: str = Field(default="input", description="relative to the root folder")
    id_column: str = "id"
    title_column: str = "title"
    text_column: str = "text"
    dedupe: Literal["off", "report", "skip"] = Field(default="off", description="what to do about near-duplicates")
    duplicate_similarity: float = Field(
        default=0.9, ge=0.5, le=1, description="share of all runs of five words that near-duplicates have in common"
    )

    @field_validator("dedupe", mode="before")
    @classmethod
    def _off_is_a_word(cls, value: object) -> object:
        return "off" if value is False else value  # YAML reads a bare `off` as false.


class ChunkingSettings(Section):
    """How documents become text units. Sizes in tokens of o200k_base."""

    size: int = Field(default=300, ge=16)
    overlap: int = Field(default=0, ge=0, description="tokens, rounded down to whole sentences")
    contextual: Literal["headings", "entities", "llm"] = Field(
        default="entities",
        description="embedded before a passage: title and headings; and names of the passage before; "
        "or (standard) a sentence that a model writes",
    )


class ExtractionSettings(Section):
    """What is extracted from text units, with a model or without."""

    max_descriptions: int = Field(default=3, ge=1, description="fast: sentences in a description")
    min_phrase_count: int = Field(default=3, ge=1, description="fast: sentences a key phrase must occur in")
    window: int = Field(default=900, ge=64, description="standard: tokens of text a model call, in whole text units")
    entity_types: tuple[str, ...] = Field(default=(), description="standard: types looked for; none: any")
    claims: bool = Field(default=False, description="standard: extract claims (covariates) as well")
    gleanings: int = Field(default=1, ge=0, description="standard: further turns for a sparse or cut reply")
    summarize_above: int = Field(
        default=800, ge=32, description="standard: tokens of joined descriptions above which a model summarises them"
    )


class ResolutionSettings(Section):
    """Which names mean the same entity (standard)."""

    enabled: bool = True
    least_similarity: float = Field(default=0.8, ge=0, le=1, description="pairs below it differ; no model is asked")
    certain_similarity: float = Field(
        default=0.97, ge=0, le=1, description="pairs above it are the same, unless vetoed"
    )
    pairs_per_call: int = Field(default=50, ge=1)


class CommunitySettings(Section):
    """How the graph is clustered (hierarchical Leiden)."""

    max_size: int = Field(default=20, ge=2, description="a larger community is split further where Leiden can")
    seed: int = 0xDEADBEEF
    resolution: float = Field(default=1.0, gt=0)
    warm_start: bool = Field(default=True, description="begin at the communities of the index before, and touch few")


class ReportSettings(Section):
    """How community reports are written."""

    max_findings: int = Field(default=5, ge=1)
    input_tokens: int = Field(default=4000, ge=256, description="standard: records a report call reads, in tokens")


class PromptSettings(Section):
    """Prompts of your own."""

    dir: str = Field(default="prompts", description="relative to the root folder; files there replace the shipped ones")


class StorageSettings(Section):
    """Where the index is: a path relative to the root folder, or an address such as s3://bucket/path."""

    uri: str = "output"
    memo: str = Field(
        default="cache/memo.sqlite",
        description="every paid reply of a model, for good; beside an index in object storage, if it is not set",
    )

    retention: float = Field(
        default=1.0, ge=0, description="days that a version which was replaced can be read and gone back to"
    )

    @property
    def shared_memo(self) -> str:
        """The address of a memo in object storage; empty: it is a file."""
        if "://" in self.memo:
            return self.memo
        return self.uri if "://" in self.uri and "memo" not in self.model_fields_set else ""


class RetrievalSettings(Section):
    """How passages are found, by every method: each part can be turned off."""

    full_text: float = Field(
        default=0.5, ge=0, description="what BM25 counts against vectors in a hybrid search; 0: vectors alone"
    )
    names: float = Field(default=1.0, ge=0, description="what an entity that the question names seeds the walk with")
    facts: int = Field(default=5, ge=0, description="nearest facts, whose entities seed it; the last of them least")
    hubs: float = Field(
        default=1.0,
        ge=0,
        description="power of the number of text units that mention an entity by which its seed is divided",
    )
    passages: float = Field(default=0.05, ge=0, description="what the best passage of a hybrid search seeds")
    damping: float = Field(default=0.65, gt=0, lt=1, description="the share of its rank that a node passes on")
    relationships: float = Field(default=0.4, ge=0, description="weight of the mean relationship; a mention weighs 1")
    synonyms: float = Field(default=0.5, ge=0, description="weight of the tie between entities of nearly one name")
    focus: int = Field(
        default=200, ge=0, description="best passages of the walk, among which a second goes to what is asked; 0: none"
    )
    sharpness: float = Field(default=10.0, ge=0, le=100, description="how much it minds their likeness to that")
    clauses: bool = Field(default=False, description="look for facts by each clause of the question, too")
    bridges: int = Field(
        default=0, ge=0, description="entities found, of which the question is asked again in a further round"
    )


class LocalSettings(Section):
    """Local search: what its context holds."""

    k: int = Field(default=10, ge=1, description="text units in the context of an extractive answer")
    context_tokens: int = Field(default=6000, ge=256, description="tokens of the context that a model reads")
    neighbours: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="passages beside the r-th come behind r / neighbours others, the rest of a section behind the "
        "half of it that was found; 0: neither",
    )
    reports: float = Field(default=0.05, ge=0, le=1, description="the most of it that reports may fill")
    entities: float = Field(default=0.05, ge=0, le=1, description="the same of entities")
    relationships: float = Field(default=0.05, ge=0, le=1, description="of relationships")
    claims: float = Field(default=0.05, ge=0, le=1, description="and of claims; passages may fill all of it")


class GlobalSettings(Section):
    """Global search: findings of community reports over the whole collection."""

    mode: Literal["light", "dynamic", "static"] = Field(
        default="light",
        description="reports that are read: the best for `tokens`, those a model follows, all of a level",
    )
    k: int = Field(default=20, ge=1, description="findings in the context of an extractive answer")
    tokens: int = Field(default=12000, ge=3000, description="light: tokens of all prompts for one question")
    batch_tokens: int = Field(default=4000, ge=256, description="tokens of reports that one call reads")
    reduce_tokens: int = Field(default=6000, ge=256, description="tokens of what the final answer is made of")
    relevance: float = Field(default=2.0, ge=0, le=5, description="dynamic: the rating from which a report is followed")


class DriftSettings(Section):
    """DRIFT search: report primer, follow-ups, hierarchy."""

    reports: int = Field(default=6, ge=1, description="community reports in the primer")
    folds: int = Field(default=2, ge=1, description="calls that read them, at once")
    fold_tokens: int = Field(default=2500, ge=256, description="tokens of reports that one of them reads")
    follow_ups: int = Field(default=4, ge=1, description="follow-up questions answered at once")
    depth: int = Field(default=2, ge=0, description="follow-ups of follow-ups")
    step_tokens: int = Field(default=5000, ge=256, description="tokens of the context of a follow-up")
    graph: float = Field(
        default=0.05, ge=0, le=1, description="the most of it for entities, for relationships, for claims, for reports"
    )
    reduce_tokens: int = Field(default=4000, ge=256, description="tokens of what the final answer is made of")
    max_calls: int = Field(default=15, ge=1, description="calls for one question, whatever else there is to ask")
    max_tokens: int = Field(default=60000, ge=1000, description="prompt tokens for one question")
    gain: float = Field(default=0.05, ge=0, description="new supported claims per 1,000 tokens that a round must bring")
    equal_weights: bool = Field(default=False, description="weigh all intermediate answers alike")


class BasicSettings(Section):
    """Basic search: hybrid passages."""

    k: int = Field(default=10, ge=1, description="text units in the context of an extractive answer")
    context_tokens: int = Field(default=6000, ge=256, description="tokens of the context that a model reads")
    neighbours: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="passages beside the r-th come behind r / neighbours others, the rest of a section behind the "
        "half of it that was found; 0: neither",
    )


class QuerySettings(Section):
    """How questions are answered."""

    method: Literal["auto", "local", "global", "drift", "basic"] = "auto"
    sentences: int = Field(default=5, ge=1, description="sentences of an extractive answer")
    answer_tokens: int = Field(default=1500, ge=64, description="longest answer of a model, in tokens")
    judge: bool = Field(default=False, description="whether the model looks its answer over: one more call")
    retrieval: RetrievalSettings = RetrievalSettings()
    local: LocalSettings = LocalSettings()
    global_: GlobalSettings = Field(default=GlobalSettings(), alias="global")
    drift: DriftSettings = DriftSettings()
    basic: BasicSettings = BasicSettings()


class Settings(BaseSettings):
    """All settings. Build them with `load`, or with keyword arguments in a program."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter=ENV_DELIMITER, extra="forbid", frozen=True
    )

    llm: LLMSettings = LLMSettings()
    embedding: EmbeddingSettings = EmbeddingSettings()
    reranking: RerankingSettings = RerankingSettings()
    input: InputSettings = InputSettings()
    chunking: ChunkingSettings = ChunkingSettings()
    extraction: ExtractionSettings = ExtractionSettings()
    resolution: ResolutionSettings = ResolutionSettings()
    communities: CommunitySettings = CommunitySettings()
    reports: ReportSettings = ReportSettings()
    prompts: PromptSettings = PromptSettings()
    storage: StorageSettings = StorageSettings()
    query: QuerySettings = QuerySettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over what `load` read from the file."""
        return env_settings, init_settings


def load(root: Path) -> Settings:
    """The settings of a root folder; all defaults if it has no settings.yaml.

    Raises SettingsError for a file that is not YAML, an unknown key (naming the nearest valid
    one), a value of the wrong kind, or a secret in the file.
    """
    _check_environment()
    data = _read(root / SETTINGS_FILE)
    for section in ("llm", "embedding", "reranking"):
        if isinstance(data.get(section), dict) and "api_key" in data[section]:
            raise SettingsError(
                f"{SETTINGS_FILE} holds {section}.api_key: secrets are read from the environment only; "
                f"remove it and set {ENV_PREFIX}{section.upper()}{ENV_DELIMITER}API_KEY"
            )
    try:
        return Settings(**data)
    except ValidationError as error:
        raise SettingsError(_explain(error)) from None
    except ValueError as error:  # pydantic-settings, for a variable that is not a section
        raise SettingsError(f"environment variable: {error}") from None


def _check_environment() -> None:
    """Refuse variables that look like settings and name no section; the others are checked as keys."""
    for name in os.environ:
        section, separator, _ = name.lower().removeprefix(ENV_PREFIX.lower()).partition(ENV_DELIMITER)
        if name.upper().startswith(ENV_PREFIX) and separator and section not in Settings.model_fields:
            nearest = difflib.get_close_matches(section, Settings.model_fields, n=1, cutoff=0.0)[0].upper()
            raise SettingsError(
                f"environment variable {name} is no setting; did you mean {ENV_PREFIX}{nearest}{ENV_DELIMITER}…?"
            )


def _read(path: Path) -> dict[str, Any]:
    import yaml

    try:
        data: object = yaml.safe_load(path.read_text("utf-8")) if path.exists() else None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"cannot read {path}: {' '.join(str(error).split())}") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise SettingsError(f"{path} must hold keys and values, such as 'chunking:' with 'size: 300' under it")
    # A section with all its keys commented out reads as None.
    return {str(key): value for key, value in data.items() if value is not None}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    key = ".".join(path)
    if first["type"] != "extra_forbidden":
        return f"{SETTINGS_FILE} or environment: {key}: {first['msg']}"
    valid = _keys_at(path[:-1])
    near = difflib.get_close_matches(path[-1], valid, n=1, cutoff=0.0)
    nearest = ".".join([*path[:-1], *near])
    return f"{SETTINGS_FILE} or environment: unknown key '{key}'; did you mean '{nearest}'?"


def _keys_at(path: Sequence[str]) -> list[str]:
    model: type[BaseModel] = Settings
    for part in path:
        for name, info in model.model_fields.items():
            if part in (name, info.alias) and isinstance(info.annotation, type):
                model = info.annotation
    return [info.alias or name for name, info in model.model_fields.items()]


def create(root: Path, force: bool = False) -> Path:
    """Write a commented settings.yaml with the defaults, and the input folder; return the file.

    Raises SettingsError if there is a settings.yaml and `force` is false, or it cannot be written.
    """
    path = root / SETTINGS_FILE
    if path.exists() and not force:
        raise SettingsError(f"{path} exists already; use --force to overwrite it")
    template = files("graphrag").joinpath("data/settings.yaml").read_text("utf-8")
    try:
        (root / InputSettings().dir).mkdir(parents=True, exist_ok=True)
        path.write_text(template, "utf-8")
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror}") from None
    return path
