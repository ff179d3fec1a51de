from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

class SessionOptions:
    intra_op_num_threads: int

class InferenceSession:
    def __init__(self, path: str, sess_options: SessionOptions | None = ..., *, providers: Sequence[str]) -> None: ...
    def run(self, outputs: Sequence[str] | None, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]: ...
