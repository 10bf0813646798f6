"""Writing photos to disk and streaming them back: python shards.py WAY write|read PHOTOS PLACE.

PHOTOS is a folder of class folders; its files are read before the clock starts. Each way is what
its documentation shows, with label and name beside each photo. Prints the seconds without imports.
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Photos = list[tuple[str, str, bytes]]  # label, name, content
SHARD_BYTES = 128 * 1024 * 1024


def ours_write(photos: Photos, place: Path) -> None:
    """The dataset artifact."""
    from components.common.dataset.dataset import DatasetWriter
    from components.common.dataset.photo import Photo

    with DatasetWriter(place) as writer:
        for label, _, data in photos:
            writer.add(Photo(label), data)


def ours_read(place: Path) -> Iterator[tuple[str, bytes]]:
    """The dataset artifact, each photo's sha256 checked."""
    from components.common.dataset.dataset import Dataset

    return ((photo.label, data) for photo, data in Dataset(place).stream())


def files_write(photos: Photos, place: Path) -> None:
    """A folder per class."""
    for label in {label for label, _, _ in photos}:
        (place / label).mkdir(parents=True)
    for label, name, data in photos:
        (place / label / name).write_bytes(data)


def files_read(place: Path) -> Iterator[tuple[str, bytes]]:
    """A folder per class."""
    for folder in sorted(place.iterdir()):
        for file in sorted(folder.iterdir()):
            yield folder.name, file.read_bytes()


def hashed_read(place: Path) -> Iterator[tuple[str, bytes]]:
    """A folder per class, with what ours does beside: the SHA-256 of every photo."""
    import hashlib

    for label, data in files_read(place):
        hashlib.sha256(data).hexdigest()
        yield label, data


def hashed_write(photos: Photos, place: Path) -> None:
    """A folder per class, each photo named by its SHA-256."""
    import hashlib

    named = ((label, f"{hashlib.sha256(data).hexdigest()}.jpg", data) for label, _, data in photos)
    files_write(list(named), place)


def tfrecord_write(photos: Photos, place: Path) -> None:
    """tf.train.Example in TFRecord files (https://www.tensorflow.org/tutorials/load_data/tfrecord)."""
    import tensorflow as tf

    def text(value: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    place.mkdir(parents=True)
    number, room = -1, 0
    writer: Any = None
    for label, name, data in photos:
        if room <= 0:
            if writer:
                writer.close()
            number, room = number + 1, SHARD_BYTES
            writer = tf.io.TFRecordWriter(str(place / f"{number:05d}.tfrecord"))
        features = {"label": text(label.encode()), "name": text(name.encode()), "image": text(data)}
        example = tf.train.Example(features=tf.train.Features(feature=features))
        writer.write(example.SerializeToString())
        room -= len(data)
    if writer:
        writer.close()


def tfrecord_read(place: Path) -> Iterator[tuple[str, bytes]]:
    """TFRecordDataset with parse_single_example; its checksums are checked."""
    import tensorflow as tf

    wanted = {name: tf.io.FixedLenFeature([], tf.string) for name in ("label", "image")}
    records = tf.data.TFRecordDataset(sorted(str(path) for path in place.iterdir()))
    parsed = records.map(
        lambda record: tf.io.parse_single_example(record, wanted),
        num_parallel_calls=tf.data.AUTOTUNE,
    ).prefetch(tf.data.AUTOTUNE)
    for found in parsed.as_numpy_iterator():
        yield found["label"].decode(), found["image"]


def webdataset_write(photos: Photos, place: Path) -> None:
    """Webdataset's ShardWriter."""
    import webdataset

    place.mkdir(parents=True)
    pattern = str(place / "%05d.tar")
    with webdataset.ShardWriter(pattern, maxsize=SHARD_BYTES, verbose=0) as sink:
        for label, name, data in photos:
            key = f"{label}/{Path(name).stem}"
            sink.write({"__key__": key, "jpg": data, "cls": label.encode()})


def webdataset_read(place: Path) -> Iterator[tuple[str, bytes]]:
    """webdataset, without decoding."""
    import webdataset

    shards = sorted(str(path) for path in place.glob("*.tar"))
    for found in webdataset.WebDataset(shards, shardshuffle=False):
        yield found["cls"].decode(), found["jpg"]


WRITE = {
    "ours": ours_write,
    "files": files_write,
    "hashed": hashed_write,
    "tfrecord": tfrecord_write,
    "webdataset": webdataset_write,
}
READ = {
    "ours": ours_read,
    "files": files_read,
    "hashed": hashed_read,
    "tfrecord": tfrecord_read,
    "webdataset": webdataset_read,
}
IMPORTS = {
    "ours": "components.common.dataset.dataset",
    "tfrecord": "tensorflow",
    "webdataset": "webdataset",
}


def main() -> None:
    """Write or read."""
    way, action, source, place = sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])
    if way in IMPORTS:
        __import__(IMPORTS[way])
    if action == "write":
        photos = [
            (file.parent.name, file.name, file.read_bytes())
            for file in sorted(source.rglob("*.jpg"))
        ]
        started = time.perf_counter()
        WRITE[way](photos, place)
        count, size = len(photos), sum(len(data) for _, _, data in photos)
    else:
        started = time.perf_counter()
        count, size = 0, 0
        for _, data in READ[way](place):
            count += 1
            size += len(data)
    seconds = time.perf_counter() - started
    print("\n" + json.dumps({"seconds": seconds, "photos": count, "bytes": size}))


if __name__ == "__main__":
    main()
