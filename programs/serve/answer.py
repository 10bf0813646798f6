"""The answer to a photo, and its shape in the interface."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from components.common.dataset import dangers, licences
from components.common.dataset.dangers import NAMED_ABOVE
from components.common.model import activation
from components.common.model.description import ModelDescription
from components.common.model.learned import Learned
from components.common.model.model import Model, Prediction, top_k
from components.common.model.references import Reference, References
from components.common.pages import danger_words, subject, text
from components.common.photos import images

SPOTLIGHT_SIDE = 640  # pixels
MAX_SIMILAR = 12

Share = Annotated[float, Field(ge=0, le=1)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClassProbability(_Shape):
    """A class and how probable it is."""

    label: str
    probability: Share


class DangerousClass(_Shape):
    """A class that is stated to be deadly or poisonous, and how probable it is."""

    label: str
    edibility: str = Field(description="deadly or poisonous")
    probability: Share


class SimilarPhoto(_Shape):
    """A photo that the model was made of, and whose it is."""

    label: str
    similarity: float = Field(ge=-1, le=1, description="cosine of the features of the two photos")
    title: str
    author: str
    licence: str
    licence_url: str = Field(description="page of the licence, or empty")
    source_page: str = Field(description="http or https address, or empty")
    thumbnail: str = Field(description="data URI of a JPEG")


class Measured(_Shape):
    """How good the model, or models of its recipe, are on photos that they never saw."""

    accuracy: Share
    accuracy_low: Share = Field(description="lower end of the 95 % interval")
    accuracy_high: Share
    photos: int
    cross_validated: bool = Field(
        default=False,
        description="measured by models of the same recipe, each on photos that it never saw",
    )


class ModelInfo(_Shape):
    """Which model it is."""

    classes: list[str]
    architecture: str
    views: int = Field(description="of a photo, whose features are averaged")
    version: str = Field(description="of the program that trained it")
    head_sha256: str
    weights_sha256: str
    manifest_sha256: str
    temperature: float | None
    knows_unknown: bool = Field(description="whether it can answer none of these")
    photos: dict[str, dict[str, int]] = Field(
        description="that it was made from, by part and class"
    )
    measured: Measured | None = Field(description="null where it is not known here")
    rendered: bool = Field(description="trained on rendered pictures instead of photographs")
    dangerous: dict[str, str] = Field(
        description="classes that are stated to be deadly or poisonous, and which of the two; any "
        "other may be dangerous as well"
    )
    subject: str = Field(description="what the classes are kinds of: fungi, another word, or any")
    warning: str


class ModelName(_Shape):
    """Which model answered."""

    head_sha256: str
    version: str
    classes: list[str]
    rendered: bool


class Answer(_Shape):
    """What the model says of a photo."""

    predicted: str | None = Field(description="the class; null where it is probably none of them")
    unknown: bool = Field(description="whether the photo is probably none of the classes")
    closest: str = Field(description="the likeliest class, also where the photo is none of them")
    familiarity: Share | None = Field(
        description="share of known photos that are more unusual than this one; null where the "
        "model cannot tell"
    )
    probabilities: list[ClassProbability] = Field(description="calibrated, likeliest first")
    dangers: list[DangerousClass] = Field(
        description="classes stated to be deadly or poisonous that have more than "
        f"{NAMED_ABOVE:g}, and the likeliest class if it is one; deadly ones first. An empty list "
        "does not mean that anything is safe to eat"
    )
    caution: str = Field(description="the same in words; empty where there is nothing to say")
    activation_map: str | None = Field(
        description="data URI of a JPEG: the photo, dimmed where it does not speak for `closest`; "
        "null unless asked for"
    )
    similar: list[SimilarPhoto] = Field(description="most similar first; empty unless asked for")
    learned_from: bool = Field(
        description="whether the model was trained on this photo: then the answer does not show "
        "how good it is"
    )
    model: ModelName
    warning: str


class Kept(_Shape):
    """What became of a photo that a visitor labelled."""

    kept: bool = Field(description="whether the photo is kept now, under what was said")
    predicted: str | None = Field(description="what the model says; null for none of the classes")


class Problem(_Shape):
    """Why there is no answer."""

    reason: str = Field(description="one word for programs")
    message: str = Field(description="for people: what is wrong, and what to do")


class State(_Shape):
    """Whether the service is there."""

    state: str


class Newer(_Shape):
    """A version that `latest.json` names, and that does not answer yet."""

    version: str = Field(description="empty where latest.json cannot be read")
    state: Literal["loading", "damaged", "unreachable"] = Field(
        description="damaged and unreachable: it is tried again; the log says what is wrong"
    )


class Health(_Shape):
    """Whether the service is there, and with which model."""

    state: str
    version: str = Field(description="of the model that answers, as it was published")
    since: datetime = Field(description="when it began to answer")
    newer: Newer | None = Field(description="null where the model that answers is the newest")


@dataclass(frozen=True)
class Wish:
    """What is asked of a photo, beside its class.

    Attributes:
        top_k: number of classes.
        activation: whether to show where the photo speaks for its class.
        similar: number of photos that look alike.
    """

    top_k: int
    activation: bool
    similar: int


def answer(
    model: Model,
    references: References | None,
    photo: bytes,
    wish: Wish,
    learned: Learned | None = None,
) -> Answer:
    """Ask the model about one photo.

    Args:
        model: that answers.
        references: photos that may look alike.
        photo: encoded.
        wish: what is asked.
        learned: the photos that the model learned from.

    Raises:
        BadPhoto: it cannot be decoded.
    """
    description = model.description
    pixels = images.model_input(photo, description.input_size)
    prediction = model.judge(model(pixels[None]))[0]
    top = top_k(prediction.probabilities, model.classes, wish.top_k)
    closest = top[0][0]
    predicted = None if prediction.unknown else closest
    possible = dangers.possible(prediction.probabilities.tolist(), model.classes, description.facts)
    alike = references.nearest(prediction.bottleneck, wish.similar) if references else []
    return Answer(
        predicted=predicted,
        unknown=prediction.unknown,
        closest=closest,
        familiarity=prediction.familiarity,
        probabilities=[
            # A float32 probability may pass 1 by its rounding.
            ClassProbability(label=label, probability=max(0.0, min(1.0, value)))
            for label, value in top
        ],
        dangers=[
            DangerousClass.model_validate(danger, from_attributes=True) for danger in possible
        ],
        caution=danger_words.caution(possible, predicted),
        activation_map=_spotlight(model, photo, prediction, closest) if wish.activation else None,
        similar=[_similar(reference) for reference in alike],
        learned_from=learned is not None and learned.has(photo),
        model=ModelName.model_validate(description, from_attributes=True),
        warning=subject.words(description.facts).warning,
    )


def describe(description: ModelDescription, measured: Measured | None) -> ModelInfo:
    """The model as `GET /v1/model` tells of it."""
    return ModelInfo(
        classes=list(description.classes),
        architecture=description.architecture,
        views=description.views,
        version=description.version,
        head_sha256=description.head_sha256,
        weights_sha256=description.weights_sha256,
        manifest_sha256=description.manifest_sha256,
        temperature=description.temperature,
        knows_unknown=description.unknown is not None,
        photos={part: dict(counts) for part, counts in description.photos.items()},
        measured=measured,
        rendered=description.rendered,
        dangerous={
            label: description.facts.edibility_of(label)
            for label in description.classes
            if description.facts.is_dangerous(label)
        },
        subject=description.facts.subject,
        warning=subject.words(description.facts).warning,
    )


def _spotlight(model: Model, photo: bytes, prediction: Prediction, label: str) -> str:
    picture = activation.spotlight(photo, model.activation_map(prediction, label), SPOTLIGHT_SIDE)
    return text.data_uri(picture)


def _similar(reference: Reference) -> SimilarPhoto:
    photo = reference.photo
    licence = licences.parse(photo.licence)
    page = photo.source_page or photo.source_url
    return SimilarPhoto(
        label=photo.label,
        similarity=max(-1.0, min(1.0, reference.similarity)),
        title=photo.title[: text.MAX_TEXT],
        author=photo.author[: text.MAX_TEXT],
        licence=(licence.name if licence else photo.licence)[: text.MAX_TEXT],
        licence_url=licence.url if licence else "",
        source_page=page if text.host(page) else "",
        thumbnail=text.data_uri(reference.thumbnail),
    )
