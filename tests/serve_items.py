"""What the tests of the service share."""

import io
import time

from PIL import Image

from programs.serve.app import Service

JPEG = {"Content-Type": "image/jpeg"}
PREDICT = "/v1/predict"
HERE = "http://localhost"


def wait_until_ready(service: Service) -> None:
    service.pool.start()
    until = time.monotonic() + 60
    while not service.pool.ready:
        assert service.pool.failure is None
        assert time.monotonic() < until
        time.sleep(0.02)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """A picture as a file of some kind."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
