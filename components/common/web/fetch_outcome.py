"""What can come of an HTTP request other than the file: final failures, and those worth a retry."""

from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from components.common.untrusted.redact import text_without_secrets, without_secrets

AGENT = "wild-mushrooms"
# Directives of X-Robots-Tag that forbid what we do (DeviantArt, Spawning.ai; img2dataset too).
FORBIDDING = frozenset({"noai", "noimageai"})


class FetchError(Exception):
    """One URL could not be had.

    Attributes:
        reason: in a few words, the same for all URLs that failed so: "http 404", "timeout".
        url: what was asked for, without a password or signature.
        host: of the request that failed, which a redirect may have led to.
    """

    def __init__(self, reason: str, url: str, detail: str = "") -> None:
        self.reason = reason
        self.url = without_secrets(url)
        self.host = host_of(url)
        self.detail = text_without_secrets(detail)
        super().__init__(f"{self.url}: {reason}" + (f" ({self.detail})" if detail else ""))


class HostUnreachable(FetchError):
    """No connection to the host was possible, not even at the first request."""


class Retry(Exception):
    """The attempt failed in a way that another may not.

    Attributes:
        reason: as in FetchError.
        wait_s: that the host asks for.
        connected: False where there was not even a connection.
    """

    def __init__(self, reason: str, *, wait_s: float = 0.0, connected: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait_s = wait_s
        self.connected = connected


def host_of(url: str) -> str:
    """The host of a URL in lower case, empty where it has none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def check_url(place: str, url: str) -> None:
    """Raise `FetchError` unless `place` is an address of the web."""
    try:
        parts = urlsplit(place)
        _ = parts.port
    except ValueError as error:
        raise FetchError("no web address", url, str(error)) from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise FetchError("no web address", url, "expected http:// or https://")
    if parts.username or parts.password:
        raise FetchError("password in the address", url)


def joined(place: str, target: str, url: str) -> str:
    """Where a redirect from `place` leads.

    Raises:
        FetchError: nowhere.
    """
    try:
        return urljoin(place, target)
    except ValueError as error:
        raise FetchError("no web address", url, f"redirected to {target!r:.200}") from error


def explained(error: HTTPError, url: str) -> FetchError | Retry:
    """What a request without an answer means: final, or worth another attempt."""
    if isinstance(error, SSLError):
        return FetchError("tls", url, str(error))
    if isinstance(error, NameResolutionError):
        return Retry(f"the name {error._host} is not known", connected=False)
    if isinstance(error, ConnectTimeoutError):
        return Retry("no answer to the connection", connected=False)
    if isinstance(error, NewConnectionError):
        return Retry(f"no connection: {error._message}", connected=False)
    if isinstance(error, ProxyError):
        return Retry("the proxy that the environment names does not answer", connected=False)
    if isinstance(error, ReadTimeoutError):
        return Retry("timeout")
    if isinstance(error, LocationParseError):
        return FetchError("no web address", url, str(error))
    return Retry("broken connection")


def retry_after_s(response: urllib3.BaseHTTPResponse) -> float:
    """The rest that the host asks for, in seconds; 0 where it names none."""
    text = response.headers.get("Retry-After", "")
    try:
        return max(0.0, urllib3.Retry().parse_retry_after(text)) if text else 0.0
    except HTTPError:  # neither seconds nor a date
        return 0.0


def is_forbidden(response: urllib3.BaseHTTPResponse) -> bool:
    """True where an X-Robots-Tag for everyone, or for us by name, says noai or noimageai."""
    for line in response.headers.getlist("X-Robots-Tag"):
        agent, colon, directives = line.partition(":")
        if not colon or "," in agent:
            agent, directives = "", line
        named = {directive.strip().lower() for directive in directives.split(",")}
        if agent.strip().lower() in ("", AGENT) and named & FORBIDDING:
            return True
    return False
