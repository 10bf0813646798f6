"""A pipeline root of Kubeflow: `<root>/<pipeline>/<run id>/<step>/…`, what steps hand on.

Nothing is deleted here. KFP's cache hands out results of old runs, and only its own database knows
which: a run fails whose step is skipped for a result that is gone. The bucket's own lifecycle rule
deletes by age, where runs are submitted with `--no-caching`.
"""

import json
import math
import re
from datetime import datetime, timedelta

from components.common.base.errors import InputError
from components.common.dataset import memory
from components.common.model.model_place import LATEST
from components.common.store import storage
from components.label_image.job import JOB
from programs.tidy.entries import Entry, files_in

_RUN = re.compile(r"((?:[^/]+/){0,4}[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/.+")
NEEDED = (LATEST, memory.FILE_NAME, JOB)
STAYS = "KFP's cache may hand it out: --rule prints how the bucket deletes it by age"


def is_root(place: str) -> bool:
    """Whether runs of Kubeflow keep their artifacts here."""
    return storage.is_uri(place) and any(_RUN.fullmatch(one.name) for one in files_in(place))


def entries(place: str) -> list[Entry]:
    """Each run: its size, and when its last artifact was stored."""
    sizes: dict[str, int] = {}
    times: dict[str, datetime] = {}
    for one in files_in(place):
        if match := _RUN.fullmatch(one.name):
            sizes[match[1]] = sizes.get(match[1], 0) + one.size
            times[match[1]] = max(times.get(match[1], one.modified), one.modified)
    return [Entry(run, sizes[run], times[run], STAYS, "runs") for run in sorted(sizes)]


def remove(_place: str, _entry: Entry) -> str:
    """Nothing is removed: why."""
    return STAYS


def rule(place: str, age: timedelta) -> str:
    """The lifecycle rule of a bucket, as JSON: AWS's form for s3://, Google's for gs://.

    Raises:
        InputError: it is no pipeline root, or other things are there that must stay.
    """
    if not is_root(place):
        raise InputError(f"{place} is no pipeline root of Kubeflow: --rule is for one in a bucket")
    for one in files_in(place):
        if one.name.rpartition("/")[2] in NEEDED and not _RUN.fullmatch(one.name):
            raise InputError(
                f"{place}/{one.name} is no artifact of a run, and the rule would delete what is "
                "there: name a folder that holds runs only"
            )
    prefix = place.partition("://")[2].partition("/")[2]
    if not prefix:
        raise InputError(f"{place} is a whole bucket: name the folder of the runs")
    days = max(1, math.ceil(age / timedelta(days=1)))
    google = {
        "rule": [
            {
                "action": {"type": "Delete"},
                "condition": {"age": days, "matchesPrefix": [f"{prefix}/"]},
            }
        ]
    }
    amazon = {
        "Rules": [
            {
                "ID": "wild-mushrooms-artifacts",
                "Filter": {"Prefix": f"{prefix}/"},
                "Status": "Enabled",
                "Expiration": {"Days": days},
            }
        ]
    }
    return json.dumps(google if place.startswith("gs://") else amazon, indent=2)
