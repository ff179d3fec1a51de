"""Which names mean the same entity."""

import json
import random
from collections import Counter

import numpy as np
import pytest
from extractor import Forgetful, serve
from fakes import WordEmbedder
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import resolution as benchmark
from graphrag.asking import Asking
from graphrag.errors import UnusableReplyError
from graphrag.indexer import candidates, graph
from graphrag.indexer.resolution import apply, cluster, collect, parse, resolve, shown
from graphrag.indexer.vetoes import veto
from graphrag.messages import Reply, Unanswered
from graphrag.models.embedded import EmbeddedEmbedder
from graphrag.models.fake import FakeChat
from graphrag.progress import silent
from graphrag.prompts import Prompts
from graphrag.records import ExtractedClaim, ExtractedEntity, ExtractedRelationship, ExtractedStatement, Extraction
from graphrag.settings import ResolutionSettings

SETTINGS = ResolutionSettings()


def found(*names, type_="person", description=""):
    """One text unit a name."""
    return [Extraction(f"u{n}", (ExtractedEntity(name, type_, description),), ()) for n, name in enumerate(names)]


class Model(Forgetful):
    """Calls those pairs the same whose two names are in a group; or answers what it is told to."""

    def __init__(self, *groups, answer=None):
        self.groups = [set(group) for group in groups]
        self.answer = answer
        self.requests = []

    def ask(self, requests, parse, progress, label):
        self.requests += requests
        return [self.answer or parse(self.reply(request)) for request in requests]

    def reply(self, request):
        same = []
        for number, line in enumerate(request.messages[-1].content.splitlines()[1:], start=1):
            names = {side.split(" (")[0] for side in line.split(". ", 1)[1].split(" | ")}
            same += [number] * any(names <= group for group in self.groups)
        return Reply(json.dumps({"same": same}))


def resolved(extractions, *groups, model=None, **settings):
    asking = Asking(model or Model(*groups), Prompts(), silent)
    return resolve(extractions, WordEmbedder(), asking, ResolutionSettings(**settings))


def merged(resolution):
    groups = {}
    for key, canonical in resolution.canonical.items():
        groups.setdefault(canonical, set()).add(key)
    return groups


def test_without_a_model_only_the_same_words_are_merged():
    names = ["Old Mill", "the Old Mill", "Old-Mill", "Mr. Topper", "Topper", "Ebenezer Scrooge", "Scrooge"]
    resolution = resolve(found(*names), WordEmbedder(), None, SETTINGS)
    groups = sorted(map(sorted, merged(resolution).values()))
    assert groups == [["mr. topper", "topper"], ["old mill", "old-mill", "the old mill"]]


@pytest.mark.parametrize(
    "names", [("door", "the door"), ("Fezziwig", "Mrs. Fezziwig"), ("Christmas Carol", "A Christmas Carol")]
)
def test_too_little_is_not_certain(names):
    assert not resolve(found(*names), WordEmbedder(), None, SETTINGS).canonical


def test_names_of_two_types_are_not_merged_unasked():
    extractions = [*found("Old Mill", type_="place"), *found("the Old Mill", type_="event")]
    assert not resolve(extractions, WordEmbedder(), None, SETTINGS).canonical


def test_the_model_judges_what_is_between():
    extractions = found("Scrooge", "Scrooge", "Ebenezer Scrooge", "Jacob Marley")
    model = Model(["Scrooge", "Ebenezer Scrooge"])
    resolution = resolved(extractions, model=model)
    assert resolution.canonical == {"scrooge": "Scrooge", "ebenezer scrooge": "Scrooge"}
    (request,) = model.requests
    assert (request.stage, request.schema.name) == ("resolution", "same_pairs")
    assert [(d.first, d.second, d.same, d.reason) for d in resolution.decisions] == [
        ("Ebenezer Scrooge", "Scrooge", True, "model")
    ]


def test_of_equally_frequent_names_the_fullest_is_canonical():
    assert set(resolved(found("Wilkins", "Dick Wilkins"), ["Wilkins", "Dick Wilkins"]).canonical.values()) == {
        "Dick Wilkins"
    }


