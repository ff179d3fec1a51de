"""A store that reads as with a release of LanceDB that is not known."""

from unittest.mock import patch

from graphrag.storage import lance_tables
from graphrag.storage.lance import LanceStore
from graphrag.storage.lance_reader import LanceReader


class PublicLanceStore(LanceStore):
    def open(self) -> LanceReader:
        with patch.object(lance_tables, "KNOWN", "0.0."):
            return super().open()
