"""A run as Kubeflow Pipelines is told of it: what it belongs to, and the start."""

from dataclasses import dataclass
from typing import Any

from programs.submit import server
from programs.submit.connection import Connection
from programs.submit.request import Compiled
from programs.submit.when import When


@dataclass(frozen=True)
class Start:
    """A run that is to be started.

    Attributes:
        pipeline: what it is a run of.
        compiled: that pipeline; a version of it.
        experiment: that the run belongs to.
        name: of the run; no other has it.
        description: of the run.
        parameters: of the run.
        pipeline_root: where its artifacts go; empty: the installation's own place.
        service_account: whom its pods run as; empty: the installation's own choice.
        when: it is started by the server, again and again; None: once, now.
        catch_up: runs that were missed are made up for.
    """

    pipeline: str
    compiled: Compiled
    experiment: str
    name: str
    description: str
    parameters: dict[str, Any]
    pipeline_root: str
    service_account: str
    when: When | None = None
    catch_up: bool = False

    def send(self, connection: Connection) -> str:
        """Make what the run belongs to, and start or schedule it; the identifier of either."""
        experiment = server.experiment(connection, self.experiment)
        pipeline = server.pipeline(connection, self.pipeline)
        version = server.version(
            connection,
            pipeline.pipeline_id,
            self.compiled.version,
            self.compiled.file,
            description=self.compiled.description,
        )
        what = server.asked(
            self.name,
            experiment_id=experiment.experiment_id,
            reference=version,
            parameters=self.parameters,
            description=self.description,
            pipeline_root=self.pipeline_root,
            service_account=self.service_account,
        )
        if self.when is None:
            return str(server.run(connection, what).run_id)
        made = server.recurring_run(connection, what, self.when.trigger(), catch_up=self.catch_up)
        return str(made.recurring_run_id)

    def request(self) -> dict[str, Any]:
        """All that would be sent; identifiers are the server's to give."""
        kind = "run"
        own: dict[str, Any] = {}
        if self.when:
            kind, trigger = "recurring_run", self.when.trigger()
            cron, every = trigger.cron_schedule, trigger.periodic_schedule
            own["trigger"] = (
                {"cron": cron.cron} if cron else {"interval_second": every.interval_second}
            )
            own |= {"max_concurrency": 1, "no_catchup": not self.catch_up}
        return {
            "experiment": {"display_name": self.experiment},
            "pipeline": {"display_name": self.pipeline},
            "pipeline_version": {
                "display_name": self.compiled.version,
                "description": self.compiled.description,
            },
            kind: {
                "display_name": self.name,
                "description": self.description,
                "runtime_config": {
                    "parameters": self.parameters,
                    "pipeline_root": self.pipeline_root or None,
                },
                "service_account": self.service_account or None,
                **own,
            },
        }
