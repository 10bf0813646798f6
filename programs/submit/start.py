"""A run as Kubeflow Pipelines is told of it: what it belongs to, and the start."""

from dataclasses import dataclass
from typing import Any

from programs.submit import server
from programs.submit.connection import Connection
from programs.submit.request import Compiled


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
    """

    pipeline: str
    compiled: Compiled
    experiment: str
    name: str
    description: str
    parameters: dict[str, Any]
    pipeline_root: str
    service_account: str

    def send(self, connection: Connection) -> str:
        """Make what the run belongs to, and start it; its identifier."""
        experiment = server.experiment(connection, self.experiment)
        pipeline = server.pipeline(connection, self.pipeline)
        version = server.version(
            connection,
            pipeline.pipeline_id,
            self.compiled.version,
            self.compiled.file,
            description=self.compiled.description,
        )
        run = server.run(
            connection,
            self.name,
            experiment_id=experiment.experiment_id,
            reference=version,
            parameters=self.parameters,
            description=self.description,
            pipeline_root=self.pipeline_root,
            service_account=self.service_account,
        )
        return str(run.run_id)

    def request(self) -> dict[str, Any]:
        """All that would be sent; identifiers are the server's to give."""
        return {
            "experiment": {"display_name": self.experiment},
            "pipeline": {"display_name": self.pipeline},
            "pipeline_version": {
                "display_name": self.compiled.version,
                "description": self.compiled.description,
            },
            "run": {
                "display_name": self.name,
                "description": self.description,
                "runtime_config": {
                    "parameters": self.parameters,
                    "pipeline_root": self.pipeline_root or None,
                },
                "service_account": self.service_account or None,
            },
        }
