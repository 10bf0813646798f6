"""`POST /v1/predict`: photos of every kind get an answer, everything else a message."""

import base64
import io
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import heif_files  # noqa: F401 - saves HEIC
import numpy as np
import pytest
from PIL import Image
from serve_items import JPEG, PREDICT, encoded
from starlette.testclient import TestClient

from components.common.dataset.photo import Photo
from components.common.model.model import Model
from components.common.model.references import Reference
from components.common.pages import text
from components.common.photos import images
from programs.serve import answer, upload
from programs.serve.answer import Wish


def ask(client: TestClient, data: bytes, query: str = "") -> tuple[int, dict[str, Any]]:
    response = client.post(f"{PREDICT}?{query}", content=data, headers=JPEG)
    return response.status_code, response.json()


def ask_as_form(client: TestClient, *parts: tuple[str, tuple[str, bytes]]) -> tuple[int, str]:
    response = client.post(PREDICT, files=list(parts))
    return response.status_code, response.json().get("reason", "")


def picture(data_uri: str) -> Image.Image:
    kind, _, content = data_uri.partition(",")
    assert kind == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def test_photo_gets_the_answer_of_the_model(
    client: TestClient, model_dir: Path, photos: list[bytes]
) -> None:
    model = Model(model_dir)
    for data, expected in zip(photos, model.predict_each(photos), strict=True):
        status, found = ask(client, data)
        assert status == 200
        label = model.classes[int(expected.probabilities.argmax())]
        assert found["closest"] == label
        assert found["unknown"] is expected.unknown
        assert found["predicted"] == (None if expected.unknown else label)
        assert found["familiarity"] == pytest.approx(expected.familiarity)
        shares = {one["label"]: one["probability"] for one in found["probabilities"]}
        assert shares == pytest.approx(
            dict(zip(model.classes, expected.probabilities.tolist(), strict=True)), abs=1e-5
        )
        assert found["warning"] == text.WARNING
        assert found["activation_map"] is None
        assert found["similar"] == []


def test_form_and_body_get_the_same_answer(client: TestClient, photo: bytes) -> None:
    body = client.post(PREDICT, content=photo, headers={"Content-Type": "application/octet-stream"})
    form = client.post(PREDICT, files={"image": ("mushroom.jpg", photo)})
    assert form.status_code == 200
    assert form.json() == body.json() == ask(client, photo)[1]


def test_top_k_is_how_many_classes_come_back_likeliest_first(
    client: TestClient, photo: bytes
) -> None:
    found = ask(client, photo, "top_k=2")[1]["probabilities"]
    assert len(found) == 2
    assert found[0]["probability"] >= found[1]["probability"]


def test_activation_map_is_a_picture_of_the_photo(client: TestClient, photo: bytes) -> None:
    shown = picture(ask(client, photo, "activation=true")[1]["activation_map"])
    width, height = Image.open(io.BytesIO(photo)).size
    assert shown.width / shown.height == pytest.approx(width / height, rel=0.02)


def test_similar_photos_come_with_their_credits(
    client: TestClient, model_dir: Path, photo: bytes
) -> None:
    found = ask(client, photo, "similar=3")[1]["similar"]
    assert len(found) == 3
    assert [one["similarity"] for one in found] == sorted(
        (one["similarity"] for one in found), reverse=True
    )
    for one in found:
        assert one["label"] in Model(model_dir).classes
        assert one["licence"]
        assert picture(one["thumbnail"]).width > 16


def test_photo_of_something_else_is_none_of_the_classes(client: TestClient) -> None:
    stripes = np.zeros((300, 300, 3), np.uint8)
    stripes[::8] = (255, 0, 255)
    status, found = ask(client, images.encode(stripes))
    assert status == 200
    assert found["unknown"] is True
    assert found["predicted"] is None
    assert found["closest"] == found["probabilities"][0]["label"]


class HostileReferences:
    """References whose credits were written by somebody who means harm."""

    def nearest(self, bottleneck: object, count: int) -> list[Reference]:
        photo = Photo(
            "a", author="x" * 9999, licence="CC BY 4.0", source_page="javascript:alert(1)"
        )
        return [Reference(photo, b"", 1.0000001)]


def test_addresses_that_are_no_web_pages_are_left_out(model_dir: Path, photo: bytes) -> None:
    found = answer.answer(
        Model(model_dir), HostileReferences(), photo, Wish(1, activation=False, similar=1)
    )
    one = found.similar[0]
    assert one.source_page == ""
    assert len(one.author) == text.MAX_TEXT
    assert (one.licence, one.licence_url) == (
        "CC BY 4.0",
        "https://creativecommons.org/licenses/by/4.0/",
    )
    assert one.similarity == 1


@pytest.mark.parametrize("size", [(20, 20), (1, 1), (3, 700), (31, 32)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "HEIF", "AVIF"])
def test_small_photos_of_every_kind_are_welcome(
    client: TestClient, size: tuple[int, int], kind: str
) -> None:
    status, found = ask(client, encoded(Image.new("RGB", size, "orange"), kind), "activation=true")
    assert status == 200, found
    assert min(picture(found["activation_map"]).size) >= 1


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "I;16", "CMYK"])
def test_photos_of_every_colour_mode_are_welcome(client: TestClient, mode: str) -> None:
    kind = "TIFF" if mode == "CMYK" else "PNG"
    assert ask(client, encoded(Image.new(mode, (60, 50)), kind))[0] == 200


