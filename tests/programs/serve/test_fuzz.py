"""Whatever is sent, the service answers as its description says, and never with a 500."""

import random
from collections import Counter
from typing import Any

import heif_files  # noqa: F401 - saves HEIC
import pytest
import schemathesis
from faults.faults import cases, thorough
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks
from serve_items import JPEG, PREDICT, encoded
from starlette.testclient import TestClient

from components.common.photos import images
from programs.serve.app import Service, make_app

EXAMPLES = cases(60, 2000)
MUTANTS = cases(300, 20_000)
BEGINNINGS = (*(b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"II*\0", b"BM", b"\0\0\0\x18ftypheic"),)
SEED = 6
USUAL = {200, 400, 413, 415}
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_made_up_requests_are_answered_as_described(service: Service, mode: GenerationMode) -> None:
    app = make_app(service, hosts=["*"], access_log=False)
    description = schemathesis.openapi.from_asgi("/openapi.json", app)
    asked: set[tuple[str, str]] = set()
    statuses: Counter[int] = Counter()
    for found in description.get_all_operations():
        operation = found.ok()
        asked.add((operation.method.upper(), operation.path))
        if mode is GenerationMode.NEGATIVE and operation.path != PREDICT:
            continue  # without parameters or a body, there is nothing to get wrong

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=not thorough(),
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            response = case.call_and_validate(checks=CHECKS)
            statuses[response.status_code] += 1

        ask()
    assert ("POST", PREDICT) in asked
    assert statuses.total() > EXAMPLES / 2


def mutant(data: bytes, draw: random.Random) -> bytes:
    """The file, damaged in one of the ways that files are."""
    kind = draw.randrange(6)
    place = draw.randrange(len(data))
    changed = bytearray(data)
    if kind == 0:
        for _ in range(draw.choice((1, 10, 100))):
            changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    elif kind == 1:
        del changed[place:]
    elif kind == 2:
        changed[place : place + 512] = bytes(512)
    elif kind == 3:
        for spot in range(4):  # the header, where sizes and lengths are
            changed[draw.randrange(min(len(data), 200))] = draw.choice((0, 1, 127, 128, 255, spot))
    elif kind == 4:
        del changed[place : place + draw.randrange(1, 300)]
    else:
        changed[:0] = draw.choice(BEGINNINGS)
    return bytes(changed)


def test_damaged_photos_of_every_kind_never_cause_an_error(
    client: TestClient, photos: list[bytes]
) -> None:
    draw = random.Random(SEED)
    small = [
        images.Image.fromarray(images.decode(photo, 100)).resize((180, 140)) for photo in photos
    ]
    kinds = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF")
    files = [*photos, *(encoded(picture, kind) for picture in small[:2] for kind in kinds)]
    statuses: Counter[int] = Counter()
    for _ in range(MUTANTS):
        data = mutant(draw.choice(files), draw)
        if draw.random() < 0.5:
            response = client.post(f"{PREDICT}?activation=true", content=data, headers=JPEG)
        else:
            response = client.post(f"{PREDICT}?similar=1", files={"image": ("a", data)})
        statuses[response.status_code] += 1
        assert response.status_code in USUAL, response.text
    # Some are still photos, and most are not.
    assert statuses[200] > 20
    assert statuses[400] > 100


def test_damaged_forms_never_cause_an_error(client: TestClient, photo: bytes) -> None:
    draw = random.Random(SEED)
    start = b'--bound\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'
    form = start + photo[:3000] + b"\r\n--bound--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=bound"}
    for _ in range(MUTANTS):
        body = bytearray(form)
        for _ in range(draw.choice((1, 3))):
            body[draw.choice((draw.randrange(len(start)), -draw.randrange(1, 16)))] = (
                draw.randrange(256)
            )
        response = client.post(PREDICT, content=bytes(body), headers=headers)
        assert response.status_code == 400, response.text
