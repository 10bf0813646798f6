"""What an artifact says of itself in Kubeflow Pipelines' metadata: numbers and short texts.

A step writes it when its artifacts are complete; KFP's page shows it beside the artifact, and the
metadata store can be searched by it.
"""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from components.common.base.wording import named
from components.common.dataset import dataset
from components.common.model.description import read_description
from components.common.model.model_place import version_of
from components.common.network import bottlenecks
from components.common.network.backbone import DESCRIPTION_FILE

MAX_NAMES, MAX_LABEL = 20, 60  # class names, and characters of each
Metadata = dict[str, int | float | str]


def of_dataset(path: Path) -> Metadata:
    """Photos, classes and the manifest's hash, of a dataset that this step has written."""
    labels = pq.read_table(path / dataset.MANIFEST, columns=["label"]).column("label")
    return {
        "photos": len(labels),
        **_classes(sorted(labels.unique().to_pylist())),
        "manifest_sha256": dataset.listed_files(path)[dataset.MANIFEST],
    }


def of_bottlenecks(path: Path) -> Metadata:
    """Photos, the network, its weights and the length of a vector."""
    vectors = np.load(path / bottlenecks.FILES["vectors"], mmap_mode="r", allow_pickle=False)
    content = json.loads((path / DESCRIPTION_FILE).read_text(encoding="utf-8"))
    return {
        "photos": vectors.shape[0],
        "length": vectors.shape[1],
        "views": content.get("views", 1),
        **{name: content[name] for name in ("architecture", "input_size", "weights_sha256")},
    }


def of_model(path: Path) -> Metadata:
    """Network, classes, photos, accuracy by cross-validation where it was measured, and hashes."""
    description = read_description(path)
    metadata: Metadata = {
        "framework": "TensorFlow",
        "architecture": description.architecture,
        "views": description.views,
        "input_size": description.input_size,
        **_classes(list(description.classes)),
        "version": version_of(description),
        "training_manifest_sha256": description.manifest_sha256,
        "weights_sha256": description.weights_sha256,
    }
    if description.learned:
        metadata["photos"] = sum(description.learned.values())
    if description.cross_validation:
        metadata["cross_validated_accuracy"] = float(description.cross_validation["accuracy"])
    return metadata


def _classes(labels: list[str]) -> Metadata:
    names = named(labels, most=MAX_NAMES, longest=MAX_LABEL)
    return {"classes": len(labels), "class_names": names}
