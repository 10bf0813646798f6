"""Whole runs, as a person starts them: what comes out, and what is said of wrong input."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import heif_files  # noqa: F401 - saves HEIC
import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, SMALL_ARCHITECTURE, Run, run_captured, run_pipeline
from html_page import Page
from PIL import Image

from components.common.dataset.dataset import Dataset, DatasetWriter
from components.common.network import bottlenecks
from components.download.sources import sample

CLASSES = sample.LABELS
SMALL = ("--architecture", SMALL_ARCHITECTURE, "--how_many_training_steps", "200")


def write_class(
    folder: Path, label: str, count: int, *, suffix: str = ".jpg", looks: str = ""
) -> None:
    """Photos of a class that differ from each other and from other classes'.

    Those of a class that the sample does not have look like one that it has, by default the first.
    """
    folder.mkdir(parents=True)
    known = looks or (label if label in sample.LABELS else sample.LABELS[0])
    for number, picture in enumerate(sample.render_class(known, count, seed=len(label))):
        if picture.fault is None:
            (folder / f"{number:03d}{suffix}").write_bytes(picture.data)


def is_alive(pid: int) -> bool:
    """True for a process that still runs (a zombie does not: its parent has yet to look)."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return status != "Z"


def wait_for_events(runs: Path) -> Path:
    """The events of the one run there, once there is one."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        time.sleep(0.2)
        if events := next(iter(runs.glob("2*/events.jsonl")), None):
            return events
    pytest.fail("the run did not start a step")


def pids_of(events: Path) -> set[int]:
    """Processes that told of something."""
    return {json.loads(line)["pid"] for line in events.read_text().splitlines()}


def test_sample_run_leaves_everything_where_the_summary_says(sample_run: Run) -> None:
    for page in ("report.html", "gallery.html", "curation.html", "index.html"):
        assert (sample_run.directory / page).read_text().lower().startswith("<!doctype html>")
        assert page in sample_run.stdout
    assert (sample_run.directory / "model" / "model.tflite").is_file()
    assert list((sample_run.directory / "logs" / "train").glob("events.out.tfevents.*"))
    assert (sample_run.directory.parent / "latest").resolve() == sample_run.directory
    assert "rendered" in sample_run.stdout
    assert "make tensorboard" in sample_run.stdout
    assert sample_run.stdout.splitlines()[-1].endswith(str(sample_run.directory / "index.html"))
    assert sample_run.stderr == ""


def test_sample_run_keeps_kfp_s_noise_out_of_sight(sample_run: Run) -> None:
    assert "KFP" not in sample_run.stdout
    assert len(sample_run.stdout.splitlines()) < 70
    assert "Step 0: Train accuracy" in (sample_run.directory / "log.txt").read_text()


def test_sample_run_says_of_each_kind_of_warning_one_line(sample_run: Run) -> None:
    lines = sample_run.stdout.splitlines()
    assert len([line for line in lines if " files left out: " in line]) == 1
    assert len([line for line in lines if "kept although flagged" in line]) == 1
    assert len([line for line in lines if "fewer than 250 photos" in line]) == 1
    assert not any(line.strip().startswith(f"{label}:") for line in lines for label in CLASSES)


def test_sample_run_is_told_what_retrain_does_while_it_works(sample_run: Run) -> None:
    events = map(json.loads, (sample_run.directory / "events.jsonl").read_text().splitlines())
    told = {event["what"] for event in events if event["event"] == "progress"}
    steps = {"load TensorFlow", "train the head", "build the network", "write the model"}
    assert {f"retrain: {what}" for what in steps} <= told
    assert "cross-validation" in told


def test_sample_run_finds_the_planted_faults(sample_run: Run) -> None:
    reasons = {}
    for manifest in (sample_run.directory / "artifacts").rglob("rejects/manifest.parquet"):
        for photo in Dataset(manifest.parent).photos:
            reasons.setdefault(photo.reason, set()).add(photo.label)
    classes = set(sample.LABELS)
    assert reasons["damaged"] == classes
    assert reasons["placeholder"] == classes
    assert reasons["exact_duplicate"] == classes
    assert reasons["near_duplicate"] == classes
    assert reasons["in_two_classes"] == classes


def test_no_photo_and_no_group_is_in_two_parts(sample_run: Run) -> None:
    parts: dict[str, set[str]] = {}
    contents: dict[str, int] = {}
    for name in ("training", "demo"):
        for photo in Dataset(sample_run.directory / name).photos:
            parts.setdefault(photo.group, set()).add(photo.split)
            contents[photo.sha256] = contents.get(photo.sha256, 0) + 1
    assert {len(found) for found in parts.values()} == {1}
    assert set(contents.values()) == {1}


def test_good_model_is_published_with_a_pointer(sample_run: Run) -> None:
    summary = sample_run.summary
    assert summary["decision"] == "publish"
    published = Path(summary["published"])
    for name in ("model.tflite", "MODEL_CARD.md", "ATTRIBUTION.md", "decision.json"):
        assert (published / name).is_file()
    assert "no model was published as sample before" in summary["reason"]
    pointer = json.loads((published.parent / "latest.json").read_text())
    assert pointer["version"] == published.name
    assert "published" in sample_run.stdout
    metrics = json.loads((sample_run.directory / "metrics.json").read_text())
    assert metrics == summary["metrics"]


@pytest.fixture(scope="module")
def two_classes_run(tmp_path_factory: pytest.TempPathFactory, backbone_cache: Path) -> Run:
    """A run on two classes of 15 and 13 photos, that wants more accuracy than any model has."""
    folder = tmp_path_factory.mktemp("two classes")
    write_class(folder / "photos" / "fly agaric", "fly agaric", 15)
    write_class(folder / "photos" / "giant puffball", "giant puffball", 13)
    for number, suffix in enumerate((".png", ".webp", ".heic", ".avif")):
        source = folder / "photos" / "giant puffball" / f"{number:03d}.jpg"
        with Image.open(source) as image:
            image.save(source.with_suffix(suffix), quality=95)
        source.unlink()
    run = run_pipeline(
        folder / "runs",
        backbone_cache,
        *("--image_dir", str(folder / "photos"), "--min_accuracy", "1.0", *SMALL),
    )
    assert run.returncode == 0, run.stderr
    return run


def test_model_below_the_wanted_accuracy_is_held_back(two_classes_run: Run) -> None:
    run = two_classes_run
    assert run.summary["decision"] == "hold"
    assert run.summary["published"] == ""
    assert not (run.directory.parent / "published").exists()
    assert "held back" in run.stdout


def test_model_worse_than_the_published_one_is_held_back_and_the_summary_names_both_figures(
    sample_run: Run, backbone_cache: Path, tmp_path: Path
) -> None:
    published = Path(sample_run.summary["published"])
    shutil.copytree(published.parents[1], tmp_path / "published")
    run = run_pipeline(
        tmp_path / "runs",
        backbone_cache,
        *("--per_class", "20", "--architecture", SMALL_ARCHITECTURE),
        *("--how_many_training_steps", "1", "--learning_rate", "1e-6", "--min_accuracy", "0"),
        *("--publish_dir", str(tmp_path / "published")),
    )
    assert run.returncode == 0, run.stderr
    summary = run.summary
    assert summary["decision"] == "hold"
    assert summary["published"] == ""
    compared = summary["comparison"]
    metrics = (sample_run.summary["metrics"], summary["metrics"])
    assert compared["champion_accuracy"] == metrics[0]["demo_accuracy"]
    assert compared["challenger_accuracy"] == metrics[1]["demo_accuracy"]
    assert compared["challenger_accuracy"] < compared["champion_accuracy"]
    assert "no, held back" in run.stdout
    because = next(line for line in run.stdout.splitlines() if line.startswith("  because"))
    assert summary["reason"] in because
    for accuracy in (compared["champion_accuracy"], compared["challenger_accuracy"]):
        assert f"({accuracy:.3f})" in because
    folder = tmp_path / "published" / "sample"
    assert json.loads((folder / "latest.json").read_text())["version"] == published.name
    kept = {"latest.json", "memory.json", "memory", "serving", published.name}
    assert {path.name for path in folder.iterdir()} == kept
    for name in ("index", "report", "gallery", "curation"):
        page = Page((run.directory / f"{name}.html").read_text())
        assert "change.html" in [link.get("href") for link in page.all("a")], name
    changed = Page((run.directory / "change.html").read_text())
    assert f"compared with {published.name}, which was published as sample before" in changed.text
    assert f"held back: {summary['reason']}" in changed.text
    assert "index.html" in [link.get("href") for link in changed.all("a")]
    assert f"changed    {run.directory / 'change.html'}" in run.stdout


def test_first_model_has_no_page_of_changes_and_a_line_says_so(sample_run: Run) -> None:
    assert not (sample_run.directory / "change.html").exists()
    index = Page((sample_run.directory / "index.html").read_text())
    assert "No page of changes: no model was published as sample before." in index.text
    assert "change.html" not in [link.get("href") for link in index.all("a")]
    assert "changed  " not in sample_run.stdout


def test_two_classes_of_fifteen_with_other_formats_among_them(two_classes_run: Run) -> None:
    counts = two_classes_run.summary["photos"]
    assert sum(counts["fly agaric"].values()) == 15
    assert sum(counts["giant puffball"].values()) == 13
    assert all(count > 0 for parts in counts.values() for count in parts.values())
    assert "rendered" not in two_classes_run.stdout


@pytest.mark.long  # tests/retrain/test_command.py trains on real photographs too
def test_real_photographs_run_through(
    shared_photos: Path, tmp_path: Path, backbone_cache: Path
) -> None:
    run = run_pipeline(
        tmp_path / "runs",
        backbone_cache,
        *("--image_dir", str(shared_photos / "mushrooms"), "--architecture", SMALL_ARCHITECTURE),
    )
    assert run.returncode == 0, run.stderr
    # All but the few that look like another class to this network.
    assert sum(sum(parts.values()) for parts in run.summary["photos"].values()) >= 137
    # Seven classes: chance is 0.14. What is held here is that the model learned, not how well.
    assert run.summary["metrics"]["accuracy_low"] > 0.3


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda folder: None, "does not exist"),
        (lambda folder: folder.mkdir(), "no class folders"),
        (lambda folder: write_class(folder / "one", "one", 3), "only the class 'one'"),
        (
            lambda folder: [
                write_class(folder / "one", "one", 3),
                (folder / "two").mkdir(),
            ],
            "two holds no photos",
        ),
    ],
)
def test_unusable_folder_is_exit_2_before_anything_starts(
    tmp_path: Path, make: object, expected: str
) -> None:
    make(tmp_path / "photos")  # type: ignore[operator]
    run = run_pipeline(
        tmp_path / "runs", tmp_path / "cache", "--image_dir", str(tmp_path / "photos")
    )
    assert run.returncode == 2
    assert expected in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--architecture", "mobilenet_9_9"), "mobilenet_1.0_224"),
        (("--source", "elsewhere"), "unknown source 'elsewhere'"),
        (("--source", "folder"), "--image_dir"),
        (("--min_accuracy", "60"), "0 to 1"),
        (("--max_regression", "5"), "0 to 1"),
        (("--publish_dir", "gs:///models"), "--publish_dir"),
        (("--publish_dir", "ftp://bucket/models"), "--publish_dir"),
        (("--how_many_training_steps", "0"), "1 or more"),
        (("--learning_rate", "-1"), "more than 0"),
        (("--testing_percentage", "60", "--validation_percentage", "50"), "leave photos"),
        (("--weights", "nowhere.h5"), "no weights file"),
        (("--demo_per_class", "0", "--testing_percentage", "0"), "left to measure the model"),
        (("--name", "../elsewhere"), "--name"),
        (("--per_class", "-1"), "--per_class"),
        (("--seed", "-1"), "--seed"),
        (("--decisions", "https://example.org/d.json?X-Amz-Signature=x"), "--decisions has a pass"),
        (("--decisions", "nowhere.json"), "no file at"),
        (("--decisions", "README.md"), "no file of decisions"),
        (("--earlier_ledger", "nowhere"), "no file at"),
        (("--earlier_ledger", "README.md"), "no ledger"),
    ],
)
def test_option_that_makes_no_sense_is_exit_2_before_anything_starts(
    tmp_path: Path, options: tuple[str, ...], expected: str
) -> None:
    run = run_pipeline(tmp_path / "runs", tmp_path / "cache", *options)
    assert run.returncode == 2
    assert expected in run.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("option", ["--image_dir", "--cache_dir", "--runs_dir"])
def test_place_whose_name_is_no_text_is_refused_in_one_line(tmp_path: Path, option: str) -> None:
    place = os.fsencode(tmp_path / "caf") + b"\xe9"
    command = [sys.executable, str(ROOT / "pipeline.py"), "run"]
    done = subprocess.run(
        [*command, "--runs_dir", str(tmp_path / "runs"), option, place],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f"{option} is " in line
    assert "which is not UTF-8 text" in line
    assert list(tmp_path.iterdir()) == []


def test_runs_folder_that_is_a_file_is_exit_2_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("mine")
    run = run_pipeline(tmp_path / "runs", tmp_path / "cache")
    assert run.returncode == 2
    assert str(tmp_path / "runs") in run.stderr
    assert "Traceback" not in run.stderr
    assert (tmp_path / "runs").read_text() == "mine"


def test_class_with_no_usable_photo_is_exit_2_and_names_class_and_log(
    tmp_path: Path, backbone_cache: Path
) -> None:
    write_class(tmp_path / "photos" / "fly agaric", "fly agaric", 5)
    (tmp_path / "photos" / "broken").mkdir()
    for number in range(3):
        (tmp_path / "photos" / "broken" / f"{number}.jpg").write_bytes(b"\xff\xd8\xff" * 9000)
    run = run_pipeline(
        tmp_path / "runs", backbone_cache, "--image_dir", str(tmp_path / "photos"), *SMALL
    )
    assert run.returncode == 2
    assert "'broken' has no usable photo" in run.stderr
    assert "log.txt" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "runs" / "latest").exists()


def test_architecture_without_weights_is_exit_1_and_names_the_file_to_put_where(
    tmp_path: Path,
) -> None:
    run = run_pipeline(
        tmp_path / "runs",
        tmp_path / "cache",
        *("--per_class", "4", "--architecture", "mobilenet_0.25_128"),
    )
    if run.returncode == 0:
        pytest.skip("this machine reaches the host of keras.applications")
    assert run.returncode == 1
    assert "mobilenet_2_5_128_tf.h5" in run.stderr
    assert "WEIGHTS=" in run.stderr


def test_interrupt_ends_the_steps_too(tmp_path: Path, backbone_cache: Path) -> None:
    command = [sys.executable, str(ROOT / "pipeline.py"), "run"]
    command += ["--runs_dir", str(tmp_path / "runs"), "--cache_dir", str(backbone_cache)]
    run = subprocess.Popen(
        [*command, "--per_class", "200"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    events = wait_for_events(tmp_path / "runs")
    run.send_signal(2)
    # Steps have 10 s after SIGTERM and 10 s after SIGKILL, on a machine that is busy with more.
    _, stderr = run.communicate(timeout=90)
    assert run.returncode == 130
    assert b"interrupted" in stderr
    assert f"kept in {backbone_cache}".encode() in stderr
    assert f"{events.parent.name}: ".encode() in stderr
    assert b"nothing was published" in stderr
    deadline = time.monotonic() + 15
    while any(map(is_alive, pids_of(events))) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not list(filter(is_alive, pids_of(events)))


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGHUP])
def test_run_that_lost_its_parent_or_its_terminal_ends_and_publishes_nothing(
    tmp_path: Path, backbone_cache: Path, sent: signal.Signals
) -> None:
    command = [sys.executable, str(ROOT / "pipeline.py"), "run", "--min_accuracy", "0", *SMALL]
    command += ["--runs_dir", str(tmp_path / "runs"), "--cache_dir", str(backbone_cache)]
    run = subprocess.Popen([*command, "--per_class", "12"], cwd=ROOT, start_new_session=True)
    events = wait_for_events(tmp_path / "runs")
    run.send_signal(sent)
    assert run.wait(90) == (-sent if sent == signal.SIGKILL else 128 + sent)
    deadline = time.monotonic() + 30
    while any(map(is_alive, pids_of(events))) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not list(filter(is_alive, pids_of(events)))
    assert not (tmp_path / "runs" / "published").exists()
    assert not (tmp_path / "runs" / "latest").exists()
    if sent == signal.SIGKILL:
        assert "started this run was killed" in (events.parent / "log.txt").read_text()


@pytest.fixture(scope="module")
def learn(backbone_cache: Path) -> Callable[[Path, Path, Path, str], dict[str, object]]:
    """Train on a dataset and vectors: what is written into a folder, said of the model alone."""
    from components.retrain.options import Extras, Measuring, Recipe, RetrainOptions
    from components.retrain.retrain import retrain

    def learned(training: Path, vectors: Path, folder: Path, final_fit: str) -> dict[str, object]:
        retrain(
            training,
            vectors,
            folder / "model",
            folder / "logs",
            recipe=Recipe(how_many_training_steps=100),
            options=RetrainOptions(cache_dir=str(backbone_cache)),
            measuring=Measuring(final_fit=final_fit, cross_validation_rounds=1),
            extras=Extras(int8=False),
        )
        description = json.loads((folder / "model" / "model.json").read_text())
        facts = ("head_sha256", "distances_sha256", "temperature", "unknown", "measured", "learned")
        return {name: description[name] for name in facts}

    return learned


@pytest.fixture(scope="module")
def learned_as_it_was(
    sample_run: Run,
    learn: Callable[[Path, Path, Path, str], dict[str, object]],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, dict[str, object]]:
    """What is said of the model of the run's own photos, by what the final head learns from."""
    vectors = next((sample_run.directory / "artifacts").rglob("bottlenecks"))
    training = sample_run.directory / "training"
    return {
        final_fit: learn(training, vectors, tmp_path_factory.mktemp(final_fit), final_fit)
        for final_fit in ("training", "all")
    }


