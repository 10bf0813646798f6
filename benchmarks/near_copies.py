"""How does finding near copies grow? `python -m benchmarks.near_copies`.

Random perceptual hashes with planted copies, straight and mirrored, at 0 to 10 bits; beside the
index, comparing all pairs, up to where that stays bearable.
"""

import time

import numpy as np

from components.common import hash_index

MOST_BITS = 10
SIZES = (5_000, 10_000, 20_000, 50_000, 100_000)
ALL_PAIRS_UP_TO = 20_000
BLOCK_ROWS = 1024


def planted(count: int, seed: int = 0) -> tuple[np.ndarray, set[tuple[int, int]]]:
    """Hashes of which every tenth has a copy right after it, and the pairs that these make."""
    draw = np.random.default_rng(seed)
    hashes = draw.integers(0, 2**64, count, dtype=np.uint64)
    pairs = set()
    for row in range(0, count - 1, 10):
        flipped = draw.choice(64, draw.integers(0, MOST_BITS + 1), replace=False)
        hashes[row + 1] = hashes[row] ^ np.uint64(sum(1 << int(bit) for bit in flipped))
        if row % 20:
            hashes[row + 1] ^= hash_index.MIRROR
        pairs.add((row, row + 1))
    return hashes, pairs


def all_pairs(hashes: np.ndarray) -> int:
    """Close pairs, by comparing all."""
    found = 0
    for start in range(0, len(hashes), BLOCK_ROWS):
        block = hashes[start : start + BLOCK_ROWS, None]
        for mask in (np.uint64(0), hash_index.MIRROR):
            found += int((np.bitwise_count(block ^ hashes ^ mask) <= MOST_BITS).sum())
    return found


def main() -> None:
    """Print one line for each number of photos."""
    titles = ("photos", "index, s", "µs a photo", "planted found", "all pairs, s")
    print("".join(f"{title:>15}" for title in titles))
    for count in SIZES:
        hashes, pairs = planted(count)
        started = time.monotonic()
        found = {
            *hash_index.close_pairs(hashes, MOST_BITS),
            *hash_index.mirrored_pairs(hashes, MOST_BITS),
        }
        seconds = time.monotonic() - started
        recall = len(pairs & found) / len(pairs)
        beside = ""
        if count <= ALL_PAIRS_UP_TO:
            started = time.monotonic()
            all_pairs(hashes)
            beside = f"{time.monotonic() - started:.2f}"
        per_photo = seconds / count * 1e6
        print(f"{count:>15}{seconds:>15.2f}{per_photo:>15.0f}{recall:>15.3f}{beside:>15}")


if __name__ == "__main__":
    main()
