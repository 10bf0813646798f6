"""The benchmark of backbones: what it is asked for."""

import pytest

from benchmarks import backbones
from components.common.base.errors import InputError

pytestmark = pytest.mark.long


def test_numbers_of_views_are_read() -> None:
    assert backbones.parse_views("1") == [1]
    assert backbones.parse_views("5,1") == [5, 1]


@pytest.mark.parametrize("text", ["", "3", "1,,2", "two", "1 2", "-1"])
def test_other_numbers_of_views_are_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"--views names .*: expected some of 1, 2, 5"):
        backbones.parse_views(text)
