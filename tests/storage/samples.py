"""Small builds for the tests of the storage room."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from graphrag.records import Claim, Community, Document, Entity, Fact, Finding, Relationship, Report, TextUnit
from graphrag.storage.base import Build
from graphrag.storage.schema import TABLES, Searchable, to_table

DIMENSIONS = 4
TEXTS = ("The hound runs in the forest.", "Hounds were running home.", "Snow fell on the quiet city.")


def make_build(fingerprint: str) -> Build:
    return Build(fingerprint, "fast", "test-model", DIMENSIONS, "2026-11-21T00:00:00Z", {"failures": ["none"]})


def searchable(texts: Sequence[str]) -> Searchable:
    """Row i has the direction of axis i, so that similarities are known."""
    vectors = np.zeros((len(texts), DIMENSIONS), np.float32)
    vectors[range(len(texts)), np.arange(len(texts)) % DIMENSIONS] = 2.0
    return Searchable(texts, vectors)


def make_tables(texts: Sequence[str] = TEXTS, prefix: str = "u") -> dict[str, pa.Table]:
    """A build of one document with these text units; `prefix` and a number are their ids."""
    units = [TextUnit(f"{prefix}{i}", text, 5, "d", human_readable_id=i) for i, text in enumerate(texts)]
    unit_ids = tuple(unit.id for unit in units)
    entities = [
        Entity("e0", "HOUND", "ANIMAL", "A grey hound", unit_ids[:1], 1, 2, 0),
        Entity("e1", "CITY", "GEO", "A quiet city\x01", unit_ids[:1], 1, 1, 1),
        Entity("e2", "SNOW", "EVENT", "Snow", (), 0, 1, 2),
    ]
    relationships = [
        Relationship("r0", "HOUND", "CITY", "fears", 2.0, 3, unit_ids[:1], 0),
        Relationship("r1", "CITY", "HOUND", "hunts", 1.5, 3, unit_ids[1:2], 1),
        Relationship("r2", "HOUND", "SNOW", "likes", 1.0, 3, (), 2),
    ]
    facts = [Fact("f0", "The hound fears the city.", ("e0", "e1"), unit_ids[:1])]
    communities = [
        Community("c0", 0, 0, -1, (1,), "Community 0", ("e0", "e1", "e2"), ("r0", "r2"), unit_ids, "2026-11-21", 3, 0),
        Community("c1", 1, 1, 0, (), "Community 1", ("e0", "e1"), ("r0",), unit_ids[:1], "2026-11-21", 2, 1),
    ]
    findings = (Finding("Fear", "The hound fears the city.", unit_ids[:1]), Finding("None", "No evidence."))
    report = Report("p0", 0, 0, -1, (1,), "Hound", "A hound", "# Hound", 7.5, "so", findings, "{}", "2026-11-21", 3, 0)
    claim = Claim("k0", "claim", "FEAR", "fears", "HOUND", "CITY", None, None, None, "text", unit_ids[0], 0)
    document = Document("d", "Title", " ".join(texts), "a.txt", "7", True, "2026-11-21", {"tags": ["x", 1]})
    return {
        "documents": to_table("documents", [document], text_units=units),
        "text_units": to_table("text_units", units, searchable(texts)),
        "entities": to_table("entities", entities, searchable([e.description for e in entities])),
        "relationships": to_table("relationships", relationships),
        "facts": to_table("facts", facts, searchable(["Fear"])),
        "communities": to_table("communities", communities),
        "community_reports": to_table("community_reports", [report], searchable(["A hound"])),
        "covariates": to_table("covariates", [claim]),
    }


def empty_tables() -> dict[str, pa.Table]:
    return {name: to_table(name, [], searchable([])) for name in TABLES}
