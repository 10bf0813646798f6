"""MODEL_CARD.md: what a published model is, what it may be used for, and how far to trust it.

Markdown with the YAML head that model hubs read. Class names and licences come from strangers, and
are escaped. Nothing in it tells of the machine or the time: the same decision gives the same card.
"""

import collections
import json
from collections.abc import Mapping, Sequence
from typing import Any

from components.common.dataset import licences
from components.common.dataset.attribution import FILE_NAME as ATTRIBUTION
from components.common.dataset.attribution import escape
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import TEST, TRAINING, VALIDATION
from components.common.model import layout
from components.common.model.description import ModelDescription
from components.common.model.references import MAX_SHOWN, THUMBNAIL_SIDE
from components.common.network.architecture import parse_architecture
from components.common.pages.text import RENDERED, WARNING
from components.publish import card_figures
from components.publish.card_figures import code, share, table
from components.publish.decision import Decision

FILE_NAME = "MODEL_CARD.md"
CLASSES_NAMED = 12  # in the first paragraph
LICENCES_NAMED = 20
FEW_PHOTOS = 50  # of a class to learn from; fewer are named as a limit


def render(
    description: ModelDescription,
    figures: Mapping[str, Any],
    photos: Sequence[Photo],
    decision: Decision,
    hashes: Mapping[str, str],
) -> str:
    """The card.

    Args:
        description: of the model.
        figures: of the step evaluate; what is missing there is left out here.
        photos: that the model was made of, with their licences.
        decision: to publish it.
        hashes: SHA-256 of each file, by its path in the model's folder.
    """
    sections = [
        _head(description, decision),
        _opening(description, decision),
        _use(),
        _data(description, photos),
        _training(description),
        card_figures.accuracy(description, figures),
        card_figures.calibration(description, figures),
        _unknown(description),
        _limits(description, figures),
        card_figures.predecessor(decision),
        _loading(description),
        _hashes(description, decision, hashes),
    ]
    return "\n".join(line for lines in sections for line in [*lines, ""]).rstrip() + "\n"


def _head(description: ModelDescription, decision: Decision) -> list[str]:
    """The YAML that model hubs read: our own words only, and the name in quotes."""
    family = parse_architecture(description.architecture).family.name
    return [
        "---",
        f"model_name: {json.dumps(decision.name)}",
        "pipeline_tag: image-classification",
        "library_name: keras",
        "license: other",
        "license_name: see-attribution",
        f"license_link: {ATTRIBUTION}",
        "tags:",
        *(f"- {tag}" for tag in ("image-classification", "litert", "tensorflow", family)),
        "metrics:",
        "- accuracy",
        "---",
    ]


def _opening(description: ModelDescription, decision: Decision) -> list[str]:
    classes = description.classes
    named = ", ".join(escape(label) for label in classes[:CLASSES_NAMED])
    more = f" and {len(classes) - CLASSES_NAMED} more" if len(classes) > CLASSES_NAMED else ""
    none = ", or that it is probably none of them" if description.unknown else ""
    lines = [
        f"# {escape(decision.name)}, version {decision.version}",
        "",
        f"> **{WARNING}**",
        "",
        f"Says which of {len(classes)} classes a photo shows{none}: {named}{more}.",
    ]
    return [*lines, "", f"**{RENDERED}**"] if description.rendered else lines


def _use() -> list[str]:
    return [
        "## What it is for, and what not",
        "",
        "- **For:** suggesting a name for a photo, which a person who knows the subject then "
        "checks; sorting photos; teaching.",
        "- **Not for:** deciding what is safe to eat, to touch or to give to an animal; questions "
        "after a meal (call a poison centre); any decision that no expert looks at.",
        "- **Not for:** subjects other than its classes.",
    ]


def _data(description: ModelDescription, photos: Sequence[Photo]) -> list[str]:
    parts = [part for part in (TRAINING, VALIDATION, TEST) if part in description.photos]
    counts = [
        [escape(label), *(description.photos[part].get(label, 0) for part in parts)]
        for label in description.classes
    ]
    bound = sum(licences.is_non_commercial(photo.licence) for photo in photos)
    lines = [
        "## Photos",
        "",
        *table(["class", *parts], counts),
        "",
        "Weights come from the training part, temperature and rule from training and validation "
        "part. Nothing of the model comes from the test part and the demo photos.",
        "",
        f"Licences of the {len(photos)} photos that it was made of:",
        "",
        *_licences(photos),
        "",
        f"[{ATTRIBUTION}]({ATTRIBUTION}) names title, author, licence and source, "
        "of these and of the test part.",
    ]
    if bound:
        lines += [
            "",
            f"**{bound} of these {len(photos)} photos may be used for non-commercial purposes "
            "only. Use the model for such purposes only.**",
        ]
    return [
        *lines,
        "",
        f"`{layout.REFERENCES}` holds thumbnails ({THUMBNAIL_SIDE} pixels) of up to {MAX_SHOWN:,} "
        "of them, to show photos that look alike. They stay under the licences of the photos; "
        "whoever may not pass these on removes that file, and the model answers without it.",
        "",
        "The program is under the Apache License 2.0, as are the pretrained networks that Keras "
        "publishes.",
    ]


