"""What is shown of a table of which some rows are hidden: rows, and what is left of them."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from graphrag.storage import schema
from graphrag.storage.arrays import from_mask, from_values
from graphrag.storage.lookup import strings

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

MADE: Mapping[str, Sequence[str]] = {"entities": ("type", "description"), "relationships": ("description",)}
"""Columns that are made from all text units of a row."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A row that was made from hidden text units too, and is searched by what is left of it."""

    position: int
    """Among the rows shown."""
    terms: str = ""
    """What it still says, as `language.search_terms` gives it."""
    text_unit_ids: tuple[str, ...] = ()
    """What it still rests on."""


@dataclass(frozen=True)
class View:
    """What is shown of a table. In rows that are cut, the columns of `MADE` are empty."""

    ids: list[str]
    """Of the rows shown, in table order."""
    shown: "NDArray[np.bool_]"
    """Of each row of the table, whether it is."""
    changed: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Values of some columns, one a row shown."""
    cut: tuple[Cut, ...] = ()
    """In the order of their positions."""

    @cached_property
    def position(self) -> Mapping[str, int]:
        """Of each row shown among them, by its id."""
        return {id_: position for position, id_ in enumerate(self.ids)}

    @cached_property
    def places(self) -> "NDArray[np.int64]":
        """Of each row shown, its place in `cut`, or -1."""
        import numpy as np

        places = np.full(len(self.ids), -1, np.int64)
        places[[cut.position for cut in self.cut]] = range(len(self.cut))
        return places

    @cached_property
    def intact(self) -> frozenset[str]:
        """The ids of the rows shown that are not cut."""
        return frozenset(self.ids).difference(self.ids[cut.position] for cut in self.cut)


def view_of(
    name: str,
    table: "pa.Table",
    shown: "NDArray[np.bool_]",
    changed: Mapping[str, Any] | None = None,
    cut: Sequence[Cut] = (),
) -> View:
    """The view of a table of which these rows are shown; the values of `changed` can be of any kind."""
    import pyarrow as pa

    types = schema.columns(name)
    columns = {
        column: values if isinstance(values, pa.Array) else from_values(values, types.field(column).type)
        for column, values in (changed or {}).items()
    }
    return View(strings(select(table, shown)["id"]), shown, columns, tuple(cut))


def select(table: "pa.Table", rows: "NDArray[np.bool_]") -> "pa.Table":
    """Those rows of a table, in one chunk."""
    return table.filter(from_mask(rows)).combine_chunks()
