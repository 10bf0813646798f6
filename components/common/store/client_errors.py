"""The object stores' clients' errors, as ones that name the place and what to do."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from components.common.base.errors import InputError, WorkError

TOO_MANY_REQUESTS, SERVER_ERROR = 429, 500  # HTTP status


@contextmanager
def explained(place: str, done: str = "read") -> Iterator[None]:
    """Turn the clients' errors into ones that name the place and what to do.

    Args:
        place: what the block works on.
        done: what is done with it, for messages: "read" or "written".
    """
    import requests.exceptions
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        NoCredentialsError,
        ParamValidationError,
        ProfileNotFound,
    )
    from google.api_core.exceptions import ClientError as GoogleClientError
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.storage.exceptions import DataCorruption

    try:
        yield
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status == TOO_MANY_REQUESTS or status >= SERVER_ERROR:
            raise WorkError(f"{place} cannot be reached: {error}") from error
        raise InputError(f"{place} cannot be {done}: {error}") from error
    except (GoogleClientError, ParamValidationError, ProfileNotFound) as error:
        raise InputError(f"{place} cannot be {done}: {error}") from error
    except (NoCredentialsError, GoogleAuthError) as error:
        variables = (
            "GOOGLE_APPLICATION_CREDENTIALS"
            if place.startswith("gs://")
            else "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
        raise InputError(
            f"{place}: no credentials were found in the environment ({error}): set {variables}"
        ) from error
    except DataCorruption as error:
        raise WorkError(f"{place} came damaged: {error}") from error
    except (GoogleAPIError, BotoCoreError, requests.exceptions.RequestException) as error:
        raise WorkError(f"{place} cannot be reached: {_in_short(error)}") from error
    except ValueError as error:  # a bucket or an endpoint that cannot be one
        raise InputError(f"{place} cannot be {done}: {error}") from error


def _in_short(error: Exception) -> str:
    """What the clients' nested texts are about, where it is that a host does not answer."""
    text = str(error)
    unknown = re.search(r"Failed to resolve '([^']+)'", text)
    host = re.search(r"host='([^']+)', port=(\d+)", text)
    if unknown:
        return f"the name {unknown[1]} is not known"
    return f"no connection to {host[1]}:{host[2]}" if host else text
