"""What is done to a collection by hand, beside its folder: documents added and documents taken out.

Added documents are kept in the index, and nowhere else. What is taken out of a folder is left out of
all builds to come, until it has another text or is added by hand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from graphrag.errors import InputError
from graphrag.records import Changes, Document


@dataclass(frozen=True, slots=True)
class Edits:
    """What a caller wants: documents to add, and names of documents to take out."""

    add: tuple[Document, ...] = ()
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """What was done by hand until now."""

    added: tuple[Document, ...] = ()
    excluded: frozenset[str] = frozenset()
    """Ids of documents that were taken out."""
    alone: bool = True
    """Whether no document of the index came from the folder: then there need be none."""

    def after(self, edits: Edits, documents: Sequence[Document]) -> "Kept":
        """With further edits; `documents` are those of the index. Raises InputError for a name that none has."""
        gone = {document.id for name in edits.remove for document in find(name, documents)}
        added = {document.id: document for document in (*self.added, *edits.add) if document.id not in gone}
        excluded = (self.excluded | gone) - {document.id for document in edits.add}
        return replace(self, added=tuple(added.values()), excluded=excluded)


def find(name: str, documents: Sequence[Document]) -> list[Document]:
    """The documents that a name means: an id, a path in the input folder (of a table: all its rows), the
    document's own id or its title. Raises InputError if there are none, or several of one title."""
    by_place = [each for each in documents if name in (each.id, each.source, each.source.partition("#")[0])]
    if by_place:
        return by_place
    named = [each for each in documents if name in (each.source_id, each.title)]
    if len(named) > 1:
        raise InputError(f"several documents are called '{name}': name one by {', '.join(_handles(named)[:5])}")
    if not named:
        nearest = get_close_matches(name, [each.source or each.title for each in documents], 1)
        raise InputError(f"the index has no document '{name}'" + (f"; did you mean '{nearest[0]}'?" if nearest else ""))
    return named


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> Changes:
    """What happened to a collection, told by content; both are places of documents by their ids.

    A document is edited if another one took its place, and renamed if it has another place.
    """
    gone = {source: id_ for id_, source in before.items() if id_ not in after}
    new = {source: id_ for id_, source in after.items() if id_ not in before}
    return Changes(
        added=tuple(source for source in new if source not in gone),
        edited=tuple(source for source in new if source in gone),
        renamed=tuple(f"{before[id_]} -> {source}" for id_, source in after.items() if _moved(before, id_, source)),
        removed=tuple(source for source in gone if source not in new),
    )


def _moved(before: Mapping[str, str], id_: str, source: str) -> bool:
    return id_ in before and before[id_] != source


def _handles(documents: Sequence[Document]) -> list[str]:
    return [document.source or document.id for document in documents]
