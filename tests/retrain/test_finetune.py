"""Fine-tuning: what learns, what stays, and that a killed run goes on where it was."""

import logging
import os
import random
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, Run
from faults.faults import thorough
from object_stores import Store
from retrain import tiny_network
from retrain.fine_tuning_run import ARCHITECTURE, tune

from components.common.base.errors import InputError
from components.common.base.files import default_cache_dir
from components.common.base.options import Options
from components.common.dataset.dataset import Dataset
from components.common.network import weights_sources
from components.common.photos import images
from components.retrain import finetune
from components.retrain.checkpoints import FILE, Checkpoint, Checkpoints
from components.retrain.export import KerasModels
from components.retrain.finetune import TunedLook, check_gpu
from components.retrain.options import Distortions, FineTuning, RetrainOptions

pytestmark = pytest.mark.long

SCRIPT = ROOT / "tests" / "retrain" / "fine_tuning_run.py"
SHORT = FineTuning(
    fine_tune_steps=4, fine_tune_layers=3, fine_tune_batch_size=4, checkpoint_interval=2
)


@pytest.fixture(scope="module")
def dataset(sample_run: Run) -> Dataset:
    return Dataset(sample_run.directory / "training")


@dataclass(frozen=True)
class Tuned:
    """A network after SHORT, and the folder of its checkpoint."""

    models: KerasModels
    looks: list[TunedLook]
    place: Path

    def place_copied_to(self, folder: Path) -> str:
        """The checkpoint in a folder that a test may change."""
        return str(shutil.copytree(self.place, folder))


