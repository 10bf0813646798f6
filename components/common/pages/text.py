"""Words and figures as pages show them, and which addresses they may link to."""

import base64
from urllib.parse import urlsplit

from components.common.base.shares import Share

WARNING = (
    "Never eat a mushroom because of what this program says. A mistake can kill, photographs "
    "cannot show every mark that matters, and the program knows only the classes it was trained "
    "on. Ask a mushroom expert who holds the mushroom in hand."
)
RENDERED = (
    "This model was trained on rendered pictures, not photographs: these figures say nothing about "
    "real mushrooms."
)
ROUNDING = 1e-6  # by which a float32 probability may pass 1
MAX_TEXT = 160  # characters of a stranger's text that are shown
MAX_URL = 2000  # characters; longer addresses are not linked


def percent(value: float) -> str:
    """A share of 1 as text: "87 %"; never 0 or 100 unless it is exactly that.

    Raises:
        ValueError: it is not between 0 and 1.
    """
    if not -ROUNDING <= value <= 1 + ROUNDING:
        raise ValueError(f"a share must be between 0 and 1, not {value}")
    whole = round(100 * value)
    if whole == 0 and value > 1e-9:
        return "under 1 %"
    if whole == 100 and value < 1 - 1e-9:
        return "over 99 %"
    return f"{whole} %"


def between(share: Share) -> str:
    """The interval of a share: "68 % to 89 %"."""
    return f"{percent(share.low)} to {percent(share.high)}"


def shortened(text: str) -> str:
    """The text, cut at `MAX_TEXT` characters."""
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"


def data_uri(jpeg: bytes) -> str:
    """A JPEG as an address that holds it."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"


def host(url: str) -> str:
    """The site that a stranger's address leads to, empty where a link to it would not be safe.

    Safe is an http or https address that is not too long and has nothing in it that hides what it
    is.
    """
    try:
        parts = urlsplit(url)
        name = parts.hostname or ""
    except ValueError:
        return ""
    plain = len(url) <= MAX_URL and url.isprintable() and " " not in url
    return name if plain and parts.scheme in ("http", "https") else ""
