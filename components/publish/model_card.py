"""README.md: what a published model is, what it may be used for, and how far to trust it.

Its words are in model_card.jinja: Markdown below the YAML head of front_matter.py. Class names and
licences come from strangers, and are escaped. Nothing in it tells of the machine or the time: the
same decision gives the same card.
"""

import collections
import math
from collections.abc import Mapping, Sequence
from typing import Any

from components.common.base import shares
from components.common.base.wording import amount, named
from components.common.dataset import licences
from components.common.dataset.attribution import FILE_NAME as ATTRIBUTION
from components.common.dataset.attribution import escape
from components.common.dataset.class_facts import FUNGI
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import TEST, TRAINING, VALIDATION
from components.common.model import layout
from components.common.model.description import ModelDescription
from components.common.model.model import TOP_K, TOP_K_IN_WORDS
from components.common.model.references import MAX_SHOWN, THUMBNAIL_SIDE
from components.common.network import origin
from components.common.network.architecture import parse_architecture
from components.common.pages import danger_words, plain_text
from components.common.pages.subject import words
from components.publish import front_matter, licence
from components.publish.decision import Decision
from components.publish.options import ANY_REGRESSION
from components.publish.paired import Comparison

FILE_NAME = "README.md"  # as model hubs call it
# The same text under the name that it had before: whoever looks for that finds it.
EARLIER_NAME = "MODEL_CARD.md"
KERAS_CONFIG = "config.json"  # of hub_folder.py
CLASSES_NAMED = 12  # in the first paragraph
LICENCES_NAMED = 20
FEW_PHOTOS = 50  # of a class to learn from; fewer are named as a limit
MAX_CONFUSIONS = 8
MAX_CODE = 200  # characters
MAX_REASON = 2000  # characters


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
    facts = description.calibration or {}
    losses, rejected = facts.get("log_loss"), facts.get("rejected")
    parts = [part for part in (TRAINING, VALIDATION, TEST) if part in description.photos]
    matrix = _confusion(description, figures)
    finite = {key: value for key in figures if (value := number(figures, key)) is not None}
    return plain_text.render(
        __file__,
        {
            "plain": escape,
            "code": code,
            "share": share,
            "options": _options,
            "amount": amount,
        },
        front_matter=front_matter.render(decision.name, description, finite),
        layout=layout,
        keras_config=KERAS_CONFIG,
        licence_file=licence.FILE_NAME,
        attribution=ATTRIBUTION,
        words=words(description.facts),
        model=description,
        origin={name: (description.weights or {}).get(name, "") for name in origin.FIELDS},
        classes=description.classes,
        most_named=CLASSES_NAMED,
        family=parse_architecture(description.architecture).family.name,
        side=description.input_size,
        view_places="its centre" if description.views == 2 else "each of its four corners",
        own_side=parse_architecture(description.architecture).size,
        rule=description.unknown,
        rejected=rejected if isinstance(rejected, int | float) else None,
        fitted_on=number(facts, "photos"),
        fitted_losses=losses if isinstance(losses, list) and len(losses) == 2 else None,
        parts=parts,
        photos=len(photos),
        learned=sum(description.learned.values()),
        licences=_licences(photos),
        non_commercial=sum(licences.is_non_commercial(photo.licence) for photo in photos),
        thumbnail_side=THUMBNAIL_SIDE,
        most_thumbnails=MAX_SHOWN,
        figures=finite,
        confusion=matrix,
        confusions=_most_confused(description.classes, matrix),
        fewest=_fewest(description),
        few_photos=FEW_PHOTOS,
        few_held_out=shares.FEW_PHOTOS,
        few_classes=named(decision.recalls.few, most=CLASSES_NAMED, longest=MAX_CODE),
        top_k=TOP_K,
        top_k_in_words=TOP_K_IN_WORDS,
        decision=decision,
        dangers=decision.dangers,
        dangerous_classes=named(
            [
                danger_words.with_danger(label, description.facts)
                for label in description.classes
                if description.facts.is_dangerous(label)
            ],
            most=CLASSES_NAMED,
            longest=MAX_CODE,
        ),
        dangerous_pairs=_dangerous_pairs(figures, description),
        not_stated=danger_words.NOT_STATED if description.facts.subject == FUNGI else "",
        most_reason=MAX_REASON,
        any_regression=decision.max_regression >= ANY_REGRESSION,
        compared=decision.comparison or Comparison(0, 0, 0, 0),
        hashes=hashes,
    )


