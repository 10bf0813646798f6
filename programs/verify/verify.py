"""Checks that a finished run is complete, unmodified and consistent.

It computes nothing anew and needs no TensorFlow: it compares hashes, names and counts.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from components.common.base.errors import InputError
from components.common.base.files import hash_file
from components.common.base.step import Progress
from components.common.base.wording import counted
from components.common.dataset import ledger
from components.common.dataset.attribution import FILE_NAME as ATTRIBUTION
from components.common.dataset.dataset import (
    BESIDE,
    DESCRIPTION,
    MANIFEST,
    Dataset,
    listed_files,
)
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import SURPLUS
from components.common.model import layout, model
from components.common.model.description import read_description
from components.common.model.model_place import METRICS, version_of
from components.common.network import bottlenecks
from components.common.network.backbone import DESCRIPTION_FILE
from components.common.network.views import network_name
from components.common.untrusted import sealed
from programs.verify import predictions

ARTIFACTS = "artifacts"
SUMMARY = "summary.json"  # the last file that a run writes
PREFIX_DIGITS = 12


@dataclass(frozen=True)
class Finding:
    """What was found of one artifact.

    Attributes:
        artifact: its place below the run's folder.
        said: what fits, or what is wrong with which file.
        fits: False where something is wrong.
    """

    artifact: str
    said: str
    fits: bool = True


class Run:
    """The folder of a finished run, and the places of its artifacts.

    Args:
        folder: such as runs/latest.

    Raises:
        InputError: it is no folder of a finished run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        roots = [path for path in (folder / ARTIFACTS).glob("*") if path.is_dir()]
        if len(roots) != 1 or not (folder / SUMMARY).is_file():
            raise InputError(
                f"{folder} is not a finished run: expected a folder that `make run` wrote, with "
                f"{SUMMARY} and one run's {ARTIFACTS}/ in it, such as runs/latest"
            )
        self.root = roots[0]
        self.training = self.root / "curate" / "training"  # and validation and test parts
        self.demo = self.root / "curate" / "demo"
        self.rejects = self.root / "curate" / "rejects"
        self.ledger = self.root / "curate" / "ledger" / ledger.FILE_NAME
        self.bottlenecks = self.root / "bottleneck" / "bottlenecks"
        self.model = self.root / "retrain" / "model"
        self.metrics = self.root / "evaluate" / "metrics"
        # Before one step compared and published, another one compared.
        steps = ("publish", "compare")
        decisions = [self.root / step / "comparison" for step in steps]
        self.decision = next(filter(Path.exists, decisions), decisions[0])
        self.predictions = self.root / "label-image" / "predictions"

    def datasets(self) -> list[Path]:
        """Every dataset: the three of curation, and those before it that are still there."""
        before = [
            path
            # A run that goes on with an earlier one downloads in `download-if-new`.
            for task, names in (("download*", ("images",)), ("clean", ("cleaned", "rejects")))
            for name in names
            for path in sorted(self.root.glob(f"**/{task}/{name}"))
        ]
        return [*before, self.training, self.demo, self.rejects]


def verify(folder: Path) -> Iterator[Finding]:
    """Check every artifact of a run, in the order in which they were made.

    Raises:
        InputError: the folder is no finished run.
    """
    run = Run(folder)
    progress = Progress("verify", verb="read")
    checks: list[tuple[Path, Callable[[], str]]] = [
        *((path, partial(_dataset, path, progress)) for path in run.datasets()),
        (run.ledger.parent, partial(_ledger, run)),
        (run.bottlenecks, partial(_bottlenecks, run)),
        (run.model, partial(_model, run)),
        (run.metrics, partial(_metrics, run)),
        (run.decision, partial(_decision, run)),
        (run.predictions, partial(predictions.check, run.predictions, run.demo, run.model)),
    ]
    for path, check in checks:
        name = path.relative_to(run.root).as_posix()
        try:
            yield Finding(name, check())
        except (InputError, OSError) as error:
            yield Finding(name, str(error), fits=False)
    progress.finish()


def _dataset(path: Path, progress: Progress) -> str:
    """Every photo has its bytes, and no shard holds anything else."""
    dataset = Dataset(path)
    is_sealed = (path / DESCRIPTION).exists()
    if is_sealed:
        files = listed_files(path)
        for name in BESIDE:
            # REASONS.csv is there for rejects only, and not for those of an earlier program;
            # left_out.parquet only where there is something in it.
            if name == ATTRIBUTION or name in files or (path / name).exists():
                sealed.check_file(path, name, files, DESCRIPTION)
    for _ in dataset.stream():
        progress.advance()
    count = counted(len(dataset.photos), "photo matches its", "photos match their")
    return f"{count} SHA-256{_age(sealed_=is_sealed)}"


