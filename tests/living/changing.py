"""A collection that changes step by step, and the index that follows it."""

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch

from extractor import Table, configured, model
from fakes import WordEmbedder
from hypothesis import strategies as st

from graphrag import GraphRAG, tokens
from graphrag.indexer import extraction, loading
from graphrag.indexer.windows import Window, passages
from graphrag.models.fake import FakeChat
from graphrag.records import Document, TextUnit
from graphrag.settings import InputSettings, Settings
from graphrag.storage.lance import LanceStore
from graphrag.storage.schema import TABLES

Kind = Literal["write", "edit", "rename", "delete", "add", "remove"]
Edit = tuple[Kind, int, tuple[str, ...], str]
"""What is done, to which document (counted round and round), the sentences and the heading of a text."""

NAMES = ("Anna Harlow", "Bruno Harlow", "Clara Pember", "Dora Pember", "Elias Thorn", "Thorn", "Harlow Hall", "Aston")
SENTENCES = (
    "Anna Harlow lives at Harlow Hall and mends clocks there.",
    "Anna Harlow was taught by Bruno Harlow.",
    "Bruno Harlow once sailed to Aston with Clara Pember.",
    "Clara Pember stole a clock from Anna Harlow.",
    "Dora Pember and Bruno Harlow quarrelled over Harlow Hall for years.",
    "Dora Pember wrote to Elias Thorn about it.",
    "Thorn never answered Dora Pember.",
    "Elias Thorn was born in Aston.",
    "It rained, and nobody came.",
    "The clocks of Aston were made by Gregor Quill and by Hanna Quill.",
    "Hanna Quill met Clara Pember at the harbour of Aston.",
    "Ivo Winter painted Harlow Hall, and Thorn paid Ivo Winter.",
)
HEADINGS = ("", "", "Harlow Hall", "The clocks of Aston")
QUESTIONS = ("Who stole a clock from Anna Harlow?", "What did Thorn pay for?", "Who lives at Harlow Hall?")
CITED = {"Entities": "entities", "Relationships": "relationships", "Sources": "text_units", "Claims": "covariates"}
CITATION = re.compile(rf"({'|'.join(CITED)}) \(([^()]*)\)")
BY_HAND = "This was noted by hand."


def edits(most: int = 3) -> st.SearchStrategy[list[list[Edit]]]:
    """Some steps, of some edits each."""
    kinds: tuple[Kind, ...] = ("edit", "write", "delete", "remove", "rename", "add", "edit", "delete")
    sentences = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=6).map(tuple)
    edit = st.tuples(st.sampled_from(kinds), st.integers(0, 20), sentences, st.sampled_from(HEADINGS))
    return st.lists(st.lists(edit, min_size=1, max_size=3), min_size=2, max_size=most)


def settings(**sections: Any) -> Settings:
    """Under which short texts are several text units."""
    return configured(**{"extraction": {"min_phrase_count": 2, "claims": True}, **sections})


