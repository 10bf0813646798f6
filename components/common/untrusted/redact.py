"""Addresses without what opens doors: a password, a signature, a token.

What is kept (manifests, pages, caches, logs, the record of a run) goes from hand to hand, so an
address is written there without them. What else it says stays letter by letter: it tells where a
photo is from.
"""

import re
from urllib.parse import quote, unquote_plus

from components.common.base.errors import InputError

# Names of parameters, in lower case without "-" and "_". Signed addresses of S3, Google's store,
# CloudFront and Azure carry Signature, X-Amz-…, X-Goog-…, Policy, Key-Pair-Id or sig.
_PARTS = ("signature", "token", "secret", "password", "passwd", "credential", "apikey", "accesskey")
_STARTS = ("xamz", "xgoog")
_NAMES = frozenset(
    {"sig", "policy", "keypairid", "googleaccessid", "auth", "authorization", "pwd", "jwt", "hmac"}
    | {"session", "sessionid", "pass", "hdnea", "hdnts"}
)
# `key` names an object as often as it is a secret: a long word without a dot or slash is no file.
_LONG_KEY = re.compile(r"[\w-]{20,}")

# Scheme; user and password, also where an unescaped "/" made nonsense of the address; the rest.
_ADDRESS = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*:)?//"
    r"(?P<user>[^/?#]*@|[^/?#\[]*:(?!\d*(?:[/?#]|$)).*@)?"
    r"(?P<place>[^?#]*)(?P<query>\?[^#]*)?(?P<fragment>#.*)?",
    re.IGNORECASE | re.DOTALL,
)
_ADDRESS_IN_TEXT = re.compile(r"[a-z][a-z0-9+.-]*://[^\s\"'<>]+", re.IGNORECASE)


def without_secrets(url: str) -> str:
    """The address without user, password, and parameters that are named like a secret.

    Text that is no address, and addresses without a secret, come back as they are. A secret that is
    a part of the path cannot be told from any other path.

    Example:
        >>> without_secrets("https://me:pass@example.org/1.jpg?size=2&X-Amz-Signature=3f")
        'https://example.org/1.jpg?size=2'
    """
    # What is left of nonsense such as https://@::?@ may be an address with a secret again.
    while (shorter := _without_first_secrets(url)) != url:
        url = shorter
    return url


def text_without_secrets(text: str) -> str:
    """A text, such as a library's message, with each address in it as `without_secrets` gives."""
    return _ADDRESS_IN_TEXT.sub(lambda match: without_secrets(match[0]), text)


def check_no_secret(option: str, value: str) -> None:
    """Raise `InputError`, which does not repeat it, where an option's address has a secret."""
    if without_secrets(value) != value:
        raise InputError(
            f"--{option} has a password, signature or token in its address, and options are kept "
            "with the run and shown in process lists: fetch the file yourself and name it, or use "
            "gs:// or s3:// with credentials in the environment"
        )


def _without_first_secrets(url: str) -> str:
    parts = _ADDRESS.fullmatch(url)
    if not parts:
        return url
    query = _kept(parts["query"] or "")
    fragment = _kept(parts["fragment"] or "")
    return f"{parts['scheme'] or ''}//{parts['place']}{query}{fragment}"


def _kept(part: str) -> str:
    """A query or fragment, with its "?" or "#", without the parameters that are secrets."""
    pieces = re.split(r"([&;])", part[1:])
    kept, changed = "", False
    for piece, separator in zip(pieces[::2], ["", *pieces[1::2]], strict=True):
        name, equals, value = piece.partition("=")
        plain = unquote_plus(value)
        if equals and _is_secret(name, plain):
            changed = True
            continue
        if "://" in plain and without_secrets(plain) != plain:  # an address inside the address
            piece = f"{name}={quote(without_secrets(plain), safe='')}"
            changed = True
        kept += (separator if kept else "") + piece
    if not changed:
        return part
    return f"{part[0]}{kept}" if kept else ""


def _is_secret(name: str, value: str) -> bool:
    plain = unquote_plus(name).strip().lower().replace("-", "").replace("_", "")
    if plain == "key":
        return _LONG_KEY.fullmatch(value) is not None
    return plain in _NAMES or plain.startswith(_STARTS) or any(part in plain for part in _PARTS)
