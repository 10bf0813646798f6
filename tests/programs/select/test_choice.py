"""Which photos are chosen: uncertain ones, unlike what is known, and one of each look."""

import numpy as np
import pytest
from numpy.typing import NDArray

from programs.select import choice


def looks(sizes: tuple[int, ...], spread: float = 0.05) -> tuple[NDArray[np.float32], list[int]]:
    """Vectors of so many photos of each look, and the look of each."""
    random = np.random.default_rng(0)
    centres = random.normal(0, 1, (len(sizes), 40))
    which = np.repeat(np.arange(len(sizes)), sizes)
    vectors = centres[which] + random.normal(0, spread, (len(which), 40))
    return vectors.astype(np.float32), which.tolist()


def test_one_of_each_look_is_chosen_however_many_photos_have_it() -> None:
    vectors, look = looks((20, 3, 15, 1, 8))
    found = choice.choose(vectors, np.full(len(look), 0.5), 5)
    assert sorted(look[one.row] for one in found) == [0, 1, 2, 3, 4]
    assert {look[one.row]: one.stands_for for one in found}[3] == 1
    assert sum(one.stands_for for one in found) == len(look)


def test_uncertain_photos_come_before_sure_ones_and_strange_before_familiar_ones() -> None:
    probabilities = np.array([[0.5, 0.5], [0.99, 0.01], [0.99, 0.01], [0.5, 0.5]], np.float32)
    weight = choice.weights(probabilities, np.array([0.0, 1.0, 0.0, 1.0]))
    assert weight == pytest.approx([1, 0.01, 0.51, 0.5], abs=1e-6)
    found = choice.choose(np.eye(4, dtype=np.float32), weight, 4)
    assert [one.row for one in found] == [0, 2, 3, 1]


def test_photos_of_which_the_model_is_sure_are_not_candidates() -> None:
    vectors, look = looks((100, 20))
    weight = np.where(np.array(look) == 0, 0.01, 0.9)
    found = choice.choose(vectors, weight, 2)
    assert {look[one.row] for one in found} == {1}


def test_margin_and_not_the_largest_probability_says_how_uncertain_the_model_is() -> None:
    many = np.array([[0.5, 0.5, 0, 0], [0.4, 0.2, 0.2, 0.2]], np.float32)
    assert choice.uncertainty(many) == pytest.approx([1.0, 0.8])
    assert choice.uncertainty(np.ones((2, 1), np.float32)).tolist() == [0, 0]
    assert choice.weights(many, None) == pytest.approx([1.0, 0.8])


@pytest.mark.parametrize("count", [1, 7, 20, 21, 500])
def test_as_many_as_are_wanted_and_none_twice(count: int) -> None:
    vectors, look = looks((12, 8))
    found = choice.choose(vectors, np.linspace(0, 1, 20), count)
    assert len(found) == len({one.row for one in found}) == min(count, len(look))


def test_photos_that_are_all_alike_to_the_network_are_chosen_by_weight() -> None:
    weight = np.linspace(0, 1, 30)
    for vectors in (np.ones((30, 4), np.float32), np.zeros((30, 4), np.float32)):
        found = choice.choose(vectors, weight, 5)
        assert len({one.row for one in found}) == 5


def test_same_seed_gives_the_same_photos() -> None:
    vectors, look = looks((50, 50, 50), spread=0.8)
    weight = np.random.default_rng(1).random(len(look))
    first, again = (choice.choose(vectors, weight, 9, seed=3) for _ in range(2))
    assert first == again
    assert choice.choose(vectors, weight, 9, seed=4) != first
