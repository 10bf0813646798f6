"""Kubeflow Pipelines' API as a server on 127.0.0.1, strict where the real one is, and stricter.

Every request is held against the generated models and methods of kfp-server-api: a field or a query
parameter that they do not know is a violation, and so is one that is missing. Answers are made of
the same models. A run walks through the states that the test names, one for each look at it.
"""

import email.parser
import email.policy
import inspect
import json
import re
import ssl
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kfp_server_api as api
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

WORKFLOW = "wild-mushrooms-x1y2z"
PROXY = "/api/v1/namespaces/kubeflow/services/ml-pipeline:http/proxy"
DROP = "drop"  # does what was asked, and hangs up without an answer
HTML = "html"  # answers with a page, as a login or another server does
HEALTHZ, EXPERIMENTS = api.HealthzServiceApi, api.ExperimentServiceApi
PIPELINES, RUNS = api.PipelineServiceApi, api.RunServiceApi
RECURRING = api.RecurringRunServiceApi
# (method, pattern of the path, the generated method that sends it)
ROUTES = (
    ("GET", r"/healthz", HEALTHZ.healthz_service_get_healthz_with_http_info),
    ("GET", r"/experiments", EXPERIMENTS.experiment_service_list_experiments_with_http_info),
    ("POST", r"/experiments", EXPERIMENTS.experiment_service_create_experiment_with_http_info),
    ("GET", r"/pipelines", PIPELINES.pipeline_service_list_pipelines_with_http_info),
    ("POST", r"/pipelines", PIPELINES.pipeline_service_create_pipeline_with_http_info),
    (
        "GET",
        r"/pipelines/([^/]+)/versions",
        PIPELINES.pipeline_service_list_pipeline_versions_with_http_info,
    ),
    (
        "POST",
        r"/pipelines/upload_version",
        api.PipelineUploadServiceApi.upload_pipeline_version_with_http_info,
    ),
    ("GET", r"/runs", RUNS.run_service_list_runs_with_http_info),
    ("POST", r"/runs", RUNS.run_service_create_run_with_http_info),
    ("GET", r"/runs/([^/]+)", RUNS.run_service_get_run_with_http_info),
    ("POST", r"/runs/([^/:]+):terminate", RUNS.run_service_terminate_run_with_http_info),
    ("GET", r"/recurringruns", RECURRING.recurring_run_service_list_recurring_runs_with_http_info),
    (
        "POST",
        r"/recurringruns",
        RECURRING.recurring_run_service_create_recurring_run_with_http_info,
    ),
    (
        "POST",
        r"/recurringruns/([^/:]+):disable",
        RECURRING.recurring_run_service_disable_recurring_run_with_http_info,
    ),
    (
        "POST",
        r"/recurringruns/([^/:]+):enable",
        RECURRING.recurring_run_service_enable_recurring_run_with_http_info,
    ),
    (
        "DELETE",
        r"/recurringruns/([^/:]+)",
        RECURRING.recurring_run_service_delete_recurring_run_with_http_info,
    ),
)
# What the API wants in a new object, by its documentation.
REQUIRED = {
    "V2beta1Experiment": ("display_name",),
    "V2beta1Pipeline": ("display_name", "name"),
    "V2beta1Run": ("display_name", "pipeline_version_reference", "runtime_config"),
    "V2beta1RecurringRun": (
        *("display_name", "pipeline_version_reference", "runtime_config"),
        *("max_concurrency", "trigger", "mode"),
    ),
    "V2beta1PipelineVersionReference": ("pipeline_id", "pipeline_version_id"),
}


@dataclass
class Look:
    """What a run is like when it is looked at once.

    Attributes:
        state: of the run.
        tasks: states by the names of its steps and drivers, from which the nodes of Argo's workflow
            are made; a "+" at the end makes a name another one of a loop. PENDING: the step's pod
            has not begun.
        error: of the run.
        history: of the run's states.
        recorded: file of an answer of a real server, to be given instead.
    """

    state: str
    tasks: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    history: Sequence[str] = ()
    recorded: Path | None = None

    @classmethod
    def of(cls, recorded: Path) -> "Look":
        """What a real server answered."""
        return cls(json.loads(recorded.read_text())["state"], recorded=recorded)


