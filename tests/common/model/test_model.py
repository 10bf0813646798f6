"""The model artifact: its answers, the class activation map, and damaged files."""

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from sealing import reseal, unseal

from components.common.base.errors import InputError
from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.dataset import Dataset
from components.common.model.description import read_description
from components.common.model.model import Model, softmax
from components.common.network.package_index import MOBILENET
from components.common.photos import images
from components.common.photos.images import BadPhoto
from components.common.untrusted import sealed

# What predicting reads.
IDENTIFYING = ("model.tflite", "model-int8.tflite", "head.npz", "distances.npz")


@pytest.fixture(scope="module")
def photos(sample_run: Run) -> list[bytes]:
    dataset = Dataset(sample_run.directory / "demo")
    return [dataset.read(photo) for photo in dataset.photos[:20]]


@pytest.fixture(scope="module")
def model(sample_run: Run) -> Model:
    return Model(sample_run.directory / "model")


@pytest.fixture
def copy(sample_run: Run, tmp_path: Path) -> Path:
    """A model directory that may be damaged."""
    folder = tmp_path / "model"
    shutil.copytree(sample_run.directory / "model", folder)
    return folder


def test_activation_map_is_exact(model: Model, photos: list[bytes]) -> None:
    with np.load(model.directory / "head.npz") as head:
        biases = head["biases"]
    for found in model.predict_each(photos[:4]):
        maps = np.stack([model.activation_map(found, label) for label in model.classes])
        assert maps.shape[1:] == found.features.shape[:2]
        logits = maps.mean(axis=(1, 2)) + biases
        np.testing.assert_allclose(softmax(logits[None])[0], found.uncalibrated, atol=1e-4)


def test_temperature_divides_the_logits(model: Model, photos: list[bytes]) -> None:
    temperature = model.description.temperature
    assert temperature is not None
    for found in model.predict_each(photos[:4]):
        logits = np.log(np.maximum(found.uncalibrated, 1e-30)) / temperature
        np.testing.assert_allclose(softmax(logits[None])[0], found.probabilities, atol=1e-3)
        assert found.probabilities.argmax() == found.uncalibrated.argmax()


def test_bad_photos_are_told_among_the_answers(model: Model, photos: list[bytes]) -> None:
    mixed = [b"no photo", *photos[:17], photos[0][:500], photos[0]]
    found = list(model.predict_each(mixed))
    bad = [row for row, one in enumerate(found) if isinstance(one, BadPhoto)]
    assert bad == [0, 18]
    assert found[0].reason == "unknown_type"  # type: ignore[union-attr]
    np.testing.assert_allclose(found[1].probabilities, found[19].probabilities, atol=1e-6)  # type: ignore[union-attr]


def test_nothing_but_bad_photos_is_no_batch(model: Model) -> None:
    assert [type(one) for one in model.predict_each([b"a", b"b"])] == [BadPhoto, BadPhoto]
    assert list(model.predict_each([])) == []


def test_noise_is_unknown_and_the_photos_mostly_are_not(model: Model, photos: list[bytes]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    [strange] = model.predict_each([images.encode(noise)])
    assert strange.unknown
    assert strange.familiarity is not None
    assert strange.familiarity < 0.05
    assert np.mean([found.unknown for found in model.predict_each(photos)]) < 0.5


def test_model_without_a_rule_calls_nothing_unknown(copy: Path, photos: list[bytes]) -> None:
    (copy / "distances.npz").unlink()
    reseal(copy / "model.json", unknown=None, temperature=None, distances_sha256="")
    [found] = Model(copy).predict_each(photos[:1])
    assert found.familiarity is None
    assert not found.unknown
    np.testing.assert_allclose(found.probabilities, found.uncalibrated, atol=1e-5)


@pytest.mark.parametrize("name", ["head.npz", "distances.npz", "model.tflite", "model.json"])
@pytest.mark.parametrize("damage", ["missing", "cut", "flipped"])
def test_damaged_file_is_named(copy: Path, photos: list[bytes], name: str, damage: str) -> None:
    path = copy / name
    data = path.read_bytes()
    path.unlink()
    if damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "flipped":
        middle = len(data) // 2
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 0x80]) + data[middle + 1 :])
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        list(Model(copy).predict_each(photos[:1]))


def test_head_of_another_model_is_refused(copy: Path) -> None:
    with np.load(copy / "head.npz") as head:
        weights, biases = head["weights"], head["biases"]
    np.savez(copy / "head.npz", weights=weights * 2, biases=biases)
    with pytest.raises(InputError, match=r"head\.npz is damaged or of another origin"):
        Model(copy)
    reseal(copy / "model.json")  # its own field, which a model of version 2 has too
    with pytest.raises(InputError, match=r"head\.npz is damaged or of another model"):
        Model(copy)


def test_older_format_says_what_this_program_reads(copy: Path) -> None:
    reseal(copy / "model.json", format_version=1)
    with pytest.raises(InputError, match=r"version 1; this program reads .* 2 and 3"):
        Model(copy)


