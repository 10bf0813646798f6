"""Whether what is published is still the same, in a folder and on real stores."""

import json
from pathlib import Path

from object_stores import Store

from components.common.model import published
from components.common.store import storage


def write(root: str, name: str, text: str) -> None:
    if not storage.is_uri(root):
        Path(root, name).parent.mkdir(parents=True, exist_ok=True)
    storage.write_place(f"{root}/{name}", text.encode(), what="a file")


def check_mark(root: str) -> None:
    assert published.mark(root) == ""
    write(root, "ab/model.json", "1")
    write(root, "abc/model.json", "1")
    assert published.mark(root) == ""
    write(root, "latest.json", json.dumps({"version": "ab"}))
    first = published.mark(root)
    assert first
    assert published.mark(root) == first
    write(root, "abc/model.json", "22")  # of another version
    write(root, "memory.json", "{}")
    assert published.mark(root) == first
    write(root, "ab/model.json", "22")
    second = published.mark(root)
    write(root, "latest.json", json.dumps({"version": "abc"}))
    third = published.mark(root)
    write(root, "latest.json", "damaged")
    assert len({"", first, second, third, published.mark(root)}) == 5


def test_mark_of_a_folder(tmp_path: Path) -> None:
    check_mark(str(tmp_path / "m"))


def test_mark_of_a_bucket(store: Store) -> None:
    check_mark(f"{store.prefix}/marked/m")
