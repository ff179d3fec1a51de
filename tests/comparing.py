"""Tables without what depends on the builds before: numbers, the order of rows, dates."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

Row = dict[str, Any]
HISTORY = ("human_readable_id", "period", "creation_date")
_CITED = re.compile(r"\[Data: [^\]]*\]")


def comparable(tables: Mapping[str, Sequence[Row]]) -> dict[str, list[Row]]:
    """The rows by id. A community is known by the ids of its members; what reports cite is left out."""
    members = {row["community"]: row["id"] for row in tables["communities"]} | {-1: None}
    return {name: sorted((_plain(row, members) for row in rows), key=str) for name, rows in tables.items()}


def _plain(row: Row, members: Mapping[int, str | None]) -> Row:
    kept = {column: value for column, value in row.items() if column not in HISTORY}
    if "community" in kept:
        kept["community"], kept["parent"] = members[kept["community"]], members[kept["parent"]]
        kept["children"] = sorted(str(members[child]) for child in kept["children"])
        kept["title"] = re.sub(r"^Community \d+$", "Community", kept["title"])
    return {column: _uncited(value) for column, value in kept.items()}


def _uncited(value: Any) -> Any:
    if isinstance(value, str):
        return _CITED.sub("[Data]", value)
    if isinstance(value, list):
        return [_uncited(item) for item in value]
    return {key: _uncited(item) for key, item in value.items()} if isinstance(value, dict) else value
