import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from graphrag.query.comparing import products


@given(st.integers(0, 60), st.integers(1, 400), st.integers(0, 99))
def test_each_row_is_multiplied_with_the_vector(rows: int, dimensions: int, seed: int):
    random = np.random.default_rng(seed)
    matrix = random.standard_normal((rows, dimensions), dtype=np.float32)
    vector = random.standard_normal(dimensions, dtype=np.float32)

    assert np.allclose(products(matrix, vector), matrix @ vector, atol=1e-3)
