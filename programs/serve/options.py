"""Options of the service, and what they mean for one request."""

from dataclasses import dataclass

from components.common.base.options import Options, cache_dir_option, option


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
    access_log: bool = option(True, "log requests: method, path, status, duration")
    cache_dir: str = cache_dir_option()

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
