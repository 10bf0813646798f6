"""The YAML head of the model card: what the Hugging Face Hub and programs read of a model.

Its fields are those of the Hub's specification (huggingface/hub-docs, modelcard.md), and
`huggingface_hub.ModelCard` reads them. What the specification has no field for, the interval of a
figure, is in the figure's name for people and in its `args` for programs.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from components.common.base.wording import counted
from components.common.model.description import ModelDescription
from components.common.network import origin
from components.common.network.architecture import parse_architecture
from components.publish.licence import FILE_NAME as LICENCE

TASK = "image-classification"
PRETRAINED_ON = "ILSVRC/imagenet-1k"  # ImageNet's 1,000 classes, as the Hub calls that dataset
FOLDERS = "imagefolder"  # what `datasets` calls photos in one folder for each class
DIGITS = 4  # of a figure
CONFIDENCE = 0.95
# Figures by the beginning of their keys: the part of the photos, and what to call it.
_PARTS = {
    "cross_validated": ("cross-validation", "cross-validated"),
    "test": ("test", "test part"),
    "demo": ("demo", "demo photos"),
    "held_out": ("held-out", "test part and demo photos"),
}


def render(name: str, description: ModelDescription, figures: Mapping[str, float]) -> str:
    """The head, with the lines around it.

    Args:
        name: that the model is published as.
        description: of the model.
        figures: of the step evaluate, finite ones only.
    """
    content: dict[str, Any] = {
        "model_name": name,
        "pipeline_tag": TASK,
        "library_name": "keras",
        "license": "other",
        "license_name": "see-attribution",
        "license_link": LICENCE,  # the Hub takes no other file of the repository
    }
    if base := origin.hub_model(description.architecture, description.weights or {}):
        content["base_model"] = base
    content["datasets"] = [PRETRAINED_ON]
    family = parse_architecture(description.architecture).family.name
    content["tags"] = [TASK, "litert", "tensorflow", family]
    content["metrics"] = ["accuracy", "recall"]
    if results := list(_results(name, description, figures)):
        content["model-index"] = [{"name": name, "results": results}]
    return f"---\n{yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000)}---\n"


def _results(
    name: str, description: ModelDescription, figures: Mapping[str, float]
) -> Iterator[dict[str, Any]]:
    """One entry for each part of the photos that was measured."""
    general = "cross_validated" if description.measured else "held_out"
    for key, (split, words) in _PARTS.items():
        photos = figures.get(f"{key}_photos")
        metrics = [_metric("accuracy", "accuracy", f"{key}_accuracy", figures)]
        if key == general:  # what the figures without a part are of
            metrics[0] = metrics[0] or _metric("accuracy", "accuracy", "accuracy", figures)
            metrics.append(_metric("recall", "macro recall", "macro_recall", figures))
        if not photos or metrics[0] is None:
            continue
        yield {
            "task": {"type": TASK, "name": "Image classification"},
            "dataset": {
                "type": FOLDERS,
                "name": f"{name}: {counted(int(photos), 'photo')}, {words}",
                "split": split,
                "args": {
                    "photos": int(photos),
                    "training_manifest_sha256": description.manifest_sha256,
                },
            },
            "metrics": [metric for metric in metrics if metric],
        }


def _metric(kind: str, words: str, key: str, figures: Mapping[str, float]) -> dict[str, Any] | None:
    """A figure with its interval; None where there is no such figure.

    Args:
        kind: identifier of the metric on the Hub.
        words: what people call it.
        key: of the figure.
        figures: all of them.
    """
    if key not in figures:
        return None
    metric: dict[str, Any] = {"type": kind, "value": round(figures[key], DIGITS), "name": words}
    args: dict[str, Any] = {"average": "macro"} if kind == "recall" else {}
    ends = [figures.get(f"{key}_{end}") for end in ("low", "high")]
    if None not in ends:
        low, high = (round(end, DIGITS) for end in ends if end is not None)
        metric["name"] = f"{words} (95 % interval {low:.3f} to {high:.3f})"
        args |= {"confidence": CONFIDENCE, "low": low, "high": high}
    return {**metric, "args": args} if args else metric
