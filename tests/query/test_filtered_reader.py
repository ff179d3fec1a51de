"""Nothing of a hidden document is to be had from a filtered reader, by whatever way it got into the index."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from fakes import WordEmbedder
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import MILLS, indexed
from storage import test_contract as contract
from storage.samples import make_build, make_tables, searchable

from graphrag.language import search_terms
from graphrag.query import filtered_reader, passage_graph
from graphrag.query.filtered_reader import FilteredReader
from graphrag.query.retrieval import Retriever
from graphrag.records import Claim, Community, Document, Entity, Fact, Finding, Relationship, Report, TextUnit
from graphrag.settings import RetrievalSettings
from graphrag.storage.base import Build, Hit, Reader
from graphrag.storage.lance import LanceStore
from graphrag.storage.schema import EMBEDDED, MATCHED, TABLES, Record, Searchable, to_records, to_table

EMBEDDER = WordEmbedder("words", 16)


class MemoryReader:
    """Tables in memory; what matches most words is the best match."""

    def __init__(self, tables: dict[str, pa.Table], build: Build) -> None:
        self.tables = tables
        self.build = build

    def table(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        return self.tables[name] if columns is None else self.tables[name].select(list(columns))

    def rows(self, name: str, ids: Sequence[str], columns: Sequence[str] | None = None) -> pa.Table:
        position = {id_: row for row, id_ in enumerate(self.tables[name]["id"].to_pylist())}
        return self.table(name, columns).take(pa.array([position[i] for i in ids if i in position], pa.int64()))

    def vectors(self, name: str, ids: Sequence[str]) -> np.ndarray:
        rows = self.tables[name].select(["id", "vector"]).to_pylist()
        known = {row["id"]: np.array(row["vector"], np.float32) / np.linalg.norm(row["vector"]) for row in rows}
        return np.array([known.get(id_, np.zeros(16)) for id_ in ids], np.float32).reshape(-1, 16)

    def nearest(self, name: str, vector: np.ndarray, k: int) -> list[Hit]:
        matrix = np.array(self.tables[name]["vector"].to_pylist()).reshape(-1, len(vector))
        return best(zip(self.tables[name]["id"].to_pylist(), (matrix @ vector).tolist(), strict=True), k)

    def matching(self, name: str, text: str, k: int) -> list[Hit]:
        wanted = set(search_terms(text).split())
        rows = self.tables[name].select(["id", "search_text"]).to_pylist()
        scores = [(row["id"], float(len(wanted & set(row["search_text"].split())))) for row in rows]
        return best([(id_, score) for id_, score in scores if score], k)


def best(scores, k: int) -> list[Hit]:
    return sorted((Hit(id_, score) for id_, score in scores), key=lambda hit: (-hit.score, hit.id))[:k]


# --- Collections with a secret word a document -------------------------------------------


def make_index(seed: int, secrets: Sequence[str]) -> MemoryReader:
    """A collection whose document n has `secrets[n]` in everything that is made from it.

    What is drawn depends on the seed, and on how secrets sort: two collections can differ in those only.
    """
    draw = random.Random(seed)  # noqa: S311
    documents = [
        Document(f"d{n}", f"On {word}", word, f"{word}.txt", word, True, "2026", {word: word, "n": n}, n)
        for n, word in enumerate(secrets)
    ]
    owner = {f"u{n}": draw.randrange(len(secrets)) for n in range(draw.randint(1, 8))}
    said = {unit: secrets[document] for unit, document in owner.items()}
    units, texts = list(owner), {unit: [f"They say {said[unit]} in {unit}."] for unit in owner}
    entities: list[Entity] = []
    for n in range(draw.randint(0, 6)):
        mentions = draw.sample(units, draw.randint(0, len(units)))
        names = {unit: draw.choice([f"Name{n}", f"Name{n} {said[unit]}"]) for unit in mentions}
        for unit, name in names.items():
            texts[unit].append(f"There was {name}.")
        title, *aliases = draw.sample(sorted(set(names.values())), len(set(names.values()))) or ["Nobody"]
        kind, description = made_from(draw, mentions, said)
        others = tuple(f"e{other}" for other in range(n) if draw.random() < 0.5)
        entities.append(Entity(f"e{n}", title, kind, description, tuple(mentions), 9, 9, n, tuple(aliases), others))
    edges: list[Relationship] = []
    for n in range(draw.randint(0, 6) if len(entities) > 1 else 0):
        source, target = draw.sample(entities, 2)
        both = sorted({*source.text_unit_ids, *target.text_unit_ids})
        found = draw.sample(both, draw.randint(0, len(both)))
        text = made_from(draw, found, said)[1]
        edges.append(Relationship(f"r{n}", source.title, target.title, text, 6.0, 9, tuple(found), n))
    facts = [
        Fact(f"f{e.id}", f"{e.source} — {e.description} — {e.target}", ends(entities, e), e.text_unit_ids, n)
        for n, e in enumerate(edges)
    ]
    claims = [
        Claim(
            f"k{n}", "claim", said[unit], said[unit], name_in(draw, entities, said[unit]), None, said[unit],
            said[unit], None, said[unit], unit, n,
        )
        for n, unit in enumerate(draw.choices(units, k=draw.randint(0, 4)))
    ]  # fmt: skip
    communities, reports = make_reports(draw, entities, edges, claims, {u: " ".join(t) for u, t in texts.items()})
    passages = [
        TextUnit(
            unit, " ".join(texts[unit]), 9, f"d{owner[unit]}", 0, 9, (said[unit],),
            tuple(e.id for e in entities if unit in e.text_unit_ids),
            tuple(e.id for e in edges if unit in e.text_unit_ids),
            tuple(c.id for c in claims if c.text_unit_id == unit), n,
        )
        for n, unit in enumerate(units)
    ]  # fmt: skip
    records: dict[str, Sequence[Record]] = {
        "documents": documents, "text_units": passages, "entities": entities, "relationships": edges, "facts": facts,
        "communities": communities, "community_reports": reports, "covariates": claims,
    }  # fmt: skip
    build = replace(make_build(""), dimensions=16, summary={"failures": list(secrets)})
    tables = {name: to_table(name, found, embedded(found), passages) for name, found in records.items()}
    return MemoryReader(tables, build)


def made_from(draw: random.Random, units: Sequence[str], said: dict[str, str]) -> tuple[str, str]:
    words = [said[unit] for unit in units] or ["nothing"]
    return draw.choice(words), f"Made of {' and '.join(words)}"


def ends(entities: Sequence[Entity], edge: Relationship) -> tuple[str, ...]:
    return tuple(entity.id for entity in entities if entity.title in (edge.source, edge.target))


def name_in(draw: random.Random, entities: Sequence[Entity], secret: str) -> str | None:
    return draw.choice([None, secret, *(entity.title for entity in entities)])


def make_reports(
    draw: random.Random,
    entities: Sequence[Entity],
    edges: Sequence[Relationship],
    claims: Sequence[Claim],
    texts: dict[str, str],
) -> tuple[list[Community], list[Report]]:
    """One community of all entities with two below it; what a report says is anything of its members."""
    half = len(entities) // 2
    communities: list[Community] = []
    reports: list[Report] = []
    for n, members in enumerate([entities, entities[:half], entities[half:]] if half else []):
        titles = {entity.title for entity in members}
        inside = [edge for edge in edges if {edge.source, edge.target} <= titles]
        units = sorted({unit for entity in members for unit in entity.text_unit_ids})
        told = [str(claim.description) for claim in claims if claim.subject_id in titles]
        all_of_it = " ".join([*(e.description for e in (*members, *inside)), *titles, *told])
        findings = [Finding(all_of_it, f"{all_of_it} [Data: Sources (1)]", tuple(units[:1]))]
        findings += [
            Finding(all_of_it, f"{texts[unit].split('.')[0]}. [Data: Sources (1)]", (unit,))
            for unit in draw.sample(units, min(2, len(units)))
        ]
        level, parent, below = (1, 0, ()) if n else (0, -1, (1, 2))
        rest = (tuple(e.id for e in members), tuple(e.id for e in inside), tuple(units), "2026", len(members), n)
        communities.append(Community(f"c{n}", n, level, parent, below, f"About {all_of_it}", *rest))
        reports.append(
            Report(
                f"p{n}", n, level, parent, below, all_of_it, all_of_it, all_of_it, 5.0, all_of_it,
                tuple(findings), json.dumps(all_of_it), "2026", len(members), n,
            )
        )  # fmt: skip
    return communities, reports


def embedded(records: Sequence[Record]) -> Searchable:
    texts = [str(record) for record in records]
    return Searchable(texts, EMBEDDER.embed(texts) if texts else np.zeros((0, 16), np.float32))


def everything(reader: Reader) -> dict[str, object]:
    """All that can be had from a reader."""
    found: dict[str, object] = {"build": reader.build}
    question = EMBEDDER.embed(["Who says what in u1"])[0]
    for name in TABLES:
        table = reader.table(name)
        found[name] = table.to_pylist()
        if name in EMBEDDED:
            found["nearest " + name] = [(hit.id, round(hit.score, 5)) for hit in reader.nearest(name, question, 99)]
        if name in MATCHED:
            found["matching " + name] = reader.matching(name, "they say name0 name1 made of hidden zq0q", 99)
    return found


collections = st.tuples(st.integers(0, 10**6), st.lists(st.booleans(), min_size=1, max_size=4))


@given(collections)
@settings(max_examples=60)
def test_no_word_of_a_hidden_document_is_shown(collection: tuple[int, list[bool]]):
    seed, hidden = collection
    secrets = [f"zq{n}q" for n in range(len(hidden))]
    reader = FilteredReader(make_index(seed, secrets), allowed(hidden))

    shown = json.dumps(everything(reader), default=str).casefold()

    assert [word for word, is_hidden in zip(secrets, hidden, strict=True) if is_hidden and word in shown] == []


@given(collections)
@settings(max_examples=60)
def test_what_hidden_documents_say_changes_nothing(collection: tuple[int, list[bool]]):
    """Not even a vector or the order of a ranking."""
    seed, hidden = collection
    others = [f"zq{n}r" if is_hidden else f"zq{n}q" for n, is_hidden in enumerate(hidden)]

    one, two = (make_index(seed, secrets) for secrets in ([f"zq{n}q" for n in range(len(hidden))], others))

    assert everything(FilteredReader(one, allowed(hidden))) == everything(FilteredReader(two, allowed(hidden)))


@given(st.integers(0, 10**6), st.integers(1, 4))
@settings(max_examples=30)
def test_all_documents_are_the_whole_index(seed: int, size: int):
    reader = make_index(seed, [f"zq{n}q" for n in range(size)])
    filtered = FilteredReader(reader, allowed([False] * size))

    assert filtered.build == reader.build
    for name in TABLES:
        assert filtered.table(name).equals(reader.table(name))
    assert everything(filtered) == everything(reader)


@given(collections)
@settings(max_examples=20)
def test_columns_and_rows_are_those_of_the_table(collection: tuple[int, list[bool]]):
    seed, hidden = collection
    reader = FilteredReader(make_index(seed, [f"zq{n}q" for n in range(len(hidden))]), allowed(hidden))
    ids = [f"{letter}{n}" for letter in ("d", "u", "e", "r", "fr", "c", "k", "p") for n in range(9)]
    for name in TABLES:
        table = reader.table(name)
        rows = {row["id"]: row for row in table.to_pylist()}
        expected = [rows[id_] for id_ in ids[::-1] if id_ in rows]
        assert len(expected) == len(rows)
        assert reader.rows(name, ids[::-1]).to_pylist() == expected
        for column in table.column_names:
            assert reader.table(name, [column]).equals(table.select([column]))
            assert reader.rows(name, ids[::-1], [column]).to_pylist() == [{column: row[column]} for row in expected]


@given(collections)
@settings(max_examples=50)
def test_what_is_shown_hangs_together(collection: tuple[int, list[bool]]):
    seed, hidden = collection[0], [*collection[1], True]
    plain = make_index(seed, [f"zq{n}q" for n in range(len(hidden))])
    reader = FilteredReader(plain, allowed(hidden))
    found = {name: to_records(name, reader.table(name)) for name in TABLES}
    units = {unit.id: unit for unit in found["text_units"]}
    entities, edges = {e.id: e for e in found["entities"]}, {e.id: e for e in found["relationships"]}
    titles = {entity.title for entity in entities.values()}

    assert {unit.document_id for unit in units.values()} <= {document.id for document in found["documents"]}
    assert len(units) == sum(
        unit.document_id in allowed(hidden) for unit in to_records("text_units", plain.table("text_units"))
    )
    for entity in entities.values():
        assert entity.frequency == len(entity.text_unit_ids) > 0
        assert all(entity.id in units[unit].entity_ids for unit in entity.text_unit_ids)
        assert entity.degree == sum(entity.title in (e.source, e.target) for e in edges.values())
    for edge in edges.values():
        assert {edge.source, edge.target} <= titles
        assert 0 < edge.weight <= 6
    for community in found["communities"]:
        assert community.size == len(community.entity_ids) > 0
        assert {*community.entity_ids} <= {*entities} and {*community.relationship_ids} <= {*edges}
    for report in found["community_reports"]:
        assert {unit for finding in report.findings for unit in finding.text_unit_ids} <= {*units}
    before = {e.id: e for e in to_records("entities", plain.table("entities"))}
    intact = {e.id for e in before.values() if e.text_unit_ids and {*e.text_unit_ids} <= {*units}}
    # A tie to or from an entity of hidden documents too rests on what those say of it.
    assert all(not e.synonym_ids or {e.id, *e.synonym_ids} <= intact for e in entities.values())
    for entity in before.values():
        visible = [unit for unit in entity.text_unit_ids if unit in units]
        if visible and len(visible) == len(entity.text_unit_ids):
            tied = tuple(id_ for id_ in entity.synonym_ids or () if id_ in intact)
            assert replace(entities[entity.id], degree=9, frequency=9) == replace(entity, synonym_ids=tied)
        elif any(f"{word}" in units[unit].text for unit in visible for word in (f"{entity.title}.",)):
            assert (entities[entity.id].title, entities[entity.id].description) == (entity.title, "")


def allowed(hidden: Sequence[bool]) -> frozenset[str]:
    return frozenset(f"d{n}" for n, is_hidden in enumerate(hidden) if not is_hidden)


@given(collections)
@settings(max_examples=40)
def test_vectors_are_those_of_the_rows_shown_and_zeros_for_hidden_ones(collection: tuple[int, list[bool]]):
    seed, hidden = collection[0], [*collection[1], True]
    plain = make_index(seed, [f"zq{n}q" for n in range(len(hidden))])
    reader = FilteredReader(plain, allowed(hidden))
    for name in EMBEDDED:
        ids = [*plain.table(name)["id"].to_pylist(), "unknown"][::-1]
        shown = {row["id"]: row["vector"] for row in reader.table(name, ["id", "vector"]).to_pylist()}

        found = reader.vectors(name, ids)

        assert found.shape == (len(ids), 16)
        assert found == pytest.approx(np.array([directed(shown.get(id_, [0.0] * 16)) for id_ in ids]), abs=1e-5)


def directed(vector: Sequence[float]) -> np.ndarray:
    return np.array(vector) / max(float(np.linalg.norm(vector)), 1e-9)


def small_index(claimed: str, below: str) -> FilteredReader:
    """An entity of the shown document d0, with a claim from `claimed` and a community below its own,
    with an entity that `below` mentions."""
    units = [TextUnit("u0", "Ann and Bob", 3, "d0"), TextUnit("u1", "secret", 1, "d1")]
    records: dict[str, Sequence[Record]] = {
        "documents": [Document("d0", "", ""), Document("d1", "", "")],
        "text_units": units,
        "entities": [Entity("e0", "Ann", "", "", ("u0",)), Entity("e1", "Bob", "", "", (below,))],
        "communities": [
            Community("c0", 0, 0, -1, (1,), "Community 0", ("e0",), (), ("u0",), "", 1),
            Community("c1", 1, 1, 0, (), "Community 1", ("e1",), (), (below,), "", 1),
        ],
        "community_reports": [Report("p0", 0, 0, -1, (1,), "", "", "secret", 5.0, "", (), "", "", 1)],
        "covariates": [Claim("k0", None, None, "secret", "ANN", None, None, None, None, None, claimed)],
    }
    tables = {name: to_table(name, found, embedded(found), units) for name, found in records.items()}
    empty = make_index(0, ["a"])
    return FilteredReader(
        MemoryReader({n: t.slice(0, 0) for n, t in empty.tables.items()} | tables, empty.build), frozenset({"d0"})
    )


@pytest.mark.parametrize(("claimed", "below", "shown"), [("u0", "u0", 1), ("u1", "u0", 0), ("u0", "u1", 0)])
def test_a_report_is_made_of_claims_and_of_the_communities_below_too(claimed: str, below: str, shown: int):
    assert small_index(claimed, below).table("community_reports").num_rows == shown


def test_nothing_is_shown_of_an_index_without_documents():
    index = make_index(3, ["a", "b"])
    index.tables["documents"] = index.tables["documents"].slice(0, 0)
    reader = FilteredReader(index, frozenset({"d0"}))

    assert index.tables["text_units"].num_rows
    assert [reader.table(name).num_rows for name in TABLES] == [0] * len(TABLES)


# --- A reader like any other -------------------------------------------------------------


class FilteredStore:
    """The store of an index with one more document in it, which its readers hide."""

    def __init__(self, folder: Path) -> None:
        self.store = LanceStore(folder)

    def open(self) -> Reader:
        return FilteredReader(self.store.open(), frozenset({"d"}))

    def publish(self, tables: dict[str, pa.Table], build: Build) -> None:
        document = to_table("documents", [Document("hidden", "Hidden", "Hound")])
        unit = TextUnit("x", "The hound of snow runs in 서울 café 東京都.", 9, "hidden")
        vectors = searchable([unit.text]).vectors
        hidden = to_table("text_units", [unit], Searchable([unit.text], vectors))
        added = {"documents": document, "text_units": hidden}
        both = {
            name: pa.concat_tables([added[name], table]) if name in added else table for name, table in tables.items()
        }
        self.store.publish(both, build)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> FilteredStore:
    store = FilteredStore(tmp_path_factory.mktemp("published"))
    store.publish(make_tables(), make_build("first"))
    return store


@pytest.mark.parametrize(
    "test",
    [
        contract.test_rows_come_in_the_order_of_their_ids,
        contract.test_nearest_first_with_cosine_similarity,
        contract.test_vectors_at_length_1_in_the_order_of_their_ids,
        contract.test_as_many_as_asked_for,
        contract.test_a_vector_of_another_length_is_refused,
        contract.test_no_character_of_a_query_has_a_meaning,
        contract.test_a_query_of_thousands_of_words,
        contract.test_threads_can_share_a_reader,
        contract.test_matching_finds_korean_words_with_particles_and_accents,
        contract.test_table_and_row_order_with_many_rows_and_odd_ids,
    ],
    ids=lambda test: test.__name__,
)
def test_what_every_reader_must_do(test, published: FilteredStore, tmp_path: Path):
    if "published" in test.__code__.co_varnames[: test.__code__.co_argcount]:
        # Queries that consist of operators match every text unit, whatever is hidden.
        parameters = {"text": '+hound -"snow"'} if test is contract.test_no_character_of_a_query_has_a_meaning else {}
        test(published, **parameters)
    else:
        test(FilteredStore(tmp_path))


@pytest.mark.parametrize("exact_rows", [0, 1000])
@pytest.mark.parametrize("every", [1, 7, 100])
def test_as_many_hits_as_there_are(monkeypatch: pytest.MonkeyPatch, exact_rows: int, every: int):
    """However many hidden rows are nearer, and also if the index only looks at a part of its rows."""
    monkeypatch.setattr(filtered_reader, "EXACT_ROWS", exact_rows)
    reader = FilteredReader(make_many(600, every), frozenset({"shown"}))
    vector = EMBEDDER.embed(["word1 word2"])[0]
    table = reader.table("text_units", ["id", "vector"]).to_pylist()
    expected = best([(row["id"], float(np.array(row["vector"]) @ vector)) for row in table], 5)

    hits = reader.nearest("text_units", vector, 5)
    assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in expected], abs=1e-5)
    assert {hit.id for hit in hits} <= {row["id"] for row in table}
    found = reader.matching("text_units", "word1", 9)
    assert {hit.id for hit in found} <= {row["id"] for row in table}
    assert len(found) == min(9, len(reader.matching("text_units", "word1", 999)))


def make_many(size: int, every: int) -> MemoryReader:
    """Text units of which one in `every` is shown. If few are, a search looks at the first 100 units only."""

    class Approximate(MemoryReader):
        def nearest(self, name: str, vector: np.ndarray, k: int) -> list[Hit]:
            return [hit for hit in super().nearest(name, vector, size) if int(hit.id[1:]) < 100][:k]

    index = make_index(0, ["a"])
    units = [
        TextUnit(f"u{n}", f"word{n % 5} word{n % 11}", 2, "shown" if n % every == every - 1 else "hidden")
        for n in range(size)
    ]
    documents = [Document("shown", "", ""), Document("hidden", "", "")]
    searched = Searchable([unit.text for unit in units], EMBEDDER.embed([unit.text for unit in units]))
    tables = {name: table.slice(0, 0) for name, table in index.tables.items()}
    tables |= {"documents": to_table("documents", documents), "text_units": to_table("text_units", units, searched)}
    return (Approximate if every == 100 else MemoryReader)(tables, index.build)


# --- An index as users make them ---------------------------------------------------------


@pytest.fixture(scope="module")
def mills(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    root = tmp_path_factory.mktemp("mills")
    indexed(root, MILLS)
    return LanceStore(root / "output").open()


def only(reader: Reader, *titles: str) -> FilteredReader:
    rows = reader.table("documents", ["id", "title"]).to_pylist()
    return FilteredReader(reader, frozenset(row["id"] for row in rows if row["title"] in titles))


def test_retrieval_goes_on_from_what_is_shown(mills: Reader):
    embedder = WordEmbedder()
    retriever = Retriever(only(mills, "Corvane Group", "Otto Veit"), embedder, RetrievalSettings())

    question = "Who started the owner of Brightwell Mill in Dresden?"
    for units in (retriever.local(question, 9).text_units, retriever.hybrid("text_units", question, 9)):
        assert {unit.document_title for unit in retriever.units(units)} == {"Corvane Group", "Otto Veit"}
    graph = passage_graph.load(retriever.reader, RetrievalSettings())
    assert "Dresden" in graph.entity_titles
    assert "Brightwell Mill" not in graph.entity_titles
    assert retriever.names_in("Brightwell Mill") == []
    hits = retriever.hybrid("entities", "Dresden", 3)
    assert retriever.reader.rows("entities", [hits[0].id], ["title"])["title"].to_pylist() == ["Dresden"]


def test_entities_of_hidden_documents_too_are_found_by_what_is_left(mills: Reader):
    reader = only(mills, "Corvane Group")
    entities = {entity.title: entity for entity in to_records("entities", reader.table("entities"))}
    group = entities["Corvane Group"]

    assert (group.type, group.description, group.frequency) == ("", "", 1)
    unit = reader.table("text_units", ["id", "vector"]).to_pylist()[0]
    assert reader.rows("entities", [group.id], ["vector"])["vector"].to_pylist()[0] == pytest.approx(unit["vector"])
    assert reader.nearest("entities", np.array(unit["vector"], np.float32), 1)[0].score == pytest.approx(1)
    assert reader.matching("entities", "groups", 1)[0].id == group.id


def test_reports_are_left_with_the_sentences_that_are_shown(mills: Reader):
    reader = only(mills, "Corvane Group")
    text = " ".join(unit.text for unit in to_records("text_units", reader.table("text_units")))
    reports = to_records("community_reports", reader.table("community_reports"))

    assert reports
    for report in reports:
        assert report.findings
        assert all(finding.explanation in text for finding in report.findings)
        assert all(finding.explanation in report.full_content for finding in report.findings)
        assert "Brightwell" not in str(report)
    assert reader.matching("community_reports", "bakes bread", 1)