@dataclass
class Kfp:
    """The server: what it was told, what it holds, and how it is to misbehave.

    Attributes:
        address: of the server.
        walk: the looks that a run goes through; the last one stays.
        faults: by "METHOD /path", answers to give instead, one for each request: a status, (status,
            headers), DROP or HTML.
        token: that requests must bring; empty: none.
        logs: text by the name of a pod.
        kubernetes: what Kubernetes' API server, whose proxy leads to this one, has at its paths.
        gone_after: looks at a run after which no request is answered any more; 0: never.
        expires_after: looks after which the token counts no more; 0: never.
        absences: requests after the first look that go unanswered.
        raw_paths: of all requests so far, as they came.
        requests: (method, path, query, body) of all requests so far.
        headers: of all requests so far.
        violations: of the API, by requests.
    """

    walk: list[Look] = field(default_factory=lambda: [Look("SUCCEEDED")])
    faults: dict[str, list[Any]] = field(default_factory=dict)
    token: str = ""
    multi_user: bool = False
    logs: dict[str, str] = field(default_factory=dict)
    kubernetes: dict[str, Any] = field(default_factory=dict)
    address: str = ""
    requests: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    experiments: list[Any] = field(default_factory=list)
    pipelines: list[Any] = field(default_factory=list)
    versions: list[Any] = field(default_factory=list)
    specifications: list[Any] = field(default_factory=list)
    runs: list[Any] = field(default_factory=list)
    schedules: list[Any] = field(default_factory=list)
    page: int = 2  # recurring runs on one page of a list, however many are asked for
    looks: int = 0
    gone_after: int = 0
    expires_after: int = 0
    absences: int = 0
    raw_paths: list[str] = field(default_factory=list)

    def count(self, method: str, path: str) -> int:
        return sum(entry[:2] == (method, path) for entry in self.requests)

    def answer(self, method: str, path: str, query: dict[str, str], body: bytes, kind: str) -> Any:
        """The answer's model, or a status."""
        routes = [
            (found, sender)
            for route_method, pattern, sender in ROUTES
            if route_method == method and (found := re.fullmatch(f"/apis/v2beta1{pattern}", path))
        ]
        if not routes:
            return 404
        found, sender = routes[0]
        before = len(self.violations)
        self._check_query(sender, query)
        name = re.sub(r"_with_http_info$", "", sender.__name__)
        content = self._content(sender, body, kind) if body else None
        if len(self.violations) > before:
            return 400
        handler = getattr(self, f"_{name}")
        return handler(query, content, *found.groups())

    def _check_query(self, sender: Any, query: dict[str, str]) -> None:
        known = set(re.findall(r"query_params\.append\(\('(\w+)'", inspect.getsource(sender)))
        self._expect(set(query) <= known, f"{sender.__name__}: query {sorted(set(query) - known)}")
        if not self.multi_user:
            self._expect("namespace" not in query, "single-user mode cannot filter by namespace")

    def _content(self, sender: Any, body: bytes, kind: str) -> Any:
        if "multipart" in kind:
            head = f"Content-Type: {kind}\r\n\r\n".encode()
            parser = email.parser.BytesParser(policy=email.policy.HTTP)
            (part,) = parser.parsebytes(head + body).iter_parts()
            assert part.get_param("name", header="content-disposition") == "uploadfile"
            return part.get_payload(decode=True)
        model = re.search(r":type \w+: (V2beta1\w+)", inspect.getsource(sender))
        assert model
        content = json.loads(body)
        self._check_model(model[1], content, model[1])
        return content

    def _check_model(self, kind: str, value: Any, where: str) -> None:
        """Hold a JSON value against a type of the generated models."""
        if found := re.fullmatch(r"list\[(.+)\]", kind):
            self._expect(isinstance(value, list), f"{where} is no list")
            for entry in value:
                self._check_model(found[1], entry, f"{where}[]")
        elif found := re.fullmatch(r"dict\(str, (.+)\)", kind):
            self._expect(isinstance(value, dict), f"{where} is no object")
        elif kind in ("str", "datetime"):
            self._expect(isinstance(value, str), f"{where} is no text")
        elif kind in ("int", "bool"):
            self._expect(type(value).__name__ == kind, f"{where} is no {kind}")
        elif values := getattr(getattr(api, kind, None), "allowable_values", None):
            self._expect(value in values, f"{where} is {value}")
        elif kind != "object":
            model = getattr(api, kind)
            names = {key: name for name, key in model.attribute_map.items()}
            self._expect(isinstance(value, dict), f"{where} is no object")
            for key, entry in value.items():
                self._expect(key in names, f"{where} has the unknown field {key}")
                if key in names:
                    self._check_model(model.openapi_types[names[key]], entry, f"{where}.{key}")
            for key in REQUIRED.get(kind, ()):
                self._expect(bool(value.get(key)), f"{where} lacks {key}")
            api.ApiClient().deserialize(Answer(json.dumps(value)), kind)

    def _expect(self, true: bool, otherwise: str) -> None:
        if not true:
            self.violations.append(otherwise)

    def _matching(self, entries: list[Any], query: dict[str, str]) -> list[Any]:
        """The entries that a filter lets through; it is read as strictly as protobuf's JSON."""
        if "filter" not in query:
            return entries
        for predicate in json.loads(query["filter"])["predicates"]:
            self._expect(
                sorted(predicate) == ["key", "operation", "stringValue"]
                and predicate["operation"] == 1
                and predicate["key"] == "display_name",
                f"filter {predicate}",
            )
            value = predicate["stringValue"]
            entries = [entry for entry in entries if entry.display_name == value]
        return entries

    def _healthz_service_get_healthz(self, query: Any, _: Any) -> Any:
        return api.V2beta1GetHealthzResponse(multi_user=self.multi_user, pipeline_store="database")

    def _experiment_service_list_experiments(self, query: Any, _: Any) -> Any:
        found = self._matching(self.experiments, query)
        return api.V2beta1ListExperimentsResponse(experiments=found or None, total_size=len(found))

    def _experiment_service_create_experiment(self, query: Any, body: Any) -> Any:
        if self.multi_user and not body.get("namespace"):
            self.violations.append("multi-user mode wants a namespace")
            return 400
        if any(one.display_name == body["display_name"] for one in self.experiments):
            return 409
        made = api.V2beta1Experiment(**body, experiment_id=str(uuid.uuid4()))
        self.experiments.append(made)
        return made

    def _pipeline_service_list_pipelines(self, query: Any, _: Any) -> Any:
        found = self._matching(self.pipelines, query)
        return api.V2beta1ListPipelinesResponse(pipelines=found or None, total_size=len(found))

    def _pipeline_service_create_pipeline(self, query: Any, body: Any) -> Any:
        if any(one.name == body["name"] for one in self.pipelines):
            return 409
        made = api.V2beta1Pipeline(**body, pipeline_id=str(uuid.uuid4()))
        self.pipelines.append(made)
        return made

    def _pipeline_service_list_pipeline_versions(self, query: Any, _: Any, pipeline: str) -> Any:
        of_it = [one for one in self.versions if one.pipeline_id == pipeline]
        found = self._matching(of_it, query)
        return api.V2beta1ListPipelineVersionsResponse(
            pipeline_versions=found or None, total_size=len(found)
        )

    def _upload_pipeline_version(self, query: Any, content: Any) -> Any:
        if all(one.pipeline_id != query["pipelineid"] for one in self.pipelines):
            return 404
        if any(one.display_name == query["name"] for one in self.versions):
            return 409
        first, *rest = yaml.load_all(content, yaml.CSafeLoader)
        json_format.ParseDict(first, pipeline_spec_pb2.PipelineSpec())
        for document in rest:
            json_format.ParseDict(document, pipeline_spec_pb2.PlatformSpec())
        made = api.V2beta1PipelineVersion(
            pipeline_id=query["pipelineid"],
            pipeline_version_id=str(uuid.uuid4()),
            display_name=query["name"],
            name=query["name"],
            description=query.get("description"),
        )
        self.versions.append(made)
        self.specifications.append(first)
        return made

    def _run_service_list_runs(self, query: Any, _: Any) -> Any:
        of_it = [
            one
            for one in self.runs
            if one.experiment_id == query.get("experiment_id", one.experiment_id)
        ]
        found = self._matching(of_it, query)
        return api.V2beta1ListRunsResponse(runs=found or None, total_size=len(found))

    def _run_service_create_run(self, query: Any, body: Any) -> Any:
        if not self._fits(body):
            return 404
        made = api.V2beta1Run(**body, run_id=str(uuid.uuid4()), state="PENDING")
        self.runs.append(made)
        return made

    def _run_service_terminate_run(self, query: Any, _: Any, run_id: str) -> Any:
        if all(one.run_id != run_id for one in self.runs):
            return 404
        ended = Look("FAILED", history=("RUNNING", "CANCELING", "FAILED"))
        self.walk, self.looks = [Look("CANCELING", history=("RUNNING", "CANCELING")), ended], 0
        return {}

    def _fits(self, body: Any) -> bool:
        """Whether there is what a run is of; its parameters are held against that."""
        reference = body["pipeline_version_reference"]
        known = {one.pipeline_version_id: number for number, one in enumerate(self.versions)}
        if reference["pipeline_version_id"] not in known:
            return False
        if all(one.experiment_id != body.get("experiment_id") for one in self.experiments):
            return False
        specification = self.specifications[known[reference["pipeline_version_id"]]]
        inputs = specification["root"]["inputDefinitions"]["parameters"]
        given = body["runtime_config"]["parameters"]
        self._expect(set(given) <= set(inputs), f"parameters {set(given) - set(inputs)}")
        needed = {name for name, about in inputs.items() if not about.get("isOptional")}
        self._expect(needed <= set(given), f"no parameters {needed - set(given)}")
        return True

    def _recurring_run_service_create_recurring_run(self, query: Any, body: Any) -> Any:
        if not self._fits(body):
            return 404
        self._expect(1 <= int(body["max_concurrency"]) <= 10, "max_concurrency")
        (kind,) = body["trigger"]
        if kind == "cron_schedule":  # robfig/cron, with seconds
            self._expect(len(body["trigger"][kind]["cron"].split()) == 6, "cron")
        told = {**body, "trigger": self._model(body["trigger"], "V2beta1Trigger")}
        told["pipeline_version_reference"] = self._model(
            body["pipeline_version_reference"], "V2beta1PipelineVersionReference"
        )
        made = api.V2beta1RecurringRun(
            **told,
            recurring_run_id=str(uuid.uuid4()),
            status="ENABLED",
            created_at="2026-11-30T03:00:00Z",
        )
        self.schedules.append(made)
        return made

    def _model(self, value: Any, kind: str) -> Any:
        return api.ApiClient().deserialize(Answer(json.dumps(value)), kind)

    def _recurring_run_service_list_recurring_runs(self, query: Any, _: Any) -> Any:
        found = self._matching(self.schedules, query)
        start = int(query.get("page_token", 0))
        rest = str(start + self.page) if len(found) > start + self.page else None
        return api.V2beta1ListRecurringRunsResponse(
            recurring_runs=found[start : start + self.page] or None,
            total_size=len(found),
            next_page_token=rest,
        )

    def _set_status(self, identifier: str, status: str) -> Any:
        for one in self.schedules:
            if one.recurring_run_id == identifier:
                one.status = status
                return {}
        return 404

    def _recurring_run_service_disable_recurring_run(self, query: Any, _: Any, one: str) -> Any:
        return self._set_status(one, "DISABLED")

    def _recurring_run_service_enable_recurring_run(self, query: Any, _: Any, one: str) -> Any:
        return self._set_status(one, "ENABLED")

    def _recurring_run_service_delete_recurring_run(self, query: Any, _: Any, one: str) -> Any:
        kept = [entry for entry in self.schedules if entry.recurring_run_id != one]
        # A real one deletes the run's workflow, and never learns how it ended.
        at_work = [run for run in self.runs if run.state in ("PENDING", "RUNNING", "CANCELING")]
        self._expect(all(run.recurring_run_id != one for run in at_work), "a run is at work")
        found = len(kept) < len(self.schedules)
        self.schedules[:] = kept
        return {} if found else 404

    def _run_service_get_run(self, query: Any, _: Any, run_id: str) -> Any:
        (run,) = [one for one in self.runs if one.run_id == run_id] or [None]
        if run is None:
            return 404
        look = self.walk[min(self.looks, len(self.walk) - 1)]
        self.looks += 1
        if look.recorded:
            told = Answer(json.dumps({**json.loads(look.recorded.read_text()), "run_id": run_id}))
            return api.ApiClient().deserialize(told, "V2beta1Run")
        run.state = look.state
        run.error = api.GoogleRpcStatus(code=13, message=look.error) if look.error else None
        run.state_history = [api.V2beta1RuntimeStatus(state=state) for state in look.history]
        run.run_details = api.V2beta1RunDetails(task_details=list(_nodes(run_id, look.tasks)))
        return run


