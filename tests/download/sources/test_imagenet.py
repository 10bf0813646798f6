"""ImageNet: archives and URL lists by WordNet id, and what must be said of such photos."""

import io
import tarfile
from pathlib import Path

import pytest
from photo_server import Answer, serve
from services import photo

from components.common.base.errors import InputError, WorkError
from components.common.dataset.dataset import Dataset
from components.common.dataset.licences import IMAGENET_TERMS
from components.common.dataset.photo import Photo
from components.common.dataset.species import Species, as_parameter
from components.download.download import download
from components.download.options import DownloadOptions
from components.evaluate.cautions import cautions

AGARIC, EARTHSTAR, STINKHORN = "n13003061", "n13044778", "n13040629"
SPECIES = as_parameter(
    [
        Species("fly agaric", wordnet_id=AGARIC),
        Species("earthstar", wordnet_id=EARTHSTAR),
        Species("common stinkhorn", wordnet_id=STINKHORN),
        Species("unlisted"),
    ]
)


def make_archive(path: Path, synset: str = AGARIC, mode: str = "w") -> Path:
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for number in range(3):
            data = photo(number)
            member = tarfile.TarInfo(f"{synset}_{number}.JPEG")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def rows(tmp_path: Path, place: str, label: str = "fly agaric") -> list[Photo]:
    options = DownloadOptions(
        source="imagenet",
        imagenet=place,
        min_per_class=1,
        cache_dir=str(tmp_path / "cache"),
        allow_private_hosts="localhost",
    )
    download([label], tmp_path / "out", options, SPECIES)
    stored = list(Dataset(tmp_path / "out").stream())
    assert [data for _, data in stored] == [photo(number) for number in range(len(stored))]
    return [row for row, _ in stored]


@pytest.mark.parametrize("form", ["file", "gzipped", "folder", "template"])
def test_archive_is_found_by_its_id(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "winter21"
    if form == "gzipped":
        place = str(make_archive(folder / f"{AGARIC}.tar.gz", mode="w:gz"))
    else:
        path = make_archive(folder / f"{AGARIC}.tar")
        template = str(folder / "{wordnet_id}.tar")
        place = {"file": str(path), "folder": str(folder), "template": template}[form]
    found = rows(tmp_path, place)
    assert [row.source_url for row in found] == [
        f"imagenet:{AGARIC}/{AGARIC}_{number}.JPEG" for number in range(3)
    ]
    assert {row.source for row in found} == {"imagenet"}


def test_archive_may_be_on_the_web_and_is_fetched_once(tmp_path: Path) -> None:
    body = make_archive(tmp_path / "in" / "a.tar").read_bytes()
    with serve(lambda *_: Answer(body, headers={"Content-Type": "application/x-tar"})) as server:
        place = server.address + "/winter21_whole/{wordnet_id}.tar"
        assert len(rows(tmp_path, place)) == len(rows(tmp_path, place)) == 3
        assert server.paths() == [f"/winter21_whole/{AGARIC}.tar"]


@pytest.mark.parametrize(
    "answer",
    [
        *(Answer(status=status) for status in (401, 403, 404)),
        Answer(b"<!DOCTYPE html>please log in"),
    ],
)
def test_archive_behind_a_login_is_told(tmp_path: Path, answer: Answer) -> None:
    with serve(lambda *_: answer) as server, pytest.raises(InputError, match="login"):
        rows(tmp_path, server.address + "/{wordnet_id}.tar")


def test_url_list_as_imagenet_gave_it_out(tmp_path: Path) -> None:
    with serve(lambda path, _: Answer(photo(int(path[1])))) as server:
        plain = tmp_path / "plain.txt"
        plain.write_text(f"{server.address}/0.jpg\r\n{server.address}/1.jpg\r\n")
        assert len(rows(tmp_path, str(plain))) == 2
        named = tmp_path / "named.txt"
        named.write_text(
            f"{AGARIC}_17\t{server.address}/0.jpg\n"
            f"{EARTHSTAR}_3\t{server.address}/7.jpg\n"
            f"{AGARIC}_18 {server.address}/1.jpg\n"
        )
        found = rows(tmp_path, str(named))
    assert [row.title for row in found] == [f"{AGARIC}_17", f"{AGARIC}_18"]


def test_photos_are_marked_and_the_report_says_so(tmp_path: Path) -> None:
    make_archive(tmp_path / "in" / f"{AGARIC}.tar")
    make_archive(tmp_path / "in" / f"{EARTHSTAR}.tar", EARTHSTAR)
    agaric = rows(tmp_path, str(tmp_path / "in"))
    assert {row.licence for row in agaric} == {IMAGENET_TERMS}
    assert {row.flags for row in agaric} == {("imagenet",)}
    star = rows(tmp_path, str(tmp_path / "in"), "earthstar")
    assert {row.flags for row in star} == {("imagenet", "seen_by_backbone")}
    assert (
        "3 of them may be used for non-commercial"
        in (tmp_path / "out" / "ATTRIBUTION.md").read_text()
    )
    seen, bound = cautions([*agaric, *star])
    assert "All of these 6 photos may be used for non-commercial purposes only" in bound.text
    assert "trained on ImageNet photos of earthstar:" in seen.text
    assert (seen.alarm, bound.alarm) == (True, False)  # the licence changes no figure
    assert cautions([Photo("daisy", licence="CC-BY-4.0")]) == ()


def test_species_without_an_id_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the species file gives none for 'unlisted'"):
        rows(tmp_path, str(tmp_path), "unlisted")


def test_archive_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"no ImageNet archive or URL list at .*{AGARIC}.tar"):
        rows(tmp_path, str(tmp_path))