@dataclass
class Changing:
    """The folder and the index. What should be in the index is known without it."""

    root: Path
    method: Literal["fast", "standard"] = "fast"
    settings: Settings = field(default_factory=settings)
    files: dict[str, str] = field(default_factory=dict[str, str])
    added: dict[str, str] = field(default_factory=dict[str, str])
    """By hand: texts by ids."""
    removed: set[str] = field(default_factory=set[str])
    """By hand: ids of documents, which are left out from now on."""
    chat: FakeChat = field(default_factory=model)

    def __post_init__(self) -> None:
        (self.root / "input").mkdir(parents=True, exist_ok=True)
        for name, text in self.files.items():
            self.write(name, text)

    @property
    def rag(self) -> GraphRAG:
        """A new object each time: nothing but the folder is carried on."""
        chat = self.chat if self.method == "standard" else None
        return GraphRAG(self.root, self.settings, chat=chat, embedder=WordEmbedder())

    def index(self) -> None:
        with alone():
            self.rag.index(self.method)

    def write(self, name: str, text: str) -> None:
        (self.root / "input" / name).write_text(text, "utf-8")
        self.files[name] = text

    def unlink(self, name: str) -> None:
        """Delete a file."""
        (self.root / "input" / name).unlink()
        del self.files[name]

    def apply(self, edit: Edit) -> None:
        """One edit, as far as there is something to edit; the last document is never taken out."""
        kind, which, sentences, heading = edit
        names = sorted(self.files)
        name = names[which % len(names)] if names else ""
        match kind:
            case "write":
                self.write(f"doc-{which}.md", _text(sentences, heading))
            case "edit" if name:
                parts = self.files[name].split("\n\n")
                parts[which % len(parts)] = " ".join(sentences)
                self.write(name, "\n\n".join(parts))
            case "rename" if name:
                text = self.files[name]
                self.unlink(name)
                self.write(f"moved-{which}.md", text)
            case "delete" if len(names) > 1:
                self.unlink(name)
            case "add":
                self._add(_text((*sentences, BY_HAND)))
            case "remove":
                self._remove(which)
            case _:
                pass

    def missing(self) -> bool:
        """Whether no document would be left."""
        return not self.added and not self._wanted()

    def fresh(self, root: Path) -> "Changing":
        """The same collection, indexed for the first time."""
        other = Changing(root, self.method, self.settings, self._wanted())
        with alone():
            if self.added:
                other.rag.add(*self.added.values())
            else:
                other.rag.index(self.method)
        return other

    def tables(self) -> dict[str, Table]:
        """All that is published."""
        reader = LanceStore(self.root / "output").open()
        return {name: reader.table(name).to_pylist() for name in TABLES}

    def cited(self) -> dict[str, list[tuple[str, ...]]]:
        """What each report cites: ids, where it says numbers."""
        tables = self.tables()
        ids = {kind: {row["human_readable_id"]: row["id"] for row in tables[kind]} for kind in CITED.values()}
        return {
            row["id"]: [
                tuple(sorted(ids[CITED[kind]][int(number)] for number in re.findall(r"\d+", numbers)))
                for kind, numbers in CITATION.findall(row["full_content"])
            ]
            for row in tables["community_reports"]
        }

    def clustered(self) -> set[str]:
        """The entities that are in communities."""
        return {id_ for row in self.tables()["communities"] for id_ in row["entity_ids"]}

    def found(self) -> list[list[str]]:
        """What the questions retrieve."""
        rag = self.rag
        return [
            [unit.text_unit_id for unit in rag.retrieve(question, 5, method)]
            for question in QUESTIONS
            for method in ("basic", "local")
        ]

    def _add(self, text: str) -> None:
        with alone():
            self.rag.add(text)
        id_ = loading.from_text(text).id
        self.added[id_] = text
        self.removed.discard(id_)

    def _remove(self, which: int) -> None:
        held = self._held()
        if len({*self._wanted().values(), *self.added.values()}) < 2:
            return
        id_ = sorted(held)[which % len(held)]
        rest = [*(each for each in self._ids() if each not in self.removed), *self.added]
        if set(rest) - {id_}:
            with alone():
                self.rag.remove(id_)
            self.added.pop(id_, None)
            self.removed.add(id_)

    def _held(self) -> dict[str, tuple[str, str]]:
        """Places and texts of the documents of the index, by id."""
        if not (self.root / "output").exists():
            return {}
        return {row["id"]: (row["source"], row["text"]) for row in self.tables()["documents"]}

    def _ids(self) -> dict[str, str]:
        """The document of each file, by its id."""
        return {_id(self.root / "input" / name): name for name in sorted(self.files, reverse=True)}

    def _wanted(self) -> dict[str, str]:
        """The files whose documents are to be in the index."""
        return {name: text for name, text in self.files.items() if _id(self.root / "input" / name) not in self.removed}


@contextmanager
def alone() -> Generator[None]:
    """Build with a model that reads every text unit by itself.

    What a model says of a passage may depend on the passages beside it, and these on what was there
    before. And the vocabulary stays: to read it again would take longer than all else.
    """

    def group(documents: Sequence[Document], text_units: Sequence[TextUnit], size: int) -> list[Window]:
        return [Window((passage,)) for passage in passages(documents, text_units)]

    with patch.object(extraction, "group", group), patch.object(tokens, "release"):
        yield


def _text(sentences: Sequence[str], heading: str = "") -> str:
    """A paragraph of every two sentences."""
    head = [f"# {heading}"] if heading else []
    return "\n\n".join([*head, *(" ".join(sentences[start : start + 2]) for start in range(0, len(sentences), 2))])


def _id(path: Path) -> str:
    return loading.read_file(path, InputSettings())[0].id