def test_every_file_of_a_model_is_hashed_in_its_description(sample_run: Run) -> None:
    directory = sample_run.directory / "model"
    files = read_description(directory).files
    there = {path.relative_to(directory).as_posix() for path in directory.rglob("*")}
    assert files.keys() >= {"saved_model/saved_model.pb", "saved_model/variables/variables.index"}
    assert {name for name in there if (directory / name).is_file()} == {*files, "model.json"}
    for name, expected in files.items():
        assert hashlib.sha256((directory / name).read_bytes()).hexdigest() == expected


def test_model_is_another_with_another_network_but_not_with_another_keras_file(
    copy: Path,
) -> None:
    before = read_description(copy)
    (copy / "model.keras").write_bytes(b"dated")
    reseal(copy / "model.json")
    assert read_description(copy).sha256 != before.sha256
    assert read_description(copy).identity == before.identity
    (copy / "model.tflite").write_bytes(b"other")
    reseal(copy / "model.json")
    other = read_description(copy).identity
    reseal(copy / "model.json", temperature=7.0)
    assert len({before.identity, other, read_description(copy).identity}) == 3


def test_model_tells_where_its_pretrained_weights_come_from(copy: Path) -> None:
    """The small network's are those of MobileNet v1 in a package of the index."""
    description = read_description(copy)
    assert description.weights == {
        "source": "package index",
        "name": "nudity",
        "version": "0.2.3",
        "licence": "Apache-2.0",
        "package_sha256": MOBILENET.archive_sha256,
        "file": "nudity-0.2.3/nudity/files/retrained_graph.pb",
        "file_sha256": MOBILENET.member_sha256,
    }
    assert description.weights_sha256 == MOBILENET.arrays_sha256


def test_model_from_before_weights_had_an_origin_keeps_its_identity(copy: Path) -> None:
    reseal(copy / "model.json", weights=None)
    without = read_description(copy)
    assert without.weights is None
    content = dataclasses.asdict(without)
    del content["weights"], content["views"]  # as an earlier version had it
    told = ("model.tflite", "model-int8.tflite", "head.npz", "distances.npz")
    content["files"] = {name: without.files.get(name) for name in told}
    assert without.identity == sealed.digest(content)


@pytest.mark.parametrize(
    "weights",
    [[], "x", {"name": 7}, {"name": "x" * 201}, {"name": "a\nb"}, {str(n): "" for n in range(21)}],
)
def test_origin_that_is_no_short_texts_is_refused(copy: Path, weights: object) -> None:
    reseal(copy / "model.json", weights=weights)
    with pytest.raises(InputError, match="its weights "):
        read_description(copy)


def test_model_of_version_2_is_read_without_a_seal(copy: Path, photos: list[bytes]) -> None:
    [expected] = Model(copy).predict_each(photos[:1])
    unseal(copy / "model.json", format_version=2)
    model = Model(copy)
    [found] = model.predict_each(photos[:1])
    assert (found.probabilities == expected.probabilities).all()
    assert model.description.format_version == 2
    assert not model.description.is_sealed
    assert model.description.identity == ""


def test_description_edited_by_hand_is_refused(copy: Path) -> None:
    path = copy / "model.json"
    path.write_text(path.read_text().replace('"rendered": true', '"rendered": false'))
    with pytest.raises(InputError, match=r"model\.json is damaged or was edited"):
        Model(copy)


def test_facts_of_the_classes_come_with_the_model(sample_run: Run) -> None:
    facts = read_description(sample_run.directory / "model").facts
    assert facts.subject == "fungi"
    assert facts.is_dangerous("fly agaric")
    assert facts.edibility_of("giant puffball") == "edible"
    assert facts.edibility_of("scarlet elf cup") == "unknown"
    for part in ("training", "demo"):
        assert Dataset(sample_run.directory / part).facts == facts


@pytest.mark.parametrize(
    "facts",
    [{"edibility": {"death cap": "deadly"}}, {"edibility": {"fly agaric": "nice"}}, {"a": 1}, "a"],
)
def test_facts_that_cannot_be_are_refused(copy: Path, facts: object) -> None:
    reseal(copy / "model.json", facts=facts)
    with pytest.raises(InputError, match=r"model\.json cannot be read: its facts"):
        Model(copy)


def test_model_of_before_there_were_facts_is_the_same_as_it_was(copy: Path) -> None:
    path = copy / "model.json"
    reseal(path, facts=ClassFacts().to_json())
    stated = read_description(copy).identity
    content = json.loads(path.read_text())
    del content["facts"], content["views"]
    path.write_text(sealed.text(content))
    assert read_description(copy).facts == ClassFacts()
    assert read_description(copy).identity == stated
    files = {name: content["files"].get(name) for name in IDENTIFYING}
    assert stated == sealed.digest({**content, "files": files})
