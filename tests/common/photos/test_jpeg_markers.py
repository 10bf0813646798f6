"""A JPEG's segments: what they cost, however many there are."""

import pytest

from components.common.photos import jpeg_markers
from components.common.photos.jpeg_markers import MAX_SEGMENTS

EMPTY = b"\xff\xfe\0\2"  # a comment without words
END = b"\xff\xd9"


def test_segments_without_end_are_refused() -> None:
    data = b"\xff\xd8" + EMPTY * 3_000_000 + END
    assert not jpeg_markers.has_too_many_scans(data)
    assert jpeg_markers.header_end(data) == len(data)
    with pytest.raises(ValueError, match="more than 4096 segments"):
        jpeg_markers.strip_metadata(data)


def test_as_many_segments_as_pictures_have_are_read() -> None:
    data = b"\xff\xd8" + EMPTY * (MAX_SEGMENTS - 1) + END
    assert jpeg_markers.strip_metadata(data) == b"\xff\xd8" + END
    assert jpeg_markers.header_end(data[:-2] + b"\xff\xda\0\2") == len(data) - 2
