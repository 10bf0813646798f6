"""What was written before there were seals is still read: `tests/fixtures/format-1`.

The fixture is a run of the code of November 2026 on 14 small rendered pictures: datasets and models
of version 2, a decision of version 1, figures and bottlenecks without a version. The networks and
the pages for people were left out, to keep it small. It is never to be made anew.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from components.common.base.errors import InputError
from components.common.dataset import ledger
from components.common.dataset.dataset import Dataset
from components.common.model.description import read_description
from components.common.model.layout import REFERENCES
from components.common.model.model import read_distances, read_head
from components.common.model.model_place import version_of
from components.common.model.references import References
from components.common.network import bottlenecks
from components.publish.compare import read_metrics
from components.publish.decision import HOLD, Decision
from programs.serve import figures
from programs.verify.verify import Run, verify

FIXTURE = ROOT / "tests" / "fixtures" / "format-1"


@pytest.fixture
def run() -> Run:
    return Run(FIXTURE)


def test_datasets_and_ledger_are_read(run: Run) -> None:
    photos = [photo for path in (run.training, run.demo) for photo, _ in Dataset(path).stream()]
    assert len(photos) == 14
    assert Dataset(run.rejects).photos == []
    placed = ledger.read(str(run.ledger))
    assert placed == {(photo.label, photo.group): photo.split for photo in photos}


def test_bottlenecks_are_read(run: Run) -> None:
    found = bottlenecks.load(run.bottlenecks)
    assert found.vectors.shape == (14, 1024)
    assert found.key.architecture == "mobilenet_1.0_128"
    assert len(found.rows(Dataset(run.training).photos)) == 12


def test_model_is_read_and_stays_the_version_that_it_was(run: Run) -> None:
    description = read_description(run.model)
    assert description.format_version == 2
    assert description.classes == ("fly agaric", "giant puffball")
    weights, biases = read_head(run.model, description)
    assert (weights.shape, biases.shape) == ((1024, 2), (2,))
    assert np.isfinite(read_distances(run.model, description).means).all()
    references = References(description.check_file(run.model, REFERENCES))
    assert len(references.photos) == 10
    assert version_of(description) == Decision.read(run.decision).version


def test_figures_and_decision_are_read(run: Run) -> None:
    description = read_description(run.model)
    assert read_metrics(run.metrics, description)["accuracy"] == 1.0
    assert figures.read(run.metrics, description.head_sha256).photos == 4
    assert Decision.read(run.decision).decision == HOLD


def test_run_is_verified_and_its_age_told(run: Run) -> None:
    found = {one.artifact: one for one in verify(run.folder)}
    assert all(one.fits for one in found.values()), found
    told = {name for name, one in found.items() if "written before seals existed" in one.said}
    assert set(found) - told == {"curate/ledger", "label-image/predictions"}


@pytest.mark.parametrize(
    ("name", "artifact"),
    [
        ("curate/demo/images-00000.tar", "curate/demo"),
        ("curate/ledger/split.parquet", "curate/ledger"),
        ("retrain/model/head.npz", "retrain/model"),
        ("retrain/model/distances.npz", "retrain/model"),
    ],
)
def test_what_had_a_hash_before_is_still_held_to_it(
    tmp_path: Path, name: str, artifact: str
) -> None:
    shutil.copytree(FIXTURE, tmp_path / "run")
    path = Run(tmp_path / "run").root / name
    data = bytearray(path.read_bytes())
    data[len(data) // 4] ^= 1
    path.write_bytes(data)
    wrong = {found.artifact for found in verify(tmp_path / "run") if not found.fits}
    assert artifact in wrong


def test_newer_version_without_a_seal_is_not_taken_for_an_old_one(tmp_path: Path) -> None:
    shutil.copytree(Run(FIXTURE).model, tmp_path / "model")
    path = tmp_path / "model" / "model.json"
    text = path.read_text()
    assert text.count('"format_version": 2') == 1
    path.write_text(text.replace('"format_version": 2', '"format_version": 3'))
    with pytest.raises(InputError, match="lacks its seal"):
        read_description(tmp_path / "model")
