"""What every request passes on its way in and out: whom it was meant for, headers, the log.

A name that leads a browser to this machine may be a stranger's, whose page could then read what is
answered (DNS rebinding). So requests are answered under names that are known: localhost, addresses
as numbers, for which no name was looked up, and those that the option names.
"""

import asyncio
import ipaddress
import json
import re
import time
from collections.abc import Collection

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from components.common.base.step import log
from programs.serve.counters import Counters

ENDING = 503
MAX_PATH = 80  # characters of a stranger's path in the log
# There is no Access-Control-Allow-Origin: pages of other sites cannot read what is answered. They
# can make a visitor's browser send a photo here; as nobody is logged in, that changes nothing.
# Where labelled photos are kept, only the service's own page may send them (origin.py).
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


# Kubernetes asks by the pod's address, and load balancers by whatever they like.
ANY_HOST_PATHS = ("/healthz", "/readyz")
MISDIRECTED = 421
_NAME = re.compile(rb"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(:\d{1,5})?")
_REFUSAL = {
    "reason": "unknown_host",
    "message": "This service does not answer to the name in the address. Start it with "
    "--allowed_hosts to allow names other than localhost.",
}


class Front:
    """The outermost layer of the service.

    Args:
        app: the service.
        hosts: names that it goes by beside localhost and addresses; "*" stands for any.
        access_log: whether to log requests: method, path, status and duration, nothing else.
        counters: what Prometheus is told of requests; None where it is told nothing.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Collection[str] = (),
        access_log: bool = True,
        counters: Counters | None = None,
    ) -> None:
        self._app = app
        self._hosts = frozenset(host.lower().rstrip(".") for host in hosts)
        self._access_log = access_log
        self._counters = counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            if scope["path"] in ANY_HOST_PATHS or self._is_meant(scope):
                await self._app(scope, receive, send_with_headers)
            else:
                await _refuse(send_with_headers)
        except asyncio.CancelledError:
            # The process ends, and this request took longer than it may: no fault, no traceback.
            if not status:
                again = [(b"retry-after", b"2")]
                await send_with_headers(
                    {"type": "http.response.start", "status": ENDING, "headers": again}
                )
                await send_with_headers({"type": "http.response.body"})
        finally:
            duration_ms = 1000 * (time.perf_counter() - started)
            if self._counters is not None:
                self._counters.count_request(scope["path"], status, duration_ms / 1000)
            if self._access_log:
                path = printable(scope["path"])
                log.info(f"{scope['method']} {path} {status or '-'} {duration_ms:.0f} ms")

    def _is_meant(self, scope: Scope) -> bool:
        """Whether a request names this service, or nobody: browsers always name somebody."""
        if "*" in self._hosts:
            return True
        named = [value for name, value in scope["headers"] if name == b"host"]
        return all(self._is_known(value) for value in named)

    def _is_known(self, host: bytes) -> bool:
        parts = _NAME.fullmatch(host)
        if not parts:
            return False
        name = parts[1].decode("latin-1").strip("[]").lower().rstrip(".")
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name == "localhost" or name.endswith(".localhost") or name in self._hosts
        return True


async def _refuse(send: Send) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": MISDIRECTED, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(_REFUSAL).encode()})


def printable(path: str) -> str:
    """A path as one short line: what could forge a line of the log is escaped."""
    text = path.encode("unicode_escape").decode("ascii")
    return text if len(text) <= MAX_PATH else f"{text[:MAX_PATH]}…"
