"""The step itself: its options, its sources in order, and when there are too few photos."""

from dataclasses import replace
from pathlib import Path

import pytest
from photo_server import Answer, serve
from services import photo

from components.common.base.errors import InputError, WorkError
from components.common.dataset.dataset import Dataset
from components.download.download import check_options, class_names, download
from components.download.options import DownloadOptions


def listed(tmp_path: Path, server: str, count: int, **more: object) -> DownloadOptions:
    path = tmp_path / "list.txt"
    path.write_text("".join(f"{server}/{n}.jpg daisy\n" for n in range(count)))
    return DownloadOptions(
        source="urls",
        url_list=str(path),
        cache_dir=str(tmp_path / "cache"),
        allow_private_hosts="localhost",
        **more,  # type: ignore[arg-type]
    )


def some(path: str, _: int) -> Answer:
    """Of ten photos three are there."""
    number = int(path[1:-4])
    return Answer(photo(number)) if number < 3 else Answer(status=404)


def test_too_few_photos_fail_with_a_table_and_leave_nothing(tmp_path: Path) -> None:
    with serve(some) as server, pytest.raises(WorkError) as caught:
        download(["daisy"], tmp_path / "out", listed(tmp_path, server.address, 10, min_per_class=4))
    message = str(caught.value)
    assert "only 3 photos of 'daisy' could be taken from urls" in message
    assert "at least 4 are needed (--min_per_class)" in message
    assert f"7  http 404  such as {server.address}/3.jpg" in message
    assert not (tmp_path / "out").exists()


def test_above_the_bound_the_table_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSHROOM_EVENTS", str(tmp_path / "events"))
    with serve(some) as server:
        download(["daisy"], tmp_path / "out", listed(tmp_path, server.address, 10, min_per_class=3))
    assert len(Dataset(tmp_path / "out").photos) == 3
    told = (tmp_path / "events").read_text()
    assert "daisy: 3 photos; photos not taken, and why" in told
    assert "7  http 404" in told


def test_short_list_that_is_all_there_is_no_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSHROOM_EVENTS", str(tmp_path / "events"))
    with serve(some) as server:
        download(["daisy"], tmp_path / "out", listed(tmp_path, server.address, 3, min_per_class=3))
        assert "instead of" not in (tmp_path / "events").read_text()
        options = listed(tmp_path, server.address, 3, min_per_class=3, per_class=9)
        download(["daisy"], tmp_path / "out", options)
    assert "3 photos instead of 9" in (tmp_path / "events").read_text()


def test_bound_is_never_above_what_was_asked_for(tmp_path: Path) -> None:
    with serve(some) as server:
        options = listed(tmp_path, server.address, 3, per_class=2, min_per_class=20)
        download(["daisy"], tmp_path / "out", options)
    assert len(Dataset(tmp_path / "out").photos) == 2


def test_own_photos_come_first_and_a_list_tops_them_up(tmp_path: Path) -> None:
    (tmp_path / "photos" / "daisy").mkdir(parents=True)
    (tmp_path / "photos" / "rose").mkdir()
    for number in range(2):
        (tmp_path / "photos" / "daisy" / f"{number}.jpg").write_bytes(photo(number))
    (tmp_path / "photos" / "rose" / "1.jpg").write_bytes(photo(50))
    with serve(some) as server:
        options = listed(tmp_path, server.address, 10, min_per_class=1)
        both = replace(options, source="folder,urls", image_dir=str(tmp_path / "photos"))
        assert class_names(both) == ["daisy", "rose"]
        download(["daisy"], tmp_path / "out", both)
    found = Dataset(tmp_path / "out").photos
    # Photos 0 and 1 of the list are those of the folder: the same picture is taken once.
    origins = [(row.source, row.source_url.rpartition("/")[2]) for row in found]
    assert origins == [("folder", "0.jpg"), ("folder", "1.jpg"), ("urls", "2.jpg")]


def test_source_that_fails_is_made_up_for_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSHROOM_EVENTS", str(tmp_path / "events"))
    monkeypatch.setattr("components.download.sources.gbif.API", "http://gbif.invalid/v1")
    with serve(some) as server:
        options = listed(tmp_path, server.address, 3, min_per_class=1)
        download(["daisy"], tmp_path / "out", replace(options, source="gbif,urls"))
    assert len(Dataset(tmp_path / "out").photos) == 3
    told = (tmp_path / "events").read_text()
    assert "the source gbif failed: the host gbif.invalid" in told


def test_when_no_source_answers_all_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("gbif", "inaturalist"):
        monkeypatch.setattr(f"components.download.sources.{name}.API", f"http://{name}.invalid")
    options = DownloadOptions(source="inaturalist,gbif", cache_dir=str(tmp_path / "cache"))
    with pytest.raises(WorkError) as caught:
        download(["daisy"], tmp_path / "out", options)
    for text in ("inaturalist.invalid", "gbif.invalid", "SOURCE=sample", "IMAGES=", "URLS="):
        assert text in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "flickr"}, "unknown source 'flickr': expected one of sample, folder"),
        ({"source": "gbif,flickr"}, "unknown source 'flickr'"),
        ({"source": ""}, "unknown source ''"),
        ({"per_class": -1}, "--per_class is -1"),
        ({"min_per_class": -1}, "--min_per_class is -1"),
        ({"per_observer": -1}, "--per_observer is -1"),
        ({"workers": 0}, "--workers is 0: expected 1 to 64"),
        ({"workers": 1000}, "--workers is 1000"),
        ({"licences": "cc-by-nd"}, "forbids derivatives"),
        ({"source": "commons"}, "give --contact"),
        ({"contact": "me\r\nX-Evil: 1"}, "--contact must be plain ASCII"),
        ({"contact": "Jörg"}, "--contact must be plain ASCII"),
        ({"allow_private_hosts": "http://a"}, "without http:// and without a port"),
        ({"allow_private_hosts": "b,10.0.0.1:8123"}, "without http:// and without a port"),
        ({"url_list": "list.csv"}, "--url_list is for the source urls, but --source is 'sample'"),
        ({"source": "urls", "url_list": "https://h/l.csv?sig=x"}, "--url_list has a password, sig"),
        ({"source": "imagenet", "imagenet": "https://me:x@h/a.tar"}, "--imagenet has a password"),
        ({"source": "gbif", "image_dir": "x"}, "--image_dir is for the source folder or storage"),
    ],
)
def test_senseless_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_options(DownloadOptions(**options))  # type: ignore[arg-type]
