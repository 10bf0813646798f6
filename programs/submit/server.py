"""Making what a run needs on the server: experiment, pipeline, version, and the run, each once.

A request that got no answer may have had its effect. So nothing is made without looking for it
first, and after such a request it is looked for again, by a name that is unique.
"""

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from kfp_server_api import (
    RecurringRunMode,
    V2beta1Experiment,
    V2beta1Pipeline,
    V2beta1PipelineVersion,
    V2beta1PipelineVersionReference,
    V2beta1RecurringRun,
    V2beta1Run,
    V2beta1RuntimeConfig,
    V2beta1Trigger,
)

from components.common.base.errors import WorkError
from components.common.base.step import log
from programs.submit.connection import Conflict, Connection, Unsettled, pause_before

EQUALS = 1  # of KFP's filter
MAKING_ATTEMPTS = 4


def experiment(connection: Connection, name: str) -> V2beta1Experiment:
    """The experiment of that name, made if need be."""
    api, where = connection.api.experiments, namespace_of(connection)
    make = partial(
        connection.call,
        f"create the experiment {name}",
        api.experiment_service_create_experiment,
        again=False,
        experiment=V2beta1Experiment(display_name=name, namespace=connection.namespace),
    )
    find = _finder(
        connection, "experiments", api.experiment_service_list_experiments, name, **where
    )
    return _find_or_make(connection, find, make, "experiment_id")


def find_pipeline(connection: Connection, name: str) -> V2beta1Pipeline | None:
    """The pipeline of that name; None where there is none."""
    listing = connection.api.pipelines.pipeline_service_list_pipelines
    return _finder(connection, "pipelines", listing, name, **namespace_of(connection))()


def pipeline(connection: Connection, name: str) -> V2beta1Pipeline:
    """The pipeline of that name, made without a version if need be."""
    api = connection.api.pipelines
    make = partial(
        connection.call,
        f"create the pipeline {name}",
        api.pipeline_service_create_pipeline,
        again=False,
        pipeline=V2beta1Pipeline(display_name=name, name=name, namespace=connection.namespace),
    )
    find = partial(find_pipeline, connection, name)
    return _find_or_make(connection, find, make, "pipeline_id")


def version(
    connection: Connection, pipeline_id: str, name: str, file: Path, description: str = ""
) -> V2beta1PipelineVersion:
    """The version of that name, uploaded with its description if it is not there."""
    make = partial(
        connection.call,
        f"upload the pipeline as version {name}",
        connection.api.pipeline_uploads.upload_pipeline_version,
        again=False,
        uploadfile=str(file),
        name=name,
        pipelineid=pipeline_id,
        description=description,
    )
    listing = connection.api.pipelines.pipeline_service_list_pipeline_versions
    find = _finder(connection, "pipeline_versions", listing, name, pipeline_id=pipeline_id)
    return _find_or_make(connection, find, make, "pipeline_version_id")


def asked(
    name: str,
    *,
    experiment_id: str,
    reference: V2beta1PipelineVersion,
    parameters: dict[str, Any],
    description: str = "",
    pipeline_root: str = "",
    service_account: str = "",
) -> dict[str, Any]:
    """What is asked of a run, or of each run of a recurring one.

    Args:
        name: that no other run, or recurring run, has.
        experiment_id: of the experiment it belongs to.
        reference: what to run.
        parameters: of the pipeline.
        description: of the run.
        pipeline_root: where its artifacts go; empty: the installation's own place.
        service_account: whom its pods run as; empty: the installation's own choice.
    """
    return {
        "experiment_id": experiment_id,
        "display_name": name,
        "description": description,
        "pipeline_version_reference": V2beta1PipelineVersionReference(
            pipeline_id=reference.pipeline_id, pipeline_version_id=reference.pipeline_version_id
        ),
        "runtime_config": V2beta1RuntimeConfig(
            parameters=parameters, pipeline_root=pipeline_root or None
        ),
        "service_account": service_account or None,
    }


def run(connection: Connection, what: dict[str, Any]) -> V2beta1Run:
    """Start a run.

    Args:
        connection: to the server.
        what: from `asked`.
    """
    api = connection.api.runs
    make = partial(api.run_service_create_run, run=V2beta1Run(**what))
    return _made_anew(connection, "run", what, make, api.run_service_list_runs)


def recurring_run(
    connection: Connection, what: dict[str, Any], trigger: V2beta1Trigger, *, catch_up: bool
) -> V2beta1RecurringRun:
    """Make a recurring run; one of its runs is at work at a time.

    Args:
        connection: to the server.
        what: from `asked`.
        trigger: when it is due.
        catch_up: runs that were missed are made up for, one after another.
    """
    body = V2beta1RecurringRun(
        **what,
        max_concurrency="1",  # an int64, which JSON has as a text
        trigger=trigger,
        mode=RecurringRunMode.ENABLE,
        no_catchup=not catch_up,
    )
    api = connection.api.recurring_runs
    make = partial(api.recurring_run_service_create_recurring_run, recurring_run=body)
    listing = api.recurring_run_service_list_recurring_runs
    return _made_anew(connection, "recurring_run", what, make, listing)


def _made_anew(
    connection: Connection,
    kind: str,
    what: dict[str, Any],
    make: Callable[..., Any],
    listing: Callable[..., Any],
) -> Any:
    """What has a name that is new: there is nothing to look for before the first try."""
    words = {"run": "create the run", "recurring_run": "create the schedule"}[kind]
    where = {"experiment_id": what["experiment_id"], **namespace_of(connection)}
    find = _finder(connection, f"{kind}s", listing, what["display_name"], **where)
    create = partial(connection.call, words, make, again=False)
    return _find_or_make(connection, find, create, f"{kind}_id", look_first=False)


def _finder(
    connection: Connection, kind: str, listing: Callable[..., Any], name: str, **where: Any
) -> Callable[[], Any]:
    """A function that looks for what has this display name, and gives None where nothing has.

    Args:
        connection: to the server.
        kind: what is listed: the field of the answer that holds the list.
        listing: the request that lists them.
        name: to look for.
        where: further arguments of the request.
    """
    predicate = {"operation": EQUALS, "key": "display_name", "stringValue": name}
    where["filter"] = json.dumps({"predicates": [predicate]})

    def find() -> Any:
        answer = connection.call(f"list {kind.replace('_', ' ')}", listing, **where)
        return next(iter(getattr(answer, kind) or ()), None)

    return find


def _find_or_make(
    connection: Connection,
    find: Callable[[], Any],
    make: Callable[[], Any],
    identifier: str,
    *,
    look_first: bool = True,
) -> Any:
    """What `find` finds, or else what `make` makes, and never two of them."""
    existing = find() if look_first else None
    failure: WorkError | None = None
    for attempt in range(1, MAKING_ATTEMPTS + 1):
        if existing is not None:
            break
        try:
            existing = make()
        except (Unsettled, Conflict) as error:
            log.info("%s; checking whether it was done", error)
            failure = error
            time.sleep(pause_before(attempt))
            existing = find()
    if existing is None:
        assert failure is not None
        raise failure
    if not getattr(existing, identifier):
        raise connection.not_kfp()
    return existing


def namespace_of(connection: Connection) -> dict[str, Any]:
    """A single-user installation refuses to be asked for one."""
    return {"namespace": connection.namespace} if connection.namespace else {}
