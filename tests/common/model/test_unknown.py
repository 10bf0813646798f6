"""Distances to the classes, and the rule for "none of these"."""

import dataclasses
import io
import json

import numpy as np
import pytest

from components.common.base.errors import InputError
from components.common.model.unknown import (
    FALSE_REJECTION_RATE,
    SHRINKAGE,
    ClassDistances,
    UnknownRule,
    unit_length,
)


def material(count: int = 40, size: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Two clouds of positive vectors, as pooled activations are."""
    generator = np.random.default_rng(0)
    labels = np.arange(count) % 2
    centres = generator.random((2, size)) * 5
    return (centres[labels] + generator.random((count, size))).astype(np.float32), labels


@pytest.mark.parametrize(("count", "size"), [(40, 8), (10, 32)])
def test_distance_is_mahalanobis_with_a_shrunk_covariance(count: int, size: int) -> None:
    vectors, labels = material(count, size)
    distances = ClassDistances.fit(vectors, labels)
    unit = unit_length(vectors).astype(np.float64)
    means = np.stack([unit[labels == label].mean(axis=0) for label in (0, 1)])
    within = unit - means[labels]
    covariance = within.T @ within / count
    ridge = SHRINKAGE * np.trace(covariance) / size
    precision = np.linalg.inv(covariance + ridge * np.eye(size))
    asked = unit_length(np.random.default_rng(1).random((5, size)).astype(np.float32))
    expected = [
        min(float((photo - mean) @ precision @ (photo - mean)) for mean in means) for photo in asked
    ]
    np.testing.assert_allclose(distances(asked), expected, rtol=1e-4)


def test_length_of_a_bottleneck_does_not_matter() -> None:
    vectors, labels = material()
    distances = ClassDistances.fit(vectors, labels)
    np.testing.assert_allclose(distances(vectors), distances(vectors * 7), rtol=1e-3, atol=1e-3)


def test_one_photo_a_class_is_measured_by_plain_distance() -> None:
    vectors = np.eye(3, dtype=np.float32)[:2]
    found = ClassDistances.fit(vectors, np.array([0, 1]))(np.eye(3, dtype=np.float32))
    np.testing.assert_allclose(found, [0, 0, 2], atol=1e-6)


def test_distances_are_read_back_as_written() -> None:
    vectors, labels = material()
    distances = ClassDistances.fit(vectors, labels)
    again = ClassDistances.load(distances.to_bytes(), "distances.npz")
    np.testing.assert_array_equal(again(vectors), distances(vectors))


def npz(**arrays: object) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04 no archive",
        npz(means=np.zeros((2, 3)), axes=np.zeros((1, 3))),
        npz(means=np.zeros((2, 3)), axes=np.zeros((1, 4)), ridge=1.0),
        npz(means=np.zeros((2, 3)), axes=np.zeros((1, 3)), ridge=0.0),
        npz(means=np.full((2, 3), np.nan), axes=np.zeros((1, 3)), ridge=1.0),
        npz(means=np.array([{"a": 1}], dtype=object), axes=np.zeros((1, 3)), ridge=1.0),
    ],
    ids=["empty", "no archive", "incomplete", "other size", "no ridge", "not finite", "pickle"],
)
def test_damaged_distances_are_refused_by_name(data: bytes) -> None:
    with pytest.raises(InputError, match=r"distances\.npz cannot be read"):
        ClassDistances.load(data, "distances.npz")


def fitted(count: int) -> tuple[UnknownRule, float, np.ndarray]:
    generator = np.random.default_rng(0)
    distances = generator.random(count).astype(np.float32)
    largest = generator.random(count).astype(np.float32)
    rule, rejected = UnknownRule.fit(distances, largest)
    return rule, rejected, rule.score(distances, largest)


@pytest.mark.parametrize("count", [21, 100, 399, 400])
def test_rule_rejects_no_more_than_it_states(count: int) -> None:
    rule, rejected, scores = fitted(count)
    assert 0 < rejected <= FALSE_REJECTION_RATE
    strangest = np.argsort(scores)[: round(rejected * count)]
    assert set(np.flatnonzero(rule.rejects(rule.familiarity(scores)))) == set(strangest)


def test_too_few_photos_to_reject_any_reject_none() -> None:
    assert fitted(20)[1] == 0


def test_familiarity_is_the_share_of_stranger_photos() -> None:
    rule, _, scores = fitted(1000)
    middle = np.sort(scores)[[0, 500, 999]]
    np.testing.assert_allclose(rule.familiarity(middle), [0, 0.5, 1], atol=0.011)
    assert rule.familiarity(np.array([-1e9, 1e9])).tolist() == [0, 1]


def test_near_and_sure_is_familiar_far_and_unsure_is_strange() -> None:
    rule, _, _ = fitted(400)
    distances = np.array([0.0, 5.0, 0.0, 5.0], np.float32)
    largest = np.array([1.0, 1.0, -4.0, -4.0], np.float32)
    scores = rule.score(distances, largest)
    assert scores.argmax() == 0
    assert scores.argmin() == 3
    assert rule.rejects(rule.familiarity(scores)).tolist() == [False, True, True, True]


def test_rule_is_read_back_from_json() -> None:
    rule = fitted(100)[0]
    assert UnknownRule.parse(json.loads(json.dumps(dataclasses.asdict(rule)))) == rule


@pytest.mark.parametrize(
    "change",
    [
        {"distance_deviation": 0.0},
        {"score_deviation": -1.0},
        {"score_weight": "much"},
        {"quantiles": [0.0] * 100},
        {"quantiles": [1.0, *[0.0] * 100]},
        {"quantiles": [float("nan")] * 101},
        {"quantiles": None},
        {"more": 1},
    ],
)
def test_senseless_rule_is_refused(change: dict[str, object]) -> None:
    content = {**dataclasses.asdict(fitted(100)[0]), **change}
    with pytest.raises(ValueError, match="unknown rule"):
        UnknownRule.parse(content)
    with pytest.raises(ValueError, match="unknown rule"):
        UnknownRule.parse([])


def test_row_of_zeros_has_no_direction() -> None:
    found = unit_length(np.array([[0, 0], [3, 4]], np.float32))
    np.testing.assert_allclose(found, [[0, 0], [0.6, 0.8]])
