"""What is shown of the text units, entities, relationships, facts and claims of some documents.

A text that was made from several text units is shown if all of them are shown, and is empty
otherwise: what a merge or a model put into it cannot be taken out again. A name is shown if it is
written in a text unit that is shown. Nothing is shown whose text units are not known.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from graphrag.language import fold_text, search_terms
from graphrag.query.list_columns import counts, is_in, lengths, only
from graphrag.query.views import Cut, View, select, view_of
from graphrag.storage.base import Reader
from graphrag.storage.lookup import strings

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class _Named:
    """The entities and what they may be called."""

    table: "pa.Table"
    intact: "NDArray[np.bool_]"
    """Of each entity, whether all of its text units are shown."""
    names: Mapping[int, Sequence[str]]
    """Of each entity that is cut, its names that are written in a text unit shown: one at least."""


class VisibleGraph:
    """The views of an index of which only some documents are shown, each made at first use."""

    def __init__(self, reader: Reader, document_ids: frozenset[str]) -> None:
        self._reader = reader
        self._allowed = document_ids

    @cached_property
    def whole(self) -> bool:
        """Whether nothing is hidden. Of an index without documents, everything is: nothing says whose it is."""
        ids = strings(self._read("documents", "id")["id"])
        return bool(ids) and self._allowed.issuperset(ids)

    def _read(self, table: str, *columns: str) -> "pa.Table":
        return self._reader.table(table, columns).combine_chunks()

    def is_founded(self, table: "pa.Table") -> "NDArray[np.bool_]":
        """Of each row, whether it has text units and all of them are shown."""
        inside, total = counts(table["text_unit_ids"], self.units.ids)
        return (inside == total) & (total > 0)

    # --- Documents and text units --------------------------------------------------------

    @cached_property
    def documents(self) -> View:
        """The documents that may be shown, as they are."""
        table = self._read("documents", "id")
        return view_of("documents", table, is_in(table["id"], self._allowed))

    @cached_property
    def text_units(self) -> View:
        """Their text units, with what is shown of what they mention."""
        links = {"entity_ids": self.entities, "relationship_ids": self.relationships, "covariate_ids": self.covariates}
        shown = select(self._read("text_units", *links), self.units.shown)
        changed = {column: only(shown[column], view.ids) for column, view in links.items()}
        return View(self.units.ids, self.units.shown, changed)

    @cached_property
    def units(self) -> View:
        """The text units shown, without what they mention."""
        table = self._read("text_units", "id", "document_id")
        return view_of("text_units", table, is_in(table["document_id"], self.documents.ids))

    # --- The graph -----------------------------------------------------------------------

    @cached_property
    def entities(self) -> View:
        """The entities that a text unit shown mentions, by a name that is written there.

        Ties of synonyms are left between those that are not cut: others rest on what is hidden.
        """
        import numpy as np

        named = self._named
        shown = self._named.intact.copy()
        shown[list(named.names)] = True
        table = select(named.table, shown)
        titles, aliases = strings(table["title"]), table["aliases"].to_pylist()
        units = only(table["text_unit_ids"], self.units.ids)
        synonyms = only(table["synonym_ids"], strings(select(named.table, named.intact)["id"])).to_pylist()
        cut: list[Cut] = []
        for position, row in enumerate(np.flatnonzero(shown).tolist()):
            if row in named.names:
                synonyms[position] = []
                titles[position], *aliases[position] = named.names[row]
                terms = search_terms(" ".join(named.names[row]))
                cut.append(Cut(position, terms, tuple(units[position].as_py())))
        changed = {
            "title": titles,
            "aliases": aliases,
            "synonym_ids": synonyms,
            "text_unit_ids": units,
            "frequency": lengths(units),
            "degree": [self._degrees[fold_text(title)] for title in titles],
        }
        return view_of("entities", named.table, shown, changed, cut)

    @cached_property
    def relationships(self) -> View:
        """The relationships that a text unit shown states of two entities that are shown.

        Their weights are reduced to the share of their text units that is shown.
        """
        import numpy as np

        table = self._read("relationships", "id", "source", "target", "weight", "text_unit_ids")
        inside, total = counts(table["text_unit_ids"], self.units.ids)
        shown = np.zeros(len(table), bool)
        rows: list[dict[str, Any]] = []
        cut: list[Cut] = []
        for row, edge in zip(np.flatnonzero(inside).tolist(), select(table, inside > 0).to_pylist(), strict=True):
            whole = bool(inside[row] == total[row])
            ends = {end: self._called(edge[end], whole) for end in ("source", "target")}
            if None in ends.values():
                continue
            if not whole or any(edge[end] != name for end, name in ends.items()):
                cut.append(Cut(len(rows)))
            rows.append({**edge, **ends, "weight": edge["weight"] * float(inside[row] / total[row])})
            shown[row] = True
        changed: dict[str, Any] = {name: [row[name] for row in rows] for name in ("source", "target", "weight")}
        degrees = Counter(fold_text(row[end]) for row in rows for end in ("source", "target"))
        changed["combined_degree"] = [degrees[fold_text(r["source"])] + degrees[fold_text(r["target"])] for r in rows]
        changed["text_unit_ids"] = only(select(table, shown)["text_unit_ids"], self.units.ids)
        return view_of("relationships", table, shown, changed, cut)

    @cached_property
    def facts(self) -> View:
        """The facts all of whose text units are shown, about entities that have kept their titles."""
        table = self._read("facts", "id", "entity_ids", "text_unit_ids")
        known, _ = counts(table["entity_ids"], strings(self._named.table["id"]))
        titled, _ = counts(table["entity_ids"], self._titled)
        shown = self.is_founded(table) & (known == titled)
        return view_of("facts", table, shown, {"entity_ids": only(select(table, shown)["entity_ids"], self._titled)})

    @cached_property
    def covariates(self) -> View:
        """The claims of the text units shown about entities that are shown, or about none."""
        import numpy as np

        table = self._read("covariates", "id", "subject_id", "object_id", "text_unit_id")
        shown = is_in(table["text_unit_id"], self.units.ids)
        claims = select(table, shown)
        subjects, objects = (
            [name and self._called(name, known=True) for name in claims[end].to_pylist()]
            for end in ("subject_id", "object_id")
        )
        named = np.array([bool(name) for name in subjects], bool) | claims["subject_id"].is_null().to_numpy()
        shown[np.flatnonzero(shown)[~named]] = False
        changed = {"subject_id": _kept(subjects, named), "object_id": _kept(objects, named)}
        return view_of("covariates", table, shown, changed)

    @cached_property
    def _named(self) -> _Named:
        import numpy as np

        table = self._read("entities", "id", "title", "aliases", "synonym_ids", "text_unit_ids")
        inside, total = counts(table["text_unit_ids"], self.units.ids)
        cut = (inside > 0) & (inside < total)
        written = self._written(select(table, cut).to_pylist())
        names = {row: found for row, found in zip(np.flatnonzero(cut).tolist(), written, strict=True) if found}
        return _Named(table, (inside == total) & (total > 0), names)

    def _written(self, entities: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
        """The names of each entity that its text units write, of those shown. The title it has in the
        index may be one that only a hidden document uses."""
        allowed = frozenset(self.units.ids)
        units = [[id_ for id_ in entity["text_unit_ids"] if id_ in allowed] for entity in entities]
        found = self._reader.rows("text_units", sorted({id_ for ids in units for id_ in ids}), ["id", "search_text"])
        texts = dict(zip(strings(found["id"]), strings(found["search_text"]), strict=True))
        for entity, ids in zip(entities, units, strict=True):
            names = dict.fromkeys([entity["title"], *(entity["aliases"] or ())])
            yield [name for name in names if _is_written(search_terms(name), (texts[id_] for id_ in ids))]

    @cached_property
    def _names(self) -> dict[str, str | None]:
        """What each entity of the index is called, by its folded title; None if it is hidden."""
        named = self._named
        rows = enumerate(zip(strings(named.table["title"]), named.intact.tolist(), strict=True))
        return {
            fold_text(title): title if intact else next(iter(named.names.get(row, ())), None)
            for row, (title, intact) in rows
        }

    @cached_property
    def _titled(self) -> list[str]:
        """The ids of the entities that are shown by the title they have in the index."""
        titles, ids = strings(self._named.table["title"]), strings(self._named.table["id"])
        return [id_ for id_, title in zip(ids, titles, strict=True) if self._names[fold_text(title)] == title]

    def _called(self, title: str, known: bool) -> str | None:
        """What an entity may be called; a name that is no entity's as it is, if it is `known` that
        text units that are shown have it."""
        return self._names.get(fold_text(title), title if known else None)

    @cached_property
    def _degrees(self) -> Counter[str]:
        changed = self.relationships.changed
        return Counter(fold_text(title) for end in ("source", "target") for title in changed[end].to_pylist())

    @cached_property
    def untold(self) -> list[str]:
        """The ids of the entities of which neither a mention nor a claim is hidden."""
        claims = self._read("covariates", "subject_id", "object_id", "text_unit_id")
        hidden = select(claims, ~is_in(claims["text_unit_id"], self.units.ids))
        told = {fold_text(name) for end in ("subject_id", "object_id") for name in strings(hidden[end])}
        named = self._named
        rows = zip(strings(named.table["id"]), strings(named.table["title"]), named.intact.tolist(), strict=True)
        return [id_ for id_, title, intact in rows if intact and fold_text(title) not in told]


def _kept(values: Sequence[Any], keep: Iterable[bool]) -> list[Any]:
    return [value for value, is_kept in zip(values, keep, strict=True) if is_kept]


def _is_written(terms: str, texts: Iterable[str]) -> bool:
    return bool(terms) and any(f" {terms} " in f" {text} " for text in texts)