@pytest.fixture(scope="module")
def tuned(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    place = tmp_path_factory.mktemp("tuned")
    return Tuned(*tune(dataset, str(place), SHORT), place)


@pytest.fixture(scope="module")
def other_tuned(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    """With another seed."""
    place = tmp_path_factory.mktemp("other-tuned")
    return Tuned(*tune(dataset, str(place), SHORT, seed=1), place)


def weights_of(models: object) -> list[np.ndarray]:
    return [np.asarray(array) for array in models.classifier.get_weights()]  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def tuned_with_two_views(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    place = tmp_path_factory.mktemp("tuned-2")
    return Tuned(*tune(dataset, str(place), SHORT, views=2), place)


@pytest.mark.parametrize("which", ["tuned", "tuned_with_two_views"])
def test_only_the_top_learns_and_batch_norm_keeps_its_statistics(
    which: str, request: pytest.FixtureRequest
) -> None:
    tuned = request.getfixturevalue(which)
    before = weights_sources.obtain(ARCHITECTURE, default_cache_dir()).layers
    changed = {
        layer.name
        for layer in tuned.models.classifier.layers
        if layer.name in before
        and not all(map(np.array_equal, layer.get_weights(), before[layer.name]))
    }
    assert changed == {"conv_pw_13", "conv_dw_13", "conv_pw_12"}


def test_tuned_network_averages_its_views(tuned_with_two_views: Tuned, dataset: Dataset) -> None:
    models = tuned_with_two_views.models
    found, _ = finetune.predict(models, dataset, dataset.photos[:3])
    batch = np.stack([images.model_input(dataset.read(one), 206) for one in dataset.photos[:3]])
    features = np.asarray(models.inspectable.predict_on_batch(batch)["features"])
    assert features.shape == (3, 2 * 4, 4, 1024)
    np.testing.assert_allclose(found, features.mean(axis=(1, 2)), atol=1e-4)
    whole, centre = features[:, :4].mean(axis=(1, 2)), features[:, 4:].mean(axis=(1, 2))
    assert np.abs(whole - centre).max() > 0.1


def test_loss_falls_and_looks_come_at_checkpoints(dataset: Dataset, tmp_path: Path) -> None:
    options = FineTuning(
        fine_tune_steps=24,
        fine_tune_learning_rate=1e-4,
        fine_tune_batch_size=16,
        checkpoint_interval=12,
    )
    _, looks = tune(dataset, str(tmp_path), options)
    assert [look.step for look in looks] == [10, 12, 20, 24]
    assert [look.validation is not None for look in looks] == [False, True, False, True]
    assert looks[-1].train[0] < looks[0].train[0]


def test_same_seed_same_weights_and_another_seed_others(
    dataset: Dataset, tmp_path: Path, tuned: Tuned, other_tuned: Tuned
) -> None:
    first, other = weights_of(tuned.models), weights_of(other_tuned.models)
    again = weights_of(tune(dataset, str(tmp_path / "again"), SHORT)[0])
    distorted = weights_of(
        tune(dataset, str(tmp_path / "d"), SHORT, distortions=Distortions(True))[0]
    )
    assert all(map(np.array_equal, first, again))
    assert not all(map(np.array_equal, first, other))
    assert not all(map(np.array_equal, first, distorted))


def test_two_devices_share_each_batch(tmp_path: Path) -> None:
    dataset = tiny_network.write_photos(tmp_path / "dataset")
    script = str(ROOT / "tests" / "retrain" / "tiny_network.py")
    paths = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    done = subprocess.run(
        [sys.executable, script, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "ran out of data" not in done.stderr
    assert done.stderr.count("of activations in memory") == 1
    # Both ways take 6 steps of 8 photos.
    assert (tmp_path / "shares").read_text().split() == ["4"] * 2 * 2 * 6
    one, _ = tiny_network.tune(tiny_network.builder(views=2), dataset, tmp_path / "one")
    for way in ("kept", "whole"):
        with np.load(tmp_path / f"{way}.npz") as two:
            for name, expected in zip(two.files, one, strict=True):
                np.testing.assert_allclose(two[name], expected, rtol=0, atol=tiny_network.CLOSE)


def test_killed_at_any_moment_it_ends_as_if_undisturbed(sample_run: Run, tmp_path: Path) -> None:
    steps = 16

    def start(place: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [
                *(sys.executable, str(SCRIPT), str(sample_run.directory / "training")),
                *(str(tmp_path / place), str(steps), str(tmp_path / f"{place}.npz")),
            ],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )

    undisturbed = start("undisturbed")
    assert "of activations in memory" in undisturbed.communicate(timeout=120)[1]
    assert undisturbed.returncode == 0
    generator = random.Random(0)
    reached = []
    for _ in range(5 if thorough() else 3):
        process = start("killed")
        assert process.stderr is not None
        wanted = generator.randint(1, 3)
        for line in process.stderr:
            if "Train accuracy" in line:
                reached.append(int(line.split()[2].rstrip(":")))
                wanted -= 1
                if not wanted:
                    time.sleep(generator.random() * 0.1)
                    break
        process.kill()
        process.wait(timeout=30)
        process.stderr.close()
    assert reached[-1] > reached[0] or reached[-1] == steps  # each went on after the one before
    last = start("killed")
    _, log = last.communicate(timeout=120)
    assert last.returncode == 0, log
    assert "Fine-tuning continues after step" in log
    with np.load(tmp_path / "undisturbed.npz") as one, np.load(tmp_path / "killed.npz") as other:
        for name in one.files:
            np.testing.assert_allclose(one[name], other[name], atol=1e-6)
        # The head among them to the last bit.
        assert one[one.files[-1]].tobytes() == other[other.files[-1]].tobytes()
        assert one[one.files[-2]].tobytes() == other[other.files[-2]].tobytes()


def test_more_steps_go_on_from_fewer(dataset: Dataset, tmp_path: Path, tuned: Tuned) -> None:
    longer = FineTuning(**{**vars(SHORT), "fine_tune_steps": 6})
    resumed, looks = tune(dataset, tuned.place_copied_to(tmp_path / "a"), longer)
    assert [look.step for look in looks] == [6]
    at_once, _ = tune(dataset, str(tmp_path / "b"), longer)
    for one, other in zip(weights_of(resumed), weights_of(at_once), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_fewer_steps_leave_the_longer_checkpoint(
    dataset: Dataset, tmp_path: Path, tuned: Tuned, caplog: pytest.LogCaptureFixture
) -> None:
    place = tuned.place_copied_to(tmp_path / "place")
    before = (tuned.place / FILE).read_bytes()
    fewer = FineTuning(**{**vars(SHORT), "fine_tune_steps": 2})
    with caplog.at_level(logging.WARNING, "components"):
        _, looks = tune(dataset, place, fewer)
    assert [look.step for look in looks] == [2]
    assert "has 4 steps, but only 2 are wanted" in caplog.text
    assert Path(place, FILE).read_bytes() == before


def test_no_damaged_checkpoint_is_loaded(tmp_path: Path) -> None:
    checkpoints = Checkpoints(str(tmp_path), "a" * 64)
    array = np.arange(64, dtype=np.float32).reshape(8, 8)
    checkpoints.save(Checkpoint(3, [array, array + 1], [array * 0]))
    whole = (tmp_path / FILE).read_bytes()
    assert checkpoints.load() is not None
    generator = random.Random(0)
    for _ in range(500):
        damaged = bytearray(whole)
        for _ in range(generator.randint(1, 3)):
            damaged[generator.randrange(len(whole))] ^= 1 << generator.randrange(8)
        if generator.random() < 0.3:
            del damaged[generator.randrange(len(whole)) :]
        if damaged == whole:
            continue
        (tmp_path / FILE).write_bytes(damaged)
        assert checkpoints.load() is None


@pytest.mark.parametrize("damage", ["cut", "other training", "no archive"])
def test_checkpoint_that_does_not_fit_is_left(
    dataset: Dataset, tmp_path: Path, damage: str, tuned: Tuned, other_tuned: Tuned
) -> None:
    whole = other_tuned if damage == "other training" else tuned
    file = Path(whole.place_copied_to(tmp_path / "place")) / FILE
    if damage != "other training":
        data = file.read_bytes()
        file.write_bytes(data[: len(data) // 2] if damage == "cut" else b"no archive")
    again, looks = tune(dataset, str(file.parent), SHORT)
    assert [look.step for look in looks] == [look.step for look in tuned.looks] == [2, 4]
    assert all(map(np.array_equal, weights_of(tuned.models), weights_of(again)))


def test_checkpoints_are_kept_in_object_storage(store: Store) -> None:
    checkpoints = Checkpoints(f"{store.prefix}/run/checkpoints/", "a" * 64)
    assert checkpoints.load() is None
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    for step in (50, 100):
        checkpoints.save(Checkpoint(step, [array, array + 1], [array * 0]))
    found = checkpoints.load()
    assert found is not None
    assert found.step == 100
    np.testing.assert_array_equal(found.weights[1], array + 1)
    np.testing.assert_array_equal(found.optimizer[0], array * 0)
    assert Checkpoints(f"{store.prefix}/run/checkpoints", "b" * 64).load() is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (FineTuning(fine_tune_steps=-1), "--fine_tune_steps"),
        (FineTuning(fine_tune_layers=0), "--fine_tune_layers"),
        (FineTuning(fine_tune_learning_rate=0), "--fine_tune_learning_rate"),
        (FineTuning(fine_tune_batch_size=0), "--fine_tune_batch_size"),
        (FineTuning(checkpoint_interval=0), "--checkpoint_interval"),
        (RetrainOptions(checkpoint_path="ftp://bucket/x"), "--checkpoint_path"),
    ],
)
def test_senseless_option_is_named(options: Options, message: str) -> None:
    with pytest.raises(InputError, match=message):
        options.check()


def test_required_gpu_that_is_not_there_is_told_at_once() -> None:
    if check_gpu(required=False):
        pytest.skip("this machine has a GPU")
    with pytest.raises(InputError, match="sees no GPU"):
        check_gpu(required=True)
