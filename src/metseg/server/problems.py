"""Errors as problem documents (RFC 9457), every one with the request's id."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from metseg.errors import CheckpointError, MetsegError, MissingExtraError
from metseg.server.engine import Cancelled, QueueFullError, UnknownModelError, WorkersLostError
from metseg.server.upload_decoding import Reason, UploadRejected

MEDIA_TYPE = "application/problem+json"
#: What is logged where the client went away; nobody reads such an answer.
CLIENT_GONE = 499

_REFUSALS = {
    Reason.UNSUPPORTED: 415,
    Reason.TOO_LARGE: 413,
    Reason.UNREADABLE: 422,
    Reason.MISNAMED: 409,
}
_MEANINGS = {
    400: "The request is not valid HTTP or multipart.",
    401: "The token is missing or wrong.",
    403: "The request comes from where nobody may ask without a token.",
    404: "There is nothing of that name.",
    406: "The answer cannot be given in any form that the request accepts.",
    408: "The request took too long to arrive.",
    409: "The job has no result (yet); or sequences, target and image do not go together.",
    413: "The upload has too many bytes, or the image in it too many pixels or slices.",
    415: "The upload is of a format that is not read.",
    422: "The upload cannot be read, or a parameter is wrong.",
    500: "The server failed.",
    503: "The server has too much to do, is not ready, or is closing.",
}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}}
_AUTHENTICATE = {"WWW-Authenticate": {"description": "`Bearer`.", "schema": {"type": "string"}}}


class ProblemDetails(BaseModel):
    """What went wrong with a request (RFC 9457)."""

    type: str = Field("about:blank", description="The status says it all.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status.", ge=400, le=599)
    detail: str = Field(description="What is wrong, and what to do.")
    request_id: str = Field(description="The id to name when asking about this request.")


class ProblemError(MetsegError):
    """A request ends with a problem document.

    Parameters
    ----------
    detail : str
        What is wrong, in words for whoever made the request.
    headers : dict of str, optional
        Sent with it.
    """

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})


def problem_response(problem: ProblemError, request_id: str) -> JSONResponse:
    """The problem document of ``problem``."""
    status = problem.status
    title = "Client Closed Request" if status == CLIENT_GONE else HTTPStatus(status).phrase
    document = ProblemDetails(
        type="about:blank", title=title, status=status, detail=problem.detail, request_id=request_id
    )
    return JSONResponse(document.model_dump(), status, problem.headers, MEDIA_TYPE)


def declared(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of these statuses."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    answers: dict[int | str, dict[str, Any]] = {
        status: {"description": _MEANINGS[status], "content": content} for status in sorted(statuses)
    }
    for status, headers in ((503, _RETRY_AFTER), (401, _AUTHENTICATE)):
        if status in answers:
            answers[status]["headers"] = headers
    return answers


def as_problem(error: Exception) -> ProblemError:
    """What a client is told of ``error``."""
    match error:
        case ProblemError():
            return error
        case HTTPException():
            return ProblemError(error.status_code, _explained(str(error.detail)), error.headers)
        case RequestValidationError():
            return ProblemError(422, "; ".join(map(_wrong_parameter, error.errors())))
        case UploadRejected():
            return ProblemError(_REFUSALS[error.why], error.reason)
        case QueueFullError():
            return ProblemError(503, str(error), {"Retry-After": str(error.seconds)})
        case Cancelled():
            return ProblemError(503, str(error), {"Retry-After": "5"})
        case WorkersLostError():
            return ProblemError(500, str(error))
        case UnknownModelError():
            return ProblemError(422, str(error))
        case CheckpointError():
            return ProblemError(503, "the model is damaged on the server; choose another", {"Retry-After": "60"})
        case MissingExtraError():
            return ProblemError(415, f"this server cannot read that: {error}")
        case _:
            return ProblemError(500, "the server failed; its log says more under the id of this request")


def _explained(detail: str) -> str:
    """What Starlette says of a form, with the usual reason: without a file name it takes a file for a short text."""
    if not detail.startswith("Part exceeded maximum size"):
        return detail
    return f"{detail}; a part that is a file needs a filename in its Content-Disposition (curl -F file=@slice.tif)"


def _wrong_parameter(error: dict[str, Any]) -> str:
    place = " ".join(str(part) for part in error["loc"])
    return f"{place}: {error['msg']}"


async def answer_with_problem(request: Request, error: Exception) -> JSONResponse:
    """The handler of every error."""
    problem = as_problem(error)
    if problem.status == HTTPStatus.METHOD_NOT_ALLOWED:
        problem.headers["Allow"] = _methods(request) or problem.headers.get("Allow", "")
    return problem_response(problem, request.state.request_id)


def _methods(request: Request) -> str:
    """The methods of all routes of this path; each route knows its own only."""
    path = getattr(request.scope.get("route"), "path", None)
    return ", ".join(sorted(method.upper() for method in request.app.openapi()["paths"].get(path, {})))


def add_problem_handlers(app: FastAPI) -> None:
    """Answer every error of ``app`` with a problem document, also those of FastAPI itself."""
    for kind in (HTTPException, RequestValidationError, MetsegError):
        app.add_exception_handler(kind, answer_with_problem)
