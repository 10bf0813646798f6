"""Bottlenecks: keyed by content, the same from the cache as computed, refused where damaged."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from sealing import reseal, unseal

from components.common.base.errors import InputError
from components.common.dataset.photo import Photo
from components.common.network import bottlenecks
from components.common.network.backbone import Backbone, BackboneKey, load_backbone
from components.common.network.bottlenecks import (
    FINGERPRINTS,
    INDEX,
    SCORES,
    VECTORS,
    Bottlenecks,
)
from components.common.photos import images

Photos = list[tuple[Photo, bytes]]


def photo(seed: int) -> tuple[Photo, bytes]:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    data = images.encode(cv2.resize(coarse, (200, 150), interpolation=cv2.INTER_CUBIC))  # type: ignore[arg-type]
    sha256 = hashlib.sha256(data).hexdigest()
    return Photo(label="daisy", path=f"daisy/{sha256[:16]}.jpg", sha256=sha256), data


@pytest.fixture(scope="module")
def photos() -> Photos:
    return [photo(seed) for seed in range(21)]  # more than one chunk, and not a whole number


class CountingBackbone:
    """The real network, which also counts the photos that it was given."""

    def __init__(self, backbone: Backbone, counts: list[int] | None = None) -> None:
        self._backbone = backbone
        self._counts: list[int] = [] if counts is None else counts
        self.key = backbone.key
        self.architecture = backbone.architecture

    @property
    def computed(self) -> int:
        return sum(self._counts)

    def __call__(
        self, batch: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        self._counts.append(len(batch))
        return self._backbone(batch)

    def for_one_thread(self) -> "CountingBackbone":
        return CountingBackbone(self._backbone.for_one_thread(), self._counts)


@pytest.fixture(scope="module")
def real(backbone_cache: Path) -> Backbone:
    return load_backbone("mobilenet_1.0_128", backbone_cache)


@pytest.fixture
def backbone(real: Backbone) -> CountingBackbone:
    return CountingBackbone(real)


def assert_same(left: Bottlenecks, right: Bottlenecks) -> None:
    assert left.sha256 == right.sha256
    assert np.array_equal(left.vectors, right.vectors)
    assert np.array_equal(left.scores, right.scores)
    assert np.array_equal(left.fingerprints, right.fingerprints)


def test_vectors_are_the_network_s_own_and_differ_by_photo(
    backbone: CountingBackbone, photos: Photos
) -> None:
    found = bottlenecks.compute(backbone, photos)
    assert found.sha256 == tuple(row.sha256 for row, _ in photos)
    assert (found.vectors.shape, found.vectors.dtype) == ((21, 1024), np.float32)
    assert (found.scores.shape, found.scores.dtype) == ((21, 1000), np.float16)
    assert len(np.unique(found.vectors, axis=0)) == 21
    np.testing.assert_allclose(found.scores.astype(float).sum(axis=1), 1, atol=0.01)
    alone = backbone(images.model_input(photos[19][1], 128)[None])
    np.testing.assert_allclose(found.vectors[19], alone[0][0], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.scores[19], alone[1][0], rtol=1e-2, atol=1e-3)


def test_cached_vectors_are_those_computed(
    backbone: CountingBackbone, photos: Photos, tmp_path: Path
) -> None:
    first = bottlenecks.compute(backbone, photos, tmp_path)
    assert backbone.computed == 21
    again = bottlenecks.compute(backbone, photos, tmp_path)
    assert backbone.computed == 21
    assert_same(first, again)
    assert_same(first, bottlenecks.compute(backbone, photos))


def test_only_new_photos_are_computed_and_order_is_that_of_asking(
    backbone: CountingBackbone, photos: Photos, tmp_path: Path
) -> None:
    bottlenecks.compute(backbone, photos[5:10], tmp_path)
    mixed = bottlenecks.compute(backbone, [photos[11], photos[7], photos[0]], tmp_path)
    assert backbone.computed == 7
    assert mixed.sha256 == tuple(photos[row][0].sha256 for row in (11, 7, 0))
    whole = bottlenecks.compute(backbone, photos)
    np.testing.assert_allclose(mixed.vectors, whole.vectors[[11, 7, 0]], rtol=1e-4, atol=1e-4)


def test_what_was_computed_before_the_end_is_not_computed_again(
    backbone: CountingBackbone,
    photos: Photos,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bottlenecks, "AHEAD", 1)
    monkeypatch.setattr(bottlenecks, "SAVED_TOGETHER", 8)

    def stopped() -> Iterator[tuple[Photo, bytes]]:
        yield from photos[:17]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bottlenecks.compute(backbone, stopped(), tmp_path)
    before = backbone.computed
    bottlenecks.compute(backbone, photos, tmp_path)
    assert backbone.computed - before == len(photos) - 16


def test_a_thread_s_own_network_gives_the_same_bits_as_a_batch(
    real: Backbone, photos: Photos
) -> None:
    found = bottlenecks.compute(real, photos)
    batch = np.stack([images.model_input(data, 128) for _, data in photos])
    vectors, scores = real(batch)
    assert np.array_equal(found.vectors, vectors)
    assert np.array_equal(found.scores, scores.astype(np.float16))


def test_same_content_is_one_row(backbone: CountingBackbone, photos: Photos) -> None:
    found = bottlenecks.compute(backbone, [photos[0], photos[1], photos[0]])
    assert found.sha256 == (photos[0][0].sha256, photos[1][0].sha256)
    assert backbone.computed == 2


def test_no_photos_are_an_error_of_the_user(backbone: CountingBackbone, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no photos"):
        bottlenecks.compute(backbone, [], tmp_path)


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "text", "lengths", "pickled"])
def test_damaged_cache_file_is_computed_again(
    backbone: CountingBackbone, photos: Photos, tmp_path: Path, damage: str
) -> None:
    few = photos[:4]
    first = bottlenecks.compute(backbone, few, tmp_path)
    (cached,) = tmp_path.rglob("*.npz")
    data = bytearray(cached.read_bytes())
    if damage == "cut":
        cached.write_bytes(data[: len(data) // 2])
    elif damage == "flipped":
        data[len(data) // 2] ^= 0x40
        cached.write_bytes(data)
    elif damage == "emptied":
        cached.write_bytes(b"")
    elif damage == "text":
        cached.write_text("<html>disk quota</html>")
    else:
        with np.load(cached) as stored:
            arrays = dict(stored)
        arrays["vectors"] = (
            arrays["vectors"][:3] if damage == "lengths" else np.array([{}] * 4, dtype=object)
        )
        np.savez(cached, **arrays)
    assert_same(bottlenecks.compute(backbone, few, tmp_path), first)
    assert backbone.computed == 8
    bottlenecks.compute(backbone, few, tmp_path)
    assert backbone.computed == 8  # the damaged file was replaced


def test_changed_photo_never_meets_a_stale_vector(
    backbone: CountingBackbone, photos: Photos, tmp_path: Path
) -> None:
    bottlenecks.compute(backbone, photos[:3], tmp_path)
    changed, data = photo(99)
    changed = dataclasses.replace(changed, path=photos[0][0].path)  # the name of another photo
    found = bottlenecks.compute(backbone, [(changed, data)], tmp_path)
    assert backbone.computed == 4
    expected, _ = backbone(images.model_input(data, 128)[None])
    np.testing.assert_allclose(found.vectors, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("field", "other"),
    [
        *(("architecture", "another"), ("weights_sha256", "another"), ("engine", "another")),
        *(("conversion", "another"), ("decoder", "another"), ("preprocessing", "another")),
        ("views", 2),
    ],
)
def test_vectors_of_another_network_or_decoder_are_not_used(
    backbone: CountingBackbone, photos: Photos, tmp_path: Path, field: str, other: Any
) -> None:
    bottlenecks.compute(backbone, photos[:2], tmp_path)
    backbone.key = dataclasses.replace(backbone.key, **{field: other})
    bottlenecks.compute(backbone, photos[:2], tmp_path)
    assert backbone.computed == 4


KEY = BackboneKey("mobilenet_1.0_128", 128, "0" * 64)


def some(count: int = 5) -> Bottlenecks:
    generator = np.random.default_rng(0)
    return Bottlenecks(
        tuple(f"{number:064x}" for number in range(count)),
        generator.normal(size=(count, 8)).astype(np.float32),
        generator.random((count, 1000)).astype(np.float16),
        generator.integers(0, 256, (count, 1024), dtype=np.uint8),
        KEY,
    )


def saved(path: Path, labels: Sequence[str] = tuple("aabbc")) -> Path:
    bottlenecks.save(some(), path, labels)
    return path


def test_artifact_comes_back(tmp_path: Path) -> None:
    loaded = bottlenecks.load(saved(tmp_path / "b"))
    assert_same(loaded, some())
    assert np.array_equal(loaded.fingerprints, some().fingerprints)
    assert loaded.key == KEY
    assert pq.read_table(tmp_path / "b" / INDEX)["label"].to_pylist() == list("aabbc")
    assert json.loads((tmp_path / "b" / "backbone.json").read_text())["input_size"] == 128


def test_rows_follow_the_photos(tmp_path: Path) -> None:
    wanted = [Photo("x", sha256=f"{number:064x}") for number in (3, 0, 3)]
    assert some().rows(wanted).tolist() == [3, 0, 3]
    assert some().rows([]).tolist() == []


def test_photos_without_vectors_are_refused() -> None:
    unknown = [Photo("x", path=f"x/{name}", sha256=name) for name in ("ab", "cd")]
    with pytest.raises(InputError, match=r"2 photos have no bottleneck .*'x/ab'"):
        some().rows([Photo("x", sha256="0" * 64), *unknown])


@pytest.mark.parametrize("name", ["backbone.json", VECTORS, SCORES, FINGERPRINTS, INDEX])
def test_missing_and_truncated_files_are_refused(tmp_path: Path, name: str) -> None:
    file = saved(tmp_path / "b") / name
    data = file.read_bytes()
    for left in (len(data) // 2, 20, 0):
        file.write_bytes(data[:left])
        with pytest.raises(InputError):
            bottlenecks.load(tmp_path / "b")
    file.write_bytes(data)
    bottlenecks.load(tmp_path / "b")
    file.unlink()
    with pytest.raises(InputError):
        bottlenecks.load(tmp_path / "b")


@pytest.mark.parametrize("name", ["backbone.json", VECTORS, SCORES, FINGERPRINTS, INDEX])
def test_a_flipped_bit_is_refused_with_the_file(tmp_path: Path, name: str) -> None:
    file = saved(tmp_path / "b") / name
    data = file.read_bytes()
    for place in range(0, len(data), max(1, len(data) // 50)):
        if data[place : place + 1].isspace():
            continue  # of the JSON's layout, which says nothing
        changed = bytearray(data)
        changed[place] ^= 1
        file.write_bytes(changed)
        with pytest.raises(InputError, match=name):
            bottlenecks.load(tmp_path / "b")


def test_files_of_another_artifact_are_refused(tmp_path: Path) -> None:
    # All of the same shape: only their hashes tell.
    other = dataclasses.replace(some(), vectors=some().vectors + 1)
    bottlenecks.save(other, tmp_path / "other", list("aabbc"))
    (saved(tmp_path / "b") / VECTORS).write_bytes((tmp_path / "other" / VECTORS).read_bytes())
    with pytest.raises(InputError, match=f"{VECTORS} is damaged or of another origin"):
        bottlenecks.load(tmp_path / "b")


def test_artifact_from_before_there_were_seals_is_read(tmp_path: Path) -> None:
    description = saved(tmp_path / "b") / "backbone.json"
    unseal(description)
    content = json.loads(description.read_text())
    del content["format_version"]
    description.write_text(json.dumps(content))
    (tmp_path / "b" / FINGERPRINTS).unlink()
    read = bottlenecks.load(tmp_path / "b")
    assert np.array_equal(read.vectors, some().vectors)
    with pytest.raises(InputError, match="of an earlier version, without what copies are found by"):
        read.fingerprints_of(np.arange(5))


@pytest.mark.parametrize("name", [VECTORS, SCORES, FINGERPRINTS, INDEX])
def test_files_of_different_lengths_are_refused(tmp_path: Path, name: str) -> None:
    saved(tmp_path / "b")
    if name == INDEX:
        index = pa.table({"sha256": ["0" * 64], "label": ["a"]})
        pq.write_table(index, tmp_path / "b" / INDEX)
    else:
        np.save(tmp_path / "b" / name, np.load(tmp_path / "b" / name)[:-1])
    reseal(tmp_path / "b" / "backbone.json")
    with pytest.raises(InputError, match="differ in length"):
        bottlenecks.load(tmp_path / "b")


@pytest.mark.parametrize(
    "vectors",
    [
        np.where(np.eye(5, 8) == 1, np.nan, 0).astype(np.float32),
        np.full((5, 8), np.inf, dtype=np.float32),
        np.zeros((5, 8)),
        np.zeros((5, 8, 1), dtype=np.float32),
        np.zeros(5, dtype=np.float32),
        np.array(["x"] * 5),
    ],
    ids=["NaN", "infinity", "float64", "3-D", "1-D", "text"],
)
def test_what_is_no_finite_matrix_is_refused(tmp_path: Path, vectors: NDArray[np.float32]) -> None:
    np.save(saved(tmp_path / "b") / VECTORS, vectors)
    reseal(tmp_path / "b" / "backbone.json")
    with pytest.raises(InputError, match="not a finite float32 matrix"):
        bottlenecks.load(tmp_path / "b")


def test_scores_that_are_no_finite_matrix_are_refused(tmp_path: Path) -> None:
    for wrong in (np.float16(1), np.full((5, 1000), np.nan, dtype=np.float16)):
        np.save(saved(tmp_path / "b") / SCORES, wrong)
        reseal(tmp_path / "b" / "backbone.json")
        with pytest.raises(InputError, match="not a finite float16 matrix"):
            bottlenecks.load(tmp_path / "b")


def test_pickled_arrays_and_archives_are_refused(tmp_path: Path) -> None:
    np.save(saved(tmp_path / "b") / VECTORS, np.array([{}], dtype=object), allow_pickle=True)
    reseal(tmp_path / "b" / "backbone.json")
    with pytest.raises(InputError, match="claims the type object"):
        bottlenecks.load(tmp_path / "b")
    with open(tmp_path / "b" / VECTORS, "wb") as file:
        np.savez(file, vectors=some().vectors)
    reseal(tmp_path / "b" / "backbone.json")
    with pytest.raises(InputError, match="header is damaged"):
        bottlenecks.load(tmp_path / "b")


@pytest.mark.parametrize("text", ["[]", "null", "{}", '{"more": 1}', "{", "\xff"])
def test_other_descriptions_are_refused(tmp_path: Path, text: str) -> None:
    (saved(tmp_path / "b") / "backbone.json").write_text(text)
    with pytest.raises(InputError):
        bottlenecks.load(tmp_path / "b")


def test_parts_are_joined_as_if_computed_at_once(
    tmp_path: Path, backbone: CountingBackbone, photos: Photos
) -> None:
    whole = bottlenecks.compute(backbone, photos)  # type: ignore[arg-type]
    places = []
    for number, part in enumerate((photos[:8], photos[6:17], photos[17:])):  # two of them twice
        places.append(tmp_path / str(number))
        computed = bottlenecks.compute(backbone, part)  # type: ignore[arg-type]
        bottlenecks.save(computed, places[-1], ["daisy"] * len(computed.sha256))
    bottlenecks.join(places, tmp_path / "joined")
    bottlenecks.save(whole, tmp_path / "whole", ["daisy"] * len(photos))
    for file in (tmp_path / "whole").iterdir():  # to the last bit, the description too
        assert (tmp_path / "joined" / file.name).read_bytes() == file.read_bytes(), file.name
    assert_same(bottlenecks.load(tmp_path / "joined"), whole)


def test_photo_of_two_parts_keeps_its_first_place_and_its_last_label(tmp_path: Path) -> None:
    for name, order, labels in (("a", [1, 0], "xy"), ("b", [2, 1, 4], "zzz")):
        part = dataclasses.replace(
            some(),
            sha256=tuple(some().sha256[row] for row in order),
            **{name: getattr(some(), name)[order] for name in bottlenecks.FILES},
        )
        bottlenecks.save(part, tmp_path / name, labels)
    bottlenecks.join([tmp_path / "a", tmp_path / "b"], tmp_path / "joined")
    joined = bottlenecks.load(tmp_path / "joined")
    assert joined.sha256 == tuple(some().sha256[row] for row in (1, 0, 2, 4))
    assert np.array_equal(joined.vectors, some().vectors[[1, 0, 2, 4]])
    assert pq.read_table(tmp_path / "joined" / INDEX)["label"].to_pylist() == list("zyzz")


def test_parts_of_different_networks_are_not_joined(tmp_path: Path) -> None:
    saved(tmp_path / "a")
    saved(tmp_path / "b")
    reseal(tmp_path / "b" / "backbone.json", input_size=96)
    with pytest.raises(InputError, match="different networks"):
        bottlenecks.join([tmp_path / "a", tmp_path / "b"], tmp_path / "joined")
    with pytest.raises(InputError, match="no bottlenecks"):
        bottlenecks.join([], tmp_path / "joined")
    assert not (tmp_path / "joined").exists()
