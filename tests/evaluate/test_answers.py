"""Which mistakes are shown, and what becomes of photos that cannot be shown."""

import dataclasses

import numpy as np
from evaluation_items import CLASSES, answer, evaluation, jpeg, sixty_answers

from components.common.dataset.photo import Photo
from components.common.photos import images
from components.common.photos.images import BadPhoto
from components.evaluate.answers import MAX_MISTAKES, Source, mistakes, outcomes
from components.evaluate.evaluate import figures
from components.evaluate.evaluation import EvaluatedPhoto
from components.evaluate.report import render

MAPS = (np.eye(7, dtype=np.float32), np.ones((7, 7), np.float32))


def wrong(true_share: float, other_share: float, path: str = "rose/1.jpg") -> EvaluatedPhoto:
    """A rose taken for a daisy."""
    rest = (1 - true_share - other_share) / 2
    one = answer("rose", (other_share, true_share, rest, rest))
    return dataclasses.replace(one, photo=Photo("rose", path=path), maps=MAPS)


def source(data: bytes) -> Source:
    return Source("test", (), lambda _: data)


def test_least_probability_of_the_true_class_is_worst_then_the_surest_answer() -> None:
    answers = [
        wrong(0.3, 0.4),
        wrong(0.05, 0.5),
        answer("daisy", (0.9, 0.04, 0.03, 0.03)),
        wrong(0.05, 0.8),
        wrong(0.01, 0.4),
    ]
    found = mistakes(answers, [source(jpeg())], CLASSES)
    shares = [(one.answer.probabilities[1], max(one.answer.probabilities)) for one in found]
    assert shares == [(0.01, 0.4), (0.05, 0.8), (0.05, 0.5), (0.3, 0.4)]


def test_only_so_many_mistakes_are_shown_in_the_same_order_each_time() -> None:
    answers = [wrong(0.1, 0.6, f"rose/{place:04}.jpg") for place in range(MAX_MISTAKES + 5)]
    found = mistakes(answers[::-1], [source(jpeg())], CLASSES)
    assert [one.answer for one in found] == answers[:MAX_MISTAKES]


def test_narrow_strip_is_shown_with_its_maps() -> None:
    strip = images.encode(np.full((100, 2000, 3), 90, np.uint8))
    (found,) = mistakes([wrong(0.1, 0.6)], [source(strip)], CLASSES)
    assert found.thumbnail
    assert found.for_predicted
    assert found.for_true


def test_file_that_vanished_is_a_mistake_without_pictures() -> None:
    def gone(_: Photo) -> bytes:
        raise BadPhoto("unreadable")

    (found,) = mistakes([wrong(0.1, 0.6)], [Source("test", (), gone)], CLASSES)
    assert (found.thumbnail, found.for_predicted, found.for_true) == (b"", b"", b"")


def test_float32_probability_a_little_above_1_counts_as_1() -> None:
    above = float(np.nextafter(np.float32(1), np.float32(2)))
    found = outcomes([answer("daisy", (above, 0.0, 0.0, 0.0))], CLASSES, rule=False)
    assert found.confidence.tolist() == [1.0]
    assert outcomes([], CLASSES, rule=True).probabilities.shape == (0, 4)


def grouped(answers: list[EvaluatedPhoto], size: int) -> list[EvaluatedPhoto]:
    """The answers as to so many photos of each observation."""
    return [
        dataclasses.replace(one, photo=dataclasses.replace(one.photo, group=f"{row // size:040x}"))
        for row, one in enumerate(answers)
    ]


def test_photos_of_one_group_are_known_as_such() -> None:
    answers = [*grouped(sixty_answers(), 4), *sixty_answers()[:3]]
    groups = outcomes(answers, CLASSES, rule=False).groups
    assert groups is not None
    assert [(groups == group).sum() for group in np.unique(groups)] == [4] * 15 + [1] * 3
    assert (np.diff(groups[:60].reshape(15, 4)) == 0).all()
    alone = outcomes(sixty_answers(), CLASSES, rule=False).groups
    assert alone is not None
    assert len(np.unique(alone)) == 60


def test_metrics_and_report_say_what_photos_of_one_observation_are_worth() -> None:
    alone, together = (evaluation(grouped(sixty_answers(), size)) for size in (1, 4))
    plain, less = figures(alone), figures(together)
    assert plain["effective_photos"] == 60
    assert plain["class_effective_photos"] == [13, 21, 13, 13]
    assert 15 <= less["effective_photos"] < 40
    assert less["accuracy_low"] < plain["accuracy_low"] - 0.03
    assert less["accuracy"] == plain["accuracy"]
    assert all(
        1 <= worth < photos
        for worth, photos in zip(
            less["class_effective_photos"], plain["class_effective_photos"], strict=True
        )
    )
    said = f"these 60 photos count as {less['effective_photos']:.0f}"
    assert said in " ".join(render(together).split())
    assert "photos count as" not in render(alone)
