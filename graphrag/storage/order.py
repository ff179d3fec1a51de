"""The order of a table's rows: that of `human_readable_id`, wherever the store has put them."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from typing import TYPE_CHECKING

from graphrag.storage.arrays import take, to_numbers, whole

if TYPE_CHECKING:
    import pyarrow as pa

NUMBER = "human_readable_id"


def ascending(table: "pa.Table") -> bool:
    """Whether the rows are in the order of `human_readable_id`."""
    numbers = to_numbers(whole(table[NUMBER]).fill_null(-1))
    return bool((numbers[1:] > numbers[:-1]).all())


def in_order(table: "pa.Table") -> "pa.Table":
    """The rows in the order of `human_readable_id`."""
    if ascending(table):
        return table
    import numpy as np

    numbers = to_numbers(whole(table[NUMBER]))
    return take(table, np.argsort(numbers, kind="stable").tolist())
