"""Any file of any artifact cut, with a bit flipped, missing, of another run or another version.

The step that reads it next must refuse it by name; or, where the damage changed nothing that is
read, such as the padding of a tar file, give what the sound file gives.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, Run
from faults.faults import cases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sealing import reseal

from components.common.base.errors import InputError
from components.common.dataset import ledger
from components.common.dataset.dataset import Dataset
from components.common.model.description import read_description
from components.common.network import bottlenecks
from components.publish.decision import Decision
from components.publish.publish import publish
from programs.verify import predictions, verify

pytestmark = pytest.mark.long

CASES = cases(25, 250)  # of each file
KINDS = ("cut", "bit", "bit", "bytes", "missing", "other", "longer", "empty", "newer", "older")


def streamed(run: verify.Run, folder: Path) -> object:
    """As `clean`, `bottleneck`, `curate` and whatever else takes photos reads them."""
    found = [(photo, hashlib.sha256(data).digest()) for photo, data in Dataset(folder).stream()]
    assert all(photo.sha256 == data.hex() for photo, data in found)
    return found


def vectors(run: verify.Run, folder: Path) -> object:
    """As `curate` and `retrain` read them."""
    found = bottlenecks.load(folder)
    return found.sha256, found.vectors.tobytes(), found.scores.tobytes(), found.key


def published(run: verify.Run, folder: Path) -> object:
    """As `publish` takes a model."""
    decision = Decision.read(run.decision)
    with tempfile.TemporaryDirectory() as place:
        publish(folder, run.metrics, decision, place, name=decision.name)
    return read_description(folder)


def published_figures(run: verify.Run, folder: Path) -> object:
    """As `publish` takes figures."""
    decision = Decision.read(run.decision)
    with tempfile.TemporaryDirectory() as place:
        publish(run.model, folder / run.metrics.name, decision, place, name=decision.name)
    return ""


def decided(run: verify.Run, folder: Path) -> object:
    """As `publish` takes a decision."""
    decision = Decision.read(folder / run.decision.name)
    with tempfile.TemporaryDirectory() as place:
        publish(run.model, run.metrics, decision, place, name=decision.name)
    return decision.decision


def placed(run: verify.Run, folder: Path) -> object:
    """As `curate` takes the ledger of an earlier run."""
    return ledger.read(str(folder))


def answered(run: verify.Run, folder: Path) -> object:
    """As whoever verifies a run takes its answers."""
    return predictions.check(folder / run.predictions.name, run.demo, run.model)


@dataclass(frozen=True)
class Artifact:
    """A folder or file of a run, who reads it next, and which of its files that takes."""

    path: Callable[[verify.Run], Path]
    read: Callable[[verify.Run, Path], object]
    files: tuple[str, ...] = ()


MODEL_FILES = (
    *("model.json", "model.tflite", "model.keras", "head.npz", "distances.npz"),
    *("references.parquet", "learned.npy", "retrained_labels.txt", "retrained_graph.pb"),
    *("saved_model/saved_model.pb", "saved_model/variables/variables.index"),
)
ARTIFACTS = {
    "dataset": Artifact(
        lambda run: run.training, streamed, ("manifest.parquet", "dataset.json", "images-00000.tar")
    ),
    "bottlenecks": Artifact(
        lambda run: run.bottlenecks,
        vectors,
        ("bottlenecks.npy", "imagenet.npy", "fingerprints.npy", "index.parquet", "backbone.json"),
    ),
    "model": Artifact(lambda run: run.model, published, MODEL_FILES),
    "metrics": Artifact(lambda run: run.metrics, published_figures),
    "decision": Artifact(lambda run: run.decision, decided),
    "ledger": Artifact(lambda run: run.ledger.parent, placed, (ledger.FILE_NAME,)),
    "predictions": Artifact(lambda run: run.predictions, answered),
}
PLACES = [
    (name, file) for name, artifact in ARTIFACTS.items() for file in (artifact.files or ("",))
]


@pytest.fixture(scope="module")
def run(sample_run: Run) -> verify.Run:
    return verify.Run(sample_run.directory)


@pytest.fixture(scope="module")
def other() -> verify.Run:
    """Another run, of a program before this one."""
    return verify.Run(ROOT / "tests" / "fixtures" / "format-1")


@pytest.fixture(scope="module")
def sound(run: verify.Run) -> dict[str, object]:
    """What each artifact gives when nothing is wrong with it."""
    found = {}
    for name, artifact in ARTIFACTS.items():
        path = artifact.path(run)
        found[name] = artifact.read(run, path if path.is_dir() else path.parent)
    return found


def copied(artifact: Path, folder: Path) -> Path:
    """An artifact by links, of which a file can be replaced; the folder that it is in."""
    if artifact.is_file():
        shutil.copy(artifact, folder / artifact.name)
        return folder
    for path in artifact.rglob("*"):
        if path.is_file():
            place = folder / path.relative_to(artifact)
            place.parent.mkdir(parents=True, exist_ok=True)
            # Documents are written anew in their place, which a link would do to both.
            (shutil.copy if path.suffix == ".json" else os.link)(path, place)
    return folder


def with_version(path: Path, version: int) -> bool:
    """Let a file say that it is of another version, seals and all; False if it tells none."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        known = dict(table.schema.metadata or {})
        if b"format_version" not in known:
            return False
        changed = {**known, b"format_version": str(version).encode()}
        pq.write_table(table.replace_schema_metadata(changed), path)
        if (described := path.with_name("dataset.json")).is_file():  # a ledger has none
            reseal(described)
        return True
    try:
        content: Any = json.loads(path.read_bytes())
    except ValueError:
        return False
    if "format_version" not in content:
        return False
    reseal(path, format_version=version)
    return True