def test_turned_photo_gets_the_answer_of_the_upright_one(client: TestClient, photo: bytes) -> None:
    upright = Image.open(io.BytesIO(photo)).convert("RGB")
    exif = Image.Exif()
    exif[images.EXIF_ORIENTATION] = 6  # shown turned by 90 degrees clockwise
    turned = encoded(upright.rotate(90, expand=True), "PNG", exif=exif)
    assert ask(client, turned) == ask(client, encoded(upright, "PNG"))


def png_of(width: int, height: int) -> bytes:
    """A PNG whose header says this size, with hardly any data."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    )
    return b"\x89PNG\r\n\x1a\n" + chunks


def many_scans(photo: bytes) -> bytes:
    """A progressive JPEG whose last scan is there a hundred times."""
    small = Image.open(io.BytesIO(photo)).convert("RGB").resize((160, 120))
    data = encoded(small, "JPEG", progressive=True)
    start = data.rindex(b"\xff\xda")
    return data[:start] + 100 * data[start:-2] + data[-2:]


def test_progressive_photo_is_welcome(client: TestClient, photo: bytes) -> None:
    data = encoded(Image.open(io.BytesIO(photo)).convert("RGB"), "JPEG", progressive=True)
    assert ask(client, data)[0] == 200


def test_files_that_are_no_usable_photo_are_refused_with_a_reason(
    client: TestClient, photo: bytes
) -> None:
    heic = b"\0\0\0\x18ftypheic\0\0\0\0" + bytes(64)
    cases = [
        (b"this is not a photo", 415, "no_photo"),
        (b"<!DOCTYPE html><p>photo</p>", 415, "no_photo"),
        (heic, 400, "damaged_header"),
        (heic.replace(b"heic", b"avif"), 400, "damaged_header"),
        (heic.replace(b"heic", b"isom"), 415, "no_photo"),
        (b"", 400, "empty"),
        (photo[: len(photo) // 2], 400, "damaged"),
        (photo[:30], 400, "damaged_header"),
        (b"\x89PNG\r\n\x1a\n", 400, "damaged_header"),
        (many_scans(photo), 400, "too_many_scans"),
        (png_of(2001, 2000), 413, "too_many_pixels"),
        (png_of(2**31 - 1, 2**31 - 1), 413, "too_many_pixels"),
        (png_of(40, 40), 400, "damaged"),
    ]
    for data, status, reason in cases:
        found_status, found = ask(client, data)
        assert (found_status, found["reason"]) == (status, reason), data[:20]
        assert found["message"].endswith(".")
        assert ask_as_form(client, ("image", ("photo.jpg", data))) == (status, reason)


def test_form_without_exactly_one_image_is_refused(client: TestClient, photo: bytes) -> None:
    part = ("image", ("a.jpg", photo))
    assert ask_as_form(client, ("file", ("a.jpg", photo))) == (400, "bad_form")
    assert ask_as_form(client, part, part) == (400, "bad_form")
    assert ask_as_form(client, ("note", ("n.txt", b"hello")), part)[0] == 200
    many = [(f"f{number}", ("n.txt", b"")) for number in range(upload.MAX_PARTS)]
    assert ask_as_form(client, *many, part) == (400, "bad_form")


@pytest.mark.parametrize(
    "body", [b"", b"x", b"--b\r\n\r\n", b"--b--", b"--b\r\nContent-Disposition: form-data\r\n\r\nx"]
)
@pytest.mark.parametrize("boundary", ["; boundary=b", "", "; boundary=", f"; boundary={'b' * 999}"])
def test_malformed_form_is_refused(client: TestClient, body: bytes, boundary: str) -> None:
    headers = {"Content-Type": f"multipart/form-data{boundary}"}
    response = client.post(PREDICT, content=body, headers=headers)
    assert (response.status_code, response.json()["reason"]) == (400, "bad_form")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "text/plain"},
        {"Content-Type": ""},
        {"Content-Type": "image/jpeg", "Content-Encoding": "gzip"},
    ],
)
def test_other_content_types_are_refused_with_those_that_are_taken(
    client: TestClient, photo: bytes, headers: dict[str, str]
) -> None:
    response = client.post(PREDICT, content=photo, headers=headers)
    assert (response.status_code, response.json()["reason"]) == (415, "unsupported_type")
    assert "application/octet-stream" in response.json()["message"]


def test_file_that_is_too_large_is_refused(client: TestClient, photo: bytes) -> None:
    large = photo + bytes(1024**2 + 1 - len(photo))
    assert ask(client, large)[1]["reason"] == "too_large"
    assert ask(client, large + bytes(10**6))[0] == 413
    assert ask_as_form(client, ("image", ("a.jpg", large))) == (413, "too_large")
    lying = {**JPEG, "Content-Length": "9" * 400}
    assert client.post(PREDICT, content=photo, headers=lying).status_code == 413


def test_body_without_a_length_is_refused_when_it_passes_the_limit(client: TestClient) -> None:
    chunks = (bytes(100_000) for _ in range(20))
    response = client.post(PREDICT, content=chunks, headers=JPEG)
    assert response.request.headers["transfer-encoding"] == "chunked"
    assert (response.status_code, response.json()["reason"]) == (413, "too_large")


@pytest.mark.parametrize(
    "query", ["top_k=0", "top_k=x", "similar=-1", "similar=13", "activation=2"]
)
def test_wrong_parameters_are_named(client: TestClient, photo: bytes, query: str) -> None:
    status, found = ask(client, photo, query)
    assert (status, found["reason"]) == (422, "bad_parameter")
    assert re.match(query.partition("=")[0], found["message"])
