"""An image in fewer pixels: what is measured of every slice needs no more."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def block_sums(image: NDArray[Any], rows: int, columns: int, kind: type[Any] = np.int32) -> NDArray[Any]:
    """Sums of blocks of so many rows and columns; what is left over below and to the right is not counted.

    ``kind`` is that of the sums; whole numbers do for Hounsfield units.

    Line by line: several times faster than a sum over the short axes of an array of blocks.
    """
    height, width = image.shape[0] // rows, image.shape[1] // columns
    blocks = image[: height * rows, : width * columns].reshape(height, rows, width * columns)
    lines = blocks[:, 0].astype(kind)
    for row in range(1, rows):
        lines += blocks[:, row]
    by_column = lines.reshape(height, width, columns)
    sums = by_column[:, :, 0].copy()
    for column in range(1, columns):
        sums += by_column[:, :, column]
    return sums
