"""The perceptual hash: 64 bits that near-copies of a photo share, whatever their size or quality.

Krawetz, "Looks Like It" (2011): the photo at 32 x 32 in grey, the 8 x 8 lowest frequencies of its
DCT, and a bit for each that is above their median. The bits are those of `imagehash.phash`, row by
row (`hash_index.MIRROR` relies on that), without computing the other 960 frequencies.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 32  # pixels
FREQUENCIES = 8  # in each direction
# A symmetric picture lacks half of its frequencies: zeros, not what rounding makes of them.
DECIMALS = 6


def _dct_rows() -> NDArray[np.float64]:
    """The lowest rows of the DCT-II as a matrix, not normalized: shape (8, 32)."""
    frequency, place = np.mgrid[:FREQUENCIES, :SIDE]
    rows: NDArray[np.float64] = 2 * np.cos(np.pi * frequency * (2 * place + 1) / (2 * SIDE))
    return rows


_DCT = _dct_rows()


def phash_of(pixels: NDArray[np.uint8]) -> str:
    """The hash of a photo as 16 hexadecimal digits.

    Args:
        pixels: uint8, shape (height, width, 3), RGB; best not much larger than needed.
    """
    grey = Image.fromarray(pixels).convert("L")
    return hash_of_square(np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.LANCZOS)))


def hash_of_square(grey: NDArray[np.uint8]) -> str:
    """The hash of grey levels of shape (32, 32)."""
    lowest = (_DCT @ grey @ _DCT.T).round(DECIMALS).ravel()
    middle = np.sort(lowest)[lowest.size // 2 - 1 : lowest.size // 2 + 1].mean()
    return np.packbits(lowest > middle).tobytes().hex()
