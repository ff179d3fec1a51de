"""Out of the store and into it: Parquet as Microsoft GraphRAG writes it, NetworkX, GraphML."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from graphrag.errors import InterchangeError
from graphrag.language import DATA_REFERENCE
from graphrag.records import Community, Index, Report, TextUnit
from graphrag.storage import schema
from graphrag.storage.base import Reader
from graphrag.storage.files import replacing

if TYPE_CHECKING:
    import networkx as nx

REQUIRED: Mapping[str, Sequence[str]] = {
    "documents": "id title text".split(),
    "text_units": "id text n_tokens document_id".split(),
    "entities": "id title type description".split(),
    "relationships": "id source target description".split(),
    "communities": "id community level parent children title entity_ids period size".split(),
    "community_reports": "id community level title summary full_content rank findings".split(),
    "covariates": "id type subject_id".split(),
}
"""What an index must have to be imported; all else is made up for."""

# "[Data: Entities (5, 8); Relationships (7, +more)]", the numbers being human_readable_id.
_NUMBERS = re.compile(r"(sources|entities|relationships|claims|reports) ?\(([^()]{0,2000})\)", re.IGNORECASE)
# The incumbent can put "key: value." lines of metadata before the text of a unit.
_HEADER = re.compile(r"\A(?:[\w -]+: .*\.\n)+")
# What stands for a null: by column, else by the type of the record's field.
_STAND_INS: Mapping[object, object] = {"parent": -1, "weight": 1.0, str: "", int: 0, float: 0.0, bool: False}
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def export_parquet(reader: Reader, folder: Path) -> dict[str, int]:
    """Write one Parquet file a table, with exactly the columns of Microsoft GraphRAG 3.x.

    Gives the number of rows by table. As there, `covariates` is left out if there are no claims,
    and `raw_data` has the type null if no document has any. Raises InterchangeError.
    """
    tables = {name: reader.table(name, columns) for name, columns in schema.MS_COLUMNS.items()}
    tables["documents"] = _null_if_empty(tables["documents"], "raw_data")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # One left by an earlier export would be read with this one.
        (folder / "covariates.parquet").unlink(missing_ok=True)
        written = {name: table for name, table in tables.items() if table.num_rows or name != "covariates"}
        for name, table in written.items():
            with replacing(folder / f"{name}.parquet") as path:
                pq.write_table(table, path)
    except OSError as error:
        raise InterchangeError(f"cannot write to {folder}: {error.strerror or error}") from error
    return {name: table.num_rows for name, table in written.items()}


def read_parquet(folder: Path) -> Index:
    """The records of an index that Microsoft GraphRAG 3.x wrote as Parquet files, in their order.

    Columns outside `REQUIRED` and the covariates may be absent, and values null. Findings get the
    text units that their `[Data: …]` references lead to, else all of their community. Raises
    InterchangeError that names the file or column at fault.
    """
    index = Index(**{name: tuple(_records(folder, name)) for name in schema.MS_COLUMNS})
    evidence = {
        "sources": {unit.human_readable_id: (unit.id,) for unit in index.text_units},
        "entities": {entity.human_readable_id: entity.text_unit_ids for entity in index.entities},
        "relationships": {edge.human_readable_id: edge.text_unit_ids for edge in index.relationships},
        "claims": {claim.human_readable_id: (claim.text_unit_id,) for claim in index.covariates if claim.text_unit_id},
        "reports": {community.community: community.text_unit_ids for community in index.communities},
    }
    return replace(
        index,
        documents=tuple(replace(document, titled=True) for document in index.documents),
        text_units=_located(index.text_units, {document.id: document.text for document in index.documents}),
        community_reports=tuple(_with_evidence(report, evidence) for report in index.community_reports),
    )


def to_networkx(reader: Reader) -> "nx.Graph[str]":
    """The knowledge graph: entity titles as nodes, relationships as undirected edges.

    A node has `id`, `type`, `description`, `frequency`, `degree` and `community`, the number of
    the finest community it is in, or -1; an edge has `weight` and `description`. Relationships
    between the same two entities become one edge: weights added, descriptions as lines. An end
    of a relationship that is no entity, as in some imported indexes, is a node without attributes.
    """
    import networkx as nx

    graph: nx.Graph[str] = nx.Graph()
    finest = _finest_communities(schema.to_records("communities", reader.table("communities")))
    for entity in reader.table("entities", _NODE_COLUMNS).to_pylist():
        graph.add_node(entity.pop("title"), **entity, community=finest.get(entity["id"], -1))
    for edge in reader.table("relationships", ["source", "target", "weight", "description"]).to_pylist():
        source, target = edge["source"], edge["target"]
        if graph.has_edge(source, target):
            graph[source][target]["weight"] += edge["weight"]
            graph[source][target]["description"] += "\n" + edge["description"]
        else:
            graph.add_edge(source, target, weight=edge["weight"], description=edge["description"])
    return graph


def export_graphml(reader: Reader, path: Path) -> None:
    """Write the graph of `to_networkx` as GraphML, for Gephi, igraph, yEd and others.

    The attribute `id` is called `entity_id`; characters that XML cannot hold become U+FFFD. Raises
    InterchangeError if the file cannot be written.
    """
    import networkx as nx

    graph = nx.relabel_nodes(to_networkx(reader), _xml_text)
    for attributes in (*graph.nodes.values(), *graph.edges.values()):
        attributes.update({key: _xml_text(value) for key, value in attributes.items() if isinstance(value, str)})
        if "id" in attributes:  # igraph has another use for this name and warns.
            attributes["entity_id"] = attributes.pop("id")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            nx.write_graphml(graph, temporary)
    except OSError as error:
        raise InterchangeError(f"cannot write {path}: {error.strerror or error}") from error


_NODE_COLUMNS = ("title", "id", "type", "description", "frequency", "degree")


def _finest_communities(communities: Sequence[Community]) -> dict[str, int]:
    by_level = sorted(communities, key=lambda community: community.level)
    return {entity_id: community.community for community in by_level for entity_id in community.entity_ids}


def _xml_text(text: str) -> str:
    return _NOT_IN_XML.sub("\ufffd", text)


def _null_if_empty(table: pa.Table, column: str) -> pa.Table:
    if table[column].null_count < table.num_rows:
        return table
    return table.set_column(table.column_names.index(column), column, pa.nulls(table.num_rows))


def _read(path: Path) -> pa.Table:
    try:
        # A folder named like "a=b" on the way must not become a column.
        return pq.read_table(path, partitioning=None)
    except FileNotFoundError as error:
        raise InterchangeError(f"{path} is missing: an index cannot be imported without it") from error
    except (OSError, pa.ArrowException) as error:
        raise InterchangeError(f"{path} is not a Parquet file that can be read") from error


def _records(folder: Path, name: str) -> list[Any]:
    path = folder / f"{name}.parquet"
    if name == "covariates" and not path.exists():
        return []
    table = _read(path)
    missing = [column for column in REQUIRED[name] if column not in table.column_names]
    if missing:
        raise InterchangeError(f"{path} has no column '{missing[0]}': an index cannot be imported without it")
    table = table.rename_columns(["raw_data" if column == "metadata" else column for column in table.column_names])
    twice = [id_ for id_, count in Counter(table["id"].to_pylist()).items() if count > 1]
    if twice:
        raise InterchangeError(f"{path} has {len(twice)} ids more than once, such as {twice[0]}: ids must be unique")
    wanted = schema.columns(name)
    arrays = [_column(path, table, field) for field in wanted]
    return schema.to_records(name, pa.Table.from_arrays(arrays, schema=wanted))


def _column(path: Path, table: pa.Table, field: "pa.Field[Any]") -> Any:
    """A column of a foreign table in the type of ours, with something in place of its nulls."""
    column: Any = table[field.name] if field.name in table.column_names else pa.nulls(table.num_rows)
    if field.name == "raw_data":
        column = pa.array(map(_metadata, column.to_pylist()), pa.string())
    try:
        column = column.cast(field.type)
    except pa.ArrowException as error:
        raise InterchangeError(f"{path}: column '{field.name}' has the type {column.type}, not {field.type}") from error
    if field.name == "human_readable_id":
        return pc.coalesce(column, pa.array(range(table.num_rows), pa.int64()))
    hint = get_type_hints(schema.TABLES[path.stem]).get(field.name)
    stand_in = _STAND_INS.get(field.name, _STAND_INS.get(hint))
    return column if stand_in is None else pc.fill_null(column, stand_in)


def _metadata(value: object) -> str | None:
    """The JSON of an object: the incumbent has written text of any kind, and structs."""
    if isinstance(value, str) and value:
        parsed: object = None
        with suppress(ValueError, RecursionError):
            parsed = json.loads(value)
        value = parsed if isinstance(parsed, dict) else {"raw_data": value}
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict) else None


def _located(units: Sequence[TextUnit], texts: Mapping[str, str]) -> tuple[TextUnit, ...]:
    """The units with their place in their document; the whole of its beginning if they are not in it."""
    located: list[TextUnit] = []
    after: dict[str, int] = {}
    for unit in units:
        start, end = _span(texts.get(unit.document_id, ""), unit.text, after.get(unit.document_id, 0))
        after[unit.document_id] = start + 1
        located.append(replace(unit, start=start, end=end))
    return tuple(located)


def _span(text: str, passage: str, after: int) -> tuple[int, int]:
    for candidate in (passage, _HEADER.sub("", passage, count=1)):
        for start in (text.find(candidate, after), text.find(candidate)):
            if start >= 0:
                return start, start + len(candidate)
    return 0, len(passage)


_Evidence = Mapping[str, Mapping[int, tuple[str, ...]]]


def _with_evidence(report: Report, evidence: _Evidence) -> Report:
    whole = evidence["reports"].get(report.community, ())
    findings = (replace(f, text_unit_ids=_cited(f.explanation, evidence) or whole) for f in report.findings)
    return replace(report, findings=tuple(findings))


def _cited(text: str, evidence: _Evidence) -> tuple[str, ...]:
    """The text units that the references of a finding lead to, in the order of the references."""
    cited: dict[str, None] = {}
    for reference in DATA_REFERENCE.findall(text):
        for kind, numbers in _NUMBERS.findall(reference):
            for number in re.findall(r"\d{1,18}", numbers):
                cited |= dict.fromkeys(evidence[kind.lower()].get(int(number), ()))
    return tuple(cited)
