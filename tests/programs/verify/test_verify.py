"""Verifying a finished run: whatever is damaged, missing or of another run is named."""

import dataclasses
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Run, run_captured
from sealing import reseal, unseal

from components.common.base.errors import InputError
from components.common.dataset import ledger
from components.common.dataset.dataset import Dataset, DatasetWriter
from components.common.network import bottlenecks
from programs.verify import verify as verifying
from programs.verify.verify import verify


@dataclass(frozen=True)
class Copies:
    """Two copies of a run, which know nothing of where it was made: one to change, one to keep."""

    changed: Path
    kept: Path

    def stamps(self) -> dict[str, tuple[int, int]]:
        """When each file of the one to change was written last, and its size, by its path."""
        files = {path: path.stat() for path in self.changed.rglob("*") if is_own(path)}
        return {
            path.relative_to(self.changed).as_posix(): (status.st_mtime_ns, status.st_size)
            for path, status in files.items()
        }


@pytest.fixture(scope="module")
def copies(sample_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Copies:
    folder = tmp_path_factory.mktemp("copied")
    for name in ("run", "kept"):
        shutil.copytree(sample_run.directory, folder / name, symlinks=True)
    return Copies(folder / "run", folder / "kept")


@pytest.fixture
def run(copies: Copies) -> Iterator[verifying.Run]:
    """The run, whose files a test may change: they are put back after it."""
    before = copies.stamps()
    yield verifying.Run(copies.changed)
    after = copies.stamps()
    for name in after.keys() - before.keys():
        (copies.changed / name).unlink()
    for name, stamp in before.items():
        if after.get(name) != stamp:
            (copies.changed / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(copies.kept / name, copies.changed / name)


def is_own(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def damaged(folder: Path) -> dict[str, str]:
    """What is said of each artifact that does not fit."""
    return {found.artifact: found.said for found in verify(folder) if not found.fits}


def test_finished_run_fits_and_every_artifact_has_a_line(sample_run: Run) -> None:
    found = list(verify(sample_run.directory))
    assert all(one.fits for one in found), found
    names = [one.artifact for one in found]
    assert names[-9:] == [
        *("curate/training", "curate/demo", "curate/rejects", "curate/ledger"),
        *("bottleneck/bottlenecks", "retrain/model", "evaluate/metrics"),
        *("publish/comparison", "label-image/predictions"),
    ]
    there = {path.parent for path in sample_run.directory.rglob("manifest.parquet")}
    root = verifying.Run(sample_run.directory).root
    assert {root / name for name in names[:-6]} == {path for path in there if root in path.parents}
    assert "before seals existed" not in " ".join(one.said for one in found)


def test_photos_that_a_run_downloaded_which_goes_on_are_checked_too(run: verifying.Run) -> None:
    usual, other = run.root / "download", run.root / "download-if-new"
    usual.rename(other)
    try:
        with open(other / "images" / "images-00000.tar", "r+b") as shard:
            shard.seek(3000)
            shard.write(b"\0\1\2\3")
        found = damaged(run.folder)
    finally:
        other.rename(usual)
    assert set(found) == {"download-if-new/images"}


# Each file with the artifact that must be called damaged; more may follow from it.
FILES = {
    "curate/training/manifest.parquet": "curate/training",
    "curate/training/dataset.json": "curate/training",
    "curate/training/images-00000.tar": "curate/training",
    "curate/training/ATTRIBUTION.md": "curate/training",
    "curate/demo/images-00000.tar": "curate/demo",
    "curate/rejects/manifest.parquet": "curate/rejects",
    "curate/rejects/REASONS.csv": "curate/rejects",
    "clean/rejects/REASONS.csv": "clean/rejects",
    "clean/cleaned/images-00000.tar": "clean/cleaned",
    "curate/ledger/split.parquet": "curate/ledger",
    "bottleneck/bottlenecks/bottlenecks.npy": "bottleneck/bottlenecks",
    "bottleneck/bottlenecks/imagenet.npy": "bottleneck/bottlenecks",
    "bottleneck/bottlenecks/fingerprints.npy": "bottleneck/bottlenecks",
    "bottleneck/bottlenecks/index.parquet": "bottleneck/bottlenecks",
    "bottleneck/bottlenecks/backbone.json": "bottleneck/bottlenecks",
    "retrain/model/model.json": "retrain/model",
    "retrain/model/model.keras": "retrain/model",
    "retrain/model/model.tflite": "retrain/model",
    "retrain/model/retrained_graph.pb": "retrain/model",
    "retrain/model/retrained_labels.txt": "retrain/model",
    "retrain/model/head.npz": "retrain/model",
    "retrain/model/distances.npz": "retrain/model",
    "retrain/model/references.parquet": "retrain/model",
    "retrain/model/learned.npy": "retrain/model",
    "retrain/model/saved_model/saved_model.pb": "retrain/model",
    "retrain/model/saved_model/variables/variables.data-00000-of-00001": "retrain/model",
    "evaluate/metrics": "evaluate/metrics",
    "publish/comparison": "publish/comparison",
    "label-image/predictions": "label-image/predictions",
    "../../metrics.json": "evaluate/metrics",
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["flipped", "cut", "removed"])
def test_damaged_file_is_named(run: verifying.Run, name: str, damage: str) -> None:
    path = Path(os.path.normpath(run.root / name))
    data = path.read_bytes()
    if damage == "removed":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    else:
        place = len(data) // 2
        while data[place : place + 1].isspace():
            place += 1
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    found = damaged(run.folder)
    assert path.name in found[FILES[name]]


def more_in_model(run: verifying.Run) -> Path:
    (run.model / "saved_model" / "notes.txt").write_text("mine")
    return run.model / "saved_model" / "notes.txt"


def other_manifest(run: verifying.Run) -> Path:
    with DatasetWriter(run.training) as writer:
        for photo, data in list(Dataset(run.training).stream()):
            writer.add(dataclasses.replace(photo, author="somebody else"), data)
    return run.model / "model.json"


def other_weights(run: verifying.Run) -> Path:
    reseal(run.bottlenecks / "backbone.json", weights_sha256="0" * 64)
    return run.model / "model.json"


def other_views(run: verifying.Run) -> Path:
    reseal(run.bottlenecks / "backbone.json", views=2)
    return run.model / "model.json"


def other_labels(run: verifying.Run) -> Path:
    (run.model / "retrained_labels.txt").write_text("a\nb\n")
    reseal(run.model / "model.json")
    return run.model / "retrained_labels.txt"


def other_head(run: verifying.Run) -> Path:
    with np.load(run.model / "head.npz") as head:
        np.savez(run.model / "head.npz", weights=head["weights"], biases=head["biases"] + 1)
    reseal(run.model / "model.json")
    return run.model / "head.npz"


@pytest.mark.parametrize(
    "change", [more_in_model, other_manifest, other_weights, other_views, other_labels, other_head]
)
def test_model_of_another_run_is_named(
    run: verifying.Run, change: Callable[[verifying.Run], Path]
) -> None:
    assert change(run).name in damaged(run.folder)["retrain/model"]


def test_figures_and_predictions_of_another_training_are_named(run: verifying.Run) -> None:
    # The same head, trained again: nothing but the seal of model.json is another.
    reseal(run.model / "model.json", version="0.0.1")
    found = damaged(run.folder)
    assert set(found) == {"evaluate/metrics", "label-image/predictions"}
    assert all("its model_sha256 differs" in said for said in found.values())


@pytest.mark.parametrize("name", ["head_sha256", "model_sha256", "classes"])
def test_figures_of_another_model_are_named(run: verifying.Run, name: str) -> None:
    for path in (run.metrics, run.folder / "metrics.json"):
        reseal(path, **{name: "0" * 64})
    said = damaged(run.folder)["evaluate/metrics"]
    assert f"metrics belongs to another model: its {name} differs" in said


def test_copy_of_other_figures_is_named(run: verifying.Run) -> None:
    reseal(run.folder / "metrics.json", accuracy=1.0)
    assert damaged(run.folder) == {
        "evaluate/metrics": f"{run.folder / 'metrics.json'} is not a copy of {run.metrics}"
    }


@pytest.mark.parametrize("name", ["version", "demo_manifest_sha256", "accuracy"])
def test_decision_about_another_model_is_named(run: verifying.Run, name: str) -> None:
    reseal(run.decision, **{name: "other"})
    found = damaged(run.folder)
    assert set(found) == {"publish/comparison"}
    assert f"its {name} differs" in found["publish/comparison"]


def test_ledger_of_another_run_is_named(run: verifying.Run) -> None:
    rows = ledger.read_rows(str(run.ledger))
    for other in (rows[1:], [*rows, ("fly agaric", "0" * 42, "test")]):
        ledger.write(other, run.ledger)
        found = damaged(run.folder)
        assert set(found) == {"curate/ledger"}
        assert str(run.ledger) in found["curate/ledger"]


def test_group_and_photo_in_two_parts_are_named(run: verifying.Run) -> None:
    # As a leak would look: a dataset, whole in itself, whose rows say so.
    training = list(Dataset(run.training).stream())
    demo, demo_data = next(Dataset(run.demo).stream())
    with DatasetWriter(run.training) as writer:
        for photo, data in training:
            writer.add(dataclasses.replace(photo, group=demo.group), data)
    said = damaged(run.folder)["curate/ledger"]
    assert f"the group {demo.group}" in said
    assert "in two parts" in said
    with DatasetWriter(run.training) as writer:
        for photo, data in training:
            writer.add(photo, data)
        writer.add(dataclasses.replace(demo, split="training", group="other"), demo_data)
    said = damaged(run.folder)["curate/ledger"]
    assert f"the content {demo.sha256}" in said
    assert "in two parts" in said


def test_bottlenecks_of_other_photos_are_named(run: verifying.Run) -> None:
    found = bottlenecks.load(run.bottlenecks)
    fewer = dataclasses.replace(
        found,
        sha256=found.sha256[1:],
        vectors=found.vectors[1:],
        scores=found.scores[1:],
        fingerprints=found.fingerprints[1:],
    )
    bottlenecks.save(fewer, run.bottlenecks, ["x"] * len(fewer.sha256))
    said = damaged(run.folder)["bottleneck/bottlenecks"]
    assert f"has no row for the photo SHA-256 {found.sha256[0]}" in said
    more = dataclasses.replace(found, sha256=("0" * 64, *found.sha256[1:]))
    bottlenecks.save(more, run.bottlenecks, ["x"] * len(more.sha256))
    assert "has a row for no photo" in damaged(run.folder)["bottleneck/bottlenecks"]


def rewritten(path: Path, change: Callable[[list[dict[str, object]]], None], **about: str) -> None:
    """Change the rows and metadata of a parquet file, and give it new checksums."""
    table = pq.read_table(path)
    rows = table.to_pylist()
    change(rows)
    new = {name.encode(): value.encode() for name, value in about.items()}
    metadata = {**table.schema.metadata, **new}
    changed = pa.Table.from_pylist(rows, schema=table.schema).replace_schema_metadata(metadata)
    pq.write_table(changed, path, write_page_checksum=True)


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.pop(),
        lambda rows: rows[0].update(path="x/0123456789abcdef.jpg"),
        lambda rows: rows[0].update(label=rows[-1]["label"]),
        lambda rows: rows[0].update(probability=0.5),
        lambda rows: rows[0].update(predicted=rows[0]["predicted"] + "x"),
        lambda rows: rows[0].update(right=not rows[0]["right"]),
        lambda rows: rows[0].update(probabilities=[1.0]),
        lambda rows: rows[0].update(caution="none"),
    ],
    ids=["fewer", "path", "label", "probability", "predicted", "right", "probabilities", "caution"],
)
def test_answers_that_are_not_the_model_s_are_named(
    run: verifying.Run, change: Callable[[list[dict[str, object]]], None]
) -> None:
    rewritten(run.predictions, change)
    found = damaged(run.folder)
    assert set(found) == {"label-image/predictions"}
    assert str(run.predictions) in found["label-image/predictions"]


def test_predictions_on_other_photos_are_named(run: verifying.Run) -> None:
    rewritten(run.predictions, lambda rows: None, demo_manifest_sha256="0" * 64)
    assert "demo_manifest_sha256 differs" in damaged(run.folder)["label-image/predictions"]


def test_rejects_of_an_earlier_program_have_no_reasons_for_people(run: verifying.Run) -> None:
    (run.rejects / "REASONS.csv").unlink()
    reseal(run.rejects / "dataset.json")
    assert damaged(run.folder) == {}
    (run.rejects / "REASONS.csv").write_text("mine")
    said = damaged(run.folder)["curate/rejects"]
    assert "REASONS.csv is none of the files that dataset.json lists" in said


def test_model_from_before_there_were_seals_is_told_of(run: verifying.Run) -> None:
    unseal(run.model / "model.json", format_version=2)
    said = {found.artifact: found for found in verify(run.folder)}
    assert said["retrain/model"].fits
    assert "written before seals existed: edits may go unnoticed" in said["retrain/model"].said


def test_command_prints_a_line_for_each_artifact_and_is_exit_1_where_one_is_damaged(
    run: verifying.Run,
) -> None:
    command = (sys.executable, "-m", "programs.verify", str(run.folder))
    whole = run_captured(*command)
    assert whole.returncode == 0, whole.stdout + whole.stderr
    *lines, last = whole.stdout.splitlines()
    assert {line.split()[0] for line in lines} == {"ok"}
    assert last == f"all {len(lines)} artifacts are complete, unmodified and consistent"

    path = run.model / "retrained_graph.pb"
    path.write_bytes(b"x" + path.read_bytes()[1:])
    done = run_captured(*command)
    assert done.returncode == 1
    assert f"DAMAGED retrain/model: {path} is damaged" in done.stdout
    assert len(done.stdout.splitlines()) == len(lines) + 1
    assert f"1 of {len(lines)} artifacts are damaged" in done.stdout
    assert "Traceback" not in done.stderr


def test_command_needs_neither_tensorflow_nor_litert(sample_run: Run) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from programs.verify.verify import verify\n"
        "assert all(found.fits for found in verify(Path(sys.argv[1])))\n"
        "print([name for name in ('tensorflow', 'keras', 'ai_edge_litert', 'kfp')"
        " if name in sys.modules])\n"
    )
    done = run_captured(sys.executable, "-c", code, str(sample_run.directory))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("kind", ["missing", "empty", "file", "unfinished"])
def test_what_is_no_finished_run_is_exit_2(run: verifying.Run, tmp_path: Path, kind: str) -> None:
    place = tmp_path / "run"
    if kind == "empty":
        place.mkdir()
    elif kind == "file":
        place.write_text("mine")
    elif kind == "unfinished":
        place = run.folder
        (place / "summary.json").unlink()
    done = run_captured(sys.executable, "-m", "programs.verify", str(place))
    assert done.returncode == 2
    assert f"{place} is not a finished run" in done.stderr
    assert "Traceback" not in done.stderr
    with pytest.raises(InputError, match="not a finished run"):
        list(verify(place))