def _ledger(run: Run) -> str:
    """The ledger says what the manifests say, and no photo and no group is in two parts."""
    used = [*Dataset(run.training).photos, *Dataset(run.demo).photos]
    _check_parts(used, run)
    rejects = Dataset(run.rejects)
    known = [*used, *rejects.photos]
    expected = {(photo.label, photo.group, photo.split) for photo in known if photo.split}
    expected |= {(photo.label, photo.group, SURPLUS) for photo in rejects.left_out()}
    rows = set(ledger.read_rows(str(run.ledger)))
    for label, group, split in sorted(rows ^ expected):
        where = run.ledger if (label, group, split) in rows else run.training.parent
        raise InputError(
            f"{run.ledger} does not match the datasets: the group {group} of {label!r} is in the "
            f"part {split} according to {where} only"
        )
    count = counted(len(rows), "group")
    return f"{count}, as the manifests say; no photo and no group is in two parts"


def _check_parts(photos: list[Photo], run: Run) -> None:
    parts: dict[tuple[str, str], str] = {}
    for photo in photos:
        for what, key in (("group", photo.group), ("content", photo.sha256)):
            part = parts.setdefault((what, key), photo.split)
            if part != photo.split:
                raise InputError(
                    f"{run.training.parent}: the {what} {key} of {photo.path!r} is in two parts, "
                    f"{part} and {photo.split}"
                )


def _bottlenecks(run: Run) -> str:
    """A row for every photo that was clean, and no other."""
    loaded = bottlenecks.load(run.bottlenecks)
    described = sealed.read(run.bottlenecks / DESCRIPTION_FILE, bottlenecks.KIND)
    datasets = [Dataset(path) for path in (run.training, run.demo, run.rejects)]
    expected = {photo.sha256 for dataset in datasets for photo in dataset.photos}
    expected |= {photo.sha256 for photo in datasets[-1].left_out()}
    for sha256 in sorted(set(loaded.sha256) ^ expected):
        what = "has no row for the photo" if sha256 in expected else "has a row for no photo, with"
        raise InputError(f"{run.bottlenecks} {what} SHA-256 {sha256}: it belongs to other datasets")
    return (
        f"{counted(len(loaded.sha256), 'row')}, one for each photo; "
        f"{network_name(loaded.key.architecture, loaded.key.views)}, "
        f"weights {loaded.key.weights_sha256[:PREFIX_DIGITS]}"
        f"{_age(sealed_=sealed.SEAL in described)}"
    )


def _model(run: Run) -> str:
    """All files are those of the training, which was on this dataset and these vectors."""
    description = read_description(run.model)
    description.check_files(run.model)
    model.read_head(run.model, description)
    if description.unknown:
        model.read_distances(run.model, description)
    path = run.model / layout.DESCRIPTION
    manifest = run.training / MANIFEST
    if hash_file(manifest) != description.manifest_sha256:
        raise InputError(f"{path} names another training dataset than {manifest}")
    key = bottlenecks.load(run.bottlenecks).key
    if key.weights_sha256 != description.weights_sha256:
        raise InputError(f"{path} names other pretrained weights than {run.bottlenecks}")
    if key.views != description.views:
        raise InputError(f"{path} names another number of views than {run.bottlenecks}")
    if list(description.classes) != Dataset(run.training).labels:
        raise InputError(f"{path} has other classes than {manifest}")
    names = (run.model / layout.LABELS).read_text("utf-8", "replace").splitlines()
    if names != list(description.classes):
        raise InputError(f"{run.model / layout.LABELS} has other classes than {path}")
    return (
        f"{len(description.files) or 'head and distances of its'} files, {len(names)} classes; "
        f"made of this dataset and these weights{_age(sealed_=description.is_sealed)}"
    )


def _metrics(run: Run) -> str:
    """The figures are of this model, and the copy for people says the same."""
    figures, copy = (
        sealed.read(path, sealed.METRICS) for path in (run.metrics, run.folder / METRICS)
    )
    if figures != copy:
        raise InputError(f"{run.folder / METRICS} is not a copy of {run.metrics}")
    description = read_description(run.model)
    known = {"head_sha256": description.head_sha256, "classes": list(description.classes)}
    if description.is_sealed:
        known["model_sha256"] = description.identity
    for name, value in known.items():
        if figures.get(name) != value:
            raise InputError(f"{run.metrics} belongs to another model: its {name} differs")
    age = _age(sealed_=sealed.SEAL in figures)
    return (
        f"accuracy {figures.get('accuracy', 0.0):.3f} of this model, and the copy in {METRICS}{age}"
    )


def _decision(run: Run) -> str:
    """The decision is about this model, with these figures, on these demo photos."""
    decision = sealed.read(run.decision, sealed.DECISION)
    known = {
        "version": version_of(read_description(run.model)),
        "demo_manifest_sha256": hash_file(run.demo / MANIFEST),
        "accuracy": sealed.read(run.metrics, sealed.METRICS).get("accuracy"),
    }
    for name, value in known.items():
        if decision.get(name) != value:
            raise InputError(f"{run.decision} is about another model: its {name} differs")
    age = _age(sealed_=sealed.SEAL in decision)
    return f"{decision.get('decision')}: this model, as {known['version']}{age}"


def _age(*, sealed_: bool) -> str:
    """What to say of an artifact from before there were seals."""
    return "" if sealed_ else "; written before seals existed: edits may go unnoticed"
