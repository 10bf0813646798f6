"""Reaching Kubeflow Pipelines: its address, who we are, and what an answer that is none means.

Requests go through kfp's own client (client.py). What it leaves out is added here: time limits,
retries with a pause, errors that a person can use, and that a secret comes from a file or the
environment alone.
"""

import random
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import urllib3
from kfp_server_api.exceptions import ApiException

from components.common.base.errors import InputError, WorkError
from components.common.base.step import log
from programs.submit import target
from programs.submit.target import COOKIE_VARIABLE, TOKEN_VARIABLE, Place

if TYPE_CHECKING:
    from programs.submit.client import Client

T = TypeVar("T")
Judgement: TypeAlias = tuple[WorkError | InputError, bool | None, float]

TIMEOUT_S = (5.0, 60.0)  # to connect, and between two packets
ATTEMPTS = 6
FIRST_ATTEMPTS = 3  # whoever mistyped an address need not wait long
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0  # the pauses double: 31 s in all
LONGEST_ASKED_PAUSE_S = 300.0  # of a Retry-After
UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT = 401, 403, 404, 409  # HTTP status
TOO_MANY, SERVER_ERROR, UNAVAILABLE = 429, 500, 503
MAX_ANSWER = 300  # characters of a server's own words


class Unsettled(WorkError):
    """A request got no answer: whether the server acted on it is not known."""


class Conflict(WorkError):
    """What was to be made is there already."""


class Unreachable(WorkError):
    """Nobody answers at the address."""


class Missing(InputError):
    """What was asked for is not there."""


class Connection:
    """kfp's client with patience: `call` runs one request, again where that can help.

    Attributes:
        api: kfp's client; its members `runs`, `pipelines`, … are the generated interface.
        address: of the API.
        namespace: to be named in requests; None in a single-user installation, which refuses it.
    """

    def __init__(self, place: Place) -> None:
        # It loads Kubernetes' client as well, which takes a second: only who connects needs them.
        from programs.submit.client import make_client

        self.place = place
        self.api: Client = make_client(place)
        self.address = str(self.api.address)
        self.namespace: str | None = None
        if self._is_multi_user():
            self.namespace = place.namespace

    def call(
        self,
        what: str,
        request: Callable[..., T],
        *,
        again: bool = True,
        attempts: int = ATTEMPTS,
        **arguments: Any,
    ) -> T:
        """Run one request.

        Args:
            what: is done, for messages, such as "create the run".
            request: of the generated interface.
            again: the request may be repeated although the first may have had its effect.
            attempts: at most.
            arguments: of the request.

        Raises:
            Unsettled: no answer came, and the request must not be repeated.
            InputError: it was refused: the message says what to do.
            WorkError: the server failed, or is not there.
        """
        told = ""
        for attempt in range(1, attempts + 1):
            try:
                return request(_request_timeout=TIMEOUT_S, **arguments)
            except (ApiException, urllib3.exceptions.HTTPError) as error:
                failure, repeatable, asked_pause = self._judge(what, error)
            except (ValueError, TypeError, AttributeError) as error:
                # For a failure of TLS the generated code trips over an answer that is not there.
                if not isinstance(error.__context__, ApiException):
                    raise self.not_kfp() from error  # no JSON, or JSON of another shape
                failure, repeatable, asked_pause = self._judge(what, error.__context__)
            if repeatable is None:
                raise failure
            if not (repeatable or again):
                raise Unsettled(str(failure))
            if attempt < attempts:
                pause = asked_pause or pause_before(attempt)
                if told != str(failure):
                    told = str(failure)
                    left = attempts - attempt
                    log.info("%s; trying again in %.0f s, up to %d times", told, pause, left)
                time.sleep(pause)
        raise failure

    def not_kfp(self) -> InputError:
        """The error for an answer that is not one of Kubeflow Pipelines."""
        return InputError(
            f"{self.address} answers, but not as Kubeflow Pipelines 2: expected the address of its "
            "API or page (Kubeflow's own page has it at …/pipeline; a login page wants a token or "
            "cookie)"
        )

    def _is_multi_user(self) -> bool:
        try:
            health = self.call(
                "find Kubeflow Pipelines",
                self.api.healthzs.healthz_service_get_healthz,
                attempts=FIRST_ATTEMPTS,
            )
        except Missing as error:
            raise self.not_kfp() from error
        except Unreachable as error:
            if not target.is_local(self.place.host):
                raise
            raise Unreachable(
                f"{error}; is the port-forward running? {target.port_forward(self.place)}"
            ) from error
        # A page of HTML comes out of the generated code as an answer with nothing in it.
        if not isinstance(health.multi_user, bool):
            raise self.not_kfp()
        return health.multi_user

    def _judge(self, what: str, error: Exception) -> Judgement:
        """The error for a person; may the request be repeated (None: it would not help); a pause.

        True: it had no effect. False: whether it had is not known.
        """
        if isinstance(error, ApiException):
            failure = _of_answer(what, error, self.address)
            status = error.status or 0
            if status != TOO_MANY and status < SERVER_ERROR:
                return failure, None, 0.0
            return failure, status in (TOO_MANY, UNAVAILABLE), _asked_pause(error)
        reason = getattr(error, "reason", None)
        cause = reason if isinstance(reason, Exception) else error
        failure = Unreachable(
            f"could not {what}: {self.address} cannot be reached ({_in_short(cause)})"
        )
        if isinstance(cause, urllib3.exceptions.NameResolutionError):
            return failure, None, 0.0
        if isinstance(cause, urllib3.exceptions.NewConnectionError):
            return failure, True, 0.0
        passing = isinstance(
            cause, urllib3.exceptions.TimeoutError | urllib3.exceptions.ProtocolError
        )
        return failure, False if passing else None, 0.0