def render_licence(description: ModelDescription, photos: Sequence[Photo]) -> str:
    """LICENSE.md, which the card's head names.

    Args:
        description: of the model.
        photos: that the model was made of, with their licences.
    """
    weights = (description.weights or {}).get("licence", "")
    return licence.render(
        _licences(photos),
        photos=len(photos),
        non_commercial=sum(licences.is_non_commercial(photo.licence) for photo in photos),
        weights=code(weights) if weights else "",
    )


def share(value: float) -> str:
    """A share as people read it."""
    return f"{100 * value:.1f} %"


def number(facts: Mapping[str, Any], key: str) -> float | None:
    """A finite number among facts; None where there is none."""
    value = facts.get(key)
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def code(text: str) -> str:
    """Text in the type of code: one line, and nothing in it can end the code or a table's cell."""
    return "`" + "".join(c for c in text[:MAX_CODE] if c.isprintable() and c not in "`|") + "`"


def _options(options: Mapping[str, Any]) -> str:
    named = [f"{code(name)} {escape(str(value))}" for name, value in options.items()]
    return ", ".join(named) or "not recorded"


def _licences(photos: Sequence[Photo]) -> list[tuple[str, int]]:
    count = collections.Counter(photo.licence for photo in photos).most_common()
    listed = [(_licence(text), photos_of_it) for text, photos_of_it in count[:LICENCES_NAMED]]
    rest = sum(photos_of_it for _, photos_of_it in count[LICENCES_NAMED:])
    return [*listed, ("other licences", rest)] if rest else listed


def _licence(text: str) -> str:
    licence = licences.parse(text)
    if licence:
        return f"[{licence.name}]({licence.url})" if licence.url else licence.name
    return escape(text) or "no licence is known"


def _fewest(description: ModelDescription) -> int:
    """How many photos the class with the fewest was learned from."""
    if description.learned:
        return min(description.learned.get(label, 0) for label in description.classes)
    learned: collections.Counter[str] = collections.Counter()
    for part in (TRAINING, VALIDATION):
        learned.update(description.photos.get(part, {}))
    return min((learned[label] for label in description.classes), default=0)


def _confusion(description: ModelDescription, figures: Mapping[str, Any]) -> list[list[float]]:
    """Rows of true classes, columns of predicted ones; empty where there is no such matrix."""
    matrix, size = figures.get("confusion"), len(description.classes)
    if not isinstance(matrix, list) or len(matrix) != size:
        return []
    for row in matrix:
        if not isinstance(row, list) or len(row) != size:
            return []
        if not all(isinstance(count, int | float) and count >= 0 for count in row):
            return []
    return matrix


def _most_confused(
    classes: Sequence[str], matrix: list[list[float]]
) -> list[tuple[str, str, float, float]]:
    """True class, predicted class, photos mixed up so and photos of the true class, most first."""
    counts = sorted(
        (-count, true, predicted)
        for true, row in enumerate(matrix)
        for predicted, count in enumerate(row)
        if true != predicted and count
    )
    return [
        (classes[true], classes[predicted], -less, sum(matrix[true]))
        for less, true, predicted in counts[:MAX_CONFUSIONS]
    ]


def _dangerous_pairs(
    figures: Mapping[str, Any], description: ModelDescription
) -> list[tuple[str, str, float, float]]:
    """As `_most_confused`, of the dangerous confusions, as the metrics file tells of them."""
    pairs = figures.get("dangerous_pairs")
    found = []
    for pair in pairs[:MAX_CONFUSIONS] if isinstance(pairs, list) else ():
        label, predicted = pair.get("label"), pair.get("predicted")
        count, photos = number(pair, "photos"), number(pair, "of")
        known = {label, predicted} <= set(description.classes)
        if known and count is not None and photos is not None:
            named_label = danger_words.with_danger(label, description.facts)
            found.append((named_label, predicted, count, photos))
    return found
