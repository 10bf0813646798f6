"""Options of labelling many photos: a bucket or a folder, into parts of answers."""

from dataclasses import dataclass

from components.common.base.options import Options, option
from components.common.store.storage import ANY_SCHEME

_PLACE, _PLACE_FORM = f"{ANY_SCHEME}[^/]+(/.*)?", "gs://bucket/folder or s3://bucket/folder"
PART_FORMATS = ("csv", "json", "parquet")
MOST_PER_PART = 100_000  # answers that are held in memory, half a kilobyte each


@dataclass(frozen=True)
class AnswerOptions(Options):
    """Labelling a whole bucket or folder."""

    format: str = option("csv", "how the answers are written", choices=PART_FORMATS, in_form=True)
    top_k: int = option(5, "how many classes each answer names", minimum=1, in_form=True)
    int8: bool = option(
        False, "use the int8 model: twice as fast, slightly different answers", in_form=True
    )
    photos_per_part: int = option(
        1000,
        "photos whose answers make one file; a run that is killed loses at most so many",
        minimum=1,
        maximum=MOST_PER_PART,
        in_form=True,
    )


@dataclass(frozen=True)
class LabelOptions(AnswerOptions):
    """What the pipeline that labels a bucket takes."""

    model: str = option(
        "",
        "place that the model is published in, or address of a model of an earlier run",
        pattern=_PLACE,
        form=_PLACE_FORM,
        in_form=True,
    )
    photos: str = option(
        "", "bucket or prefix of the photos", pattern=_PLACE, form=_PLACE_FORM, in_form=True
    )
    output: str = option(
        "",
        "prefix for the answers; a second run with the same one goes on where the first ended",
        pattern=_PLACE,
        form=_PLACE_FORM,
        in_form=True,
    )
    earlier_batch: str = option(
        "",
        "prefix of the answers to an earlier batch, whose classes this one's are compared with; "
        "empty for none",
        pattern=f"({_PLACE})?",
        form=_PLACE_FORM,
        in_form=True,
    )
    parts: int = option(
        4, "pods that label at the same time", minimum=1, maximum=1000, in_form=True
    )
