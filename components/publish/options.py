"""Options of the step `publish`: where to, as what, and what is asked of a model."""

import re
import unicodedata
from dataclasses import dataclass

from components.common.base.options import Options, option
from components.common.dataset.class_facts import ANY, FUNGI

# What models are published as that are given no name: of fungi, of rendered pictures, and of a
# subject that has no letters of ASCII, or is anything.
NAME, SAMPLE_NAME, OTHER_NAME = "mushrooms", "sample", "model"
MIN_ACCURACY = 0.6
MIN_MACRO_RECALL = 0.0
# None of 16 photos recognised holds a model back, 1 of 6 does not.
MIN_CLASS_RECALL = 0.2
# Not worse means not one photo worse. More than 0 by default would let every publication give that
# much away, and ten of them add up; and of 28 photos one is 3.6 points, so that there any smaller
# allowance is 0 anyway. Holding back costs nothing: what is published stays, and whoever prefers
# the new model says so with this option.
MAX_REGRESSION = 0.0
# Off: any limit that protects would hold every small set back whatever the model does. Where none
# of 17 photos (the sample's) is taken for an edible class it may still be 18 %, of 6 photos 39 %,
# and to show that it is at most 5 % takes 73 photos, for 1 % 381.
MAX_DANGEROUS = ANY_DANGEROUS = 1.0
ANY_REGRESSION = 1.0  # nothing is asked of the comparison, not even that there is one


@dataclass(frozen=True)
class PublishOptions(Options):
    """What is asked of a model before it is published, and where it is published."""

    min_accuracy: float = option(
        MIN_ACCURACY,
        "the lower bound of the accuracy's 95 % interval must reach this for publishing",
        minimum=0,
        maximum=1,
        in_form=True,
    )
    min_macro_recall: float = option(
        MIN_MACRO_RECALL,
        "the lower bound of the macro recall's 95 % interval (the mean over the classes) must "
        "reach this for publishing, and exceed what always giving one answer would reach",
        minimum=0,
        maximum=1,
    )
    min_class_recall: float = option(
        MIN_CLASS_RECALL,
        "a class holds a model back if the upper bound of its recall (95 % interval) is below "
        "this; 0 for no limit",
        minimum=0,
        maximum=1,
    )
    max_dangerous: float = option(
        MAX_DANGEROUS,
        "a model is held back if the upper bound of its share of dangerous confusions (photos of a "
        "deadly or poisonous class taken for an edible one; 95 % interval) is above this; 1 for no "
        "limit",
        minimum=0,
        maximum=1,
    )
    max_regression: float = option(
        MAX_REGRESSION,
        "how far the accuracy on the demo photos may be below the published model's; 1 to ignore "
        "the comparison",
        minimum=0,
        maximum=1,
    )
    publish_dir: str = option(
        "",
        "folder, gs:// or s3:// place of published models; empty in a run on this machine: "
        "published/ beside the runs",
        on_cluster="gs:// or s3:// place of published models (default: published below "
        "--store_prefix)",
        place="written",
    )
    # A model of drawings must never replace one of photos.
    name: str = option(
        "",
        f"what the model is published as (default: the subject, such as flowers; {NAME} for fungi; "
        f"{SAMPLE_NAME} for the sample)",
        in_form=True,
    )


def default_name(subject: str, *, rendered: bool) -> str:
    """What a model is published as that is given no name.

    Args:
        subject: of its classes, as `class_facts.check_subject` returns it.
        rendered: it is of drawings alone, which must never replace a model of photos.

    Example:
        >>> default_name("wild flowers", rendered=False)
        'wild-flowers'
    """
    if rendered:
        return SAMPLE_NAME
    if subject == FUNGI:
        return NAME
    plain = unicodedata.normalize("NFKD", subject).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
    return OTHER_NAME if subject == ANY or name in ("", SAMPLE_NAME) else name
