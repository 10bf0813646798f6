"""What every answer passes on its way out: security headers, and one line in the log."""

import asyncio
import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from components.common.base.step import log

ENDING = 503
MAX_PATH = 80  # characters of a stranger's path in the log
# There is no Access-Control-Allow-Origin: pages of other sites cannot read what is answered. They
# can make a visitor's browser send a photo here; as nothing is kept and nobody is logged in, that
# changes nothing.
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


class Front:
    """The outermost layer of the service.

    Args:
        app: the service.
        access_log: whether to log requests: method, path, status and duration, nothing else.
    """

    def __init__(self, app: ASGIApp, *, access_log: bool = True) -> None:
        self._app = app
        self._access_log = access_log

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
            await self._app(scope, receive, send_with_headers)
        except asyncio.CancelledError:
            # The process ends, and this request took longer than it may: no fault, no traceback.
            if not status:
                again = [(b"retry-after", b"2")]
                await send_with_headers(
                    {"type": "http.response.start", "status": ENDING, "headers": again}
                )
                await send_with_headers({"type": "http.response.body"})
        finally:
            if self._access_log:
                duration_ms = 1000 * (time.perf_counter() - started)
                path = printable(scope["path"])
                log.info(f"{scope['method']} {path} {status or '-'} {duration_ms:.0f} ms")


def printable(path: str) -> str:
    """A path as one short line: what could forge a line of the log is escaped."""
    text = path.encode("unicode_escape").decode("ascii")
    return text if len(text) <= MAX_PATH else f"{text[:MAX_PATH]}…"
