"""Where to submit to and who we are: a secret comes from a file or the environment alone."""

import argparse
import ipaddress
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from components.common.base import options
from components.common.base.errors import InputError
from components.common.base.options import Options, option

DEFAULT_NAMESPACE = "kubeflow"  # of a standalone installation
TOKEN_VARIABLE, COOKIE_VARIABLE = "MUSHROOM_KFP_TOKEN", "MUSHROOM_KFP_COOKIE"
HOST_VARIABLE = "KF_PIPELINES_ENDPOINT"  # kfp's own
TOKEN_PATH_VARIABLE = "KF_PIPELINES_SA_TOKEN_PATH"  # noqa: S105 - kfp's own; in pods
SECRET_MAX_BYTES = 64 * 1024


@dataclass(frozen=True)
class Place(Options):
    """Where to submit to. Secrets are not among the fields: they never reach a repr."""

    host: str = option(
        "",
        "address of Kubeflow Pipelines or of its page, such as http://localhost:8080 of a "
        f"port-forward (default: ${HOST_VARIABLE}, the cluster that this runs in, or kubeconfig)",
    )
    namespace: str = option(
        DEFAULT_NAMESPACE,
        "namespace of KFP; in a multi-user installation that of your profile",
        pattern=r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?",
        form="a name of Kubernetes: up to 63 of a-z, 0-9 and -",
    )
    kube_context: str = option(
        "", "context of kubeconfig, where no --host is given; empty: the current one"
    )
    token_file: str = option(
        "", f"file with a bearer token (default: ${TOKEN_VARIABLE}, ${TOKEN_PATH_VARIABLE})"
    )
    cookie_file: str = option("", f"file with a session cookie (default: ${COOKIE_VARIABLE})")
    ca_file: str = option("", "PEM file of the authority that signed the server's certificate")


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the options of the connection."""
    group = parser.add_argument_group("connection")
    options.add_to(group, Place)
    parser.set_defaults(host=os.environ.get(HOST_VARIABLE, ""))


def place_of(arguments: argparse.Namespace) -> Place:
    """The options as a place, checked: nothing is sent.

    Raises:
        InputError: a file is missing, or a secret would travel in the open.
    """
    place = Place.of(arguments)
    parts = urlsplit(place.host if "://" in place.host else "")
    if place.host and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise InputError(f"--host is {place.host!r}: expected http://… or https://…")
    if parts.username or parts.password or parts.query or parts.fragment:
        # Not the address itself: there may be a password in it.
        raise InputError("--host must hold no user, password, query or fragment")
    if place.ca_file and not Path(place.ca_file).is_file():
        raise InputError(f"--ca_file: there is no file at {place.ca_file}")
    place.check()
    if place.token_file and not place.host:
        raise InputError("--token_file is for --host; kubeconfig and pods have their own tokens")
    secret = token(place) or cookie(place)
    if secret and parts.scheme == "http" and not _is_this_machine(parts.hostname or ""):
        raise InputError(
            f"--host is {place.host}: a token or cookie would be sent unencrypted; use "
            "https://, or a port-forward to this machine"
        )
    return place


def token_file(place: Place) -> tuple[str, str] | None:
    """The file of the token, and what named it."""
    if place.token_file:
        return place.token_file, "--token_file"
    path = os.environ.get(TOKEN_PATH_VARIABLE, "")
    return (path, TOKEN_PATH_VARIABLE) if path and not os.environ.get(TOKEN_VARIABLE) else None


def token(place: Place) -> str:
    """The bearer token; empty where there is none."""
    if not place.host:  # kfp's client and kubeconfig have their own
        return ""
    if file := token_file(place):
        return read_secret(*file)
    return _of_environment(TOKEN_VARIABLE)


def cookie(place: Place) -> str:
    """The session cookie; empty where there is none."""
    if place.cookie_file:
        return read_secret(place.cookie_file, "--cookie_file")
    return _of_environment(COOKIE_VARIABLE)


def read_secret(path: str, option: str) -> str:
    """The one line of a file."""
    file = Path(path).expanduser()
    if not file.is_file() or file.stat().st_size > SECRET_MAX_BYTES:
        raise InputError(f"{option}: expected a file of one line at {path}")
    secret = file.read_text("utf-8-sig", errors="replace").strip()
    if not secret or not _is_plain(secret):
        raise InputError(f"{option}: {path} must hold one line of plain text")
    return secret


def port_forward(place: Place) -> str:
    """The command that leads a port of this machine to KFP's page."""
    port = urlsplit(place.host).port or 8080
    return f"kubectl -n {place.namespace} port-forward svc/ml-pipeline-ui {port}:80"


def is_local(host: str) -> bool:
    """True where an address is of this machine, such as a port-forward's."""
    return _is_this_machine(urlsplit(host).hostname or "")


def _of_environment(variable: str) -> str:
    secret = os.environ.get(variable, "").strip()
    if not _is_plain(secret):
        raise InputError(f"{variable} must hold one line of plain text")
    return secret


def _is_plain(secret: str) -> bool:
    """True for what can be the value of an HTTP header."""
    return secret.isascii() and secret.isprintable()


def _is_this_machine(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost" or host.endswith(".localhost")
