"""Groups: the properties that keep the split free of leaks, checked on any input."""

import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from components.common.dataset import groups
from components.common.dataset.photo import Photo


def test_group_key_is_of_the_observation_and_not_of_the_name() -> None:
    seen = Photo(label="a", path="a/1.jpg", source_url="x", observation="inat:1", source_sha256="c")
    renamed = Photo(label="b", path="b/2.jpg", source_url="y", observation="inat:1")
    assert groups.group_keys([seen])[0] == hashlib.sha1(b"inat:1").hexdigest()
    assert groups.group_keys([renamed])[0] == groups.group_keys([seen])[0]
    assert groups.group_keys([Photo("a", source_sha256="ab")])[0] == hashlib.sha1(b"ab").hexdigest()


photo_rows = st.lists(
    st.builds(
        Photo,
        label=st.sampled_from(["daisy", "roses"]),
        observation=st.sampled_from(["", "", "o1", "o2", "o3"]),
        sha256=st.sampled_from(["s1", "s2", "s3", "s4", "s5", "s6"]),
        source_sha256=st.sampled_from(["", "t1", "t2", "t3", "t4"]),
    ),
    max_size=14,
)


@given(photos=photo_rows, data=st.data())
def test_groups_are_the_connected_components(photos: list[Photo], data: st.DataObject) -> None:
    row = st.integers(0, max(0, len(photos) - 1))
    pairs = data.draw(st.lists(st.tuples(row, row), max_size=5)) if photos else []
    linked = np.eye(len(photos), dtype=bool)
    for left, one in enumerate(photos):
        for right, other in enumerate(photos):
            linked[left, right] |= (
                (one.observation == other.observation != "")
                or one.sha256 == other.sha256
                or (one.source_sha256 == other.source_sha256 != "")
                or (left, right) in pairs
                or (right, left) in pairs
            )
    for middle in range(len(photos)):  # Warshall's closure
        linked |= linked[:, middle, None] & linked[None, middle, :]
    expected = sorted({tuple(np.flatnonzero(line).tolist()) for line in linked})
    assert groups.group_photos(photos, pairs) == [list(group) for group in expected]
