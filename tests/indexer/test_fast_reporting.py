import json

import numpy as np
import pytest
from fakes import WordEmbedder
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import documents, text_units

from graphrag.indexer import clustering, fast_extraction, fast_reporting, graph
from graphrag.indexer.graph import Graph
from graphrag.records import Community, Entity, Fact, Report, TextUnit
from graphrag.settings import CommunitySettings, ExtractionSettings, ReportSettings

TEXTS = (
    "there stood Scrooge with Marley at the counting house. Marley was dead: Scrooge knew it well enough.",
    "the clerk Bob Cratchit feared Scrooge more than the cold. there sat Bob Cratchit with Tiny Tim by the fire.",
    "the ghost of Marley came\nto Scrooge in the night. nobody else saw it.",
    "there came Fezziwig with his fiddler. so Fezziwig danced until the candles burned low.",
)


def report_on(*texts: str, **options: int) -> tuple[list[Report], list[Community], Graph, list[TextUnit]]:
    """The reports on texts, and what they are made from."""
    units = text_units(*texts)
    built = graph.build(fast_extraction.extract(documents(*texts), units, ExtractionSettings()), max_descriptions=3)
    communities = clustering.detect(built, CommunitySettings(max_size=2, resolution=0.3))
    vectors = WordEmbedder().embed([fact.text for fact in built.facts])
    reports = fast_reporting.write(communities, built, vectors, units, ReportSettings(**options))
    return reports, communities, built, units


def test_one_report_for_every_community_at_every_level():
    reports, communities, _, _ = report_on(*TEXTS)

    assert len(reports) > 1
    for report, community in zip(reports, communities, strict=True):
        for field in ("community", "level", "parent", "children", "period", "size", "human_readable_id"):
            assert getattr(report, field) == getattr(community, field)
        assert report.title
        assert report.summary
    assert len({report.id for report in reports}) == len(reports)


def test_a_finding_is_a_sentence_of_the_text_units_it_names():
    reports, communities, built, units = report_on(*TEXTS)

    texts = {unit.id: " ".join(unit.text.split()) for unit in units}
    sentences = {fact.text for fact in built.facts}
    for report, community in zip(reports, communities, strict=True):
        assert report.findings
        for finding in report.findings:
            sentence, _, reference = finding.explanation.partition(" [Data: ")
            numbers = ", ".join(unit.removeprefix("u") for unit in finding.text_unit_ids)
            assert reference == f"Sources ({numbers})]"
            assert sentence in sentences
            assert finding.text_unit_ids
            assert all(sentence in texts[unit] for unit in finding.text_unit_ids)
            assert set(finding.text_unit_ids) <= set(community.text_unit_ids)


def test_the_content_says_in_prose_and_in_json_what_the_fields_say():
    for report in report_on(*TEXTS)[0]:
        content = json.loads(report.full_content_json)
        assert (content["title"], content["summary"], content["rating"]) == (report.title, report.summary, report.rank)
        assert [finding["explanation"] for finding in content["findings"]] == [f.explanation for f in report.findings]
        assert report.full_content.startswith(f"# {report.title}\n\n{report.summary}")
        assert all(finding.explanation in report.full_content for finding in report.findings)


def test_rank_is_the_share_of_the_collection_from_0_to_10():
    reports, communities, _, _ = report_on(*TEXTS)

    assert all(0 <= report.rank <= 10 for report in reports)
    by_units = sorted(zip(communities, reports, strict=True), key=lambda pair: len(pair[0].text_unit_ids))
    ranks = [report.rank for _, report in by_units]
    assert ranks == sorted(ranks)
    assert report_on("there stood Scrooge with Marley.")[0][0].rank == 10


def test_findings_are_limited_and_differ():
    many = [f"there stood Scrooge with Marley on day {number} of the long cold winter." for number in range(30)]

    for report in report_on(*TEXTS, *many, max_findings=3)[0]:
        assert 0 < len(report.findings) <= 3
        assert len({finding.explanation for finding in report.findings}) == len(report.findings)


def test_the_most_central_sentence_is_kept():
    facts = tuple(Fact(f"f{n}", f"sentence number {n} of all that there are", ("e",), ("u0",)) for n in range(4))
    built = Graph((Entity("e", "E", "NAME", "", ("u0",), 1),), (), facts)
    community = Community("c", 0, 0, -1, (), "Community 0", ("e",), (), ("u0",), "", 1)
    vectors = np.array([[1, 0, 0], [0.8, 0.6, 0], [0, 1, 0], [0, 0, 1]], dtype=np.float32)

    (report,) = fast_reporting.write([community], built, vectors, text_units("…"), ReportSettings(max_findings=1))

    assert [finding.explanation for finding in report.findings] == [f"{facts[1].text} [Data: Sources (0)]"]


def test_a_community_about_which_nothing_is_said():
    built = Graph((Entity("e", "E", "NAME", "", ("u0",), 1),), (), ())
    community = Community("c", 0, 0, -1, (), "Community 0", ("e",), (), ("u0",), "", 1)

    (report,) = fast_reporting.write(
        [community], built, np.zeros((0, 3), np.float32), text_units("E"), ReportSettings()
    )

    assert (report.title, report.summary, report.findings) == ("E", "E", ())


def test_no_communities():
    assert report_on("nothing here has a name.")[0] == []


@given(st.permutations(range(len(TEXTS))))
@settings(deadline=None, max_examples=24)
def test_ids_do_not_depend_on_the_order_of_the_text_units(order: list[int]):
    def ids(units: list[TextUnit]) -> set[str]:
        built = graph.build(fast_extraction.extract([], units, ExtractionSettings()), max_descriptions=3)
        communities = clustering.detect(built, CommunitySettings())
        vectors = WordEmbedder().embed([fact.text for fact in built.facts])
        return {report.id for report in fast_reporting.write(communities, built, vectors, units, ReportSettings())}

    units = text_units(*TEXTS)
    assert ids([units[place] for place in order]) == ids(units)


@pytest.mark.parametrize(
    ("members", "title"),
    [
        ("Ann", "Ann"),
        ("Ann Bob", "Ann and Bob"),
        ("Ann Bob Cid", "Ann, Bob and Cid"),
        ("Ann Bob Cid Dan", "Ann, Bob, Cid and others"),
    ],
)
def test_titles_name_the_most_prominent_members(members: str, title: str):
    entities = tuple(Entity(n, n, "NAME", "", ("u0",), 1, degree=9 - i) for i, n in enumerate(members.split()))
    ids = tuple(entity.id for entity in reversed(entities))
    community = Community("c", 0, 0, -1, (), "Community 0", ids, (), ("u0",), "", len(ids))

    (report,) = fast_reporting.write(
        [community], Graph(entities, (), ()), np.zeros((0, 3), np.float32), text_units("…"), ReportSettings()
    )

    assert report.title == title