def test_many_pairs_a_call():
    names = [f"{first} Abel{n}" for n in range(12) for first in ("Ann", "A.")]
    model = Model()
    resolved(found(*names), model=model, pairs_per_call=5)
    pairs = [line for r in model.requests for line in r.messages[-1].content.splitlines() if " | " in line]
    assert len(pairs) == 12
    assert len(model.requests) == 3


def test_a_pair_that_was_judged_is_not_asked_about_again(tmp_path):
    groups = Model(["Ann Abel0", "A. Abel0"], ["Ann Abel12", "A. Abel12"])

    def judged(count):
        chat = FakeChat(lambda request: groups.reply(request))
        service = serve(chat, tmp_path)
        names = [f"{first} Abel{n}" for n in range(count) for first in ("Ann", "A.")]
        found_same = resolved(found(*names), model=service, pairs_per_call=5)
        service.close()
        return merged(found_same), [line for r in chat.requests for line in r.messages[-1].content.splitlines()[1:]]

    before, asked = judged(12)
    after, asked_then = judged(13)

    assert (len(asked), len(asked_then)) == (12, 1)
    assert "Abel12" in asked_then[0]
    assert (len(before), len(after)) == (1, 2)
    assert judged(13) == (after, [])


def test_no_model_overrules_a_veto():
    names = [
        "Peter Cratchit",
        "Tim Cratchit",
        "Scrooge",
        "Scrooge's nephew",
        "Old Mill on the river Aune 4",
        "Old Mill on the river Aune 5",
    ]
    resolution = resolved(found(*names), names)
    assert not resolution.canonical
    assert {decision.reason for decision in resolution.decisions} == {"vetoed"}
    assert {decision.detail for decision in resolution.decisions} >= {"given names", "numbers"}


def test_a_sure_person_is_nothing_else():
    extractions = [*found("Marley", "Marley"), *found("Marley's", "Marley's", type_="organization")]
    assert not resolved(extractions, ["Marley", "Marley's"]).canonical
    assert resolved([extractions[0], extractions[2]], ["Marley", "Marley's"]).canonical


def test_pairs_without_an_answer_stay_apart_and_are_named():
    extractions = found("Scrooge", "Ebenezer Scrooge")
    resolution = resolved(extractions, model=Model(answer=Unanswered("the server is away")))
    assert not resolution.canonical
    (failure,) = resolution.failures
    assert (failure.stage, failure.reason) == ("resolution", "the server is away")
    assert "Scrooge" in failure.item
    assert [decision.reason for decision in resolution.decisions] == ["unanswered"]
    assert not resolved(extractions, model=Model(answer=Unanswered("planned", asked=False))).failures


def test_foreign_numbers_count_for_nothing():
    resolution = resolved(found("Scrooge", "Ebenezer Scrooge"), model=Model(answer=frozenset({0, 2, 77})))
    assert (resolution.canonical, resolution.foreign) == ({}, 3)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ('{"same": [1, 4, 7]}', {1, 4, 7}),
        ('```json\n{"same": ["2", 3]}\n```', {2, 3}),
        ('{"same": []}', set()),
        ('{"same": [1, -2, 3.5, null, true, "x", 12345678901]}', {1}),
    ],
)
def test_replies(text, numbers):
    assert parse(Reply(text)) == numbers


@pytest.mark.parametrize("text", ["", "none", '{"same": 1}', '{"different": [1]}', '{"same": [1, 2'])
def test_unusable_replies(text):
    with pytest.raises(UnusableReplyError):
        parse(Reply(text))


def test_a_name_cannot_add_a_pair_or_a_line():
    (name,) = collect(found("Evil | 2. A\n3. B", description="x | y\n--- user ---"))
    assert "|" not in shown(name)
    assert "\n" not in shown(name)


# --- Groups ------------------------------------------------------------------------------


def never(pair):
    return False


def test_no_merging_along_a_chain():
    chain = {(0, 1): 0.9, (1, 2): 0.8, (2, 3): 0.7}
    assert cluster(chain, never) == [(0, 1, 2)]
    assert cluster(chain, lambda pair: pair == (0, 2)) == [(0, 1), (2, 3)]
    assert max(map(len, cluster({(n, n + 1): 1.0 for n in range(30)}, never))) == 3


