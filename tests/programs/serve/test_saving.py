"""`POST /v1/corrections`: whose photos are kept, and what of them; others get a message."""

import errno
import io
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Run
from PIL import Image
from serve_items import HERE, JPEG, encoded
from starlette.testclient import TestClient

from components.common.base.errors import InputError
from components.common.dataset.dataset import Dataset
from components.common.photos import images
from components.download.download import download
from components.download.options import DownloadOptions
from components.download.sources import sample
from programs.serve import saving
from programs.serve.app import Service, make_app
from programs.serve.corrections import PER_MINUTE, TABLE, Corrections
from programs.serve.options import ServeOptions

CORRECT = "/v1/corrections"
OWN = {**JPEG, "Origin": HERE}
SAID = sample.LABELS[0]
AGREED = {"said": SAID, "consent": "true"}
PUBLIC = "mushrooms.example.org"


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Corrections]:
    made = Corrections(tmp_path / "kept", most=10, days=30)
    yield made
    made.close()


@pytest.fixture
def visitor(service: Service, kept: Corrections) -> Iterator[TestClient]:
    """A client of a service that keeps labelled photos."""
    keeping = replace(service, corrections=kept)
    with TestClient(make_app(keeping, hosts=[PUBLIC]), base_url=HERE) as client:
        yield client


def stored(kept: Corrections) -> list[Path]:
    return sorted((kept.folder / "photos").rglob("*.jpg"))


def nothing(kept: Corrections) -> bool:
    return not stored(kept) and not (kept.folder / TABLE).read_text()


def test_photo_is_kept_without_what_a_camera_wrote(
    visitor: TestClient, kept: Corrections, photo: bytes
) -> None:
    with Image.open(io.BytesIO(photo)) as picture:
        exif = Image.Exif()
        exif[0x010F] = "Camera of Jane Doe"
        exif.get_ifd(0x8825)[1] = "N"
        sent = encoded(picture, "JPEG", exif=exif, comment=b"Jane Doe", quality=95)
    assert b"Jane Doe" in sent
    agent = {**OWN, "User-Agent": "Browser of Jane Doe", "X-Forwarded-For": "203.0.113.7"}
    answer = visitor.post(CORRECT, params=AGREED, content=sent, headers=agent)
    assert answer.status_code == 200, answer.text
    assert answer.json()["kept"] is True
    (path,) = stored(kept)
    assert path.parent.name == SAID
    assert path.read_bytes() == images.to_clean_jpeg(sent).data
    with Image.open(path) as found:
        assert not found.getexif()
    line = json.loads((kept.folder / TABLE).read_text())
    asked = visitor.post("/v1/predict", content=sent, headers=JPEG).json()
    assert line["answered"] == asked["predicted"]
    assert line["probability"] == pytest.approx(asked["probabilities"][0]["probability"], abs=1e-6)
    assert line["head_sha256"] == asked["model"]["head_sha256"]
    assert set(line) == {
        *("photo", "sha256", "time", "said", "answered", "probability", "learned_from"),
        *("head_sha256", "version"),
    }
    everything = b"".join(file.read_bytes() for file in kept.folder.rglob("*") if file.is_file())
    for trace in (b"Jane Doe", b"203.0.113.7", b"testclient"):
        assert trace not in everything


def test_form_of_the_page_is_taken(visitor: TestClient, kept: Corrections, photo: bytes) -> None:
    files = {"image": ("holiday in Rome.jpg", photo)}
    answer = visitor.post(CORRECT, params=AGREED, files=files, headers={"Origin": HERE})
    assert answer.status_code == 200
    assert len(stored(kept)) == 1
    assert "Rome" not in (kept.folder / TABLE).read_text()


def test_photo_can_be_taken_back(visitor: TestClient, kept: Corrections, photo: bytes) -> None:
    visitor.post(CORRECT, params=AGREED, content=photo, headers=OWN)
    answer = visitor.post(CORRECT, content=photo, headers=OWN)
    assert (answer.status_code, answer.json()["kept"]) == (200, False)
    assert nothing(kept)


