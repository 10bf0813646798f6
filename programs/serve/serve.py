"""The web page and service: which mushroom is on this photo? On one's own machine, or any other."""

import logging
import socket
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import uvicorn

from components.common.base.files import default_cache_dir
from components.common.base.step import log
from components.common.base.wording import counted
from components.common.model.description import read_description
from components.common.model.layout import REFERENCES
from components.common.model.learned import Learned
from components.common.model.model import Model
from components.common.model.model_place import (
    METRICS,
    latest_version,
    local_version,
    version_of,
)
from components.common.model.references import References
from programs.serve import figures, prometheus
from programs.serve.app import Service, make_switch
from programs.serve.connection import configured, listen
from programs.serve.corrections import Corrections
from programs.serve.counters import Counters
from programs.serve.follow import Follower
from programs.serve.front import Front
from programs.serve.options import Limits, ServeOptions
from programs.serve.pool import Pool
from programs.serve.switch import Switch

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
    version = latest_version(place)
    corrections = _corrections(options)
    counters = Counters() if options.prometheus_port else None

    def make(directory: Path, metrics: Path | None = None) -> Service:
        service = make_service(directory, workers=options.workers, limits=limits, metrics=metrics)
        service.corrections, service.counters = corrections, counters
        return service

    first = make(local_version(place, version, cache), metrics)
    first.version = version or first.version
    with prometheus.serving(counters, options), listen(options.host, options.port) as listener:
        switch = make_switch(
            first,
            hosts=options.allowed_hosts,
            on_start=lambda: _announce(listener, options),
        )
        del first  # its photos need not stay when another takes its place
        follower = Follower(place, cache, switch, make) if version else None
        app = Front(
            switch,
            hosts=options.allowed_hosts,
            access_log=options.access_log,
            counters=counters,
        )
        config = configured(
            app,
            head_s=min(HEAD_S, limits.upload_s),
            request_s=limits.upload_s + limits.answer_s + ANSWER_TAKEN_S,
            most=MAX_CONNECTIONS,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=SHUTDOWN_S,
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        )
        server = uvicorn.Server(config)
        arguments = (switch, server, follower, options.reload_every_s)
        threading.Thread(target=_watch, args=arguments, daemon=True).start()
        server.run(sockets=[listener])
    failure = switch.service.pool.failure
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
    service = Service(description, pool, limits, measured=measured, version=version_of(description))
    return service


def _corrections(options: ServeOptions) -> Corrections | None:
    if not options.corrections:
        return None
    return Corrections(
        Path(options.corrections).expanduser(),
        most=options.corrections_most,
        days=options.corrections_days,
    )


def _announce(listener: socket.socket, options: ServeOptions) -> None:
    log.info(f"serving at {_address(*listener.getsockname()[:2])}/ (Ctrl-C ends it)")
    if options.prometheus_port:
        there = _address(options.prometheus_host, options.prometheus_port)
        log.info(f"counts for Prometheus: {there}{prometheus.PLACE}")
    if options.corrections:
        folder = Path(options.corrections).expanduser()
        log.info(f"photos that visitors label and agree to leave: {folder}")


def _address(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _watch(
    switch: Switch[Service], server: uvicorn.Server, follower: Follower | None, every_s: float
) -> None:
    """Say when the model is loaded, and follow later ones; end the server where it cannot be."""
    if not _is_loaded(switch.service):
        server.should_exit = True
    elif follower is not None and every_s:
        log.info(f"looking for a newer version every {every_s:g} s")
        follower.follow(every_s)


def _is_loaded(service: Service) -> bool:
    """Wait until the model is loaded; False where it cannot be."""
    started = time.monotonic()
    if service.counters is not None:  # now: answers may come before this thread looks again
        service.counters.set_model(service.description, service.version, datetime.now(UTC))
    while not service.pool.ready:
        if service.pool.failure is not None:
            return False
        time.sleep(POLL_S)
    classes = counted(len(service.description.classes), "class", "classes")
    log.info(f"ready: a model of {classes}, loaded in {time.monotonic() - started:.1f} s")
    service.since = datetime.now(UTC)
    if service.counters is not None:
        service.counters.set_model(service.description, service.version, service.since)
    return True
