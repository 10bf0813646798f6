"""The perceptual hash: 64 bits that near-copies of a photo share, whatever their size or quality.

Krawetz, "Looks Like It" (2011): the photo at 32 x 32 in grey, the 8 x 8 lowest frequencies of its
DCT, and a bit for each that is above their median. The bits are those of `imagehash.phash`, row by
row, without computing the other 960 frequencies.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 32  # pixels
FREQUENCIES = 8  # in each direction
# A symmetric picture lacks half of its frequencies: zeros, not what rounding makes of them.
DECIMALS = 6
# How much of its frequencies' length makes it doubtful which way a photo is upright. Of copies in
# eight ways, every one that is close has a hash in common with its original from 0.05 on.
DOUBT = 0.1
CHUNK = 4096  # photos at once: 16 MB


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
    square = np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.LANCZOS))
    return f"{_hashes(_frequencies(square[np.newaxis]))[0]:016x}"


def upright_hashes(
    squares: NDArray[np.uint8],
) -> tuple[NDArray[np.intp], NDArray[np.uint64]]:
    """Hashes of photos turned upright: the same ones for copies on their side or mirrored.

    Upright is where the lowest frequencies are positive, and the vertical one is the larger. Where
    that is a near thing, a photo has a hash for either way: 1.9 on average, 8 at most.

    Args:
        squares: uint8, shape (N, 32, 32), grey levels.

    Returns:
        The row of each hash, and the hash: (M,) each, M >= N.
    """
    rows, hashes = [], []
    for start in range(0, len(squares), CHUNK):
        lowest = _frequencies(squares[start : start + CHUNK])
        doubt = DOUBT * np.sqrt((lowest**2).sum(axis=(1, 2)) - lowest[:, 0, 0] ** 2)
        for turned in _turned(lowest):
            down, across = turned[:, 1, 0] + doubt, turned[:, 0, 1]
            upright = np.flatnonzero((down >= 0) & (across + doubt >= 0) & (down >= across))
            rows.append(start + upright)
            hashes.append(_hashes(turned[upright]))
    if not rows:
        return np.empty(0, np.intp), np.empty(0, np.uint64)
    return np.concatenate(rows), np.concatenate(hashes)


def _turned(lowest: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """The frequencies of photos in all eight ways to turn and mirror them.

    On its side, a picture has them transposed; mirrored, its odd ones are negated.
    """
    signs = (-1.0) ** np.arange(FREQUENCIES)
    for picture in (lowest, lowest.transpose(0, 2, 1)):
        for flipped in (picture, picture * signs[:, np.newaxis]):
            yield flipped
            yield flipped * signs


def _frequencies(squares: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The lowest frequencies of grey levels of shape (N, 32, 32): float64, (N, 8, 8)."""
    lowest: NDArray[np.float64] = (_DCT @ squares @ _DCT.T).round(DECIMALS)
    return lowest


def _hashes(lowest: NDArray[np.float64]) -> NDArray[np.uint64]:
    """A bit for each frequency that is above the median: uint64 (N,)."""
    flat = lowest.reshape(len(lowest), FREQUENCIES**2)
    bits = flat > np.median(flat, axis=1, keepdims=True)
    hashes: NDArray[np.uint64] = np.packbits(bits, axis=1).view(">u8").astype(np.uint64).ravel()
    return hashes
