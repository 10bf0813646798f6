"""A small HTTP server on 127.0.0.1 for the review page of one run.

Whoever sits at another machine cannot reach it. What another program or a page of another site on
this machine might try:

- A request without the secret in its path gets nothing (other users, pages that guess a port).
- A name that a stranger lets lead to this machine is not answered (DNS rebinding): the Host must be
  localhost or an address as a number.
- What is decided is read and written only for a page of this very origin, by `Sec-Fetch-Site`, by
  `Origin`, and as JSON, which another site's form cannot send (CSRF).
- Only the pages that `Site` holds are there; a path is looked up, and never a file.
- Lines, headers and bodies are bounded, as are connections and the time that they may rest.
"""

import hmac
import ipaddress
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from typing import Any

from components.common.base.errors import InputError, WorkError
from components.common.base.wording import harmless
from components.common.dataset import decisions
from programs.review.store import Changed, Store

ADDRESS = "127.0.0.1"
DECISIONS = "decisions"
REST_S = 15.0  # for a connection to send the next bytes
MAX_CONNECTIONS = 32
MAX_PATH = 200  # characters
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
NOTHING = "default-src 'none'; frame-ancestors 'none'"  # the policy of what is no page
TEXT, JSON, HTML = (
    f"{kind}; charset=utf-8" for kind in ("text/plain", "application/json", "text/html")
)
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(:\d{1,5})?")


@dataclass(frozen=True)
class Page:
    """A page, and the Content-Security-Policy that is sent with it."""

    content: bytes
    policy: str


@dataclass(frozen=True)
class Site:
    """What is served.

    Attributes:
        token: the secret first part of every path.
        pages: by the rest of the path.
        store: of the decisions.
    """

    token: str
    pages: Mapping[str, Page]
    store: Store


class Refused(Exception):
    """A request that is not answered as it wants; the message is for a person."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class Server(ThreadingHTTPServer):
    """Listens on 127.0.0.1; a thread for each of at most `MAX_CONNECTIONS`.

    Args:
        site: what to serve.
        port: to listen at; 0 for any.
    """

    daemon_threads = True

    def __init__(self, site: Site, port: int) -> None:
        self.site = site
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__((ADDRESS, port), Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection in a thread, or close it where there are too many."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer it, and make room for the next one."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """A client that went away is no error of anybody's."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "review", ""
    timeout = REST_S
    error_message_format = "%(code)d %(message)s\n"  # of what is no HTTP at all
    error_content_type = TEXT

    def do_GET(self) -> None:
        """A page, or the decisions made so far."""
        self._answer(self._get)

    def do_PUT(self) -> None:
        """New decisions."""
        self._answer(self._put)

    def log_message(self, *_: Any) -> None:
        """Nothing: addresses hold the secret."""

    def _answer(self, work: Any) -> None:
        try:
            self._check_host()
            work(self._name())
        except Refused as refused:
            self.close_connection = True  # a body may still be on its way
            self._send(refused.status, harmless(f"{refused}\n").encode(), TEXT)

    def _get(self, name: str) -> None:
        if name != DECISIONS:
            page = self.server.site.pages.get(name)
            if page is None:
                raise Refused(HTTPStatus.NOT_FOUND, "There is no such page here.")
            self._send(HTTPStatus.OK, page.content, HTML, policy=page.policy)
            return
        self._check_origin()
        try:
            data, revision = self.server.site.store.read()
        except (InputError, OSError) as error:
            raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR, str(error)) from error
        self._send(HTTPStatus.OK, data or b"null", JSON, etag=revision)

    def _put(self, name: str) -> None:
        if name != DECISIONS:
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "Only decisions can be stored.")
        self._check_origin()
        if self.headers.get_content_type() != "application/json":
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Decisions are sent as JSON.")
        revision = self.headers.get("If-Match")
        if revision is None:
            raise Refused(HTTPStatus.PRECONDITION_REQUIRED, "If-Match is missing.")
        try:
            revision = self.server.site.store.write(self._body(), revision)
        except Changed:
            raise Refused(
                HTTPStatus.PRECONDITION_FAILED,
                "another window has saved decisions since: reload this page",
            ) from None
        except InputError as error:
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
        except (WorkError, OSError) as error:
            raise Refused(HTTPStatus.INSUFFICIENT_STORAGE, str(error)) from error
        self._send(HTTPStatus.NO_CONTENT, b"", "", etag=revision)

    def _name(self) -> str:
        """What is asked for: the path behind the secret."""
        _, token, *rest = self.path[: MAX_PATH + 1].split("/")[:4] if "/" in self.path else ("", "")
        known = hmac.compare_digest(token.encode(), self.server.site.token.encode())
        if not known or len(rest) != 1 or len(self.path) > MAX_PATH:
            raise Refused(
                HTTPStatus.NOT_FOUND, "There is nothing here: open the address that was printed."
            )
        return rest[0]

    def _check_host(self) -> None:
        """See to it that the request names this machine, and once."""
        named = self.headers.get_all("Host", [])
        parts = _HOST.fullmatch(named[0]) if len(named) == 1 else None
        name = parts[1].strip("[]").lower().rstrip(".") if parts else ""
        if name != "localhost":
            try:
                if not ipaddress.ip_address(name).is_loopback:
                    raise ValueError
            except ValueError:
                message = "This machine does not go by that name: open the address as printed."
                raise Refused(HTTPStatus.MISDIRECTED_REQUEST, message) from None

    def _check_origin(self) -> None:
        """See to it that a page of this server asks, where a browser says who does."""
        sites = self.headers.get_all("Sec-Fetch-Site", [])
        origins = self.headers.get_all("Origin", [])
        own = f"http://{self.headers['Host']}".lower()
        if any(site != "same-origin" for site in sites) or any(
            origin.lower() != own for origin in origins
        ):
            raise Refused(HTTPStatus.FORBIDDEN, "Another site cannot see or change decisions.")
        if self.command == "PUT" and not origins:
            raise Refused(HTTPStatus.FORBIDDEN, "Origin is missing: browsers send it.")

    def _body(self) -> bytes:
        """What was sent, all of it."""
        lengths = self.headers.get_all("Content-Length", [])
        if "Transfer-Encoding" in self.headers or len(lengths) != 1:
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "One Content-Length is needed.")
        if not re.fullmatch(r"\d{1,12}", lengths[0], re.ASCII):
            raise Refused(HTTPStatus.BAD_REQUEST, "Content-Length is no number.")
        length = int(lengths[0])
        if length > decisions.MAX_BYTES:
            raise Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"At most {decisions.MAX_BYTES} bytes."
            )
        try:
            data = self.rfile.read(length)
        except TimeoutError:
            raise Refused(HTTPStatus.REQUEST_TIMEOUT, "The decisions did not arrive.") from None
        if len(data) < length:
            raise Refused(HTTPStatus.BAD_REQUEST, "The decisions were cut off.")
        return data

    def _send(
        self,
        status: HTTPStatus,
        content: bytes,
        kind: str,
        *,
        policy: str = NOTHING,
        etag: str = "",
    ) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Security-Policy", policy)
        if etag:
            self.send_header("ETag", etag)
        if kind:
            self.send_header("Content-Type", kind)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)
