"""Every error the package raises on purpose.

    GraphRAGError
    ├── SettingsError           settings.yaml or the environment says something unusable
    ├── MissingDependencyError  an optional package is needed and not installed
    ├── InputError              the input folder, or a document in it, cannot be used
    ├── UnavailableError        what was asked for needs something this set-up does not have
    ├── IndexingError           a build cannot go on
    │   └── BuildInProgressError    another build holds the index
    ├── StorageError            the index cannot be read or written
    │   ├── IndexNotFoundError      there is no index yet
    │   └── IndexMismatchError      the index was made with other settings than those in force
    ├── QueryError              a question cannot be answered as asked
    └── InterchangeError        a foreign index cannot be imported or exported

The message of each is one line that says what happened and what to do; the command line prints
just that line.
"""


class GraphRAGError(Exception):
    """The root: catch this to catch everything the package raises on purpose."""


class SettingsError(GraphRAGError):
    """settings.yaml or the environment says something unusable."""


class MissingDependencyError(GraphRAGError):
    """An optional package is needed and not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an optional package: pip install 'graphrag-drift[{extra}]'")


class InputError(GraphRAGError):
    """The input folder, or a document in it, cannot be used."""


class UnavailableError(GraphRAGError):
    """What was asked for needs something that this set-up or version does not have."""


class IndexingError(GraphRAGError):
    """A build cannot go on; the index published before it is untouched."""


class BuildInProgressError(IndexingError):
    """Another build holds the index."""


class StorageError(GraphRAGError):
    """The index cannot be read or written."""


class IndexNotFoundError(StorageError):
    """There is no index yet."""


class IndexMismatchError(StorageError):
    """The index was made with other settings than those in force."""


class QueryError(GraphRAGError):
    """A question cannot be answered as asked."""


class InterchangeError(GraphRAGError):
    """A foreign index cannot be imported, or this one not exported."""