def damage(path: Path, kind: str, at: float, bit: int, substitute: Path) -> bool:
    """Damage a file; False where it cannot be damaged so."""
    data = bytearray(path.read_bytes())
    path.unlink()  # its other names keep the content
    place = min(int(at * len(data)), len(data) - 1)
    if kind == "missing":
        return True
    if kind == "other":
        # A ledger of another run is what `--earlier_ledger` is for.
        if not substitute.is_file() or path.name == ledger.FILE_NAME:
            return False
        path.write_bytes(substitute.read_bytes())
        return True
    if kind == "bit":
        data[place] ^= 1 << bit
    elif kind == "bytes":
        data[place : place + 16] = bytes(16)
    elif kind == "cut":
        del data[place:]
    elif kind == "empty":
        data.clear()
    elif kind == "longer":
        data += b"more"
    path.write_bytes(data)
    if kind in ("newer", "older"):
        return with_version(path, 99 if kind == "newer" else -1 - bit)
    return True


def test_hundreds_of_cases_are_tried() -> None:
    assert len(PLACES) * CASES >= 500


@pytest.mark.parametrize(("name", "file"), PLACES)
@settings(max_examples=CASES, suppress_health_check=[HealthCheck.too_slow])
@given(
    kind=st.sampled_from(KINDS),
    at=st.floats(0, 1, exclude_max=True),
    bit=st.integers(0, 7),
)
def test_damage_is_refused_by_name_or_changes_nothing(
    run: verify.Run,
    other: verify.Run,
    sound: dict[str, object],
    name: str,
    file: str,
    kind: str,
    at: float,
    bit: int,
) -> None:
    artifact = ARTIFACTS[name]
    original, substitute = artifact.path(run), artifact.path(other)
    with tempfile.TemporaryDirectory(dir=run.folder.parent) as scratch:
        folder = copied(original, Path(scratch))
        file = file or original.name
        substitute = substitute / file if substitute.is_dir() else substitute
        if not damage(folder / file, kind, at, bit, substitute):
            return
        refused = ""
        try:
            found = artifact.read(run, folder)
        except InputError as error:
            refused = str(error)
    if refused:
        # Where two do not belong together, either may be named.
        named = (file, Path(file).name, run.metrics.name, "the decision is about the model")
        assert any(one in refused for one in named), f"{kind} {file}: {refused}"
        assert len(refused) < 2000
    else:
        assert found == sound[name], f"{kind} {file} went unnoticed"
        # A document of another run may say the same.
        assert kind in ("bit", "bytes", "longer", "cut", "other"), f"{kind} {file} went unnoticed"


def test_damage_goes_where_it_is_meant(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(64))
    for kind, expected in (("bit", 1), ("cut", 0), ("longer", 4)):
        os.link(tmp_path / "a", tmp_path / "b")
        assert damage(tmp_path / "b", kind, 0.5, 3, tmp_path)
        changed = (tmp_path / "b").read_bytes()
        assert (sum(one != 0 for one in changed)) == expected
        assert changed != (tmp_path / "a").read_bytes()
        (tmp_path / "b").unlink()
    table = pa.table({"a": [1]}).replace_schema_metadata({"format_version": "2"})
    pq.write_table(table, tmp_path / "c.parquet")
    (tmp_path / "dataset.json").write_text("{}")
    assert with_version(tmp_path / "c.parquet", 99)
    assert pq.read_schema(tmp_path / "c.parquet").metadata[b"format_version"] == b"99"
