"""MODEL_CARD.md: what a published model is, what it may be used for, and how far to trust it.

Its words are in model_card.jinja: Markdown with the YAML head that model hubs read. Class names and
licences come from strangers, and are escaped. Nothing in it tells of the machine or the time: the
same decision gives the same card.
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
from components.common.pages import markdown
from components.common.pages.markdown import code
from components.common.pages.text import RENDERED, WARNING
from components.publish import card_figures
from components.publish.card_figures import number, share
from components.publish.decision import Decision
from components.publish.options import ANY_REGRESSION
from components.publish.paired import Comparison

FILE_NAME = "MODEL_CARD.md"
CLASSES_NAMED = 12  # in the first paragraph
LICENCES_NAMED = 20
FEW_PHOTOS = 50  # of a class to learn from; fewer are named as a limit
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
    compared = decision.comparison or Comparison(0, 0, 0, 0)
    return markdown.render(
        __file__,
        {"json": json.dumps, "plain": escape, "share": share, "options": _options},
        layout=layout,
        attribution=ATTRIBUTION,
        warning=WARNING,
        rendered_pictures=RENDERED,
        model=description,
        classes=description.classes,
        most_named=CLASSES_NAMED,
        family=parse_architecture(description.architecture).family.name,
        side=description.input_size,
        rule=description.unknown,
        rejected=rejected if isinstance(rejected, int | float) else None,
        fitted_on=number(facts, "photos"),
        fitted_losses=losses if isinstance(losses, list) and len(losses) == 2 else None,
        parts=parts,
        counts=[
            [escape(label), *(description.photos[part].get(label, 0) for part in parts)]
            for label in description.classes
        ],
        photos=len(photos),
        licences=_licences(photos),
        non_commercial=sum(licences.is_non_commercial(photo.licence) for photo in photos),
        thumbnail_side=THUMBNAIL_SIDE,
        most_thumbnails=MAX_SHOWN,
        figures=card_figures.CardFigures.of(description, figures),
        fewest=_fewest(description),
        few_photos=FEW_PHOTOS,
        decision=decision,
        most_reason=MAX_REASON,
        any_regression=decision.max_regression >= ANY_REGRESSION,
        compared=compared,
        pair=_pair(decision, compared),
        hashes=_hashes(description, decision, hashes),
    )


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
    learned: collections.Counter[str] = collections.Counter()
    for part in (TRAINING, VALIDATION):
        learned.update(description.photos.get(part, {}))
    return min((learned[label] for label in description.classes), default=0)


def _pair(decision: Decision, compared: Comparison) -> list[list[object]]:
    """A row for this model, and one for the one before."""
    return [
        [name, compared.photos, right, share(right / max(compared.photos, 1))]
        for name, right in (
            (f"this, {decision.version}", compared.challenger_right),
            (f"the one before, {escape(decision.champion)}", compared.champion_right),
        )
    ]


def _hashes(
    description: ModelDescription, decision: Decision, hashes: Mapping[str, str]
) -> list[list[object]]:
    facts = {
        "trained head": description.head_sha256,
        "pretrained weights": description.weights_sha256,
        "manifest of the training photos": description.manifest_sha256,
        "manifest of the demo photos": decision.demo_manifest_sha256,
        "distances of the rule": description.distances_sha256,
        **{code(path): digest for path, digest in sorted(hashes.items())},
    }
    return [[name, code(digest)] for name, digest in facts.items() if digest]