def pause_before(attempt: int) -> float:
    """Seconds to wait after this attempt: doubled each time, a little different for each client."""
    pause: float = min(FIRST_PAUSE_S * 2 ** (attempt - 1), LONGEST_PAUSE_S)
    return pause * random.uniform(0.75, 1.25)  # noqa: S311 - no secret


def _asked_pause(error: ApiException) -> float:
    """The seconds of a Retry-After; 0 where there is none."""
    text = str((error.headers or {}).get("Retry-After", ""))
    return min(float(text), LONGEST_ASKED_PAUSE_S) if re.fullmatch(r"\d{1,9}", text) else 0.0


def _of_answer(what: str, error: ApiException, address: str) -> InputError | WorkError:
    """An answer that is no success, as an error that a person can use."""
    words = _said(error)
    if error.status == UNAUTHORIZED or 300 <= (error.status or 0) < 400:
        return InputError(
            f"could not {what}: {address} asks who you are (HTTP {error.status}): the token or "
            f"cookie is missing or has expired; give a new one by --token_file, --cookie_file, "
            f"${TOKEN_VARIABLE} or ${COOKIE_VARIABLE}"
        )
    if error.status == FORBIDDEN:
        return InputError(
            f"could not {what}: {address} forbids it (HTTP 403){words}: is --namespace yours, and "
            "may this account use pipelines there?"
        )
    if error.status == NOT_FOUND:
        return Missing(f"could not {what}: {address} has no such thing (HTTP 404){words}")
    if error.status == CONFLICT:
        return Conflict(f"could not {what}: there is one of that name already{words}")
    if error.status == TOO_MANY or (error.status or 0) >= SERVER_ERROR:
        return WorkError(f"could not {what}: {address} answers HTTP {error.status}{words}")
    if not error.status:  # kfp's client has no number for a failure of TLS
        return WorkError(
            f"could not {what}: no safe connection to {address} ({plain(str(error.reason))}): if "
            "the certificate is your own, name its authority with --ca_file"
        )
    return InputError(f"could not {what}: {address} refuses it (HTTP {error.status}){words}")


def _said(error: ApiException) -> str:
    """The server's own words, in short; none of a page of HTML."""
    body = error.body if isinstance(error.body, str) else ""
    match = re.search(r'"(?:message|error)"\s*:\s*"((?:[^"\\]|\\.)*)"', body)
    return f": {plain(match[1])}" if match else ""


def plain(text: str) -> str:
    """Another program's words on one line, cut to `MAX_ANSWER` characters."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split())[:MAX_ANSWER]


def _in_short(error: Exception) -> str:
    """What is wrong, without the names of objects in memory and of exceptions in exceptions."""
    text = re.sub(r"<[^>]*>:? ?|HTTPS?Connection(Pool)?\([^)]*\):? ?", "", str(error))
    inner = re.search(r"\w+\([^'\"]*['\"]([^'\"]+)['\"]\)", text)
    return plain(inner[1] if inner else text) or type(error).__name__
