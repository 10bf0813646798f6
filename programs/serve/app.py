"""The service's routes: the page, `POST /v1/predict`, and whether it is alive and ready."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from components.common.model.description import ModelDescription
from components.common.model.learned import Learned
from components.common.model.model import Model
from components.common.model.references import References
from components.common.pages import subject
from components.common.photos.images import BadPhoto
from programs.serve import answer, page, saving, upload
from programs.serve.answer import (
    Answer,
    Health,
    Kept,
    Measured,
    ModelInfo,
    Newer,
    Problem,
    State,
    Wish,
)
from programs.serve.corrections import Corrections
from programs.serve.counters import Counters
from programs.serve.front import Front
from programs.serve.options import Limits
from programs.serve.pool import Busy, Pool
from programs.serve.switch import Switch
from programs.serve.upload import Refused

R = TypeVar("R")

TOP_K = 5
MAX_TOP_K = 1000
RETRY_AFTER_S = 2
CLIENT_GONE = 499  # nginx's word in the log for it; nobody is there to read the answer

_PROBLEMS: dict[int, str] = {
    400: "The file is damaged, or the form is malformed.",
    408: "The photo did not arrive in time.",
    413: "The file or the picture is too large.",
    415: "It is not a photo, or of a kind that is not read.",
    422: "A parameter of the query is wrong.",
    503: "Too many photos at once, or the model is not loaded yet.",
    504: "The answer took too long.",
}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_BODY = {
    "required": True,
    "content": {
        upload.MULTIPART: {
            "schema": {
                "type": "object",
                "required": [upload.FIELD],
                "properties": {upload.FIELD: {"type": "string", "format": "binary"}},
            }
        },
        "image/*": _BINARY,
        "application/octet-stream": _BINARY,
    },
}


@dataclass
class Service:
    """What the routes of one model share.

    Attributes:
        description: of the model.
        pool: threads with a model each.
        limits: of a request.
        references: photos to show beside the one asked about; None until loaded, or without any.
        learned: the photos that the model learned from; None until loaded.
        measured: how good the model is; None where that is not known.
        corrections: where labelled photos are kept; None where none are.
        version: of the model, as it was published.
        since: when it began to answer.
        newer: a version that has been published since, and is not served yet.
        counters: what Prometheus is told; None where it is told nothing.
        arriving: photos that are on their way in.
    """

    description: ModelDescription
    pool: Pool[Model]
    limits: Limits
    references: References | None = None
    learned: Learned | None = None
    measured: Measured | None = None
    corrections: Corrections | None = None
    version: str = ""
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    newer: Newer | None = None
    counters: Counters | None = None
    arriving: int = 0

    async def predict(self, request: Request, wish: Wish) -> Answer:
        """The answer to the photo of a request.

        Raises:
            Refused: there is no usable photo, or no time for it.
            ClientDisconnect: the client went away.
        """
        found = await self.work(
            request, lambda model, sent: self.answer(model, upload.ready(sent, self.limits), wish)
        )
        if self.counters is not None:
            self.counters.count_answer(found.predicted)
        return found

    def answer(self, model: Model, photo: bytes, wish: Wish) -> Answer:
        """The answer to a photo.

        Raises:
            Refused: it cannot be decoded.
        """
        try:
            return answer.answer(model, self.references, photo, wish, self.learned)
        except BadPhoto as bad:
            raise upload.refused_photo(bad) from bad

    async def work(self, request: Request, on_photo: Callable[[Model, bytes], R]) -> R:
        """What `on_photo` makes of a model and the photo of a request, as it was sent.

        Raises:
            Refused: there is no photo, or no time for it; and what `on_photo` raises.
            ClientDisconnect: the client went away.
        """
        if not self.pool.ready:
            raise Refused(503, "not_ready", "The model is being loaded. Try again in a moment.")
        if self.pool.full or self.arriving >= self.limits.uploads:
            raise _busy()
        self.arriving += 1
        try:
            body = await upload.read_body(request, self.limits)
        finally:
            self.arriving -= 1
        content_type = request.headers.get("content-type", "")

        def work(model: Model) -> R:
            return on_photo(model, upload.sent_photo(body, content_type, self.limits))

        try:
            return await self.pool.run(work, timeout_s=self.limits.answer_s)
        except Busy:
            raise _busy() from None
        except TimeoutError:
            message = f"There was no answer within {self.limits.answer_s:.0f} seconds."
            raise Refused(504, "timeout", f"{message} Try a smaller photo, or later.") from None


def make_app(
    service: Service,
    *,
    hosts: Collection[str] = (),
    access_log: bool = True,
    on_start: Callable[[], None] | None = None,
) -> ASGIApp:
    """The service as an ASGI application.

    Args:
        service: what it works with; the threads of its pool are started with it.
        hosts: names that it goes by, as `Front` takes them.
        access_log: whether to log requests.
        on_start: called when it starts.
    """
    switch = make_switch(service, hosts=hosts, on_start=on_start)
    return Front(switch, hosts=hosts, access_log=access_log, counters=service.counters)


def make_switch(
    service: Service,
    *,
    hosts: Collection[str] = (),
    on_start: Callable[[], None] | None = None,
) -> Switch[Service]:
    """The routes of a service, which may give way to those of another; arguments as `make_app`."""
    return Switch(
        service,
        partial(_routes, hosts=hosts),
        on_start=on_start,
        in_background=partial(saving.prune_hourly, service.corrections),
    )


def _routes(service: Service, *, hosts: Collection[str]) -> ASGIApp:
    """The routes of one model."""
    # FastAPI's own pages of the documentation load scripts from a CDN, and its telemetry would send
    # what it sees wherever the environment says: both are off.
    words = subject.words(service.description.facts)
    app = FastAPI(
        title="Wild mushrooms" if words.of_fungi else "What is on this photo?",
        summary=words.question,
        description=words.warning,
        version=service.description.version,
        docs_url=None,
        redirect_slashes=False,  # would name the host that the request named
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    _add_pages(app, service)
    _add_predict(app, service)
    if service.corrections is not None:
        _add_corrections(app, service, frozenset(host.lower().rstrip(".") for host in hosts))
    _add_problems(app)
    return app


def _add_pages(app: FastAPI, service: Service) -> None:
    html = page.render(
        service.description,
        service.limits,
        service.measured,
        keeps=saving.kept_for(service.corrections),
    )
    headers = {"Content-Security-Policy": page.policy(html), "Cache-Control": "no-cache"}

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def show_page() -> HTMLResponse:
        return HTMLResponse(html, headers=headers)

    @app.get("/v1/model", summary="Which model answers")
    async def show_model() -> ModelInfo:
        return answer.describe(service.description, service.measured)

    @app.get("/healthz", summary="Whether the process is alive, and which version answers")
    async def healthz() -> Health:
        return Health(
            state="alive", version=service.version, since=service.since, newer=service.newer
        )

    @app.get(
        "/readyz",
        summary="Whether it is ready to answer photos",
        responses={503: {"model": Problem, "description": "The model is not loaded yet."}},
    )
    async def readyz() -> State:
        if not service.pool.ready:
            raise Refused(503, "not_ready", "The model is being loaded.")
        return State(state="ready")


def _add_predict(app: FastAPI, service: Service) -> None:
    responses: dict[int | str, dict[str, Any]] = {
        status: {"model": Problem, "description": text} for status, text in _PROBLEMS.items()
    }
    responses[503]["headers"] = {
        "Retry-After": {"description": "seconds", "schema": {"type": "integer"}}
    }

    @app.post(
        "/v1/predict",
        summary="Which class a photo shows",
        description="Takes a photo as the field `image` of a form, or as the body itself. It is "
        f"not kept. Photos may be {upload.KINDS}. {app.description}",
        responses=responses,
        openapi_extra={"requestBody": _BODY},
    )
    async def predict(
        request: Request,
        top_k: Annotated[int, Query(ge=1, le=MAX_TOP_K, description="number of classes")] = TOP_K,
        activation: Annotated[bool, Query(description="show where it looked")] = False,
        similar: Annotated[
            int, Query(ge=0, le=answer.MAX_SIMILAR, description="number of similar photos")
        ] = 0,
    ) -> Answer:
        return await service.predict(request, Wish(top_k, activation, similar))


def _add_corrections(app: FastAPI, service: Service, hosts: Collection[str]) -> None:
    """The route that keeps a labelled photo; there is none unless photos are kept."""

    @app.post(
        "/v1/corrections",
        summary="Keep a photo under the class that a person names",
        description="Takes a photo as /v1/predict does, from the service's own page only. Without "
        "`said` a photo that was kept is removed.",
        responses={
            403: {"model": Problem, "description": "Another site asks, or nobody agreed."},
            422: {"model": Problem, "description": "The model has no such class."},
            429: {"model": Problem, "description": "Too many photos in one minute."},
            507: {"model": Problem, "description": "There is no room on the disk."},
        },
        openapi_extra={"requestBody": _BODY},
    )
    async def correct(
        request: Request,
        said: Annotated[
            str | None, Query(max_length=1000, description="what the person says that it was")
        ] = None,
        consent: Annotated[bool, Query(description="the person agrees that it is kept")] = False,
    ) -> Kept:
        assert service.corrections is not None
        saving.check(request, service, said, consent=consent, hosts=hosts)

        def keep(model: Model, sent: bytes) -> Kept:
            ready = upload.ready(sent, service.limits)
            found = service.answer(model, ready, Wish(1, activation=False, similar=0))
            return saving.keep(service.corrections, sent, said, found)

        return await service.work(request, keep)


def _add_problems(app: FastAPI) -> None:
    """Every refusal has one shape."""

    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> Response:
        return _problem(error.status, error.reason, error.message)

    @app.exception_handler(ClientDisconnect)
    async def client_gone(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=CLIENT_GONE)

    @app.exception_handler(RequestValidationError)
    async def wrong_parameter(_: Request, error: RequestValidationError) -> Response:
        told = [f"{problem['loc'][-1]}: {problem['msg']}" for problem in error.errors()]
        return _problem(422, "bad_parameter", "; ".join(told))

    @app.exception_handler(HTTPException)
    async def no_such_place(_: Request, error: HTTPException) -> Response:
        reason = "no_such_place" if error.status_code == 404 else "not_possible"
        response = _problem(error.status_code, reason, f"{error.detail}.")
        response.headers.update(error.headers or {})
        return response


def _busy() -> Refused:
    return Refused(503, "busy", "Many other photos are waiting. Try again in a moment.")


def _problem(status: int, reason: str, message: str) -> JSONResponse:
    again = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else None
    content = Problem(reason=reason, message=message).model_dump()
    return JSONResponse(content, status_code=status, headers=again)