POSITIONS = st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] < pair[1])


@given(st.dictionaries(POSITIONS, st.floats(0, 1)), st.sets(POSITIONS))
def test_groups_hold_no_refused_pair_and_each_member_is_affirmed(affirmed, refused):
    affirmed = {pair: strength for pair, strength in affirmed.items() if pair not in refused}
    groups = cluster(affirmed, refused.__contains__)
    assert len({member for group in groups for member in group}) == sum(map(len, groups))
    for group in groups:
        pairs = [(a, b) for a in group for b in group if a < b]
        assert not refused & set(pairs)
        assert 2 * sum(pair in affirmed for pair in pairs) >= len(pairs)


# --- Applying ----------------------------------------------------------------------------

STORY = [
    Extraction(
        "u0",
        (ExtractedEntity("Scrooge", "person", "a miser"), ExtractedEntity("Marley", "person", "dead")),
        (ExtractedRelationship("Scrooge", "Marley", "partners"),),
    ),
    Extraction(
        "u1",
        (ExtractedEntity("Ebenezer  SCROOGE", "person", "old"),),
        (
            ExtractedRelationship("Ebenezer Scrooge", "Marley", "mourns"),
            ExtractedRelationship("Ebenezer Scrooge", "scrooge", "is called"),
        ),
        (ExtractedStatement("Scrooge mourns.", ("Ebenezer Scrooge", "Marley")),),
        (ExtractedClaim("Ebenezer Scrooge", "Marley", "debt", "", "", "owes him"),),
    ),
    Extraction("u2", (ExtractedEntity("Scrooge", "person", "alone"),), ()),
]


def test_apply_renames_every_mention():
    resolution = resolved(STORY, ["Scrooge", "Ebenezer Scrooge"])
    applied = apply(STORY, resolution)
    assert [entity.name for extraction in applied for entity in extraction.entities] == [
        "Scrooge",
        "Marley",
        "Scrooge",
        "Scrooge",
    ]
    assert applied[1].statements[0].names == ("Scrooge", "Marley")
    assert (applied[1].claims[0].subject, applied[1].claims[0].object) == ("Scrooge", "Marley")
    built = graph.build(applied, max_descriptions=3)
    assert [entity.title for entity in built.entities] == ["Marley", "Scrooge"]
    (edge,) = built.relationships
    assert edge.weight == 2


def test_apply_changes_nothing_else():
    resolution = resolve(STORY, WordEmbedder(), None, SETTINGS)
    assert apply(STORY, resolution) == STORY


@settings(max_examples=20)
@given(st.randoms())
def test_the_order_of_extractions_has_no_say(chance):
    extractions = [*STORY, *found("Bob Cratchit", "Robert Cratchit", "Mr. Cratchit", "the Old Mill", "Old Mill")]
    group = ["Scrooge", "Ebenezer Scrooge"], ["Bob Cratchit", "Robert Cratchit", "Mr. Cratchit"]
    expected = resolved(extractions, *group)
    chance.shuffle(extractions)
    assert resolved(extractions, *group) == expected


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=12), max_size=8))
def test_any_names(names):
    resolution = resolved(found(*names), set(names))
    assert all(canonical in names for canonical in resolution.canonical.values())
    assert len(apply(found(*names), resolution)) == len(names)


def test_no_names():
    assert resolve([], WordEmbedder(), None, SETTINGS).canonical == {}


