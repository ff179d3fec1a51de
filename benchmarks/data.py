"""The data sets, as records."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from graphrag.records import ExtractedEntity, ExtractedRelationship, Extraction, TextUnit

FOLDER = Path(__file__).parents[2] / "shared" / "data"
TRIPLES = "openie_gpt-3.5-turbo-1106.jsonl"


@dataclass(frozen=True)
class Question:
    id: str
    text: str
    gold: tuple[str, ...]
    answer: str


def sets() -> list[Path]:
    """The retrieval sets that are here."""
    return sorted(path.parent for path in FOLDER.glob("retrieval/*/queries.jsonl"))


def read_jsonl(path: Path) -> Iterator[dict]:
    for line in path.read_text("utf-8").splitlines():
        yield json.loads(line)


def questions(folder: Path) -> list[Question]:
    return [
        Question(row["id"], row["question"], tuple(row["gold"]), row["answer"])
        for row in read_jsonl(folder / "queries.jsonl")
    ]


def recorded_extractions(folder: Path, units: list[TextUnit], source_ids: dict[str, str]) -> list[Extraction]:
    """GPT-3.5's recorded triples as extractions of the text units; `source_ids` by document id."""
    triples = {row["id"]: row["triples"] for row in read_jsonl(folder / TRIPLES)}
    return [_extraction(unit.id, triples.get(source_ids[unit.document_id], [])) for unit in units]


def _extraction(unit_id: str, triples: list[list[str]]) -> Extraction:
    whole = [triple for triple in triples if len(triple) == 3 and all(map(str.strip, map(str, triple)))]
    names = dict.fromkeys(name for source, _, target in whole for name in (source, target))
    return Extraction(
        unit_id,
        tuple(ExtractedEntity(name, "", "") for name in names),
        tuple(ExtractedRelationship(source, target, relation) for source, relation, target in whole),
    )
