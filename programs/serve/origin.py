"""Whether a request that changes something comes from the service's own page (CSRF)."""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.requests import Request


def is_own_page(request: Request, hosts: Collection[str]) -> bool:
    """Whether a page of this service sent the request.

    Browsers say of every POST which site's page sends it (`Origin`); a page of another site cannot
    change that. A proxy may hand over another Host than the visitor's browser asked for: then the
    name must be among those that the service goes by.

    Args:
        request: with one `Origin`, and `Sec-Fetch-Site` where the browser sends that too.
        hosts: names that the service goes by beside localhost and addresses, in small letters.
    """
    sites = request.headers.getlist("sec-fetch-site")
    origins = request.headers.getlist("origin")
    named = request.headers.getlist("host")
    if any(site != "same-origin" for site in sites) or len(origins) != 1 or len(named) != 1:
        return False
    try:
        origin = urlsplit(origins[0].lower())
        name, port = origin.hostname or "", origin.port
        plain = origin.scheme in ("http", "https") and f"{origin.scheme}://{origin.netloc}"
    except ValueError:
        return False
    if plain != origins[0].lower():
        return False
    # On another port is another service, which has no say here.
    return origin.netloc == named[0].lower() or (name in hosts and port is None)