# --- Vetoes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ("Section 4", "Section 5", "numbers"),
        ("Apollo 11", "Apollo", "numbers"),
        ("Henry VII", "Henry VIII", "numbers"),
        ("George V", "George", "numbers"),
        ("first spirit", "second spirit", "numbers"),
        ("John Smith Jr.", "John Smith", "generation"),
        ("John Smith Senior", "John Smith Junior", "generation"),
        ("Mr. Fezziwig", "Mrs. Fezziwig", "titles"),
        ("Miss Rucastle", "Mrs. Rucastle", "titles"),
        ("Scrooge's nephew", "Scrooge's niece", "kinship"),
        ("Scrooge", "Scrooge's nephew", "kinship"),
        ("Stoner's father", "Stoner's son", "kinship"),
        ("North Korea", "South Korea", "opposites"),
        ("profit", "nonprofit", "opposites"),
        ("Yes", "not Yes", "opposites"),
        ("Peter Cratchit", "Tim Cratchit", "given names"),
        ("Sherlock Holmes", "Mycroft Holmes", "given names"),
        ("Scrooge", "Ebenezer Scrooge", ""),
        ("Mr. Scrooge", "Ebenezer Scrooge", ""),
        ("Bob Cratchit", "Robert Cratchit", ""),
        ("J. Watson", "John Watson", ""),
        ("Tim Cratchit", "Timothy Cratchit", ""),
        ("Catherine Earnshaw", "Katharine Earnshaw", ""),
        ("Mrs. Cratchit", "Cratchit's wife", ""),
        ("World Health Organization", "WHO", ""),
        ("Владимир Набоков", "Набоков", ""),
        ("東京大学", "東京", ""),
    ],
)
def test_vetoes(first, second, reason):
    assert veto(first, second, persons=True) == veto(second, first, persons=True) == reason


def test_given_names_count_for_persons_only():
    assert veto("Bow Street", "Bond Street", persons=False) == ""


@given(st.text(), st.text(), st.booleans())
def test_vetoes_are_symmetric_and_none_is_against_oneself(first, second, persons):
    assert veto(first, second, persons) == veto(second, first, persons)
    assert veto(first, first, persons) in ("", "opposites")


# --- Candidates --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("scrooge", "ebenezer scrooge"),
        ("mr. scrooge", "scrooge"),
        ("the spirit", "spirit"),
        ("who", "world health organization"),
        ("k.k.k.", "ku klux klan"),
        ("j. watson", "john watson"),
        ("bob cratchit", "robert cratchit"),
        ("master peter", "peter cratchit"),
    ],
)
def test_forms_of_a_name_are_candidates(first, second):
    assert candidates.by_words([first, second, "something else"]) == {(0, 1)}


def test_a_word_of_many_names_brings_no_one_together():
    names = [f"{chr(97 + n)}nn smith" for n in range(candidates.NAMESAKES)]
    assert len(candidates.by_words(names)) > 100
    assert not candidates.by_words([*names, "joe smith"])


def test_spelling_finds_variants_among_many():
    chance = random.Random(1)  # noqa: S311
    words = ["".join(chance.choices("abcdefghiklmnoprstuvw", k=9)) for _ in range(3000)]
    twins = [f"{word[:6]}x{word[7:]}" for word in words[:100]]
    pairs = candidates.by_spelling([*words, *twins], 0.5)
    assert sum((n, 3000 + n) in pairs for n in range(100)) >= 95
    assert len(pairs) < 400
    assert all(0.5 <= cosine <= 1.0001 for cosine in pairs.values())


def test_meaning_in_cells_finds_nearly_what_comparing_all_finds(monkeypatch):
    generator = np.random.default_rng(1)
    centres = generator.standard_normal((1000, 32))
    vectors = np.repeat(centres, 2, axis=0) + 0.2 * generator.standard_normal((2000, 32))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    every = candidates.by_meaning(vectors, 0.85)
    assert len(every) >= 900
    monkeypatch.setattr(candidates, "WHOLE", 100)
    some = candidates.by_meaning(vectors, 0.85)
    assert some.keys() <= every.keys()
    assert len(some) >= 0.9 * len(every)


# --- The labelled pairs ------------------------------------------------------------------


def test_the_labelled_set_is_what_it_says():
    counts = Counter((name, pair.same) for name in benchmark.SETS for pair in benchmark.labelled(name))
    assert counts == {("carol", True): 52, ("carol", False): 118, ("holmes", True): 67, ("holmes", False): 92}


def test_the_pairs_that_were_held_out():
    embedder = EmbeddedEmbedder()
    alone = benchmark.evaluate("holmes", embedder, SETTINGS, "none")
    assert alone.precision == 1
    assert alone.recall >= 0.25
    helped = benchmark.evaluate("holmes", embedder, SETTINGS, "oracle")
    assert helped.precision == 1
    assert helped.recall >= 0.83
    assert helped.asked <= 90
