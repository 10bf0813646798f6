"""What the tests of publishing share: figures of a model, and the command."""

import subprocess
import sys
from pathlib import Path

from conftest import Run, run_captured

from components.common.model.description import read_description
from components.common.untrusted import sealed
from components.publish.compare import compare
from components.publish.decision import HOLD, Decision
from components.publish.options import PublishOptions
from components.publish.publish import publish

# Of a model that nothing is against, before it is weighed.
FIRST = Decision(
    decision=HOLD,
    reason="",
    name="mushrooms",
    version="new",
    accuracy=0.9,
    accuracy_low=0.8,
    min_accuracy=0.6,
    max_regression=0.0,
    demo_manifest_sha256="0" * 64,
)


def write_metrics(path: Path, model_dir: Path, low: float = 0.8, accuracy: float = 0.9) -> Path:
    """Figures with this accuracy, of this model."""
    description = read_description(model_dir)
    size = len(description.classes)
    figures = {
        "accuracy_low": low,
        "accuracy_high": 1.0,
        "accuracy": accuracy,
        "held_out_photos": 40,
        "confusion": [[9 if row == column else 0 for column in range(size)] for row in range(size)],
        "head_sha256": description.head_sha256,
        "model_sha256": description.identity,
    }
    sealed.dump(path, {**sealed.METRICS.head, **figures}, what="the metrics")
    return path


def decided(
    run: Run,
    model_dir: Path,
    folder: Path,
    *,
    name: str = "m",
    max_regression: float = 0.0,
    place: str = "",
) -> Decision:
    """The decision on a model, with figures that reach everything, on the run's demo photos.

    Beside what is published at `place`, by default in `folder`/published.
    """
    metrics = write_metrics(folder / f"metrics of {model_dir.name}", model_dir)
    return compare(
        model_dir,
        run.directory / "demo",
        metrics,
        PublishOptions(
            publish_dir=place or str(folder / "published"),
            name=name,
            max_regression=max_regression,
        ),
    )


def publish_command(
    run: Run, model_dir: Path, metrics: Path, place: Path | str, *options: str
) -> "subprocess.CompletedProcess[str]":
    """`python -m components.publish`, with the run's demo photos."""
    return run_captured(
        *(sys.executable, "-m", "components.publish"),
        *("--model_dir", str(model_dir), "--demo", str(run.directory / "demo")),
        *("--metrics", str(metrics), "--publish_dir", str(place), "--name", "mushrooms", *options),
    )


def publish_as(run: Run, model_dir: Path, folder: Path, name: str = "m", place: str = "") -> Path:
    """Publish a model whatever is published, by default below `folder`/published."""
    metrics = write_metrics(folder / f"own metrics of {model_dir.name}", model_dir)
    decision = decided(run, model_dir, folder, name=name, max_regression=1.0, place=place)
    return Path(publish(model_dir, metrics, decision, place or folder / "published", name=name))
