"""Taking a version that was published while the service runs: loaded beside, then exchanged."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from components.common.base.errors import InputError, WorkError
from components.common.base.step import log
from components.common.base.wording import harmless
from components.common.model.model_place import LATEST, latest_version, local_version
from programs.serve.answer import Newer
from programs.serve.app import Service
from programs.serve.counters import DAMAGED, SWAPPED, UNREACHABLE
from programs.serve.switch import Switch

LOAD_S = 300.0  # for a model that loads at all
POLL_S = 0.1

Problem = Literal["damaged", "unreachable"]


class Follower:
    """Looks at `latest.json` again and again, and has the switch serve what it names.

    A version is tried at every look for as long as it is named and cannot be served; the log says
    so once for each reason.

    Args:
        place: where versions are published.
        cache_dir: to which versions in a bucket are fetched.
        switch: with the service that answers now.
        make: makes the service of a model's folder.
    """

    def __init__(
        self,
        place: str,
        cache_dir: Path,
        switch: Switch[Service],
        make: Callable[[Path], Service],
    ) -> None:
        self._place, self._cache_dir, self._switch, self._make = place, cache_dir, switch, make
        self._said = self._tried = ""

    def follow(self, every_s: float) -> None:
        """Look, for ever."""
        while True:
            time.sleep(every_s)
            self.look()

    def look(self) -> None:
        """Look once; whatever is wrong with what is found, the service goes on."""
        version = ""
        try:
            version = latest_version(self._place)
            if not version:
                raise InputError(f"there is no {LATEST} at {self._place} any more")
            if version == self._switch.service.version:
                self._settle()
                return
            if version != self._tried:
                self._tried = version
                log.info(f"version {version} is published: loading it")
                self._tell(Newer(version=version, state="loading"))
            self._take(version)
        except (WorkError, OSError) as error:  # a store or a disk, which may be there again soon
            self._refuse(version, UNREACHABLE, error)
        except Exception as error:  # whatever a damaged model raises
            problem: Problem = DAMAGED if version else UNREACHABLE
            self._refuse(version, problem, error)

    def _take(self, version: str) -> None:
        """Load a version, try it, and serve it."""
        service = self._make(local_version(self._place, version, self._cache_dir))
        service.version = version
        try:
            _wait_for(service)
            before = self._switch.service.version
            service.since = datetime.now(UTC)
            self._switch.replace(service)
        except BaseException:
            service.pool.close()
            raise
        self._said = self._tried = ""
        log.info(f"serving version {version} now, instead of {before}")
        if service.counters is not None:
            service.counters.set_model(service.description, version, service.since)
            service.counters.count_reload(SWAPPED)

    def _refuse(self, version: str, problem: Problem, error: Exception) -> None:
        service = self._switch.service
        said = harmless(f"{version} {error}")
        if said != self._said:
            what = f"version {version}" if version else f"{LATEST} at {self._place}"
            log.error(
                harmless(f"{what} cannot be served, so version {service.version} stays: {error}")
            )
            if service.counters is not None:
                service.counters.count_reload(problem)
        self._said = said
        self._tell(Newer(version=version, state=problem))

    def _settle(self) -> None:
        if self._said:
            log.info(f"{LATEST} names the version that is served again")
        self._said = self._tried = ""
        self._tell(None)

    def _tell(self, newer: Newer | None) -> None:
        service = self._switch.service
        service.newer = newer
        if service.counters is not None:
            service.counters.set_newer_refused(newer is not None and newer.state != "loading")


def _wait_for(service: Service) -> None:
    """Load the models of a service, each of which answers once.

    Raises:
        WorkError: it takes too long; and whatever loading raises.
    """
    service.pool.start()
    until = time.monotonic() + LOAD_S
    while not service.pool.ready:
        if service.pool.failure is not None:
            raise service.pool.failure
        if time.monotonic() > until:
            raise WorkError(f"it was not loaded within {LOAD_S:.0f} s")
        time.sleep(POLL_S)
