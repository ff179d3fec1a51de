"""Every error the package raises on purpose.

    GraphRAGError
    ├── SettingsError           settings.yaml or the environment says something unusable
    ├── MissingDependencyError  an optional package is needed and not installed
    ├── InputError              the input folder, or a document in it, cannot be used
    ├── UnavailableError        what was asked for needs something this set-up does not have
    ├── ModelError              a language or embedding model cannot do what is asked
    │   ├── OverloadedError         it is busy or failing; later may do (429, 5xx)
    │   ├── ConnectionLostError     it cannot be reached, or was lost half-way
    │   ├── ContextOverflowError    the request is longer than its context
    │   ├── ModelRefusedError       it refuses every such call (key, name of the model, request)
    │   └── UnusableReplyError      it answered, and the answer cannot be used
    ├── PromptError             a prompt file lacks a placeholder or misspells one
    ├── IndexingError           a build cannot go on
    │   ├── BuildInProgressError    another build holds the index
    │   └── BudgetExceededError     the next call would cost more than was allowed
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


class ModelError(GraphRAGError):
    """A language or embedding model cannot do what is asked."""


class OverloadedError(ModelError):
    """The model is busy or failing; later may do."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds the server asked to wait, if it did."""


class ConnectionLostError(ModelError):
    """The model cannot be reached, or was lost half-way through a reply."""

    def __init__(self, message: str, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused
        """Nobody listens there, as opposed to a connection that was lost or timed out."""


class ContextOverflowError(ModelError):
    """The request is longer than the model's context."""


class ModelRefusedError(ModelError):
    """The model refuses every such call: wrong key, unknown model, malformed request."""


class UnusableReplyError(ModelError):
    """The model answered, and the answer cannot be used; asking again may give a better one."""

    def __init__(self, message: str, partial: object | None = None) -> None:
        super().__init__(message)
        self.partial = partial
        """What was understood of it all the same, as its parser would have returned it."""


class PromptError(GraphRAGError):
    """A prompt file lacks a placeholder or misspells one."""


class IndexingError(GraphRAGError):
    """A build cannot go on; the index published before it is untouched."""


class BuildInProgressError(IndexingError):
    """Another build holds the index."""


class BudgetExceededError(IndexingError):
    """The next call would cost more than was allowed; what was paid for is kept for the next run."""


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
