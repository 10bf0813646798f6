"""Taking a photo from a request: within the limits, in memory only, and told from other files."""

import asyncio
from functools import partial

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser, parse_options_header
from starlette.requests import Request

from components.common.photos import file_types, images
from components.common.photos.images import BadPhoto
from programs.serve.options import Limits

FIELD = "image"
MULTIPART = "multipart/form-data"
MAX_PARTS = 16
# Boundaries, part headers and small other fields of a form, beside the photo itself.
FORM_BYTES = 64 * 1024

KINDS = file_types.NAMES


class Refused(Exception):
    """The request is not answered with a prediction.

    Attributes:
        status: HTTP status.
        reason: one word for programs.
        message: for people.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message


async def read_body(request: Request, limits: Limits) -> bytes:
    """The body of a request.

    Raises:
        Refused: it is too large, came too slowly, or is of no type that can be a photo.
        ClientDisconnect: the client went away.
    """
    check_type(request.headers.get("content-type", ""), request.headers.get("content-encoding", ""))
    largest = limits.upload_bytes + FORM_BYTES
    declared = request.headers.get("content-length", "")
    # Digits beyond any real length are not worth making a number of.
    if declared.isdigit() and (len(declared) > 18 or int(declared) > largest):
        raise too_large(limits)
    body = bytearray()
    try:
        async with asyncio.timeout(limits.upload_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > largest:
                    raise too_large(limits)
    except TimeoutError:
        raise Refused(
            408, "too_slow", f"The photo did not arrive within {limits.upload_s:.0f} seconds."
        ) from None
    return bytes(body)


def check_type(content_type: str, encoding: str) -> None:
    """Whether a body of this type can hold a photo.

    Raises:
        Refused: it cannot.
    """
    kind = content_type.partition(";")[0].strip().lower()
    known = kind in (MULTIPART, "application/octet-stream") or kind.startswith("image/")
    if not known or encoding.strip().lower() not in ("", "identity"):
        raise Refused(
            415,
            "unsupported_type",
            f"Send the photo as {MULTIPART} with the field {FIELD}, or as the body with the "
            "Content-Type image/jpeg, another image type or application/octet-stream, without "
            "Content-Encoding.",
        )


def too_large(limits: Limits) -> Refused:
    """The answer to a body that is too large."""
    return Refused(
        413,
        "too_large",
        f"The file is too large: at most {limits.upload_bytes / 1024**2:.3g} MB are taken.",
    )


def sent_photo(body: bytes, content_type: str, limits: Limits) -> bytes:
    """The photo of a request, as it was sent.

    Args:
        body: of the request.
        content_type: of the request, one that passed `check_type`.
        limits: for its size.

    Raises:
        Refused: there is none, or it is too large.
    """
    form = content_type.partition(";")[0].strip().lower() == MULTIPART
    data = form_field(body, content_type) if form else body
    if len(data) > limits.upload_bytes:
        raise too_large(limits)
    if not data:
        raise Refused(400, "empty", "The file is empty.")
    return data


def ready(data: bytes, limits: Limits) -> bytes:
    """A photo, checked as far as its header goes, and made ready for the model.

    Args:
        data: as it was sent.
        limits: for its pixels.

    Returns:
        An encoded photo that `images.decode` takes.

    Raises:
        Refused: it is no photo, or has too many pixels.
    """
    if data[4:8] == b"ftyp" and not file_types.sniff(data):
        raise Refused(415, "no_photo", f"This looks like a video. Send a photo as {KINDS}.")
    try:
        width, height = images.probe(data)
        if width * height > limits.pixels:
            raise Refused(
                413,
                "too_many_pixels",
                f"The photo has {width} x {height} pixels: at most {limits.pixels // 10**6} "
                "million are taken. Send a smaller copy.",
            )
        if file_types.sniff(data) == "jpeg":
            images.check_scans(data)
        return images.enlarged(data) if min(width, height) < images.MIN_SIDE else upright(data)
    except BadPhoto as bad:
        raise refused_photo(bad) from bad


def upright(data: bytes) -> bytes:
    """The photo as `images.decode` would convert it each time: once is enough."""
    return data if images.is_scalable(data) else images.to_clean_jpeg(data).data


def refused_photo(bad: BadPhoto) -> Refused:
    """The answer to a file that could not be decoded."""
    if bad.reason in ("unknown_type", "html"):
        return Refused(415, "no_photo", f"This is not a photo. Send one as {KINDS}.")
    if bad.reason == "too_many_pixels":
        return Refused(413, bad.reason, "The photo has too many pixels. Send a smaller copy.")
    return Refused(
        400,
        bad.reason,
        "The photo is damaged and cannot be read. Perhaps it was cut off on its way: try the "
        "original, or another photo.",
    )


def form_field(body: bytes, content_type: str) -> bytes:
    """The field `image` of a form, parsed in memory: nothing is written to disk.

    Raises:
        Refused: the form is malformed, or the field is missing or there twice.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    parts: list[Field | File] = []
    ends: list[bool] = []

    def keep(part: Field | File) -> None:
        parts.append(part)
        if len(parts) > MAX_PARTS:
            raise FormParserError("too many parts")

    in_memory = {"MAX_MEMORY_FILE_SIZE": len(body)}
    try:
        if not boundary:
            raise FormParserError("no boundary")
        ended = partial(ends.append, True)
        parser = FormParser(MULTIPART, keep, keep, ended, boundary, config=in_memory)
        parser.write(body)
        parser.finalize()
    except (FormParserError, ValueError) as error:
        raise Refused(400, "bad_form", "The form is malformed.") from error
    found = [part for part in parts if part.field_name == FIELD.encode()]
    if len(found) != 1 or not ends:
        raise Refused(
            400, "bad_form", f"The form must have one field {FIELD}, with the photo, and its end."
        )
    (photo,) = found
    if isinstance(photo, Field):
        return photo.value or b""
    photo.file_object.seek(0)
    return photo.file_object.read()