def _nodes(run_id: str, tasks: Mapping[str, str]) -> Iterator[Any]:
    """Tasks as a real server makes them of Argo's nodes: each twice, tied by their times alone."""

    def node(name: str, state: str, second: int, children: Sequence[str] = ()) -> Any:
        pods = [api.PipelineTaskDetailChildTask(pod_name=f"{WORKFLOW}-{c}") for c in children]
        return api.V2beta1PipelineTaskDetail(
            run_id=run_id,
            task_id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{name} {second}")),
            display_name=name,
            create_time="2026-11-25T00:00:00Z",
            start_time=f"2026-11-25T00:{second // 60:02d}:{second % 60:02d}Z",
            end_time="1970-01-01T00:00:00Z"
            if state in ("RUNNING", "PENDING")
            else "2026-11-25T02:00:00Z",
            state=state or None,
            child_tasks=pods or None,
        )

    for second, (name, state) in enumerate(tasks.items()):
        name = name.rstrip("+")
        if name.endswith("-driver"):
            yield node(name, state, second)
            yield node(f"{name}(0)", state, second)
            continue
        of_step = "RUNNING" if state == "PENDING" else state
        yield node(name, of_step, second, [f"{second}1"])
        yield node(f"{name}(0)", of_step, second, [f"{second}2"])
        yield node("executor", of_step, second, [f"{second}3"])
        yield node("executor(0)", state, second)


