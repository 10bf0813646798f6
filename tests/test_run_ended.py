"""A run that ends in curate: what is left of it is enough to go on."""

from pathlib import Path

from conftest import SMALL_ARCHITECTURE, run_pipeline
from html_page import Page
from test_run import write_class


def test_run_whose_photos_cannot_be_divided_leaves_the_review_page(
    tmp_path: Path, backbone_cache: Path
) -> None:
    write_class(tmp_path / "photos" / "earthstar", "earthstar", 12)
    write_class(tmp_path / "photos" / "fly agaric", "fly agaric", 3)
    options = ("--image_dir", str(tmp_path / "photos"), "--architecture", SMALL_ARCHITECTURE)
    ended = run_pipeline(tmp_path / "runs", backbone_cache, *options)
    assert ended.returncode == 2
    assert "the class 'fly agaric' has" in ended.stderr
    review = ended.directory / "curation.html"
    assert f"review page: {review}" in ended.stderr
    page = Page(review.read_text())
    assert "The run ended here" in page.text
    # The pages that would come after it are not there to be linked to.
    linked = [link.get("href") or "" for link in page.all("a")]
    assert all(name.startswith("#") for name in linked if name)
