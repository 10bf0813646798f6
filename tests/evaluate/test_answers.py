"""Which mistakes are shown, and what becomes of photos that cannot be shown."""

import dataclasses

import numpy as np
from evaluation_items import CLASSES, answer, jpeg

from components.common.dataset.photo import Photo
from components.common.photos import images
from components.common.photos.images import BadPhoto
from components.evaluate.answers import MAX_MISTAKES, Source, mistakes, outcomes
from components.evaluate.evaluation import EvaluatedPhoto

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