@pytest.mark.parametrize(
    ("final_fit", "swapped_parts", "same"),
    [
        pytest.param("training", {"test", "demo"}, True, marks=pytest.mark.long),
        ("all", {"demo"}, True),
        ("all", {"test", "demo"}, False),
    ],
)
def test_swapping_labels_and_vectors_of_held_out_photos_changes_no_bit_of_the_model(
    sample_run: Run,
    learn: Callable[[Path, Path, Path, str], dict[str, object]],
    learned_as_it_was: dict[str, dict[str, object]],
    tmp_path: Path,
    final_fit: str,
    swapped_parts: set[str],
    same: bool,
) -> None:
    """The test of the whole design: nothing of the demo part reaches the model.

    Nor does anything of the test part, where the final head is to be that of the training part.
    """
    vectors = bottlenecks.load(next((sample_run.directory / "artifacts").rglob("bottlenecks")))
    dataset = Dataset(sample_run.directory / "training")
    known = [*dataset.photos, *Dataset(sample_run.directory / "demo").photos]
    held_out = [photo for photo in known if photo.split in swapped_parts]
    rows = vectors.rows(held_out)
    assert len(set(rows.tolist())) > 10
    moved = vectors.vectors.copy()
    moved[rows] = moved[np.roll(rows, 1)]
    labels = iter(np.roll([photo.label for photo in held_out], 3).tolist())
    with DatasetWriter(tmp_path / "swapped") as writer:
        for photo, data in dataset.stream():
            changed = photo
            if photo.split in swapped_parts:
                changed = dataclasses.replace(photo, label=next(labels))
            writer.add(changed, data)
        for photo in dataset.left_out():
            writer.leave_out(photo)
    names = [photo.label for photo in Dataset(tmp_path / "swapped").photos]
    assert (names != [photo.label for photo in dataset.photos]) == ("test" in swapped_parts)
    changed_vectors = dataclasses.replace(vectors, vectors=moved)
    bottlenecks.save(changed_vectors, tmp_path / "vectors", [""] * len(vectors.sha256))
    made = learn(tmp_path / "swapped", tmp_path / "vectors", tmp_path, final_fit)
    assert (made == learned_as_it_was[final_fit]) == same


