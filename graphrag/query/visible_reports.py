"""What is shown of communities, and of reports about them, when some documents are hidden.

A report is shown if nothing of its community is hidden: whoever wrote it read all of that, and may
say anything of it anywhere, also in a finding that cites other sources. Of other reports those
findings are left that stand word for word in a text unit that is shown, as the findings of reports
made without a model do; title, summary and rank are made anew.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from graphrag.language import DATA_REFERENCE, fold_text, search_terms
from graphrag.query.list_columns import all_in, counts, lengths, only
from graphrag.query.views import Cut, View, select, view_of
from graphrag.query.visible_graph import VisibleGraph
from graphrag.storage.base import Reader
from graphrag.storage.lookup import strings

if TYPE_CHECKING:
    import pyarrow as pa

SUMMARY_SENTENCES = 2
TITLE_NAMES = 3
MAX_RANK = 10
REMADE = (
    *("title", "summary", "full_content", "rank", "rating_explanation"),
    *("findings", "full_content_json", "finding_text_unit_ids", "size"),
)
"""Columns of a report that is cut which differ from those of the whole one."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """What is shown of a community."""

    names: Sequence[str] = ()
    """Titles of its entities, the most prominent first."""
    text_units: int = 0
    total: int = 0
    """Text units that are shown of the whole index."""


class VisibleReports:
    """The views of communities and reports, each made at first use."""

    def __init__(self, reader: Reader, graph: VisibleGraph) -> None:
        self._reader = reader
        self._graph = graph

    def _read(self, table: str, *columns: str) -> "pa.Table":
        return self._reader.table(table, columns).combine_chunks()

    @cached_property
    def communities(self) -> View:
        """The communities of the entities shown. A title is a number where members are hidden."""
        table = self._read(
            "communities", "id", "community", "title", "children", "entity_ids", "relationship_ids", "text_unit_ids"
        )
        shown = counts(table["entity_ids"], self._graph.entities.ids)[0] > 0
        rows = select(table, shown)
        entities = only(rows["entity_ids"], self._graph.entities.ids)
        numbers, titles = _integers(rows["community"]), strings(rows["title"])
        changed = {
            "title": [t if n in self._open else f"Community {n}" for n, t in zip(numbers, titles, strict=True)],
            "children": only(rows["children"], numbers),
            "entity_ids": entities,
            "relationship_ids": only(rows["relationship_ids"], self._graph.relationships.ids),
            "text_unit_ids": only(rows["text_unit_ids"], self._graph.units.ids),
            "size": lengths(entities),
        }
        return view_of("communities", table, shown, changed)

    @cached_property
    def community_reports(self) -> View:
        """The reports of communities of which nothing is hidden; of the others, the findings that stand
        word for word in a text unit shown."""
        import numpy as np

        table = self._read("community_reports", "id", "community", "children", *REMADE)
        reports: list[dict[str, Any]] = table.to_pylist()
        allowed = frozenset(self._graph.units.ids)
        whole = [r["community"] in self._open and _evidence([r]) <= allowed for r in reports]
        texts = self._folded(_evidence(r for r, is_whole in zip(reports, whole, strict=True) if not is_whole) & allowed)
        shown = np.array(whole, bool)
        cut: list[Cut] = []
        left: list[dict[str, Any]] = []
        for row, report in enumerate(reports):
            findings = [] if whole[row] else _standing(report, texts)
            if findings:
                report |= _remake(report["community"], findings, self._about.get(report["community"], _Shown()))
                units = tuple(dict.fromkeys(unit for _, where in findings for unit in where))
                cut.append(Cut(len(left), search_terms(report["full_content"]), units))
            if findings or whole[row]:
                shown[row] = True
                left.append(report)
        changed: dict[str, Any] = {column: [report[column] for report in left] for column in REMADE}
        changed["children"] = only(select(table, shown)["children"], self._numbers)
        return view_of("community_reports", table, shown, changed, cut)

    def _folded(self, text_units: Collection[str]) -> dict[str, str]:
        rows = self._reader.rows("text_units", sorted(text_units), ["id", "text"])
        return {id_: fold_text(text) for id_, text in zip(strings(rows["id"]), strings(rows["text"]), strict=True)}

    @cached_property
    def _about(self) -> dict[int, _Shown]:
        """What is shown of each community, by its number."""
        entities, communities = self._graph.entities, self.communities.changed
        titles, degrees = strings(entities.changed["title"]), entities.changed["degree"].to_pylist()
        prominence = {id_: (-degree, title) for id_, title, degree in zip(entities.ids, titles, degrees, strict=True)}
        rows = zip(
            self._numbers, communities["entity_ids"].to_pylist(), lengths(communities["text_unit_ids"]), strict=True
        )
        return {
            number: _Shown(
                [title for _, title in sorted(prominence[id_] for id_ in ids)], int(units), len(self._graph.units.ids)
            )
            for number, ids, units in rows
        }

    @cached_property
    def _numbers(self) -> list[int]:
        """The numbers of the communities shown."""
        return _integers(select(self._read("communities", "community"), self.communities.shown)["community"])

    @cached_property
    def _open(self) -> frozenset[int]:
        """The numbers of the communities of which nothing is hidden: no text unit, member, relationship,
        claim about a member, nor anything of the communities below, whose reports theirs is made from."""
        import numpy as np

        table = self._read(
            "communities", "community", "parent", "children", "entity_ids", "relationship_ids", "text_unit_ids"
        )
        edges = self._read("relationships", "id", "text_unit_ids")
        founded = strings(select(edges, self._graph.is_founded(edges))["id"])
        whole = (
            (lengths(table["entity_ids"]) > 0)
            & all_in(table["entity_ids"], self._graph.untold)
            & all_in(table["relationship_ids"], founded)
            & all_in(table["text_unit_ids"], self._graph.units.ids)
        )
        numbers = _integers(table["community"])
        below = [*zip(table["parent"].to_pylist(), numbers, strict=True)]
        below += [
            (n, child) for n, row in zip(numbers, table["children"].to_pylist(), strict=True) for child in row or ()
        ]
        closed = {numbers[row] for row in np.flatnonzero(~whole).tolist()}
        while more := {parent for parent, child in below if child in closed} - closed:
            closed |= more
        return frozenset(numbers) - closed


def _standing(report: Mapping[str, Any], texts: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """The findings that stand word for word in one of their text units, and those of them where they do.

    `texts` are the folded texts of the text units shown. White space and letter case may differ.
    """
    found: list[tuple[str, list[str]]] = []
    evidence: list[list[str]] = report["finding_text_unit_ids"] or []
    for finding, units in zip(report["findings"] or (), evidence, strict=False):
        text = " ".join(DATA_REFERENCE.sub("", finding["explanation"] or "").split())
        where = [unit for unit in units if fold_text(text) in texts.get(unit, "")]
        if text and where:
            found.append((text, where))
    return found


def _remake(number: int, findings: Sequence[tuple[str, list[str]]], shown: _Shown) -> dict[str, Any]:
    """The columns of `REMADE` for a report of these findings about a community."""
    texts = [text for text, _ in findings]
    title = ", ".join(shown.names[:TITLE_NAMES]) or f"Community {number}"
    summary = " ".join(texts[:SUMMARY_SENTENCES])
    return {
        "title": title,
        "summary": summary,
        "full_content": "\n\n".join([f"# {title}", *texts]),
        "rank": round(MAX_RANK * math.log1p(shown.text_units) / math.log1p(max(shown.total, 1)), 1),
        "rating_explanation": "",
        "findings": [{"explanation": text, "summary": ""} for text in texts],
        "full_content_json": "",
        "finding_text_unit_ids": [units for _, units in findings],
        "size": len(shown.names),
    }


def _evidence(reports: Iterable[Mapping[str, Any]]) -> set[str]:
    """The text units that the findings of some reports rest on."""
    return {unit for report in reports for units in report["finding_text_unit_ids"] or () for unit in units or ()}


def _integers(column: Any) -> list[int]:
    return column.to_pylist()
