"""Which rows of a table differ from those of another one with the same columns, by whole columns."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Difference:
    """What turns a table into another: take out `gone` and `changed`, put in `changed` and `added`."""

    gone: Sequence[str]
    """Ids of rows that the new table does not have."""
    changed: Sequence[int]
    """Positions in the new table of rows that are other ones in the old table."""
    added: Sequence[int]
    """Positions in the new table of rows that the old table does not have."""

    @property
    def rows(self) -> int:
        """How many rows are taken out or put in."""
        return len(self.gone) + len(self.changed) + len(self.added)


def difference(old: Callable[[str], Any], new: "pa.Table") -> Difference:
    """By id. `old` gives a column of the old table at a time, its rows in one order: two whole tables
    with their vectors need not be in memory. Ids are unique."""
    import numpy as np

    before: dict[str, int] = {row_id: row for row, row_id in enumerate(old("id").to_pylist())}
    ids: list[Any] = new["id"].to_pylist()
    both = [row for row, row_id in enumerate(ids) if row_id in before]
    rows, old_rows = np.array(both, np.int64), np.array([before[ids[row]] for row in both], np.int64)
    differs = np.zeros(len(both), bool)
    for name in new.column_names:
        if name != "id":
            differs |= unequal(_take(old(name), old_rows), _take(new[name], rows))
    known = set(ids)
    return Difference(
        [row_id for row_id in before if row_id not in known],
        rows[differs].tolist(),
        [row for row, row_id in enumerate(ids) if row_id not in before],
    )


def unequal(a: Any, b: Any) -> "NDArray[np.bool_]":
    """Where two arrays of one type and length differ; null equals null, and NaN equals NaN."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    nulls, others = (np.asarray(array.is_null().to_numpy(zero_copy_only=False), bool) for array in (a, b))
    differs = nulls != others
    kind = a.type
    if pa.types.is_struct(kind):
        for index in range(kind.num_fields):
            differs |= unequal(pc.struct_field(a, [index]), pc.struct_field(b, [index]))
    elif pa.types.is_fixed_size_list(kind):
        size = kind.list_size
        parts = [array.values.slice(array.offset * size, len(array) * size) for array in (a, b)]
        differs |= unequal(*parts).reshape(len(a), size).any(axis=1)
    elif pa.types.is_list(kind):
        differs |= _unequal_lists(a, b)
    else:
        same = pc.equal(a, b)
        if pa.types.is_floating(kind):
            same = pc.or_kleene(same, pc.and_(pc.is_nan(a), pc.is_nan(b)))
        # Not known: both null, or only one of them, which has been seen.
        differs |= np.asarray(pc.is_in(same, pa.array([False])).to_numpy(zero_copy_only=False), bool)
    return differs


def _unequal_lists(a: Any, b: Any) -> "NDArray[np.bool_]":
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    none = pa.scalar(0, pa.int32())
    counts: list[Any] = [pc.coalesce(pc.list_value_length(array), none) for array in (a, b)]
    lengths, others = (np.asarray(count.to_numpy(zero_copy_only=False)) for count in counts)
    differs = np.asarray(lengths != others, bool)
    alike = np.flatnonzero(~differs)
    if alike.size:
        items = unequal(*(pc.list_flatten(_take(array, alike)) for array in (a, b)))
        # Which row an item is of.
        owner = np.repeat(alike, lengths[alike])
        differs[owner[items]] = True
    return differs


def _take(column: Any, rows: "NDArray[np.int64]") -> Any:
    import pyarrow as pa

    from graphrag.storage.arrays import to_arrow, whole

    return whole(column).take(to_arrow(rows)) if len(rows) else pa.nulls(0, column.type)
