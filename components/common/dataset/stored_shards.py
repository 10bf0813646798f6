"""Shards that lie in an object store, read by ranges: what is not asked for is never sent."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing

from components.common.base.errors import InputError
from components.common.base.worker_threads import map_in_threads
from components.common.dataset import shards
from components.common.dataset.photo import Photo
from components.common.store import storage

# Photos that lie so near to one another are asked for at once: a request costs as much time as
# half a megabyte or so.
GAP_BYTES, RUN_BYTES = 256 * 1024, 4 * 1024**2
THREADS = AHEAD = 4  # runs that are asked for at once, and held
HELD_BYTES = 256 * 1024**2  # of runs, at most, but for one that is larger by itself


class StoredShards:
    """The shards below an address of an object store; see `shards.ShardFolder`.

    Args:
        place: gs://bucket/folder or s3://bucket/folder.
        sizes: of its objects, by name; those are shards that are named so.
    """

    def __init__(self, place: str, sizes: Mapping[str, int]) -> None:
        self._place = storage.plain(place)
        self.sizes = {
            name: size for name, size in sizes.items() if shards.SHARD_NAME.fullmatch(name)
        }

    def size(self, shard: str) -> int:
        """Its bytes.

        Raises:
            InputError: there is no such shard.
        """
        if shard not in self.sizes:
            raise InputError(f"{self._place}/{shard} is missing: the dataset is damaged")
        return self.sizes[shard]

    def read(self, photo: Photo) -> bytes:
        """The bytes of one photo.

        Raises:
            InputError: they are not those that the manifest describes.
        """
        return self._read([photo])[0][1]

    def stream(
        self, shard: str, expected: Mapping[int, Photo], wanted: Collection[int]
    ) -> Iterator[tuple[Photo, bytes]]:
        """The wanted photos of one shard with their bytes; what else it holds is not looked at.

        Args:
            shard: its name.
            expected: every photo of the shard by its offset, in this order.
            wanted: the offsets of those to give.

        Raises:
            InputError: the bytes of a photo are not those that the manifest describes.
        """
        del shard
        runs = _runs([photo for offset, photo in expected.items() if offset in wanted])
        answers = map_in_threads(
            self._read, runs, threads=THREADS, ahead=AHEAD, weigh=_length, most=HELD_BYTES
        )
        with closing(answers):
            for answer in answers:
                yield from answer

    def _read(self, run: Sequence[Photo]) -> list[tuple[Photo, bytes]]:
        """Neighbours in one shard with their bytes, by one request."""
        start, length = run[0].offset, _length(run)
        address = f"{self._place}/{run[0].shard}"
        data = memoryview(storage.read_range(address, start, length) if length else b"")
        found = []
        for photo in run:
            piece = bytes(data[photo.offset - start :][: photo.size])
            if hashlib.sha256(piece).hexdigest() != photo.sha256:
                raise shards.changed(address, photo)
            found.append((photo, piece))
        return found


def _length(run: Sequence[Photo]) -> int:
    """Bytes from the first photo's beginning to the last one's end."""
    return run[-1].offset + run[-1].size - run[0].offset


def _runs(photos: Sequence[Photo]) -> Iterator[list[Photo]]:
    """Photos of one shard, in its order, by what is asked for at once."""
    run: list[Photo] = []
    for photo in photos:
        if run and (
            photo.offset - (run[-1].offset + run[-1].size) > GAP_BYTES
            or photo.offset + photo.size - run[0].offset > RUN_BYTES
        ):
            yield run
            run = []
        run.append(photo)
    if run:
        yield run
