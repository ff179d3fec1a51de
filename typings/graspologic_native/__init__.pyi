from typing import Any

from numpy.typing import NDArray

def leiden_csr(
    indptr: NDArray[Any],
    indices: NDArray[Any],
    data: NDArray[Any],
    n_nodes: int,
    *,
    resolution: float = ...,
    randomness: float = ...,
    iterations: int = ...,
    use_modularity: bool = ...,
    seed: int | None = ...,
    trials: int = ...,
) -> tuple[float, dict[int, int]]: ...
