import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headct.images.coarse import block_sums


@given(
    st.integers(1, 5), st.integers(1, 5), st.integers(5, 23), st.integers(5, 23), st.integers(0, 2**32 - 1)
)
def test_blocks_are_summed_and_what_is_left_over_is_not(
    rows: int, columns: int, height: int, width: int, seed: int
) -> None:
    image = np.random.default_rng(seed).integers(-32768, 32767, (height, width)).astype(np.int16)
    before = image.copy()
    sums = block_sums(image, rows, columns)
    assert sums.shape == (height // rows, width // columns)
    for (y, x), found in np.ndenumerate(sums):
        block = image[y * rows : (y + 1) * rows, x * columns : (x + 1) * columns]
        assert found == block.sum(dtype=np.int64)
    assert (image == before).all()
