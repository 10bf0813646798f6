"""`/metrics` for Prometheus, at a port of its own: visitors of the page cannot read the counts."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from programs.serve.connection import configured, listen
from programs.serve.counters import Counters
from programs.serve.front import Front
from programs.serve.options import ServeOptions

PLACE = "/metrics"
HEAD_S, REQUEST_S = 20.0, 30.0
MAX_CONNECTIONS = 16


def make_app(counters: Counters, hosts: tuple[str, ...] = ()) -> ASGIApp:
    """The counts as an ASGI application; what is logged of the page's requests is not logged here.

    Args:
        counters: to show.
        hosts: names that the service goes by, as `Front` takes them.
    """
    from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

    def show(_: Request) -> Response:
        content = generate_latest(counters.registry)
        return Response(content, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return Front(Starlette(routes=[Route(PLACE, show)]), hosts=hosts, access_log=False)


@contextmanager
def serving(counters: Counters | None, options: ServeOptions) -> Iterator[None]:
    """Show the counts while the block lasts; without counters nothing is shown.

    Raises:
        InputError: the port is taken or not ours to take, or there is no such address.
    """
    if counters is None:
        yield
        return
    host, port = options.prometheus_host, options.prometheus_port
    with listen(host, port, "prometheus_") as listener:
        app = make_app(counters, options.allowed_hosts)
        config = configured(
            app, head_s=HEAD_S, request_s=REQUEST_S, most=MAX_CONNECTIONS, lifespan="off"
        )
        # On a thread of its own it takes no signals, and ends with the process.
        server = uvicorn.Server(config)
        threading.Thread(target=server.run, args=([listener],), daemon=True).start()
        yield
        server.should_exit = True
