"""The end of the report: what the model is, and which files were left out."""

from collections.abc import Mapping, Sequence
from typing import Any

from components.common.model.description import ModelDescription
from components.common.pages.report import class_name, escape, percent, shortened, table
from components.evaluate.evaluation import Unusable

HASH_DIGITS = 12
MAX_NAMED = 100  # files that were left out


def unusable_files(files: Sequence[Unusable]) -> str:
    """The files of a folder that could not be measured on, as a section; empty without any."""
    if not files:
        return ""
    rows = [(shortened(one.name), shortened(one.reason)) for one in files[:MAX_NAMED]]
    more = "" if len(files) <= MAX_NAMED else f" The first {MAX_NAMED} are named."
    caption = "Files of the folder that are no usable photos"
    count = "1 file" if len(files) == 1 else f"{len(files)} files"
    return (
        f"<h2>Left out <small>{count}</small></h2>"
        f'<p class="muted">These files are in none of the figures.{more}</p>'
        f"{table(caption, ('File', 'Reason'), rows, css='plain')}"
    )


def about_model(model: ModelDescription) -> str:
    """Architecture, options, hashes and photos, as a section."""
    facts: list[tuple[str, str]] = [
        ("Architecture", escape(model.architecture)),
        ("Input", f"{model.input_size} × {model.input_size} pixels"),
        ("Classes", ", ".join(map(class_name, model.classes))),
        ("Trained on", "rendered pictures" if model.rendered else "photographs"),
        ("Pretrained weights", _hash(model.weights_sha256)),
        ("Trained head", _hash(model.head_sha256)),
        ("Training dataset", _hash(model.manifest_sha256)),
        ("Decoder", escape(model.decoder)),
        ("Preprocessing", escape(model.preprocessing)),
        ("Program version", escape(model.version)),
    ]
    if model.fine_tuning is not None:
        steps, layers = (model.fine_tuning.get(f"fine_tune_{name}") for name in ("steps", "layers"))
        facts.append(("Fine-tuning", f"{steps} steps, the top {layers} layers"))
    if model.temperature is not None:
        facts.append(("Temperature", f"{model.temperature:.3g}"))
    if model.unknown is not None:
        facts.append(
            (
                "“None of these”",
                f"stranger than {percent(1 - model.unknown.false_rejection_rate)} of the photos of "
                "the classes",
            )
        )
    about = table("What the model is", ("Property", "Value"), facts, css="plain")
    return f"<h2>The model</h2>{about}{_recipe(model.recipe)}{_photos(model)}"


def _hash(sha256: str) -> str:
    return f'<code title="SHA-256 {escape(sha256)}">{escape(sha256[:HASH_DIGITS])}</code>'


def _recipe(recipe: Mapping[str, Any]) -> str:
    rows = [(f"<code>{escape(key)}</code>", escape(value)) for key, value in recipe.items()]
    caption = "The options that it was trained with"
    return table(caption, ("Option", "Value"), rows, css="plain") if rows else ""


def _photos(model: ModelDescription) -> str:
    """Photos of the training dataset by class and part."""
    if not model.photos:
        return ""
    parts = list(model.photos)
    rows = [
        [class_name(label), *(str(model.photos[part].get(label, 0)) for part in parts)]
        for label in model.classes
    ]
    totals = (str(sum(model.photos[part].values())) for part in parts)
    headers = ["Class", *(escape(part) for part in parts)]
    return table("Photos of the training dataset", headers, [*rows, ["All", *totals]], css="four")
