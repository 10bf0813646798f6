"""The web page and service: which mushroom is on this photo? On one's own machine, or any other."""

import errno
import logging
import socket
import threading
import time
from pathlib import Path

import numpy as np
import uvicorn

from components.common.base.errors import InputError
from components.common.base.files import default_cache_dir
from components.common.base.step import log
from components.common.base.wording import counted
from components.common.model.description import read_description
from components.common.model.layout import REFERENCES
from components.common.model.learned import Learned
from components.common.model.model import Model
from components.common.model.model_place import METRICS, local_model
from components.common.model.references import References
from programs.serve import figures
from programs.serve.app import Service, make_app
from programs.serve.connection import watched
from programs.serve.corrections import Corrections
from programs.serve.options import Limits, ServeOptions
from programs.serve.pool import Pool

# Kubernetes waits 30 s after SIGTERM, Docker 10: requests in progress get half of that.
SHUTDOWN_S = 5
KEEP_ALIVE_S = 10
# A kept connection may rest first, and then send its head.
HEAD_S = 2.0 * KEEP_ALIVE_S
ANSWER_TAKEN_S = 60.0
MAX_CONNECTIONS = 256
MAX_HEADER_BYTES = 16 * 1024
POLL_S = 0.1


def serve(place: str, options: ServeOptions, *, metrics: Path | None = None) -> None:
    """Serve until the process is told to end.

    Args:
        place: of the model: a folder, gs:// or s3://, or the root of published versions.
        options: where to listen, and what a request may cost.
        metrics: figures of the model for the page; by default those beside the model, if any.

    Raises:
        InputError: no model, or the port is taken.
        WorkError: the store cannot be reached.
    """
    limits = options.limits
    # What Pillow says of strangers' files would fill the log; the answer says what was wrong.
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    cache = Path(options.cache_dir).expanduser() if options.cache_dir else default_cache_dir()
    directory = local_model(place, cache)
    service = make_service(directory, workers=options.workers, limits=limits, metrics=metrics)
    if options.corrections:
        service.corrections = Corrections(
            Path(options.corrections).expanduser(),
            most=options.corrections_most,
            days=options.corrections_days,
        )
    with listen(options.host, options.port) as listener:
        app = make_app(
            service,
            hosts=options.allowed_hosts,
            access_log=options.access_log,
            on_start=lambda: _announce(listener, service),
        )
        config = uvicorn.Config(
            app,
            http=watched(
                head_s=min(HEAD_S, limits.upload_s),
                request_s=limits.upload_s + limits.answer_s + ANSWER_TAKEN_S,
            ),
            ws="none",
            log_config=None,
            log_level=logging.WARNING,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=SHUTDOWN_S,
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        )
        server = uvicorn.Server(config)
        threading.Thread(target=_watch, args=(service, server), daemon=True).start()
        server.run(sockets=[listener])
    failure = service.pool.failure
    if failure is not None:
        raise failure


def make_service(
    directory: Path, *, workers: int, limits: Limits, metrics: Path | None = None
) -> Service:
    """The service for a model; the model itself is loaded when the service starts.

    Raises:
        InputError: it is no model directory, or the metrics are not of this model.
    """
    description = read_description(directory)
    beside = directory / METRICS
    place = metrics or (beside if beside.exists() else None)
    measured = figures.read(place, description.head_sha256) if place else None

    def load() -> Model:
        model = Model(directory, threads=1)
        if service.references is None and (directory / REFERENCES).exists():
            service.references = References(description.check_file(directory, REFERENCES))
        if service.learned is None:
            service.learned = Learned(directory, description)
        # The first prediction costs more than those that follow, and reads the last file.
        side = description.input_size
        model.judge(model(np.zeros((1, side, side, 3), np.float32)))
        return model

    pool = Pool(load, workers=workers, waiting=limits.waiting)
    service = Service(description, pool, limits, measured=measured)
    return service


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        InputError: the port is taken or not ours to take, or there is no such address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        if (error.errno or 0) < 0:  # of getaddrinfo
            raise InputError(f"--host {host} cannot be looked up: {error.strerror}") from error
        why = {
            errno.EADDRINUSE: "another program uses that port; choose another with --port",
            errno.EACCES: "ports below 1024 need rights that you do not have; choose a higher one",
            errno.EADDRNOTAVAIL: "it is not an address of this machine; choose another with --host",
        }.get(error.errno or 0, str(error))
        raise InputError(f"cannot listen on {host}, port {port}: {why}") from error


def _announce(listener: socket.socket, service: Service) -> None:
    host, port = listener.getsockname()[:2]
    name = f"[{host}]" if ":" in host else host
    log.info(f"serving at http://{name}:{port}/ (Ctrl-C ends it)")
    if service.corrections is not None:
        log.info(f"photos that visitors label and agree to leave: {service.corrections.folder}")


def _watch(service: Service, server: uvicorn.Server) -> None:
    """Say when the model is loaded; end the server where it cannot be."""
    started = time.monotonic()
    while not service.pool.ready:
        if service.pool.failure is not None:
            server.should_exit = True
            return
        time.sleep(POLL_S)
    classes = counted(len(service.description.classes), "class", "classes")
    log.info(f"ready: a model of {classes}, loaded in {time.monotonic() - started:.1f} s")
