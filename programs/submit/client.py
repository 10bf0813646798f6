"""kfp's own client, made for a place.

Importing this loads kfp's client and all of Kubernetes', which takes a second.
"""

import os
import warnings
from collections.abc import Callable
from typing import Any

import kfp_server_api
import kubernetes
from kfp import client

from components.common.base.errors import InputError
from programs.submit import target
from programs.submit.connection import plain
from programs.submit.target import Place


class Client(client.Client):  # type: ignore[misc]
    """kfp's client, without its own retries and without its questions in the constructor."""

    address = ""

    def __init__(self, place: Place, **arguments: Any) -> None:
        self._place = place
        super().__init__(**arguments)

    def _load_config(self, *arguments: Any) -> Any:
        config = super()._load_config(*arguments)
        config.host = config.host.rstrip("/")  # kfp's way through kubeconfig ends with one
        if "://" not in config.host:  # its name within a cluster
            config.host = f"http://{config.host}"
        config.retries = False  # ours are spaced; and a redirect leads to a login page
        self.address = config.host
        if self._place.host and (file := target.token_file(self._place)):
            # Read for each request: tokens of pods are renewed while we wait.
            config.refresh_api_key_hook = lambda config: config.api_key.update(
                authorization=target.read_secret(*file)
            )
        elif refresh := config.refresh_api_key_hook:
            config.refresh_api_key_hook = lambda config: self._refresh(refresh, config)
        return config

    def _refresh(self, refresh: Callable[[Any], None], config: Any) -> None:
        """Renew the token as kubeconfig says, which would also set its own address again."""
        refresh(config)
        config.host = self.address

    @property
    def http(self) -> kfp_server_api.ApiClient:
        """What the generated interface sends its requests through."""
        return self._run_api.api_client

    def get_kfp_healthz(self, sleep_duration: int = 5) -> Any:  # noqa: ARG002 - kfp's
        """Nothing is asked: `Connection` does, with its own patience."""
        return kfp_server_api.V2beta1GetHealthzResponse(multi_user=False)


def make_client(place: Place) -> Client:
    """The client for a place."""
    if not place.host:
        _check_way(place)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # about servers older than version 2
        return Client(
            place,
            host=place.host or None,
            namespace=place.namespace,
            existing_token=target.token(place) or None,
            cookies=target.cookie(place) or None,
            ssl_ca_cert=place.ca_file or None,
            kube_context=place.kube_context or None,
        )


def _check_way(place: Place) -> None:
    """See that there is a way without a host: kfp's client would only print that there is none."""
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        return
    try:
        kubernetes.config.load_kube_config(
            client_configuration=kubernetes.client.Configuration(),
            context=place.kube_context or None,
        )
    except Exception as error:  # of many kinds, one for each thing wrong with the file
        raise InputError(
            f"no --host was given, this is not a pod, and kubeconfig names no cluster "
            f"({plain(str(error))}): give --host http://localhost:8080 after "
            f"`{target.port_forward(place)}`"
        ) from error