def _licences(photos: Sequence[Photo]) -> list[str]:
    count = collections.Counter(photo.licence for photo in photos).most_common()
    lines = [f"- {number} × {_licence(text)}" for text, number in count[:LICENCES_NAMED]]
    rest = sum(number for _, number in count[LICENCES_NAMED:])
    return [*lines, f"- {rest} × other licences"] if rest else lines


def _licence(text: str) -> str:
    licence = licences.parse(text)
    if licence:
        return f"[{licence.name}]({licence.url})" if licence.url else licence.name
    return escape(text) or "no licence is known"


def _training(description: ModelDescription) -> list[str]:
    tuned = description.fine_tuning
    what = "A new last layer, then the top of the network," if tuned else "A new last layer"
    size = description.input_size
    lines = [
        "## How it was trained",
        "",
        f"{what} was trained on top of {code(description.architecture)}, pretrained on ImageNet. "
        f"Its input: {size} × {size} pixels, RGB, {code(description.preprocessing)}, the whole "
        "photo squeezed into the square.",
        "",
        f"- Options: {_options(description.recipe)}.",
    ]
    if tuned:
        lines.append(f"- Of fine-tuning: {_options(tuned)}.")
    return [*lines, f"- Program: wild-mushrooms {escape(description.version)}."]


def _options(options: Mapping[str, Any]) -> str:
    named = [f"{code(name)} {escape(str(value))}" for name, value in options.items()]
    return ", ".join(named) or "not recorded"


def _unknown(description: ModelDescription) -> list[str]:
    lines = ["## When it says “none of these”", ""]
    rule = description.unknown
    if rule is None:
        return [*lines, "Never: there were too few photos for a rule."]
    lines.append(
        f"When a photo looks stranger than {share(1 - rule.false_rejection_rate)} of the photos of "
        "its classes: far from each of them in what the network sees, or with no large score for "
        f"any. So up to {share(rule.false_rejection_rate)} of the photos of its classes are "
        "rejected, and of other things not all."
    )
    rejected = (description.calibration or {}).get("rejected")
    if isinstance(rejected, int | float):
        lines += ["", f"Of the photos that the rule was set on it rejects {share(rejected)}."]
    return lines


def _limits(description: ModelDescription, figures: Mapping[str, Any]) -> list[str]:
    learned: collections.Counter[str] = collections.Counter()
    for part in (TRAINING, VALIDATION):
        learned.update(description.photos.get(part, {}))
    least = min((learned[label] for label in description.classes), default=0)
    lines = [
        "## Limits",
        "",
        "- **Lookalikes.** Species that differ in smell, spores, the base of the stem or the "
        "colour of a cut look alike on photos, and a poisonous one may be none of the classes.",
        "- **Edibility** is nothing that it was trained on, and nothing that a photo shows.",
        "- **Other places and times.** Of other regions, seasons, ages, cameras and ways of "
        "photographing it recognises less than these figures say.",
        "- **Chance.** The fewer photos it was measured on, the wider the intervals above. They "
        "say nothing of photos of another kind.",
    ]
    if least < FEW_PHOTOS:
        lines.append(f"- **Few photos.** The class with the fewest was learned from {least}.")
    confused = card_figures.confusions(description, figures)
    if confused:
        lines += ["", "Most often confused, on photos that it never saw:", "", *confused]
    return lines


def _loading(description: ModelDescription) -> list[str]:
    size = description.input_size
    return [
        "## How to use it",
        "",
        "With the program, which applies temperature and rule; FOLDER is where this card is:",
        "",
        "```sh",
        ".venv/bin/python -m components.label_image --model_dir FOLDER PHOTO",
        "```",
        "",
        f"Without it, the bare probabilities, in the order of `{layout.LABELS}`, of float32 pixels "
        f"of shape (1, {size}, {size}, 3):",
        "",
        "```python",
        "from ai_edge_litert.interpreter import Interpreter",
        "",
        f'run = Interpreter("{layout.LITERT}").get_signature_runner()',
        f'probabilities = run(input=pixels)["{layout.SCORES}"]',
        "```",
        "",
        f"`{layout.KERAS}` (Keras 3), `{layout.SAVED_MODEL}/` (TensorFlow) and `{layout.FROZEN}` "
        "(a frozen graph) are the same network.",
    ]


def _hashes(
    description: ModelDescription, decision: Decision, hashes: Mapping[str, str]
) -> list[str]:
    facts = {
        "trained head": description.head_sha256,
        "pretrained weights": description.weights_sha256,
        "manifest of the training photos": description.manifest_sha256,
        "manifest of the demo photos": decision.demo_manifest_sha256,
        "distances of the rule": description.distances_sha256,
        **{code(path): digest for path, digest in sorted(hashes.items())},
    }
    rows = [[name, code(digest)] for name, digest in facts.items() if digest]
    return ["## Hashes", "", *table(["what", "SHA-256"], rows)]
