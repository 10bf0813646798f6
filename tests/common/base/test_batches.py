"""Items in turn."""

from components.common.base.batches import in_turn


def test_every_group_gives_one_before_any_gives_its_second() -> None:
    assert list(in_turn([[1, 2, 3], [], [4], [5, None]])) == [1, 4, 5, 2, None, 3]
    assert list(in_turn([])) == []
