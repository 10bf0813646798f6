"""Answers of a model that is not there, and the evaluation of them."""

import numpy as np

from components.common.dataset.photo import Photo
from components.common.model.description import ModelDescription
from components.common.model.unknown import UnknownRule
from components.common.photos import images
from components.evaluate import dangers
from components.evaluate.answers import outcomes
from components.evaluate.evaluation import HELD_OUT, EvaluatedPhoto, Evaluation, Mistake
from components.evaluate.measure import Outcomes, PartFigures, measure_part

CLASSES = ("daisy", "rose", "tulip", "violet")
RULE = UnknownRule(300.0, 1.2, 0.7, tuple(float(place) for place in range(101)), 0.05)


def jpeg(grey: int = 120) -> bytes:
    """A small grey picture."""
    return images.encode(np.full((40, 60, 3), grey, np.uint8))


def description(classes: tuple[str, ...] = CLASSES, *, rendered: bool = False) -> ModelDescription:
    """A model without temperature and without a rule."""
    return ModelDescription(
        classes=classes,
        architecture="mobilenet_v1_1.0_224",
        input_size=224,
        weights_sha256="a1" * 32,
        head_sha256="b2" * 32,
        manifest_sha256="c3" * 32,
        version="1.2.3",
        recipe={"how_many_training_steps": 4000, "learning_rate": 0.01},
        photos={"training": dict.fromkeys(classes, 40), "test": dict.fromkeys(classes, 10)},
        rendered=rendered,
    )


def answer(
    true: str,
    probabilities: tuple[float, ...],
    part: str = "test",
    *,
    uncalibrated: tuple[float, ...] | None = None,
    familiarity: float | None = None,
    classes: tuple[str, ...] = CLASSES,
) -> EvaluatedPhoto:
    """An answer to a credited photo; called unknown where it is stranger than 95 %."""
    photo = Photo(
        true,
        path=f"{true}/0123456789abcdef.jpg",
        author="Ann Photographer",
        licence="CC-BY-4.0",
        source_url="https://example.org/photo/1",
    )
    predicted = classes[int(np.argmax(probabilities))]
    unknown = familiarity is not None and familiarity < RULE.false_rejection_rate
    uncalibrated = uncalibrated or probabilities
    return EvaluatedPhoto(photo, part, predicted, probabilities, uncalibrated, familiarity, unknown)


def sixty_answers() -> list[EvaluatedPhoto]:
    """52 of 60 right: six roses taken for daisies, two for tulips."""
    right = [
        answer(label, tuple(0.85 if one == label else 0.05 for one in CLASSES), part)
        for label in CLASSES
        for part in ["test"] * 7 + ["demo"] * 6
    ]
    daisies = [answer("rose", (0.9 - i / 100, 0.04, 0.03, 0.03 + i / 100)) for i in range(6)]
    tulips = [answer("rose", (0.2, 0.04, 0.56, 0.2), "demo") for _ in range(2)]
    return [*right, *daisies, *tulips]


def evaluation(
    answers: list[EvaluatedPhoto] | None = None,
    model: ModelDescription | None = None,
    *,
    pictures: tuple[bytes, bytes, bytes] = (jpeg(), jpeg(), jpeg()),
) -> Evaluation:
    """The evaluation of answers in parts test and demo, the mistakes in the order given."""
    answers = sixty_answers() if answers is None else answers
    model = model or description()
    rule = model.unknown is not None
    parts = [
        measure_part(
            name,
            model.classes,
            outcomes(
                [one for one in answers if name in (one.part, HELD_OUT)], model.classes, rule=rule
            ),
        )
        for name in ("test", "demo", HELD_OUT)
    ]
    wrong = tuple(Mistake(one, *pictures) for one in answers if not one.right)
    arrays = outcomes(answers, model.classes, rule=rule)
    found = dangers.measure(arrays, model.classes, model.facts)
    return Evaluation(
        *(model, tuple(parts), parts[-1], arrays),
        mistakes=wrong,
        dangers=found,
        asked=len(answers),
        wrong=len(wrong),
    )


def random_outcomes(photos: int = 200, classes: int = 5, seed: int = 0) -> Outcomes:
    """Answers that are right more often than not, some of them called unknown."""
    draw = np.random.default_rng(seed)
    true = draw.integers(0, classes, photos)
    scores = draw.normal(size=(photos, classes)) + 1.5 * np.eye(classes)[true]

    def softmax(logits: np.ndarray) -> np.ndarray:
        shares = np.exp(logits)
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    return Outcomes(true, softmax(scores), softmax(2 * scores), draw.random(photos) < 0.1)


def plain_outcomes(true: list[int], predicted: list[int], classes: int = 3) -> Outcomes:
    """Answers that are quite sure."""
    probabilities = np.full((len(true), classes), 0.1)
    probabilities[np.arange(len(true)), predicted] = 1 - 0.1 * (classes - 1)
    return Outcomes(np.array(true, np.int64), probabilities, probabilities)


def measured(found: Outcomes) -> PartFigures:
    classes = [str(place) for place in range(found.probabilities.shape[1])]
    return measure_part("test", classes, found)