def pod_of(name: str, tasks: Mapping[str, str]) -> str:
    """The pod of the work of a step, as KFP 2.17 and Argo name it."""
    return f"{WORKFLOW}-metadata-0-2-retry-system-container-impl-{list(tasks).index(name)}3"


class Answer:
    """What the generated code deserializes."""

    def __init__(self, data: str) -> None:
        self.data = data


def _handler(kfp: Kfp) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            # As the API server of Kubernetes hands requests on.
            parts = urlsplit(re.sub(rf"^{PROXY}", "", self.path))
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            kind = self.headers.get("Content-Type", "")
            shown = json.loads(body) if body and "json" in kind else None
            kfp.requests.append((self.command, parts.path, query, shown))
            kfp.headers.append({name.lower(): value for name, value in self.headers.items()})
            kfp.raw_paths.append(self.path)
            if 0 < kfp.expires_after <= kfp.looks:
                return self.fail(401)
            absent = kfp.looks > 0 and kfp.absences > 0
            kfp.absences -= absent
            if absent or 0 < kfp.gone_after <= kfp.looks:
                self.close_connection = True
                return None
            fault = next(iter(kfp.faults.get(f"{self.command} {parts.path}", [])), None)
            if fault is not None:
                kfp.faults[f"{self.command} {parts.path}"].pop(0)
            if fault == HTML:
                return self.reply(200, b"<!doctype html><title>Sign in</title>", "text/html")
            if isinstance(fault, tuple):
                return self.fail(*fault)
            if isinstance(fault, int):
                return self.fail(fault)
            if kfp.token and self.headers.get("Authorization") != f"Bearer {kfp.token}":
                return self.fail(401)
            if parts.path in kfp.kubernetes:
                found = kfp.kubernetes[parts.path]
                kind = "text/plain" if isinstance(found, str) else "application/json"
                body = found if isinstance(found, str) else json.dumps(found)
                return self.reply(200, body.encode(), kind)
            if parts.path == "/k8s/pod/logs":
                if query.get("podname") in kfp.logs:
                    return self.reply(200, kfp.logs[query["podname"]].encode(), "text/plain")
                return self.reply(500, b"Could not get main container logs: Error", "text/plain")
            answer = kfp.answer(self.command, parts.path, query, body, kind)
            if fault == DROP:
                self.close_connection = True
                return None
            if isinstance(answer, int):
                return self.fail(answer)
            content = api.ApiClient().sanitize_for_serialization(answer)
            return self.reply(200, json.dumps(content).encode(), "application/json")

        do_GET = do_POST = do_DELETE = handle_any  # noqa: N815

        def fail(self, status: int, headers: Mapping[str, str] | None = None) -> None:
            words = {"error": f"about {status}", "code": 13, "message": f"about {status}"}
            self.reply(status, json.dumps(words).encode(), "application/json", headers or {})

        def reply(
            self, status: int, body: bytes, kind: str, headers: Mapping[str, str] | None = None
        ) -> None:
            self.send_response(status)
            for name, value in {**(headers or {}), "Content-Type": kind}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def serve(kfp: Kfp, tls: ssl.SSLContext | None = None) -> Iterator[Kfp]:
    """Run the server while the block lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(kfp))
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    kfp.address = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()

    try:
        yield kfp
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
