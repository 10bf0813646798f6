"""Options of the service, and what they mean for one request."""

from dataclasses import dataclass

from components.common.base.errors import InputError
from components.common.base.options import Options, cache_dir_option, option, refuse

LEAST_RELOAD_S = 1.0


@dataclass(frozen=True)
class Limits:
    """What one request may cost.

    Attributes:
        upload_bytes: of a photo.
        pixels: of a photo, by its header.
        waiting: photos that may wait for a model.
        uploads: photos that may be on their way in at once; with `upload_bytes`, this bounds the
            memory that they take.
        upload_s: for a photo to arrive.
        answer_s: for its answer, waiting included.
    """

    upload_bytes: int = 16 * 1024**2
    pixels: int = 50_000_000
    waiting: int = 16
    uploads: int = 32
    upload_s: float = 30.0
    answer_s: float = 30.0


@dataclass(frozen=True)
class ServeOptions(Options):
    """Where the service listens, and how much it takes at once."""

    host: str = option("127.0.0.1", "address to listen on; 0.0.0.0 lets other machines in")
    port: int = option(8080, "port to listen on; 0 takes any free one", minimum=0, maximum=65535)
    allowed_hosts: tuple[str, ...] = option(
        (),
        "host names that it answers to besides localhost and IP addresses, separated by commas; "
        "* for any",
        pattern=r"\*|[A-Za-z0-9]([-A-Za-z0-9._]{0,251}[A-Za-z0-9])?",
        form="names such as mushrooms.example.org",
    )
    workers: int = option(2, "photos classified at once, on one thread each", minimum=1)
    waiting: int = option(16, "photos that may wait; more are refused (503)", minimum=1)
    max_upload_mb: float = option(16.0, "largest photo, in MB of 1024 x 1024 bytes", above=0)
    max_megapixels: float = option(50.0, "largest photo, in millions of pixels", above=0)
    upload_timeout_s: float = option(30.0, "seconds for a photo to arrive", above=0)
    answer_timeout_s: float = option(
        30.0, "seconds for the answer to a photo, waiting included", above=0
    )
    corrections: str = option(
        "",
        "folder that keeps photos which visitors label and agree to leave here, for the next run; "
        "empty: none is kept",
        place="written",
    )
    corrections_most: int = option(
        2000, "photos in that folder; the oldest go first", minimum=1, maximum=100_000
    )
    corrections_days: float = option(365.0, "days that a photo stays in that folder", above=0)
    access_log: bool = option(True, "log requests: method, path, status, duration")
    reload_every_s: float = option(
        30.0,
        "seconds between two looks at latest.json where --model_dir is a place of published "
        "versions; 0: a new version needs a restart",
        minimum=0,
        maximum=86_400,
    )
    prometheus_port: int = option(
        0,
        "port of /metrics for Prometheus, beside the page's own; 0: none",
        minimum=0,
        maximum=65535,
    )
    prometheus_host: str = option(
        "127.0.0.1", "address of /metrics; 0.0.0.0 lets other machines in"
    )
    cache_dir: str = cache_dir_option()

    def check(self) -> None:
        """Raise `InputError` where an option is out of its bounds, or does not go with another."""
        super().check()
        if 0 < self.reload_every_s < LEAST_RELOAD_S:
            refuse("reload_every_s", self.reload_every_s, f"0, or {LEAST_RELOAD_S:g} or more")
        if self.prometheus_port and self.prometheus_port == self.port:
            raise InputError(
                f"--prometheus_port is {self.port}, the page's own --port: visitors would read the "
                "counts; choose another"
            )
        if self.corrections and "*" in self.allowed_hosts:
            # A stranger's name that leads here would make the stranger's page one of our own.
            raise InputError(
                "--corrections does not go with --allowed_hosts '*': name the hosts under which "
                "visitors open the page"
            )

    @property
    def limits(self) -> Limits:
        """What one request may cost."""
        return Limits(
            upload_bytes=int(self.max_upload_mb * 1024**2),
            pixels=int(self.max_megapixels * 10**6),
            waiting=self.waiting,
            upload_s=self.upload_timeout_s,
            answer_s=self.answer_timeout_s,
        )