HOSTILE: dict[str, tuple[dict[str, str], dict[str, str], int, str]] = {
    "another site's page": ({**OWN, "Origin": "https://evil.example"}, AGREED, 403, "other_site"),
    "another port here": ({**OWN, "Origin": "http://localhost:1"}, AGREED, 403, "other_site"),
    "a name that begins so": ({**OWN, "Origin": f"{HERE}.evil.example"}, AGREED, 403, "other_site"),
    "a user in the origin": ({**OWN, "Origin": "http://x@localhost"}, AGREED, 403, "other_site"),
    "a path in the origin": ({**OWN, "Origin": f"{HERE}/"}, AGREED, 403, "other_site"),
    "a sandboxed page": ({**OWN, "Origin": "null"}, AGREED, 403, "other_site"),
    "a file's scheme": ({**OWN, "Origin": "file://localhost"}, AGREED, 403, "other_site"),
    "no number for a port": ({**OWN, "Origin": "http://[::1"}, AGREED, 403, "other_site"),
    "no origin": (JPEG, AGREED, 403, "other_site"),
    "a navigation": ({**OWN, "Sec-Fetch-Site": "none"}, AGREED, 403, "other_site"),
    "a cross-site fetch": ({**OWN, "Sec-Fetch-Site": "cross-site"}, AGREED, 403, "other_site"),
    "a sibling's fetch": ({**OWN, "Sec-Fetch-Site": "same-site"}, AGREED, 403, "other_site"),
    "a name of a stranger": (
        *({**OWN, "Host": "evil.example", "Origin": "http://evil.example"}, AGREED),
        *(421, "unknown_host"),
    ),
    "nobody agreed": (OWN, {"said": SAID}, 403, "no_consent"),
    "somebody refused": (OWN, {"said": SAID, "consent": "false"}, 403, "no_consent"),
    "a way out of the folder": (OWN, {**AGREED, "said": "../../etc"}, 422, "no_such_class"),
    "a class of their own": (OWN, {**AGREED, "said": "<b>spam</b>"}, 422, "no_such_class"),
    "no class at all": (OWN, {**AGREED, "said": ""}, 422, "no_such_class"),
    "a very long class": (OWN, {**AGREED, "said": "x" * 1001}, 422, "bad_parameter"),
    "a consent that is no answer": (OWN, {**AGREED, "consent": "perhaps"}, 422, "bad_parameter"),
    "another type": ({**OWN, "Content-Type": "text/html"}, AGREED, 415, "unsupported_type"),
    "a script as JSON": ({**OWN, "Content-Type": "application/json"}, AGREED, 415, ""),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_request_keeps_nothing(
    visitor: TestClient, kept: Corrections, photo: bytes, what: str
) -> None:
    headers, query, status, reason = HOSTILE[what]
    answer = visitor.post(CORRECT, params=query, content=photo, headers=headers)
    assert answer.status_code == status, answer.text
    assert reason in answer.json()["reason"]
    assert nothing(kept)


TINY = encoded(Image.new("RGB", (20, 20)), "PNG")
BODIES = {
    "nothing": (b"", 400),
    "text": (b"no photo", 415),
    "a page": (b"<html><script>alert(1)</script></html>", 415),
    "a photo too small to learn from": (TINY, 400),
    "too many bytes": (bytes(1024**2 + 1), 413),
}


@pytest.mark.parametrize("what", BODIES)
def test_body_that_is_no_photo_keeps_nothing(
    visitor: TestClient, kept: Corrections, what: str
) -> None:
    body, status = BODIES[what]
    answer = visitor.post(CORRECT, params=AGREED, content=body, headers=OWN)
    assert answer.status_code == status, answer.text
    assert nothing(kept)


def test_cut_photo_keeps_nothing(visitor: TestClient, kept: Corrections, photo: bytes) -> None:
    cut = photo[: len(photo) * 2 // 3]
    answer = visitor.post(CORRECT, params=AGREED, content=cut, headers=OWN)
    assert answer.status_code == 400
    assert nothing(kept)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_read_or_done_otherwise(visitor: TestClient, method: str) -> None:
    answer = visitor.request(method, CORRECT, headers={"Origin": HERE})
    assert answer.status_code == 405
    assert "access-control-allow-origin" not in answer.headers


def test_page_behind_a_proxy_is_the_service_s_own(
    visitor: TestClient, kept: Corrections, photo: bytes
) -> None:
    """TLS ends at the proxy, which asks by an address of its own."""
    headers = {**OWN, "Host": "127.0.0.1:8080", "Origin": f"https://{PUBLIC}"}
    assert visitor.post(CORRECT, params=AGREED, content=photo, headers=headers).status_code == 200
    assert len(stored(kept)) == 1


def test_flood_is_told_to_wait_before_its_photos_are_read(
    visitor: TestClient, kept: Corrections, photo: bytes
) -> None:
    for _ in range(PER_MINUTE):
        kept.admit()
    answer = visitor.post(CORRECT, params=AGREED, content=photo, headers=OWN)
    assert (answer.status_code, answer.json()["reason"]) == (429, "too_many")
    assert "minute" in answer.json()["message"]
    assert nothing(kept)
    # Answers are given all the same.
    assert visitor.post("/v1/predict", content=photo, headers=JPEG).status_code == 200


def test_full_disk_is_told(
    visitor: TestClient, kept: Corrections, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    answer = visitor.post(CORRECT, params=AGREED, content=photo, headers=OWN)
    assert (answer.status_code, answer.json()["reason"]) == (507, "disk_full")
    assert str(kept.folder) not in answer.text
    monkeypatch.undo()
    assert nothing(kept)


def test_folder_that_is_damaged_meanwhile_is_told_and_not_shown(
    visitor: TestClient, kept: Corrections, photo: bytes
) -> None:
    (kept.folder / TABLE).write_text("nonsense\n")
    answer = visitor.post(CORRECT, params=AGREED, content=photo, headers=OWN)
    assert (answer.status_code, answer.json()["reason"]) == (500, "not_kept")
    assert str(kept.folder) not in answer.text


def test_without_the_option_there_is_no_such_place(client: TestClient, photo: bytes) -> None:
    answer = client.post(CORRECT, params=AGREED, content=photo, headers=OWN)
    assert answer.status_code == 404
    page = client.get("/").text
    assert 'id="consent"' not in page
    assert CORRECT not in client.get("/openapi.json").json()["paths"]


def test_page_asks_for_consent_and_is_not_ticked(visitor: TestClient) -> None:
    page = visitor.get("/").text
    (box,) = re.findall(r"<input[^>]*id=\"consent\"[^>]*>", page)
    assert "checked" not in box
    assert "none longer than\n30 days" in page


def test_any_host_and_kept_photos_do_not_go_together() -> None:
    with pytest.raises(InputError, match="--allowed_hosts"):
        ServeOptions(corrections="kept", allowed_hosts=("*",)).check()
    ServeOptions(allowed_hosts=("*",)).check()


def test_kept_photos_are_taken_by_download_together_with_the_old_ones(
    visitor: TestClient, kept: Corrections, sample_run: Run, tmp_path: Path, photos: list[bytes]
) -> None:
    """docs/models.md's way: both folders copied into one, and the real step on it."""
    demo = Dataset(sample_run.directory / "demo")
    labels = sorted({photo.label for photo in demo.photos})[:2]
    both = tmp_path / "both"
    for label in labels:
        (both / label).mkdir(parents=True)
        (both / label / "old.jpg").write_bytes(
            images.encode(np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8))
        )
    for label, data in zip(labels, photos, strict=False):
        query = {"said": label, "consent": "true"}
        assert visitor.post(CORRECT, params=query, content=data, headers=OWN).status_code == 200
    for path in stored(kept):
        (both / path.parent.name / path.name).write_bytes(path.read_bytes())
    options = DownloadOptions(
        "folder", str(both), min_per_class=1, cache_dir=str(tmp_path / "cache")
    )
    download(labels, tmp_path / "images", options)
    found = Dataset(tmp_path / "images")
    assert sorted(photo.label for photo in found.photos) == sorted(labels * 2)
    new = {found.read(photo) for photo in found.photos if "old" not in photo.source_url}
    assert new == {path.read_bytes() for path in stored(kept)}


def test_old_photos_go_while_the_service_runs(
    service: Service, kept: Corrections, monkeypatch: pytest.MonkeyPatch
) -> None:
    pruned = threading.Event()
    monkeypatch.setattr(saving, "PRUNE_S", 0.01)
    monkeypatch.setattr(kept, "prune", pruned.set)
    with TestClient(make_app(replace(service, corrections=kept)), base_url=HERE):
        assert pruned.wait(30)
