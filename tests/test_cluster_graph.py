"""The graphs that clusters get, run on this machine: the import, the loop of one, the last step."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, SMALL_ARCHITECTURE

from components.common.dataset.dataset import Dataset, DatasetWriter
from components.common.dataset.photo import Photo
from components.download.sources import sample

pytestmark = pytest.mark.long

# As `pipeline.py` runs a graph, but for the graph; retries come at once.
_RUN = """
import json, sys
from kfp import local
import pipeline
from components import settings
settings.BACKOFF_S = 0
root, photos, parts, cluster, arguments = sys.argv[1:]
local.init(local.SubprocessRunner(use_venv=False), pipeline_root=root)
options = settings.ClusterOptions() if cluster == "cluster" else None
graph = pipeline.build(photos=photos, parts=int(parts), cluster=options)
task = graph(**json.loads(arguments))
print("outputs:", sorted(task.outputs))
"""
LABELS = sample.LABELS[:3]


def run_graph(
    root: Path, photos: str, cluster: str, parts: int = 1, **arguments: Any
) -> "subprocess.CompletedProcess[str]":
    given = (str(root), photos, str(parts), cluster, json.dumps(arguments))
    return subprocess.run(
        [sys.executable, "-c", _RUN, *given],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def found(root: Path, *parts: str) -> Path:
    """The one artifact of a run at this place below its folder."""
    (path,) = root.glob("/".join(("wild-mushrooms-*", *parts)))
    return path


def dictionaries(cache: Path, published: Path, *, steps: int) -> dict[str, Any]:
    """Parameters as a person fills them in: what is left out has its default."""
    return {
        "step_bottleneck": {"cache_dir": str(cache)},
        "step_retrain": {"cache_dir": str(cache), "how_many_training_steps": steps},
        "step_publish": {"publish_dir": str(published)},
    }


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """One dataset of several classes, as `submit` packs a folder."""
    with DatasetWriter(tmp_path / "packed") as writer:
        for label in LABELS:
            for picture in sample.render_class(label, 20, seed=0):
                writer.add(Photo(label=label), picture.data)
    return tmp_path / "packed"


def test_packed_dataset_goes_the_whole_way_and_is_summed_up(
    packed: Path, tmp_path: Path, backbone_cache: Path
) -> None:
    root = tmp_path / "artifacts"
    done = run_graph(
        root,
        *("dataset", "cluster"),
        dataset_uri=str(packed),
        architecture=SMALL_ARCHITECTURE,
        name="fungi",
        **dictionaries(backbone_cache, tmp_path / "published", steps=200),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    cleaned = Dataset(found(root, "clean", "cleaned"))
    assert set(cleaned.labels) == set(LABELS)
    assert Dataset(found(root, "curate", "demo")).photos
    metrics = json.loads(found(root, "evaluate", "metrics").read_text())
    summary = found(root, "summarize", "summary").read_text()
    assert summary.startswith("# fungi: the run succeeded\n")
    assert f"| {metrics['photos']} | {metrics['accuracy']:.3f} |" in summary
    assert "**The model was " in summary


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"classes": {"species": ["none"]}}, "none"),
        ({"step_download": {"licenses": "cc0"}}, "did you mean licences?"),
    ],
)
def test_run_that_fails_is_summed_up_too(tmp_path: Path, wrong: dict[str, Any], said: str) -> None:
    root = tmp_path / "artifacts"
    (tmp_path / "photos").mkdir()
    arguments = {"source": "folder", "image_dir": str(tmp_path / "photos"), **wrong}
    done = run_graph(root, *("download", "cluster"), **arguments)
    assert done.returncode == 1
    tries = {line.strip() for line in done.stdout.splitlines() if "download: error: " in line}
    assert len(tries) == 1
    assert said in tries.pop()
    summary = found(root, "summarize", "summary").read_text()
    assert summary.startswith("# wild-mushrooms: the run failed\n")
    assert "accuracy" not in summary


def test_parts_give_what_the_whole_gives(
    packed: Path, tmp_path: Path, backbone_cache: Path
) -> None:
    found_hashes = {}
    for parts in (1, 3):
        root = tmp_path / f"artifacts-{parts}"
        cache = tmp_path / f"cache-{parts}"  # each computes its own vectors
        cache.mkdir()
        for name in ("weights", "backbones"):
            (cache / name).symlink_to(backbone_cache / name)
        done = run_graph(
            root,
            *("dataset", "local"),
            parts=parts,
            dataset_uri=str(packed),
            architecture=SMALL_ARCHITECTURE,
            **dictionaries(cache, tmp_path / f"published-{parts}", steps=50),
        )
        assert done.returncode == 0, done.stdout + done.stderr
        loops = 0 if parts == 1 else parts
        assert len(list(root.glob("*/for-loop-*/clean-part/cleaned"))) == loops
        found_hashes[parts] = {
            name: hashlib.sha256(found(root, name).read_bytes()).hexdigest()
            for name in (
                *("curate*/training/manifest.parquet", "curate*/training/images-00000.tar"),
                *("curate*/demo/manifest.parquet", "curate*/demo/images-00000.tar"),
                *("curate*/ledger/split.parquet", "retrain/model/head.npz"),
                *("retrain/model/model.tflite", "evaluate/metrics"),
            )
        }
    assert found_hashes[3] == found_hashes[1]