def test_stinkhorns_were_seen_by_the_backbone_too(tmp_path: Path) -> None:
    make_archive(tmp_path / "in" / f"{STINKHORN}.tar", STINKHORN)
    found = rows(tmp_path, str(tmp_path / "in"), "common stinkhorn")
    assert {row.flags for row in found} == {("imagenet", "seen_by_backbone")}


def test_url_list_may_be_on_the_web(tmp_path: Path) -> None:
    def behave(path: str, _: int) -> Answer:
        if path == "/list.txt":
            lines = "".join(f"{server.address}/{number}.jpg\n" for number in range(2))
            return Answer(lines.encode(), headers={"Content-Type": "text/plain"})
        return Answer(photo(int(path[1])))

    with serve(behave) as server:
        assert len(rows(tmp_path, f"{server.address}/list.txt")) == 2


def test_cut_archive_gives_what_is_whole_and_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSHROOM_EVENTS", str(tmp_path / "events"))
    path = make_archive(tmp_path / "in" / "a.tar")
    path.write_bytes(path.read_bytes()[: len(photo(0)) + 2000])
    assert len(rows(tmp_path, str(path))) == 1
    assert "a.tar is damaged" in (tmp_path / "events").read_text()


def test_member_name_that_is_no_text_is_kept_readable(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        member, data = tarfile.TarInfo("folder/n1_\udcff.JPEG"), photo(0)
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    (row,) = rows(tmp_path, str(tmp_path / "a.tar"))
    assert row.title == r"n1_\udcff.JPEG"


def test_archive_that_was_cut_is_named_in_the_failure(tmp_path: Path) -> None:
    path = make_archive(tmp_path / "in" / f"{AGARIC}.tar")
    path.write_bytes(path.read_bytes()[:-12_000])
    options = DownloadOptions(
        source="imagenet", imagenet=str(path), cache_dir=str(tmp_path / "cache")
    )
    with pytest.raises(WorkError, match=r"only \d photos of (.|\n)*n13003061.tar is damaged"):
        download(["fly agaric"], tmp_path / "out", options, SPECIES)
