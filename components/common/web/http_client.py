"""One GET request over kept connections, to checked addresses only. Nothing else is decided here.

urllib3 itself rather than a `requests.Session`: cookies, .netrc passwords and redirects of the
session's own must not be, and preparing each request costs a third of fetching a small photo.
"""

import os
import ssl
import threading
from collections.abc import Collection
from urllib.parse import urlsplit

import certifi
import urllib3
from requests.utils import get_environ_proxies, select_proxy
from urllib3.exceptions import HTTPError

from components.common.base.errors import InputError
from components.common.web.addresses import check_addresses, guarded_pools, numeric_addresses

MAX_HOSTS = 64  # whose connections are kept


class HttpClient:
    """Sends GET requests; threads may share one.

    A proxy that the environment names (HTTPS_PROXY, NO_PROXY, …) resolves names and makes the
    connections then, and decides what may be reached; hosts given as numbers are checked here.

    Args:
        headers: sent with each request.
        allowed: names and addresses that need not be public.
        workers: connections to one host that are kept.
        connect_s, read_s: time limits of a connection and between two packets, in seconds.
        head_s: time limit of an answer's head.
    """

    def __init__(
        self,
        headers: dict[str, str],
        *,
        allowed: Collection[str],
        workers: int,
        connect_s: float,
        read_s: float,
        head_s: float,
    ) -> None:
        self._headers = headers
        self._allowed = allowed
        self._workers = workers
        self._timeout = urllib3.Timeout(connect=connect_s, read=read_s)
        self._tls = ssl.create_default_context(cafile=_certificates())
        self._lock = threading.Lock()
        self._proxies: dict[str, urllib3.ProxyManager] = {}
        self._direct = urllib3.PoolManager(
            MAX_HOSTS, maxsize=workers, ssl_context=self._tls, headers=headers
        )
        self._direct.pool_classes_by_scheme = guarded_pools(allowed, head_s)
        # Asked once: looking through the environment costs as much as a request's head.
        self._through_proxy = any(
            os.environ.get(name) or os.environ.get(name.upper())
            for name in ("http_proxy", "https_proxy", "all_proxy")
        )

    def get(self, url: str) -> urllib3.BaseHTTPResponse:
        """Send the request and read the answer's head; its body is read by the caller.

        Raises:
            RefusedAddress: the host is not public.
            InputError: the environment names a proxy that cannot be one.
            urllib3.exceptions.HTTPError: no answer.
        """
        return self._manager(url).request(
            "GET",
            url,
            headers=self._headers,
            timeout=self._timeout,
            retries=False,
            redirect=False,
            preload_content=False,
        )

    def close(self) -> None:
        """Close the kept connections."""
        for manager in (self._direct, *self._proxies.values()):
            manager.clear()

    def _manager(self, url: str) -> urllib3.PoolManager:
        proxy = select_proxy(url, get_environ_proxies(url)) if self._through_proxy else None
        if not proxy:
            return self._direct
        host = (urlsplit(url).hostname or "").rstrip(".")
        check_addresses(host, numeric_addresses(host), self._allowed)
        with self._lock:
            if proxy not in self._proxies:
                self._proxies[proxy] = self._through(proxy)
            return self._proxies[proxy]

    def _through(self, proxy: str) -> urllib3.ProxyManager:
        try:
            parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
            if parts.scheme not in ("http", "https") or not parts.hostname or not proxy.isascii():
                raise ValueError("no address of a proxy")
            password = f"{parts.username}:{parts.password or ''}" if parts.username else None
            return urllib3.ProxyManager(
                parts.geturl(),
                MAX_HOSTS,
                maxsize=self._workers,
                ssl_context=self._tls,
                proxy_headers=urllib3.make_headers(proxy_basic_auth=password),
            )
        except (ValueError, HTTPError) as error:  # of a port or host that cannot be
            # Not the address itself: there may be a password in it.
            raise InputError(
                "the environment's proxy (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY) cannot be one: "
                "expected http://host:port or https://host:port"
            ) from error


def _certificates() -> str:
    """The file of trusted authorities: one's own by the usual variables, else the common one."""
    named = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    return named or certifi.where()
