from collections.abc import Sequence

import numpy as np
from fakes import WordEmbedder
from numpy.typing import NDArray
from samples import documents

from graphrag.indexer import embedding
from graphrag.models.base import Embedder
from graphrag.progress import silent
from graphrag.records import Entity, Fact, Index, Report, TextUnit


class Recorder(WordEmbedder):
    """Remembers what it was asked to embed, batch by batch."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[str]] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.batches.append(list(texts))
        return super().embed(texts)

    @property
    def texts(self) -> list[str]:
        return [text for batch in self.batches for text in batch]


def make_report(summary: str) -> Report:
    return Report("r", 0, 0, -1, (), "Title", summary, f"# Title\n\n{summary}", 5.0, "", (), "{}", "", 1)


def embed_units(*units: TextUnit, titles: Sequence[str] = ()) -> list[str]:
    recorder = Recorder()
    found = embedding.of_rest(Index(documents=tuple(documents("…", titles=titles)), text_units=units), recorder, silent)
    assert found["text_units"].texts == recorder.texts
    return recorder.texts


def test_a_text_unit_is_embedded_with_its_title_and_headings():
    unit = TextUnit("u0", "Snow fell.", 3, "d0", headings=("Stave One", "Marley's Ghost"))

    assert embed_units(unit, titles=["A Christmas Carol"]) == [
        "A Christmas Carol. Stave One. Marley's Ghost. Snow fell."
    ]


def test_a_title_is_not_repeated_as_heading_and_not_made_from_a_file_name():
    unit = TextUnit("u0", "Snow fell.", 3, "d0", headings=("Stave One",))

    assert embed_units(unit, titles=["Stave One"]) == ["Stave One. Snow fell."]
    assert embed_units(unit) == ["Stave One. Snow fell."]


def test_a_fact_is_embedded_with_the_names_it_does_not_spell_out():
    entities = [Entity("e0", "Scrooge", "NAME", ""), Entity("e1", "Tiny Tim", "NAME", "")]
    facts = [Fact("f0", "The boy saw SCROOGE.", ("e0", "e1", "unknown"), ("u0",))]

    found = embedding.of_facts(facts, entities, WordEmbedder(), silent)

    assert found.texts == ["Tiny Tim. The boy saw SCROOGE."]
    assert np.array_equal(found.vectors, WordEmbedder().embed(found.texts))


def test_entities_and_reports():
    recorder = Recorder()
    index = Index(
        entities=(Entity("e0", "Snow", "NAME", "white " * 100),), community_reports=(make_report("It snowed."),)
    )

    found = embedding.of_rest(index, recorder, silent)

    assert found["entities"].texts == [f"Snow {'white ' * 100}"]
    assert found["community_reports"].texts == ["# Title\n\nIt snowed."]
    entity, report = recorder.texts
    assert entity.startswith("Snow: white white")
    assert len(entity) < 250
    assert report == "Title. It snowed."


def test_the_same_text_is_embedded_once_and_rows_keep_their_order():
    recorder = Recorder()
    facts = [Fact(f"f{n}", text, (), ()) for n, text in enumerate(["b", "a", "b", "c", "a"])]

    found = embedding.of_facts(facts, [], recorder, silent)

    assert recorder.texts == ["b", "a", "c"]
    assert np.array_equal(found.vectors, WordEmbedder().embed(["b", "a", "b", "c", "a"]))


def test_batches_and_progress():
    recorder = Recorder()
    told: list[tuple[str, int, int]] = []
    facts = [Fact(str(n), f"fact {n}", (), ()) for n in range(2 * embedding.BATCH + 1)]

    embedding.of_facts(facts, [], recorder, lambda stage, done, total: told.append((stage, done, total)))

    assert [len(batch) for batch in recorder.batches] == [embedding.BATCH, embedding.BATCH, 1]
    total = len(facts)
    assert [done for _, done, _ in told] == [0, embedding.BATCH, 2 * embedding.BATCH, total]
    assert {(stage, all_) for stage, _, all_ in told} == {("Embedding facts", total)}


def test_nothing_to_embed_has_vectors_of_the_right_length():
    model: Embedder = WordEmbedder()

    found = {"facts": embedding.of_facts([], [], model, silent), **embedding.of_rest(Index(), model, silent)}

    assert {name: part.vectors.shape for name, part in found.items()} == dict.fromkeys(found, (0, model.dimensions))