def test_full_disk_is_exit_1_and_names_what_was_being_written(backbone_cache: Path) -> None:
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("needs root, to mount a small disk")
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=False
        )
        if mounted.returncode:
            pytest.skip("this machine does not let tests mount a small disk")
        try:
            run = run_pipeline(Path(folder) / "runs", backbone_cache, "--per_class", "60", *SMALL)
            assert run.returncode == 1
            assert "no space left" in run.stderr
            assert "dataset" in run.stderr
            assert "Traceback" not in run.stderr
            left = list((run.directory / "artifacts").rglob("*.partial-*"))
            assert left == []
        finally:
            subprocess.run(["umount", folder], check=True)


@pytest.mark.long  # tests/curate/test_curate.py hands a ledger to the step
def test_ledger_of_an_earlier_run_keeps_its_photos_in_their_parts(
    two_classes_run: Run, tmp_path: Path, backbone_cache: Path
) -> None:
    first, folder = two_classes_run, tmp_path / "photos"
    shutil.copytree(first.directory.parents[1] / "photos", folder)
    for label in ("fly agaric", "giant puffball"):
        write_class(tmp_path / "later" / label, label, 24)
        for photo in sorted((tmp_path / "later" / label).iterdir())[15:]:
            photo.rename(folder / label / photo.name)

    def parts(facts: Path) -> dict[str, str]:
        rows = pq.read_table(facts / "photos.parquet").to_pylist()
        return {row["source_sha256"]: row["split"] for row in rows if row["split"] != "surplus"}

    ledger = ("--earlier_ledger", str(first.directory / "ledger"))
    options = ("--image_dir", str(folder), *ledger, *SMALL)
    second = run_pipeline(tmp_path / "runs", backbone_cache, *options)
    assert second.returncode == 0, second.stderr
    before, after = parts(first.directory / "facts"), parts(second.directory / "facts")
    assert len(after) > len(before) > 20
    assert {name: after[name] for name in before} == before
    without = parts(curated_without_a_ledger(second, tmp_path / "curated"))
    assert any(without[name] != part for name, part in before.items())


def curated_without_a_ledger(run: Run, folder: Path) -> Path:
    """The facts that `curate` writes on a run's photos where no ledger is handed in."""
    folder.mkdir()
    found = {
        name: sorted(map(str, (run.directory / "artifacts").rglob(name)))
        for name in ("cleaned", "rejects", "bottlenecks")
    }
    rejects = [path for path in found["rejects"] if Path(path).parent.name == "clean"]
    outputs = ("training", "demo", "rejects", "ledger", "facts")
    done = run_captured(
        *(sys.executable, "-m", "components.curate", "--page", str(folder / "curation.html")),
        *("--images", *found["cleaned"], "--clean_rejects", *rejects),
        *("--bottlenecks", *found["bottlenecks"]),
        *(word for name in outputs for word in (f"--{name}", str(folder / name))),
    )
    assert done.returncode == 0, done.stderr
    return folder / "facts"
